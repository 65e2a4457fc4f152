//! Snapshots, and what of the log goes then.

use super::{Cluster, KILLED, ms, scene};
use crate::rig::Dice;
use registry_consensus::{LogDisk as _, ReplicaId};

impl Cluster {
    /// One replica is away for so long that it needs a snapshot; answers which.
    async fn one_far_behind(&self, dice: &Dice) -> u64 {
        let away = self.follower();
        self.crash(away, KILLED);
        let last = self.oracle.acked().last().copied().unwrap_or(0);
        self.say_some(last + 1, 60, dice).await;
        let leader = self.life(self.leads().unwrap());
        self.eventually("the log is purged", |_| leader.running().reached().purged.is_some()).await;
        away
    }
}

#[test]
fn a_replica_that_crashes_at_any_moment_of_an_installation_starts_again() {
    for moment in 0..40 {
        crate::rig::seeds::virtually(async {
            let dice = Dice::new(moment);
            let world = Cluster::founded(moment, 3, 0).await;
            let away = world.one_far_behind(&dice).await;
            world.start(away);
            let life = world.life(away);
            // Its disk is slow, so that log and snapshot do not become durable together.
            life.disk.pace(100, 20_000);
            world.pass(moment).await;
            world.crash(away, super::Crash { dark: false, all_lost: dice.permille(500) });
            world.start(away);
            world.comes_right().await;
        });
    }
}

#[test]
fn a_snapshot_takes_the_place_of_a_tail_that_lost() {
    scene(3, 0, |world, dice| async move {
        world.say(1, &dice).await;
        // A leader alone, with many entries that nobody else gets, in as many places as the others will use.
        let old = world.leads().unwrap();
        let term = world.term();
        world.isolate(old, true);
        for word in 1_000..1_080 {
            let life = world.life(old);
            tokio::spawn(async move {
                let batch = crate::words::Words::batch(word);
                drop(life.running().propose(batch).await);
            });
        }
        world
            .eventually("the others elect", |world| {
                world.lives().iter().any(|life| life.leads() && life.standing().term > term)
            })
            .await;
        let tail = world.life(old).disk.extent().last.unwrap();
        assert!(tail.term == term && tail.index > 70, "{tail}");
        let new = world.leads().unwrap();
        world.say_some(2, 60, &dice).await;
        let leader = world.life(new);
        world.eventually("the log is purged", |_| leader.running().reached().purged.is_some()).await;
        // It crashes again and again while it takes over what the others have.
        world.life(old).disk.pace(1_000, 10_000);
        world.isolate(old, false);
        for _ in 0..6 {
            world.pass(dice.between(0, 60)).await;
            world.crash(old, super::Crash { dark: false, all_lost: dice.permille(500) });
            world.start(old);
        }
        world.comes_right().await;
        assert_eq!(world.life(old).machine_has(1_079), 0);
    });
}

#[test]
fn an_interrupted_snapshot_goes_on_where_it_was() {
    scene(3, 0, |world, dice| async move {
        let away = world.one_far_behind(&dice).await;
        world.net.set_interrupts(400);
        world.start(away);
        world
            .eventually("it has caught up", |world| {
                let words = world.life(world.leads().unwrap_or(away)).words();
                world.leads().is_some() && world.life(away).words() == words
            })
            .await;
        world.comes_right().await;
    });
}

#[test]
fn the_log_stays_bounded_however_often_a_replica_restarts() {
    scene(3, 0, |world, dice| async move {
        let mut most = 0;
        for round in 0..25 {
            world.say_some(round * 100, 12, &dice).await;
            let one = dice.one_of(&world.ids());
            world.restart(one).await;
            world.leader().await;
            most = world.lives().iter().map(|life| life.disk.bytes()).max().unwrap().max(most);
        }
        // 25 × 12 words take 110 KiB; a snapshot is due after 8 KiB, 2 KiB stay.
        println!("the longest log had {most} bytes");
        assert!(most < 40 << 10, "{most} bytes");
        world.comes_right().await;
    });
}

#[test]
fn a_follower_whose_log_went_back_gets_nothing_and_harms_nobody() {
    scene(3, 0, |world, dice| async move {
        world.say_some(0, 5, &dice).await;
        let (victim, leader) = (world.follower(), world.leads().unwrap());
        world.pass(300).await;
        let old = world.kept(victim);
        world.say_some(10, 5, &dice).await;
        world.pass(300).await;
        // An old copy of its directory, under the eyes of the same leader.
        world.crash(victim, KILLED);
        world.put_back(victim, old);
        world.start(victim);
        world.pass(3_000).await;
        assert_eq!(world.leads(), Some(leader), "the leader goes on");
        world.say_some(20, 5, &dice).await;
        let has = world.life(victim).machine_has(20);
        assert_eq!(has, 0, "what it says of its log is not to be trusted");
        assert!(world.life(leader).running().reached().matched.contains_key(&ReplicaId(victim)));
        world.within(ms(100), "nothing is broken", |_| true).await;
    });
}
