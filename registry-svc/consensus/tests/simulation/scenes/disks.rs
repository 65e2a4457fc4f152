//! Disks that stall and disks that are full.

use super::{ms, scene};
use registry_consensus::Why;
use std::time::Duration;
use tokio::time::Instant;

#[test]
fn a_leader_whose_disk_stalls_is_replaced_and_follows_when_it_is_well() {
    scene(3, 0, |world, dice| async move {
        let leader = world.leads().unwrap();
        world.life(leader).disk.stall(Duration::from_secs(8));
        let began = Instant::now();
        world.say(1, &dice).await;
        assert!(began.elapsed() < ms(4_000), "{:?}", began.elapsed());
        assert_ne!(world.leads(), Some(leader));
        world.pass(8_000).await;
        world.say(2, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_follower_whose_disk_stalls_holds_up_nobody() {
    scene(3, 0, |world, dice| async move {
        let (leader, term) = (world.leads().unwrap(), world.term());
        world.life(world.follower()).disk.stall(Duration::from_secs(5));
        for word in 0..30 {
            let began = Instant::now();
            world.say(word, &dice).await;
            assert!(began.elapsed() < ms(100), "{:?}", began.elapsed());
            world.pass(100).await;
        }
        assert_eq!((world.leads(), world.term()), (Some(leader), term));
        world.comes_right().await;
    });
}

#[test]
fn a_leader_whose_disk_is_full_is_replaced_and_comes_back_when_there_is_room() {
    scene(3, 0, |world, dice| async move {
        let leader = world.leads().unwrap();
        world.life(leader).disk.leave_room(Some(0));
        let began = Instant::now();
        world.say_some(0, 3, &dice).await;
        assert!(began.elapsed() < ms(5_000), "{:?}", began.elapsed());
        assert_ne!(world.leads(), Some(leader));
        assert!(world.life(leader).standing().fault.is_none());
        world.life(leader).disk.leave_room(None);
        world.say_some(10, 3, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_follower_whose_disk_is_full_catches_up_when_there_is_room() {
    scene(3, 0, |world, dice| async move {
        let (leader, follower) = (world.leads().unwrap(), world.follower());
        world.life(follower).disk.leave_room(Some(500));
        world.say_some(0, 20, &dice).await;
        assert_eq!(world.leads(), Some(leader));
        world.life(follower).disk.leave_room(None);
        world.comes_right().await;
    });
}

#[test]
fn disks_with_little_room_never_fill_up_as_snapshots_free_them() {
    scene(3, 0, |world, dice| async move {
        // As much as the log needs between two snapshots, and a little more.
        world.lives().iter().for_each(|life| life.disk.leave_room(Some(11 << 10)));
        let began = Instant::now();
        world.say_some(0, 300, &dice).await;
        println!("300 words on disks of 11 KiB took {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(30));
        world.comes_right().await;
    });
}

#[test]
fn when_all_disks_are_full_nobody_writes_and_all_goes_on_when_there_is_room() {
    scene(3, 0, |world, dice| async move {
        world.lives().iter().for_each(|life| life.disk.leave_room(Some(0)));
        world.pass(500).await;
        let leader = world.lives().into_iter().find(|life| life.standing().suspended == Some(Why::DiskFull));
        assert!(leader.is_some(), "somebody led, and stopped");
        world.pass(2_000).await;
        world.lives().iter().for_each(|life| life.disk.leave_room(None));
        world.within(ms(3_000), "somebody leads", |world| world.leads().is_some()).await;
        world.say(1, &dice).await;
        world.comes_right().await;
    });
}
