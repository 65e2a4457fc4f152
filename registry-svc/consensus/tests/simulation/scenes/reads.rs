//! A reader misses nothing, and is not kept waiting for those who cannot help.

use super::{KILLED, ms, scene};
use crate::rig::Weather;
use crate::words::Words;
use registry_consensus::{ReadFault, ReplicaId};
use tokio::time::Instant;

#[test]
fn a_leader_that_was_replaced_and_does_not_know_it_answers_no_reader() {
    scene(3, 0, |world, dice| async move {
        let old = world.leads().unwrap();
        // It hears nobody and still believes that it leads; the others replace it.
        world.isolate(old, true);
        let term = world.term();
        let others: Vec<_> = world.ids().into_iter().filter(|id| *id != old).collect();
        world
            .eventually("the others elect", |world| {
                others.iter().any(|id| world.life(*id).leads() && world.life(*id).standing().term > term)
            })
            .await;
        let new = others.iter().copied().find(|id| world.life(*id).leads()).unwrap();
        let said = world.life(new).running().propose(Words::batch(1)).await;
        said.unwrap();
        world.oracle.acknowledged(1, new, world.life(new).machine.times(1));
        for _ in 0..5 {
            let life = world.life(old);
            assert!(!world.read(&life).await, "it answered");
            world.pass(dice.between(0, 200)).await;
        }
        world.comes_right().await;
    });
}

#[test]
fn a_leader_that_sleeps_through_an_election_answers_no_reader_from_its_memory() {
    scene(3, 0, |world, dice| async move {
        let old = world.leads().unwrap();
        let life = world.life(old);
        // Its messages are held and come late; for a moment it cannot know that it is not the leader any more.
        for other in world.ids().into_iter().filter(|id| *id != old) {
            world.net.cut(old, other, true);
        }
        let term = world.term();
        world
            .eventually("the others elect", |world| world.term() > term && world.leads().is_some_and(|id| id != old))
            .await;
        world.say(1, &dice).await;
        for _ in 0..20 {
            world.read(&life).await;
            world.pass(50).await;
        }
        world.comes_right().await;
    });
}

#[test]
fn a_new_leader_answers_no_reader_before_its_first_entry_is_committed() {
    scene(3, 0, |world, dice| async move {
        for word in 0..4 {
            world.say(word, &dice).await;
            let leader = world.leads().unwrap();
            world.crash(leader, KILLED);
            // Whoever leads next reads at once.
            world.eventually("somebody leads", |world| world.leads().is_some()).await;
            let next = world.life(world.leads().unwrap());
            assert!(world.read(&next).await);
            world.start(leader);
            world.leader().await;
        }
        world.comes_right().await;
    });
}

#[test]
fn one_slow_peer_holds_up_no_reader_and_no_writer() {
    scene(3, 0, |world, dice| async move {
        let slow = world.follower();
        world.weather(slow, Weather { least: 300_000, most: 400_000, lost: 0 });
        world.pass(1_000).await;
        let leader = world.life(world.leads().unwrap());
        let quick = world.ids().into_iter().find(|id| *id != slow && *id != leader.id).unwrap();
        for word in 0..10 {
            let began = Instant::now();
            world.say(word, &dice).await;
            for id in [leader.id, quick] {
                assert!(world.read(&world.life(id)).await);
            }
            assert!(began.elapsed() < ms(80), "{:?}", began.elapsed());
        }
        world.comes_right().await;
    });
}

#[test]
fn a_link_that_breaks_while_another_peer_is_silent_holds_up_no_reader() {
    scene(3, 0, |world, _| async move {
        let (leader, silent) = (world.leads().unwrap(), world.follower());
        let other = world.ids().into_iter().find(|id| *id != silent && *id != leader).unwrap();
        // Its links stand, and nothing comes back; the other one is back in a moment.
        world.isolate(silent, true);
        assert!(world.net.reset(leader, other));
        let began = Instant::now();
        assert!(world.read(&world.life(leader)).await);
        assert!(began.elapsed() < ms(500), "{:?}", began.elapsed());
        world.comes_right().await;
    });
}

#[test]
fn a_reader_who_asked_a_leader_that_is_gone_asks_the_next_one_at_once() {
    scene(3, 0, |world, _| async move {
        let (old, reader) = (world.leads().unwrap(), world.follower());
        let term = world.term();
        // The question gets no answer, and nobody says so.
        world.isolate(old, true);
        let life = world.life(reader);
        let reading = tokio::spawn({
            let world = world.clone();
            async move { (world.read(&life).await, Instant::now()) }
        });
        world
            .eventually("the others elect", |world| {
                world.life(reader).standing().term > term && world.life(reader).standing().leader.is_some()
            })
            .await;
        let elected = Instant::now();
        let (answered, at) = reading.await.unwrap();
        assert!(answered && at < elected + ms(100), "{answered}, {:?} later", at - elected);
        world.comes_right().await;
    });
}

#[test]
fn without_a_quorum_a_reader_hears_so_within_two_seconds() {
    scene(3, 0, |world, _| async move {
        let alone = world.leads().unwrap();
        world.isolate(alone, true);
        for time in [0, 300, 900, 700] {
            world.pass(time).await;
            let began = Instant::now();
            let read = world.life(alone).running().read_barrier().await;
            assert!(matches!(read, Err(ReadFault::NoQuorum | ReadFault::NoLeader)), "{read:?}");
            assert!(began.elapsed() <= ms(2_001), "{:?}", began.elapsed());
        }
        // Many who come at different times, each by itself.
        let readers: Vec<_> = (0..10)
            .map(|n| {
                let life = world.life(alone);
                tokio::spawn(async move {
                    tokio::time::sleep(ms(n * 370)).await;
                    let began = Instant::now();
                    (life.running().read_barrier().await.is_err(), began.elapsed())
                })
            })
            .collect();
        for reader in readers {
            let (failed, time) = reader.await.unwrap();
            assert!(failed && time <= ms(2_001), "{time:?}");
        }
        world.comes_right().await;
    });
}

#[test]
fn a_reader_at_a_replica_that_lags_hears_so() {
    scene(3, 0, |world, dice| async move {
        let behind = world.follower();
        world.life(behind).disk.stall(ms(6_000));
        world.say(1, &dice).await;
        let began = Instant::now();
        let read = world.life(behind).running().read_barrier().await;
        assert_eq!(read, Err(ReadFault::Behind), "its disk does not have it, so it may not show it");
        assert!(began.elapsed() <= ms(4_001));
        assert_eq!(world.life(behind).machine.times(1), 0);
        assert!(world.life(behind).standing().leader.is_some_and(|leader| leader != ReplicaId(behind)));
        world.comes_right().await;
    });
}
