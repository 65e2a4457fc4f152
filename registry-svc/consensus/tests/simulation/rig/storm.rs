//! One run of a seed: faults by chance while clients write and read, then
//! none, and everything has to come right in bounded time.

use super::{Dice, Fault, Oracle, Subject, World};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Virtual time of the storm.
const STORM: Duration = Duration::from_secs(8);
/// After the last fault somebody leads within this.
const ELECTED: Duration = Duration::from_secs(5);

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
        let users = S::users(&world, &dice);
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
        world.within(ELECTED, "somebody leads after the last fault", |world| world.leads().is_some()).await;
        for user in users {
            let _ = user.await;
        }
        S::equal(&world).await;
        world.oracle.check();
    }
}
