//! When to dial again: soon after a long conversation, ever more slowly after
//! short ones, never all runners at the same moment, and told to people only
//! once.

use super::boot_timer::BootTimer;
use super::rounds::Rounds;
use crate::clock;
use service_host::transport::{AnyChannel, Dial};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Within this time the first try comes: thousands of runners lose the same
/// leader at the same moment, and its successor needs about as long.
const FIRST: Duration = Duration::from_millis(100);
/// Within this time every later try comes at last.
const LONGEST: Duration = Duration::from_secs(4);

/// Waits between conversations.
#[derive(Debug)]
pub(crate) struct Redial {
    service: &'static str,
    dial: Dial,
    /// Knows more addresses than the dial.
    channel: Option<AnyChannel>,
    /// The next wait is shorter than this.
    ceiling: Duration,
    begun: Duration,
    told: bool,
    /// Somebody was named since the last wait, and was dialled at once.
    followed: bool,
    /// When whoever has waited long comes again.
    rounds: Rounds,
    /// For the waits; there from the first one on.
    timer: Option<BootTimer>,
}

impl Redial {
    pub(crate) fn new(service: &'static str, dial: &Dial) -> Self {
        Self {
            service,
            dial: dial.clone(),
            channel: None,
            ceiling: FIRST,
            begun: clock::monotonic(),
            told: false,
            followed: false,
            rounds: Rounds::of_this_process(LONGEST),
            timer: None,
        }
    }

    /// The same, over a channel that knows whom to ask.
    pub(crate) fn over(self, channel: AnyChannel) -> Self {
        Self { channel: Some(channel), ..self }
    }

    async fn knock(&self) -> std::io::Result<()> {
        self.dial.knock().await?;
        match &self.channel {
            Some(channel) => channel.knock().await,
            None => Ok(()),
        }
    }

    /// Until somebody is there to begin a conversation with; false when the
    /// runner ends.
    pub(crate) async fn reach(&mut self, shutdown: &CancellationToken) -> bool {
        loop {
            self.begin();
            let knocked = tokio::select! {
                knocked = self.knock() => knocked,
                () = shutdown.cancelled() => return false,
            };
            match knocked {
                Ok(()) => return true,
                Err(nobody) => {
                    if !self.ended(nobody, shutdown).await {
                        return false;
                    }
                }
            }
        }
    }

    /// A conversation begins.
    pub(crate) fn begin(&mut self) {
        self.begun = clock::monotonic();
    }

    /// Somebody else was named: whether to dial at once. Once between two
    /// waits: two who name each other would be dialled for ever.
    pub(crate) fn follow(&mut self) -> bool {
        !std::mem::replace(&mut self.followed, true)
    }

    /// A conversation ended; returns when to begin the next, or false when the
    /// runner ends.
    pub(crate) async fn ended(&mut self, why: impl std::fmt::Display, shutdown: &CancellationToken) -> bool {
        if clock::monotonic().saturating_sub(self.begun) > LONGEST {
            (self.ceiling, self.told) = (FIRST, false);
        }
        if self.told {
            // A service may be away for hours: that is not news each time.
            tracing::debug!(service = self.service, %why, "still not connected");
        } else {
            tracing::warn!(service = self.service, %why, "not connected; instances go on, trying again");
            self.told = true;
        }
        let at = self.next(clock::boot_time(), clock::roll());
        self.rest(at, shutdown).await
    }

    /// Somebody is there and says when to come again: that is no failure, and the
    /// next wait is no longer for it. A little later than told, so that those
    /// who were told the same part.
    pub(crate) async fn later(
        &mut self,
        wait: Duration,
        why: impl std::fmt::Display,
        shutdown: &CancellationToken,
    ) -> bool {
        tracing::debug!(service = self.service, %why, ?wait, "told to come again");
        self.followed = false;
        self.rest(clock::boot_time() + later(wait, clock::roll()), shutdown).await
    }

    async fn rest(&mut self, until: Duration, shutdown: &CancellationToken) -> bool {
        tokio::select! {
            () = self.sleep(until) => true,
            () = shutdown.cancelled() => false,
        }
    }

    /// An idle node wakes up once for it: for a wait of seconds the runtime's own timer wakes up three times. And a
    /// machine that slept meanwhile dials as soon as it is awake.
    async fn sleep(&mut self, until: Duration) {
        if self.timer.is_none() {
            self.timer = BootTimer::new().ok();
        }
        let fired = match &self.timer {
            Some(timer) if timer.arm(Some(until)).is_ok() => timer.wait().await.is_ok(),
            Some(_) | None => false,
        };
        if !fired {
            // No descriptor is left for it.
            tokio::time::sleep(until.saturating_sub(clock::boot_time())).await;
        }
    }

    /// When to come again; `roll` is chance, from 0 to 1. All of the room below
    /// the ceiling is used, so that those who began together part; when it rises
    /// no more they come with their process's rounds.
    fn next(&mut self, now: Duration, roll: f64) -> Duration {
        self.followed = false;
        let at = if self.ceiling == LONGEST { self.rounds.after(now) } else { now + self.ceiling.mul_f64(roll) };
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        at
    }
}

/// By up to a tenth, and a bit.
fn later(wait: Duration, roll: f64) -> Duration {
    wait + (wait / 10 + FIRST / 10).mul_f64(roll)
}

#[cfg(test)]
mod tests;
