//! The two timers of an instance.

use runner_domain::Timer;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Timers {
    restart: Option<Instant>,
    stop: Option<Instant>,
}

impl Timers {
    fn slot(&mut self, timer: Timer) -> &mut Option<Instant> {
        match timer {
            Timer::Restart => &mut self.restart,
            Timer::Stop => &mut self.stop,
        }
    }

    pub(super) fn arm(&mut self, timer: Timer, after: Duration) {
        *self.slot(timer) = Some(Instant::now() + after);
    }

    pub(super) fn disarm(&mut self, timer: Timer) {
        *self.slot(timer) = None;
    }

    /// Waits for the first that runs out; for ever when none is armed.
    pub(super) async fn next(&mut self) -> Timer {
        let first = [(Timer::Restart, self.restart), (Timer::Stop, self.stop)]
            .into_iter()
            .filter_map(|(timer, due)| Some((due?, timer)))
            .min();
        match first {
            Some((due, timer)) => {
                tokio::time::sleep_until(due).await;
                self.disarm(timer);
                timer
            }
            None => std::future::pending().await,
        }
    }
}
