//! The two timers of an instance.

use process_model::spec::limits;
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
        let longest = match timer {
            // Twice: the delay may have been stretched at random.
            Timer::Restart => limits::BACKOFF.end().saturating_mul(2),
            // Twice: a stop that waits for the spawn waits for both timeouts at once.
            Timer::Stop => limits::STOP_TIMEOUT.end().saturating_mul(2),
        };
        // The spec has been checked, but a stop timeout may come from elsewhere; an instant that is too far away does
        // not exist, and a stop has to come to an end.
        *self.slot(timer) = Some(Instant::now() + after.min(longest));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_time_there_is_arms_a_timer_that_ends() {
        let mut timers = Timers::default();
        let latest = Instant::now() + Duration::from_secs(3 * 24 * 3600);
        timers.arm(Timer::Stop, Duration::MAX);
        timers.arm(Timer::Restart, Duration::MAX);
        assert!(timers.stop < Some(latest) && timers.restart < Some(latest));
        timers.arm(Timer::Stop, Duration::ZERO);
        assert_eq!(timers.next().await, Timer::Stop);
    }
}
