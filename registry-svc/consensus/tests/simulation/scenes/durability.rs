//! What was acknowledged is never lost, whoever crashes.

use super::{Crash, KILLED, ms, scene};
use crate::words::Words;
use registry_consensus::ProposeFault;
use tokio::time::timeout;

#[test]
fn a_power_cut_of_all_replicas_at_any_moment_loses_nothing_that_was_acknowledged() {
    scene(3, 0, |world, dice| async move {
        world.lives().iter().for_each(|life| life.disk.pace(1_000, 30_000));
        for round in 0..6 {
            let until = dice.millis(1, 300);
            // Cut off in the middle of a word.
            let _ = timeout(until, world.say_some(round * 1_000, 500, &dice)).await;
            for id in world.ids() {
                world.crash(id, Crash { dark: false, all_lost: dice.permille(700) });
            }
            for id in world.ids() {
                world.start(id);
            }
            world.leader().await;
        }
        world.comes_right().await;
        assert!(!world.oracle.acked().is_empty());
    });
}

#[test]
fn a_leader_acknowledges_nothing_that_its_own_disk_does_not_have() {
    scene(3, 0, |world, _| async move {
        let leader = world.leads().unwrap();
        let life = world.life(leader);
        life.disk.stall(ms(5_000));
        // Both others have it at once: a majority, and still not here.
        let proposed = timeout(ms(500), life.running().propose(Words::batch(7))).await;
        assert!(proposed.is_err(), "{proposed:?}");
        assert!(world.lives().iter().all(|life| life.machine.times(7) == 0), "and nobody can read it");
        world.crash(leader, KILLED);
        world.leader().await;
    });
}

#[test]
fn an_acknowledged_word_is_on_the_disks_of_a_majority_and_not_only_in_their_memory() {
    scene(3, 0, |world, dice| async move {
        for id in world.ids().into_iter().filter(|id| Some(*id) != world.leads()) {
            world.life(id).disk.stall(ms(5_000));
        }
        let leader = world.life(world.leads().unwrap());
        let proposed = timeout(ms(700), leader.running().propose(Words::batch(7))).await;
        assert!(proposed.is_err(), "acknowledged by one disk of three: {proposed:?}");
        world.heal();
        world.say(8, &dice).await;
        world.comes_right().await;
    });
}

#[test]
fn a_restarted_leader_never_goes_on_in_its_old_term() {
    scene(3, 0, |world, dice| async move {
        for round in 0..3 {
            let (leader, term) = (world.leads().unwrap(), world.term());
            // Nobody else notices: the others hear nothing until it is back.
            world.isolate(leader, true);
            world.restart(leader).await;
            world.pass(200).await;
            assert!(!world.life(leader).leads(), "it leads term {term} again");
            world.isolate(leader, false);
            world.leader().await;
            assert!(world.term() > term);
            world.say(round, &dice).await;
        }
        world.comes_right().await;
    });
}

#[test]
fn a_lone_voter_that_restarts_leads_a_new_term_at_once() {
    scene(1, 0, |world, dice| async move {
        world.say_some(0, 5, &dice).await;
        let term = world.term();
        world.restart(1).await;
        world.within(ms(300), "it leads", |world| world.leads() == Some(1)).await;
        assert!(world.term() > term);
        world.comes_right().await;
    });
}

#[test]
fn a_failed_sync_ends_the_replica_and_costs_nothing() {
    scene(3, 0, |world, dice| async move {
        let leader = world.leads().unwrap();
        let disk = world.life(leader).disk.clone();
        disk.break_down();
        let proposed = world.life(leader).running().propose(Words::batch(1)).await;
        assert!(matches!(proposed, Err(ProposeFault::Unknown | ProposeFault::Closing)), "{proposed:?}");
        world.eventually("it says that it ended", |world| world.life(leader).standing().fault.is_some()).await;
        assert!(disk.is_closed());
        world.restart(leader).await;
        world.say(1, &dice).await;
        world.comes_right().await;
    });
}
