//! The two outputs of a program.

/// One of a program's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A set of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outputs {
    stdout: bool,
    stderr: bool,
}

impl Outputs {
    /// Both.
    pub const BOTH: Self = Self { stdout: true, stderr: true };
    /// Neither.
    pub const NONE: Self = Self { stdout: false, stderr: false };

    /// Just this one.
    #[must_use]
    pub fn only(output: Output) -> Self {
        Self { stdout: output == Output::Stdout, stderr: output == Output::Stderr }
    }

    /// Whether it holds `output`.
    #[must_use]
    pub fn has(self, output: Output) -> bool {
        match output {
            Output::Stdout => self.stdout,
            Output::Stderr => self.stderr,
        }
    }

    /// What both sets hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { stdout: self.stdout && other.stdout, stderr: self.stderr && other.stderr }
    }

    /// What this set holds and the other does not.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self { stdout: self.stdout && !other.stdout, stderr: self.stderr && !other.stderr }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// What it holds.
    pub fn iter(self) -> impl Iterator<Item = Output> {
        [Output::Stdout, Output::Stderr].into_iter().filter(move |output| self.has(*output))
    }
}
