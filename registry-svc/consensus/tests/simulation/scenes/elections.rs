//! Who leads, and who disturbs nobody.

use super::{Crash, KILLED, ms, scene};
use registry_consensus::{HandOverEnd, ReplicaId, Why};
use std::time::Duration;
use tokio::time::{Instant, timeout};

#[test]
fn a_replica_that_was_cut_off_raises_no_term_when_it_comes_back() {
    scene(3, 0, |world, dice| async move {
        let (leader, term, away) = (world.leads().unwrap(), world.term(), world.follower());
        world.isolate(away, true);
        for word in 0..20 {
            world.say(word, &dice).await;
            world.pass(250).await;
        }
        world.isolate(away, false);
        world.pass(3_000).await;
        assert_eq!((world.leads(), world.term()), (Some(leader), term));
        world.comes_right().await;
        assert_eq!(world.term(), term);
    });
}

#[test]
fn a_replica_that_is_deaf_or_mute_raises_no_term() {
    scene(3, 0, |world, dice| async move {
        let (leader, term, half) = (world.leads().unwrap(), world.term(), world.follower());
        for deaf in [true, false] {
            for other in world.ids().into_iter().filter(|id| *id != half) {
                let (from, to) = if deaf { (other, half) } else { (half, other) };
                world.net.cut(from, to, true);
            }
            world.say(u64::from(deaf), &dice).await;
            world.pass(4_000).await;
            world.net.heal();
            world.pass(2_000).await;
            assert_eq!((world.leads(), world.term()), (Some(leader), term), "deaf: {deaf}");
        }
        world.comes_right().await;
    });
}

#[test]
fn a_restarted_follower_raises_no_term() {
    scene(3, 0, |world, dice| async move {
        let (leader, term) = (world.leads().unwrap(), world.term());
        for word in 0..6 {
            world.restart(world.follower()).await;
            world.say(word, &dice).await;
            world.pass(dice.between(0, 1_500)).await;
        }
        assert_eq!((world.leads(), world.term()), (Some(leader), term));
    });
}

#[test]
fn a_dead_process_is_replaced_in_a_fraction_of_a_second_and_a_dead_host_soon_after() {
    scene(3, 0, |world, dice| async move {
        for (dark, bound) in [(false, ms(350)), (true, ms(4_000))] {
            let leader = world.leads().unwrap();
            let term = world.term();
            let began = Instant::now();
            world.crash(leader, Crash { dark, all_lost: true });
            world.within(bound, "the others elect", |world| world.settled().is_some() && world.term() > term).await;
            assert_eq!(world.term(), term + 1, "no term was burnt");
            world.say(dice.between(0, 1 << 40), &dice).await;
            println!("dark {dark}: {:?}", began.elapsed());
            world.start(leader);
            world.pass(2_000).await;
        }
        world.comes_right().await;
    });
}

#[test]
fn of_two_candidates_at_once_the_second_does_not_depose_the_first() {
    // A vote takes 25 ms to write: both suspect before either knows that the other stands.
    scene(5, 0, |world, dice| async move {
        world.lives().iter().for_each(|life| life.disk.pace(20_000, 30_000));
        for round in 0..5 {
            let (leader, term) = (world.leads().unwrap(), world.term());
            world.crash(leader, KILLED);
            world.eventually("the others elect", |world| world.settled().is_some() && world.term() > term).await;
            let elected = world.term();
            world.pass(1_500).await;
            assert_eq!(world.term(), elected, "somebody was late");
            world.start(leader);
            world.say(round, &dice).await;
            world.pass(500).await;
        }
        world.comes_right().await;
    });
}

#[test]
fn leadership_is_handed_over_in_milliseconds_and_within_one_term() {
    scene(3, 0, |world, dice| async move {
        world.pass(300).await;
        for word in 0..5 {
            world.say(word, &dice).await;
            world.pass(200).await;
            let (leader, term) = (world.leads().unwrap(), world.term());
            let heir = world.follower();
            let began = Instant::now();
            let end = world.life(leader).running().hand_over(Some(ReplicaId(heir))).await;
            assert_eq!(end, HandOverEnd::Done);
            world.leader().await;
            assert!(began.elapsed() < ms(40), "{:?}", began.elapsed());
            assert_eq!((world.leads(), world.term()), (Some(heir), term + 1));
        }
        world.comes_right().await;
    });
}

