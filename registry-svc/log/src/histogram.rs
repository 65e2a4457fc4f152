//! How long something took, counted in classes.

use std::time::Duration;

/// Durations in classes whose bounds double. Plain numbers for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Histogram {
    /// How many durations fell in each class; class `n` holds those of at
    /// most [`bound`](Self::bound)`(n)` that are in no class before it, the
    /// last one all longer ones.
    pub classes: [u64; Self::CLASSES],
    /// How many there were.
    pub count: u64,
    /// Their sum in microseconds.
    pub sum_micros: u64,
    /// The longest, in microseconds.
    pub longest_micros: u64,
}

impl Histogram {
    /// Number of classes.
    pub const CLASSES: usize = 18;

    /// Upper bound of a class in microseconds: 64 µs, 128 µs … 4.2 s.
    #[must_use]
    pub fn bound(class: usize) -> u64 {
        64 << class.min(Self::CLASSES - 2)
    }

    pub(crate) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = (0..Self::CLASSES - 1).find(|class| micros <= Self::bound(*class)).unwrap_or(Self::CLASSES - 1);
        self.classes[class] += 1;
        self.count += 1;
        self.sum_micros = self.sum_micros.saturating_add(micros);
        self.longest_micros = self.longest_micros.max(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_in_the_first_class_that_is_long_enough() {
        let mut histogram = Histogram::default();
        for micros in [1, 64, 65, 4_194_304, 4_194_305, 1 << 40] {
            histogram.add(Duration::from_micros(micros));
        }
        assert_eq!(histogram.classes[0], 2);
        assert_eq!(histogram.classes[1], 1);
        assert_eq!(histogram.classes[16], 1);
        assert_eq!(histogram.classes[17], 2);
        assert_eq!((histogram.count, histogram.longest_micros), (6, 1 << 40));
    }
}
