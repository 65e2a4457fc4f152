//! How instances come to a new spec.

use super::limits::default;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How the instances of a process come to a new spec: some at a time, each
/// batch once the one before serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdatePolicy {
    /// How many may not serve at a time; 0 only with a surge.
    pub max_unavailable: Share,
    /// How many may be there beyond the number of instances meanwhile.
    pub max_surge: Share,
    /// An instance counts once it has been ready for so long.
    pub min_ready: Duration,
    /// So many go first, and the others wait until somebody promotes them; 0:
    /// none.
    pub canary: u32,
    /// Canaries that have been ready for `min_ready` promote themselves.
    pub auto_promote: bool,
    /// A failed update brings the spec before it back.
    pub auto_revert: bool,
    /// An update that makes no progress for so long has failed.
    pub progress_deadline: Duration,
}

impl Default for UpdatePolicy {
    fn default() -> Self {
        Self {
            max_unavailable: Share::Percent(default::MAX_UNAVAILABLE_PERCENT),
            max_surge: Share::Count(0),
            min_ready: Duration::ZERO,
            canary: 0,
            auto_promote: false,
            auto_revert: false,
            progress_deadline: default::PROGRESS_DEADLINE,
        }
    }
}

/// A number of instances, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// So many.
    Count(u32),
    /// 0 to 100 of a hundred.
    Percent(u8),
}

impl Share {
    /// How many of `all` they are; a part of one is left out.
    #[must_use]
    pub fn of(self, all: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            // At most `all`, so it fits.
            Self::Percent(percent) => u32::try_from(u64::from(all) * u64::from(percent.min(100)) / 100).unwrap_or(all),
        }
    }

    /// Whether it is none of any number.
    #[must_use]
    pub fn is_zero(self) -> bool {
        match self {
            Self::Count(count) => count == 0,
            Self::Percent(percent) => percent == 0,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_share_leaves_parts_out() {
        assert_eq!([0, 1, 3, 4, 7, 8].map(|all| Share::Percent(25).of(all)), [0, 0, 0, 1, 1, 2]);
        assert_eq!(Share::Percent(100).of(u32::MAX), u32::MAX);
        assert_eq!(Share::Count(3).of(1), 3);
        assert!(Share::Percent(0).is_zero() && !Share::Percent(1).is_zero());
    }
}
