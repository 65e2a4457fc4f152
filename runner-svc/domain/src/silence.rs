//! When a log file counts as silent (S2.1): a pure judgement over looks at it.
//!
//! Activity is growth, or a newer modification time, or another file under the
//! name (rotation), or a shorter one (truncation). Silence is measured by the
//! monotonic clock from the last activity, so that a stepped wall clock or a
//! rotated file is never mistaken for silence.

use std::time::Duration;

/// What one look at the file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Device and inode: which file it is.
    pub file: (u64, u64),
    /// Its length in bytes.
    pub len: u64,
    /// Its modification time in nanoseconds, by the file system's clock.
    pub modified: i128,
}

/// What a look means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The file grew.
    Grew {
        /// From this length.
        from: u64,
        /// To this one.
        to: u64,
    },
    /// The file changed otherwise: replaced, truncated or rewritten.
    Changed,
    /// Nothing happened for this long; there is time left.
    Quiet {
        /// Time since the last activity.
        silence: Duration,
    },
    /// Nothing happened for longer than allowed.
    Silent {
        /// Time since the last activity.
        silence: Duration,
    },
    /// The file cannot be looked at: a transient fault, not silence (S2.7).
    Unreadable,
}

/// Judges a series of looks.
#[derive(Debug, Clone)]
pub struct Silence {
    timeout: Duration,
    last: Option<Look>,
    since: Duration,
}

impl Silence {
    /// Begins at `now`, which counts as activity: a program has the whole
    /// timeout for its first line.
    #[must_use]
    pub fn new(timeout: Duration, now: Duration) -> Self {
        Self { timeout, last: None, since: now }
    }

    /// Takes a look in; `None` when the file could not be looked at.
    pub fn look(&mut self, look: Option<Look>, now: Duration) -> Finding {
        let Some(look) = look else {
            // Unreadable is not silent: the count goes on only while we can see.
            self.since = now;
            return Finding::Unreadable;
        };
        let Some(last) = self.last.replace(look) else {
            return self.quiet(now);
        };
        if last == look {
            return self.quiet(now);
        }
        self.since = now;
        if last.file == look.file && look.len > last.len {
            Finding::Grew { from: last.len, to: look.len }
        } else {
            Finding::Changed
        }
    }

    fn quiet(&self, now: Duration) -> Finding {
        let silence = now.saturating_sub(self.since);
        if silence >= self.timeout { Finding::Silent { silence } } else { Finding::Quiet { silence } }
    }

    /// Time from `now` until silence would be too long.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Duration {
        (self.since + self.timeout).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn look(inode: u64, len: u64, modified: i128) -> Option<Look> {
        Some(Look { file: (1, inode), len, modified })
    }

    #[test]
    fn growth_is_told_with_both_lengths_and_begins_the_count_anew() {
        let mut silence = Silence::new(3 * S, Duration::ZERO);
        assert_eq!(silence.look(look(1, 0, 0), S), Finding::Quiet { silence: S });
        assert_eq!(silence.look(look(1, 5, 1), 2 * S), Finding::Grew { from: 0, to: 5 });
        assert_eq!(silence.look(look(1, 5, 1), 4 * S), Finding::Quiet { silence: 2 * S });
        assert_eq!(silence.look(look(1, 5, 1), 5 * S), Finding::Silent { silence: 3 * S });
    }

    #[test]
    fn rotation_truncation_and_touching_are_activity() {
        let mut silence = Silence::new(3 * S, Duration::ZERO);
        silence.look(look(1, 100, 1), S);
        assert_eq!(silence.look(look(2, 0, 1), 2 * S), Finding::Changed, "replaced");
        assert_eq!(silence.look(look(2, 50, 1), 3 * S), Finding::Grew { from: 0, to: 50 });
        assert_eq!(silence.look(look(2, 0, 1), 4 * S), Finding::Changed, "truncated");
        assert_eq!(silence.look(look(2, 0, 2), 6 * S), Finding::Changed, "touched");
        assert_eq!(silence.look(look(3, 9, 2), 7 * S), Finding::Changed, "replaced by a longer one");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_silent() {
        let mut silence = Silence::new(3 * S, Duration::ZERO);
        silence.look(look(1, 0, 0), S);
        assert_eq!(silence.look(None, 60 * S), Finding::Unreadable);
        assert_eq!(silence.look(look(1, 0, 0), 61 * S), Finding::Quiet { silence: S });
    }

    #[test]
    fn a_wall_clock_that_goes_back_is_activity_not_silence() {
        let mut silence = Silence::new(3 * S, Duration::ZERO);
        silence.look(look(1, 10, 1_000), S);
        assert_eq!(silence.look(look(1, 20, 5), 2 * S), Finding::Grew { from: 10, to: 20 });
    }
}
