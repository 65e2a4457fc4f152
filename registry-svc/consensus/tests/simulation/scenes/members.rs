//! Changes of the members, whoever dies in the middle of them.

use super::{KILLED, ms, scene};
use registry_consensus::ReplicaId;
use std::collections::BTreeSet;
use tokio::time::timeout;

fn ids(ids: &[u64]) -> BTreeSet<ReplicaId> {
    ids.iter().copied().map(ReplicaId).collect()
}

#[test]
fn a_joint_change_whose_leader_died_is_finished_by_the_next_one() {
    scene(3, 1, |world, dice| async move {
        let leader = world.life(world.leads().unwrap());
        leader.running().add_learner(ReplicaId(4)).await.unwrap();
        world.say(1, &dice).await;
        // Slow enough to be met in the middle of it.
        world.lives().iter().for_each(|life| life.disk.pace(20_000, 25_000));
        let change = leader.clone();
        let set = tokio::spawn(async move { change.running().set_voters(&ids(&[1, 2, 3, 4])).await });
        world
            .eventually("the change has begun", |world| {
                world.lives().iter().filter(|life| life.standing().members.voters.is_joint()).count() >= 3
            })
            .await;
        world.crash(leader.id, KILLED);
        set.abort();
        world.leader().await;
        world
            .within(ms(3_000), "it is finished", |world| {
                world.settled().is_some_and(|id| {
                    let members = world.life(id).standing().members;
                    !members.voters.is_joint() && members.voters.all() == ids(&[1, 2, 3, 4])
                })
            })
            .await;
        world.comes_right().await;
    });
}

#[test]
fn a_leader_that_inherits_its_own_removal_hands_over_before_it_is_finished() {
    scene(3, 2, |world, dice| async move {
        // Three of four stay; who goes inherits the change.
        let leader = world.life(world.leads().unwrap());
        for id in [4, 5] {
            leader.running().add_learner(ReplicaId(id)).await.unwrap();
        }
        world.say(1, &dice).await;
        let goes = world.follower();
        let stays: BTreeSet<ReplicaId> = world.ids().into_iter().filter(|id| *id != goes).map(ReplicaId).collect();
        world.lives().iter().for_each(|life| life.disk.pace(20_000, 25_000));
        let (change, to) = (leader.clone(), stays.clone());
        let set = tokio::spawn(async move { change.running().set_voters(&to).await });
        world
            .eventually("the change has begun", |world| {
                world.lives().iter().filter(|life| life.standing().members.voters.is_joint()).count() >= 4
            })
            .await;
        let end = world.life(leader.id).running().hand_over(Some(ReplicaId(goes))).await;
        set.abort();
        println!("hand-over to who goes: {end:?}, joint: {}", world.life(goes).standing().members.voters.is_joint());
        world
            .within(ms(5_000), "it is finished by somebody who stays", |world| {
                world.leads().is_some_and(|id| {
                    let members = world.life(id).standing().members;
                    id != goes && !members.voters.is_joint() && members.voters.all() == stays
                })
            })
            .await;
        world.say(2, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_change_goes_on_when_whoever_asked_for_it_gives_up() {
    scene(3, 1, |world, dice| async move {
        let leader = world.life(world.leads().unwrap());
        leader.running().add_learner(ReplicaId(4)).await.unwrap();
        let gave_up = timeout(ms(2), leader.running().set_voters(&ids(&[1, 2, 3, 4]))).await;
        assert!(gave_up.is_err(), "it was too quick for this test");
        world
            .within(ms(1_000), "it is finished", |world| {
                let members = world.life(leader.id).standing().members;
                !members.voters.is_joint() && members.voters.all() == ids(&[1, 2, 3, 4])
            })
            .await;
        world.say(1, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_new_voter_that_has_heard_of_nothing_can_still_help_to_elect() {
    scene(3, 1, |world, dice| async move {
        let leader = world.life(world.leads().unwrap());
        // The new one gets not a single entry.
        for id in [1, 2, 3] {
            world.net.cut(id, 4, true);
        }
        let _ = timeout(ms(100), leader.running().add_learner(ReplicaId(4))).await;
        let _ = timeout(ms(500), leader.running().set_voters(&ids(&[1, 2, 3, 4]))).await;
        assert!(world.life(4).standing().members.all().is_empty());
        world.crash(leader.id, KILLED);
        world.net.heal();
        // Three of four are there, and one of them is blank.
        world.within(ms(6_000), "somebody leads", |world| world.leads().is_some()).await;
        world.say(1, &dice).await;
        world.comes_right().await;
    });
}
