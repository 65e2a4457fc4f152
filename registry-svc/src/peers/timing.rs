//! Every wait of a link.

use std::time::Duration;

/// Waits. The defaults fit a network with round trips of up to a second.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Until a connect has failed: two lost SYNs (Linux repeats them after 1 s and 3 s).
    pub connect: Duration,
    /// Until a greeting has failed: a few of the slowest round trips.
    pub greet: Duration,
    /// After this long without an answer from one address the next one is tried beside it (RFC 8305, section 5).
    pub stagger: Duration,
    /// The shortest wait after a dial that failed.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
    /// An idle link is asked for a sign of life this often: a host that vanished says nothing by itself.
    pub keepalive: Duration,
    /// No sign of life within this time and the link is down.
    pub keepalive_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(4),
            greet: Duration::from_secs(4),
            stagger: Duration::from_millis(250),
            shortest: Duration::from_millis(50),
            longest: Duration::from_secs(1),
            keepalive: Duration::from_secs(5),
            keepalive_timeout: Duration::from_secs(5),
        }
    }
}
