//! What is known of how a running program does.

/// What is known of how a running program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether the readiness probe, or the program itself, says that it serves.
    pub(crate) serves: bool,
    /// Successes of the readiness probe in a row, while it does not serve.
    pub(crate) successes: u32,
    /// Failures of the readiness probe in a row.
    pub(crate) failures: u32,
    /// Failures of the liveness probe in a row.
    pub(crate) dead: u32,
    /// Whether the `post_start` hook goes on.
    pub(crate) settling: bool,
    /// Whether the program said that it is about to end.
    pub(crate) leaving: bool,
}

impl Health {
    /// Of a program that has just been started.
    pub(crate) fn new(serves: bool, settling: bool) -> Self {
        Self { serves, successes: 0, failures: 0, dead: 0, settling, leaving: false }
    }

    /// Whether it serves, all in all.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.serves && !self.settling && !self.leaving
    }
}
