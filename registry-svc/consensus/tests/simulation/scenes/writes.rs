//! A writer is told what is so: done, not done, or nobody knows.

use super::{Cluster, ms, scene};
use crate::words::Words;
use registry_consensus::{ProposeFault, ReplicaId};
use tokio::time::{Instant, timeout};

/// Messages that only say what is committed, or that the leader lives.
fn empty(world: &Cluster) -> u64 {
    world.oracle.counts().get("append without entries").copied().unwrap_or_default()
}

#[test]
fn who_does_not_lead_says_who_does_and_writes_nothing() {
    scene(3, 0, |world, _| async move {
        let (leader, follower) = (world.leads().unwrap(), world.follower());
        let proposed = world.life(follower).running().propose(Words::batch(1)).await;
        assert_eq!(proposed, Err(ProposeFault::NotLeader { leader: Some(ReplicaId(leader)) }));
        world.pass(500).await;
        assert!(world.lives().iter().all(|life| life.machine.times(1) == 0));
    });
}

#[test]
fn the_outcome_of_what_a_leader_wrote_and_lost_is_unknown() {
    // Another entry takes its place in the leader's log, which says nothing of the logs of others: with five replicas one
    // of them may have it, be elected later, and commit it.
    scene(5, 0, |world, dice| async move {
        let old = world.leads().unwrap();
        let friend = world.follower();
        let term = world.term();
        // Only one other gets it.
        for other in world.ids().into_iter().filter(|id| ![old, friend].contains(id)) {
            for id in [old, friend] {
                world.net.cut(id, other, true);
                world.net.cut(other, id, true);
            }
        }
        let life = world.life(old);
        let proposed = tokio::spawn(async move { life.running().propose(Words::batch(1)).await });
        world
            .eventually("the three others elect", |world| {
                world.lives().iter().any(|life| life.leads() && life.standing().term > term)
            })
            .await;
        world.say_some(100, 3, &dice).await;
        world.isolate(old, false);
        let outcome = timeout(ms(5_000), proposed).await.unwrap().unwrap();
        assert_eq!(outcome, Err(ProposeFault::Unknown));
        world.comes_right().await;
    });
}

#[test]
fn who_waits_at_a_leader_that_was_deposed_waits_no_longer_than_until_it_knows() {
    scene(3, 0, |world, dice| async move {
        let old = world.leads().unwrap();
        let term = world.term();
        world.isolate(old, true);
        let life = world.life(old);
        let proposed = timeout(ms(1_500), life.running().propose(Words::batch(1))).await;
        assert_eq!(proposed.unwrap(), Err(ProposeFault::Unknown), "it was suspended meanwhile");
        let refused = life.running().propose(Words::batch(2)).await;
        assert_eq!(refused, Err(ProposeFault::NotLeader { leader: None }));
        world
            .eventually("the others elect", |world| world.lives().iter().any(|life| life.standing().term > term))
            .await;
        world.say(1, &dice).await;
        world.comes_right().await;
        assert!(world.lives().iter().all(|life| life.machine.times(1) == 1 && life.machine.times(2) == 0));
    });
}

#[test]
fn a_word_that_is_said_again_after_an_unknown_outcome_has_its_effect_once() {
    scene(3, 0, |world, dice| async move {
        for word in 0..10 {
            let leader = world.leads().unwrap();
            let life = world.life(leader);
            let said = tokio::spawn(async move { life.running().propose(Words::batch(word)).await });
            world.pass(dice.between(0, 4)).await;
            // Written for sure, and whether it was told or not, it is said again.
            let end = world.life(leader).running().hand_over(None).await;
            println!("{word}: {end:?}, {:?}", said.await.unwrap());
            world.say(word, &dice).await;
            world.pass(200).await;
        }
        world.comes_right().await;
    });
}

#[test]
fn who_writes_one_thing_after_another_waits_for_no_message_that_only_says_what_is_committed() {
    scene(3, 0, |world, dice| async move {
        world.pass(1_000).await;
        let (before, began) = (empty(&world), Instant::now());
        world.say_some(0, 100, &dice).await;
        // Heartbeats, and word that found no entries in time.
        let heartbeats = 2 * began.elapsed().as_millis() as u64 / 150;
        let more = empty(&world) - before;
        assert!(more < 30 + heartbeats, "{more} of them for 100 writes in {:?}", began.elapsed());
        world.comes_right().await;
    });
}

#[test]
fn a_follower_that_asked_for_a_write_hears_at_once_that_it_is_committed() {
    scene(3, 0, |world, _| async move {
        let (leader, follower) = (world.life(world.leads().unwrap()), world.follower());
        let mut applied = world.life(follower).running().applied();
        let mut waited = ms(0);
        for word in 0..50 {
            leader.running().propose_for(ReplicaId(follower), Words::batch(word)).await.unwrap();
            world.oracle.acknowledged(word, leader.id, leader.machine.times(word));
            let (began, index) = (Instant::now(), *leader.running().applied().borrow());
            applied.wait_for(|applied| *applied >= index).await.unwrap();
            waited += began.elapsed();
            world.pass(5).await;
        }
        // About a millisecond each on the way; word that nobody waits for rests for another one.
        assert!(waited < ms(80), "{waited:?} for 50 writes");
        world.comes_right().await;
    });
}

#[test]
fn what_no_other_write_follows_is_soon_known_to_all() {
    scene(3, 0, |world, dice| async move {
        for word in 0..20 {
            // Heartbeats, which say so too, are further apart.
            world.say(word, &dice).await;
            world.pass(25).await;
            let known: Vec<u32> = world.lives().iter().map(|life| life.machine.times(word)).collect();
            assert_eq!(known, [1, 1, 1], "of word {word}");
        }
        world.comes_right().await;
    });
}
