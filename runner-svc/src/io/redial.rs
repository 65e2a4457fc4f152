//! When to dial again: at once after a long conversation, ever more slowly
//! after short ones, and told to people only once.

use crate::clock;
use service_host::transport::Dial;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Waits between conversations.
#[derive(Debug)]
pub(crate) struct Redial {
    service: &'static str,
    dial: Dial,
    wait: Duration,
    begun: Duration,
    told: bool,
}

impl Redial {
    pub(crate) fn new(service: &'static str, dial: &Dial) -> Self {
        Self { service, dial: dial.clone(), wait: SHORTEST, begun: clock::monotonic(), told: false }
    }

    /// Until somebody is there to begin a conversation with; false when the
    /// runner ends.
    pub(crate) async fn reach(&mut self, shutdown: &CancellationToken) -> bool {
        loop {
            self.begin();
            let knocked = tokio::select! {
                knocked = self.dial.knock() => knocked,
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
