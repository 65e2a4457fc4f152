//! One run of a seed: faults by chance while clients write and read, then
//! none, and everything has to come right in bounded time.

use super::{Dice, Fault, Oracle, Subject, World};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Virtual time of the storm.
const STORM: Duration = Duration::from_secs(8);
/// After the last fault somebody leads within this.
const ELECTED: Duration = Duration::from_secs(5);
/// And everybody has everything within this.
const EQUAL: Duration = Duration::from_secs(20);

impl<S: Subject> World<S> {
    /// A seed's whole run; ends the test when a promise is broken.
    pub(crate) async fn storm(seed: u64, oracle: Oracle) {
        let dice = Dice::new(seed);
        let (voters, spare) = dice.one_of(&[(3, 0), (3, 0), (3, 1), (3, 2), (5, 0), (1, 2)]);
        let world = Self::new(dice.between(0, u64::MAX - 1), voters, spare, oracle);
        world.found().await;
        if dice.permille(300) {
            // Disks that are slow all the time, so that much waits for them.
            world.lives().iter().for_each(|life| life.disk.pace(2_000, 25_000));
        }
        let mut clients = Vec::new();
        for client in 1..=3 {
            clients.push(tokio::spawn(world.clone().writes(client, dice.fork())));
        }
        clients.push(tokio::spawn(world.clone().reads(dice.fork())));
        clients.push(tokio::spawn(world.clone().reads(dice.fork())));
        clients.push(tokio::spawn(world.clone().operates(dice.fork())));
        let ends = Instant::now() + STORM;
        // Some seeds know few kinds of faults, so that they reach states that a wild mixture never does.
        let kinds: Vec<Fault> =
            if dice.permille(500) { Fault::ALL.to_vec() } else { (0..3).map(|_| dice.one_of(Fault::ALL)).collect() };
        while Instant::now() < ends {
            sleep(dice.millis(50, 1_000)).await;
            world.look();
            world.oracle.check();
            world.strike(dice.one_of(&kinds));
        }
        world.oracle.finish();
        world.heal();
        world.comes_right().await;
        for client in clients {
            let _ = client.await;
        }
        world.equal().await;
    }

    async fn comes_right(&self) {
        self.within(ELECTED, "somebody leads after the last fault", |world| world.leads().is_some()).await;
    }

    /// All have all acknowledged words, in the same order.
    pub(crate) async fn equal(&self) {
        self.within(EQUAL, "all replicas are equal", |world| {
            let Some(leader) = world.settled() else { return false };
            let words = world.life(leader).machine.words();
            let members = world.life(leader).standing().members;
            !members.voters.is_joint() && members.all().iter().all(|id| world.life(id.0).machine.words() == words)
        })
        .await;
        let acked = self.oracle.acked();
        for id in self.life(self.settled().unwrap()).standing().members.all() {
            let life = self.life(id.0);
            self.oracle.has_all(id.0, "after all faults", &acked, |word| life.machine.times(word));
        }
        self.oracle.check();
    }
}
