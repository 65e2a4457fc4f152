//! One situation each, made by hand. Named for what has to hold; each of the
//! faults that the storm found has one, so that it is found again in a
//! millisecond.

mod disks;
mod durability;
mod elections;
mod members;
mod reads;
mod snapshots;
mod writes;

use crate::rig::seeds::virtually;
use crate::rig::{Crash, Dice, World};
use crate::words::Words;
use std::future::Future;
use std::time::Duration;
use tokio::time::{sleep, timeout};

type Cluster = World<Words>;

/// The process is gone, with everything that was not synced.
const KILLED: Crash = Crash { dark: false, all_lost: true };

/// Virtual time of a scene, so that one in which a client waits for ever ends.
const LONGEST: Duration = Duration::from_secs(120);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Plays a scene with several seeds, on a founded cluster of so many voters and so many others.
fn scene<F: Future<Output = ()>>(voters: u64, spare: u64, play: impl Fn(Cluster, Dice) -> F) {
    for seed in 0..8 {
        virtually(async {
            let world = Cluster::founded(seed, voters, spare).await;
            let oracle = world.oracle.clone();
            if timeout(LONGEST, play(world, Dice::new(seed))).await.is_err() {
                oracle.violated(format!("seed {seed}: the scene never ends"));
            }
            oracle.check();
        });
    }
}

impl Cluster {
    /// Says so many words, one after the other.
    async fn say_some(&self, from: u64, count: u64, dice: &Dice) {
        for word in from..from + count {
            self.say(word, dice).await;
        }
    }

    /// Somebody who does not lead.
    fn follower(&self) -> u64 {
        let leader = self.leads().unwrap();
        self.ids().into_iter().find(|id| *id != leader).unwrap()
    }

    fn term(&self) -> u64 {
        self.lives().iter().map(|life| life.standing().term).max().unwrap()
    }

    /// Restarts, now.
    async fn restart(&self, id: u64) {
        self.crash(id, KILLED);
        self.start(id);
        self.eventually("it runs", |world| world.life(id).consensus().is_some()).await;
    }

    /// Whatever happened, it comes right.
    async fn comes_right(&self) {
        self.heal();
        self.leader().await;
        self.equal().await;
    }

    async fn pass(&self, time: u64) {
        sleep(ms(time)).await;
        self.look();
        self.oracle.check();
    }
}
