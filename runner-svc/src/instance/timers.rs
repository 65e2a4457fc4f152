//! The timers of an instance.

use crate::io::slumber::LATE;
use process_model::spec::limits;
use runner_domain::Timer;
use std::time::Duration;
use tokio::time::Instant;

/// A vector, and not a map: an instance has seldom more than one, and most have
/// none.
#[derive(Debug, Default)]
pub(super) struct Timers {
    armed: Vec<(Instant, Timer, Duration)>,
}

impl Timers {
    pub(super) fn arm(&mut self, timer: Timer, after: Duration) {
        let longest = match timer {
            // Twice: the delay may have been stretched at random.
            Timer::Restart => limits::BACKOFF.end().saturating_mul(2),
            // Twice: a stop that waits for the spawn waits for both timeouts at once.
            Timer::Stop => limits::STOP_TIMEOUT.end().saturating_mul(2),
            Timer::Watchdog => *limits::NOTIFY_WATCHDOG.end(),
            Timer::MaxRuntime => *limits::MAX_RUNTIME.end(),
            // Asked for by a program, which may ask again.
            Timer::Reload => runner_domain::notify::MAX_EXTENSION,
        };
        // The spec has been checked, but a stop timeout may come from elsewhere; an instant that is too far away does
        // not exist, and a stop has to come to an end.
        self.disarm(timer);
        let after = after.min(longest);
        self.armed.push((Instant::now() + after, timer, after));
    }

    pub(super) fn disarm(&mut self, timer: Timer) {
        self.armed.retain(|(_, armed, _)| *armed != timer);
        if self.armed.is_empty() {
            // Nothing for an idle instance.
            self.armed = Vec::new();
        }
    }

    /// Waits for the first that runs out; for ever when none is armed.
    pub(super) async fn next(&mut self) -> Timer {
        loop {
            let Some((due, timer, after)) = self.armed.iter().min().copied() else {
                return std::future::pending().await;
            };
            // Boxed: an instance without timers has no room for one.
            Box::pin(tokio::time::sleep_until(due)).await;
            self.disarm(timer);
            if timer != Timer::Watchdog || due.elapsed() <= LATE {
                return timer;
            }
            // We slept, and so may the program have: it gets its whole time to say that it is alive.
            self.arm(timer, after);
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
        assert!(timers.armed.iter().all(|(due, _, _)| *due < latest));
        timers.arm(Timer::Stop, Duration::ZERO);
        assert_eq!(timers.next().await, Timer::Stop);
    }

    #[tokio::test]
    async fn a_timer_that_was_armed_anew_runs_out_once_and_the_others_stay() {
        let mut timers = Timers::default();
        timers.arm(Timer::Watchdog, Duration::from_secs(3600));
        timers.arm(Timer::MaxRuntime, Duration::from_secs(3600));
        timers.arm(Timer::Watchdog, Duration::ZERO);
        assert_eq!(timers.next().await, Timer::Watchdog);
        assert_eq!(timers.armed.iter().map(|(_, timer, _)| *timer).collect::<Vec<_>>(), [Timer::MaxRuntime]);
        timers.disarm(Timer::MaxRuntime);
        assert_eq!(timers.armed.capacity(), 0, "an idle instance holds room for timers");
    }

    #[tokio::test]
    async fn a_program_gets_its_time_again_when_we_have_slept() {
        let mut timers = Timers::default();
        let long_ago = Instant::now().checked_sub(LATE * 2).unwrap();
        timers.armed.push((long_ago, Timer::Watchdog, Duration::from_millis(100)));
        let begun = Instant::now();
        assert_eq!(timers.next().await, Timer::Watchdog);
        assert!(begun.elapsed() >= Duration::from_millis(100), "held against it at once");
        timers.armed.push((long_ago, Timer::Stop, Duration::from_secs(3600)));
        assert_eq!(timers.next().await, Timer::Stop, "a stop goes on however late it is");
    }
}
