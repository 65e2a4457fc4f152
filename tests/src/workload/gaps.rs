//! How long clients were without success: from each one to the next.

use std::fmt;
use std::time::Duration;

/// The times between successes, in order of length, and where they began.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    /// Beginning and end, as moments of the record.
    gaps: Vec<(u64, u64)>,
}

impl Gaps {
    /// From the moments of success, in nanoseconds.
    pub(super) fn of(mut moments: Vec<u64>) -> Self {
        moments.sort_unstable();
        Self { gaps: moments.windows(2).map(|pair| (pair[0], pair[1])).collect() }
    }

    /// The longest gap of those that were open at a moment of this span: how
    /// long a fault in it was felt.
    #[must_use]
    pub fn longest_within(&self, from: u64, to: u64) -> Duration {
        let felt = self.gaps.iter().filter(|(begin, end)| *begin <= to && *end >= from);
        felt.map(|(begin, end)| Duration::from_nanos(end - begin)).max().unwrap_or_default()
    }

    /// The gap that this share of all is at most as long as.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let mut lengths: Vec<u64> = self.gaps.iter().map(|(begin, end)| end - begin).collect();
        lengths.sort_unstable();
        let last = lengths.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        Duration::from_nanos(lengths.get(place).copied().unwrap_or(0))
    }
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| self.quantile(share));
        write!(f, "{} gaps between successes: p50 {p50:.1?}, p99 {p99:.1?}, longest {max:.1?};", self.gaps.len())?;
        // By powers of two from 1 ms: where the long ones are is what is asked.
        let mut upper = 1_000_000_u64;
        let mut lower = 0;
        while lower <= u64::try_from(max.as_nanos()).unwrap_or(u64::MAX) {
            let count = self.gaps.iter().filter(|(begin, end)| (lower..upper).contains(&(end - begin))).count();
            if count > 0 {
                write!(f, " {count} below {} ms", upper / 1_000_000)?;
            }
            (lower, upper) = (upper, upper.saturating_mul(2));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_gap_that_a_fault_was_felt_in_is_found() {
        let gaps = Gaps::of(vec![0, MS, 2 * MS, 302 * MS, 303 * MS, 903 * MS]);
        assert_eq!(gaps.longest_within(5 * MS, 6 * MS), Duration::from_millis(300));
        assert_eq!(gaps.longest_within(0, MS), Duration::from_millis(1));
        assert_eq!(gaps.longest_within(0, 303 * MS), Duration::from_millis(600));
        assert_eq!(gaps.longest_within(950 * MS, 960 * MS), Duration::ZERO);
        assert_eq!(gaps.quantile(0.5), Duration::from_millis(1));
        let shown = gaps.to_string();
        assert!(shown.contains("longest 600.0ms") && shown.contains("1 below 512 ms"), "{shown}");
    }
}