#[test]
fn a_hand_over_that_fails_lets_the_leader_go_on_in_its_term() {
    scene(3, 0, |world, dice| async move {
        world.pass(300).await;
        let (leader, heir, term) = (world.leads().unwrap(), world.follower(), world.term());
        world.net.cut(leader, heir, true);
        let life = world.life(leader);
        let said = life.running().propose(crate::words::Words::batch(1)).await;
        said.unwrap();
        let end = timeout(ms(2_000), life.running().hand_over(Some(ReplicaId(heir)))).await.unwrap();
        assert!(matches!(end, HandOverEnd::TimedOut(_) | HandOverEnd::Refused(_)), "{end:?}");
        assert_eq!((world.leads(), world.term()), (Some(leader), term));
        world.say(2, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_leader_that_nobody_acknowledges_falls_silent_until_somebody_does() {
    scene(3, 0, |world, dice| async move {
        let leader = world.leads().unwrap();
        // Both followers are away, so that nobody can take over.
        let others: Vec<u64> = world.ids().into_iter().filter(|id| *id != leader).collect();
        others.iter().for_each(|id| assert!(world.crash(*id, KILLED)));
        world
            .within(ms(2_000), "it is suspended", |world| {
                world.life(leader).standing().suspended == Some(Why::NoQuorum)
            })
            .await;
        let term = world.term();
        world.pass(3_000).await;
        assert_eq!(world.term(), term);
        others.iter().for_each(|id| world.start(*id));
        // It goes on, or one of those who heard that it resigned is quicker; at most one term later.
        world.within(ms(2_000), "somebody leads", |world| world.settled().is_some()).await;
        assert!(world.term() <= term + 1);
        world.say(1, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_suspended_leader_goes_on_when_those_who_come_back_have_never_heard_of_its_term() {
    scene(3, 2, |world, dice| async move {
        let leader = world.life(world.leads().unwrap());
        let voters = (1..=4).map(ReplicaId).collect();
        leader.running().add_learner(ReplicaId(4)).await.unwrap();
        leader.running().set_voters(&voters).await.unwrap();
        // One of the four hears nothing of the next term, and one of them is fresh.
        let (away, id) = (world.follower(), leader.id);
        world.isolate(away, true);
        world.crash(id, KILLED);
        world.start(id);
        let term = world.term();
        world.eventually("another one leads", |world| world.leads().is_some() && world.term() > term).await;
        let next = world.leads().unwrap();
        world.isolate(next, true);
        world.eventually("it is suspended", |world| world.life(next).standing().suspended.is_some()).await;
        world.net.heal();
        world.within(Duration::from_secs(5), "somebody leads", |world| world.leads().is_some()).await;
        world.say(1, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_suspended_leader_goes_on_with_one_who_has_never_heard_of_anybody() {
    crate::rig::seeds::virtually(async {
        let world = super::Cluster::new(2, 3, 0, crate::rig::Oracle::new());
        world.eventually("they run", |world| world.lives().iter().all(|life| life.consensus().is_some())).await;
        world.isolate(3, true);
        world.life(1).running().found(&(1..=3).map(ReplicaId).collect()).await.unwrap();
        world.eventually("one of the others leads", |world| world.leads().is_some()).await;
        let leads = world.leads().unwrap();
        world.crash(3 - leads, KILLED);
        world.eventually("it is suspended", |world| world.life(leads).standing().suspended.is_some()).await;
        // What it was told before has failed by now: it is only asked.
        world.pass(3_000).await;
        assert_eq!(world.life(3).standing().term, 0, "it has heard of somebody");
        world.net.heal();
        let goes_on = |world: &super::Cluster| world.lives().iter().any(|life| life.standing().leads());
        world.within(Duration::from_secs(5), "somebody leads and is not suspended", goes_on).await;
        world.oracle.check();
    });
}

#[test]
fn a_cluster_whose_founder_crashed_before_it_led_is_led_after_its_restart() {
    for seed in 0..8 {
        crate::rig::seeds::virtually(async {
            let world = super::Cluster::new(seed, 3, 0, crate::rig::Oracle::new());
            world.eventually("they run", |world| world.lives().iter().all(|life| life.consensus().is_some())).await;
            let members = (1..=3).map(ReplicaId).collect();
            world.isolate(1, true);
            world.life(1).running().found(&members).await.unwrap();
            world.pass(seed * 3).await;
            world.crash(1, Crash { dark: false, all_lost: false });
            world.net.heal();
            world.start(1);
            world.eventually("it runs", |world| world.life(1).consensus().is_some()).await;
            // Nothing of it was on the disk: then it is founded again.
            let _ = world.life(1).running().found(&members).await;
            world.leader().await;
            world.oracle.check();
        });
    }
}
