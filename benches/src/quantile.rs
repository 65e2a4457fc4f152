//! Quantiles of measured times.

use std::time::Duration;

/// Times, ordered.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Of at least one time.
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that `share` of all do not exceed (nearest rank); zero when
    /// there is none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        // Counts of measures are far below 2^52, so the casts are exact.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The median.
    pub(crate) fn p50(&self) -> Duration {
        self.quantile(0.5)
    }

    /// All but one in a hundred.
    pub(crate) fn p99(&self) -> Duration {
        self.quantile(0.99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_nearest_rank() {
        let times = Times::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(times.p50(), Duration::from_millis(50));
        assert_eq!(times.p99(), Duration::from_millis(99));
        assert_eq!(Times::new(vec![Duration::from_millis(7)]).p99(), Duration::from_millis(7));
        assert_eq!(Times::new(Vec::new()).p50(), Duration::ZERO);
    }
}
