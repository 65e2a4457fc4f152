//! When to dial again: at once after a long conversation, ever more slowly
//! after short ones, and told to people only once.

use crate::clock;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits between conversations.
#[derive(Debug)]
pub(crate) struct Redial {
    service: &'static str,
    wait: Duration,
    begun: Duration,
    told: bool,
}

impl Redial {
    pub(crate) fn new(service: &'static str) -> Self {
        Self { service, wait: SHORTEST, begun: clock::monotonic(), told: false }
    }

    /// A conversation begins.
    pub(crate) fn begin(&mut self) {
        self.begun = clock::monotonic();
    }

    /// A conversation ended; returns when to begin the next, or false when the
    /// runner ends.
    pub(crate) async fn ended(&mut self, why: impl std::fmt::Display, shutdown: &CancellationToken) -> bool {
        if clock::monotonic().saturating_sub(self.begun) > LONGEST {
            (self.wait, self.told) = (SHORTEST, false);
        }
        if self.told {
            // A service may be away for hours: that is not news each time.
            tracing::debug!(service = self.service, %why, "still not connected");
        } else {
            tracing::warn!(service = self.service, %why, "not connected; instances go on, trying again");
            self.told = true;
        }
        let pause = self.wait.mul_f64(0.5 + clock::roll());
        self.wait = (self.wait * 2).min(LONGEST);
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = shutdown.cancelled() => false,
        }
    }
}
