//! What is allowed and better not left so.

use std::fmt;

/// A remark for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// So many voters survive no more losses than one fewer would.
    EvenVoters(usize),
    /// One voter: its loss is the loss of everything since the last backup.
    OneVoter,
    /// So many voters make every write wait for more disks than they add safety.
    ManyVoters(usize),
}

impl Advice {
    /// What there is to say of so many voters.
    #[must_use]
    pub fn on(voters: usize) -> Option<Self> {
        match voters {
            0 => None,
            1 => Some(Self::OneVoter),
            even if even % 2 == 0 => Some(Self::EvenVoters(even)),
            many if many > 5 => Some(Self::ManyVoters(many)),
            _ => None,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EvenVoters(voters) => write!(
                f,
                "{voters} voters survive the loss of {} replicas, as {} would: add or remove one",
                (voters - 1) / 2,
                voters - 1
            ),
            Self::OneVoter => f.write_str("one voter: the loss of its disk is the loss of everything since the backup"),
            Self::ManyVoters(voters) => write!(f, "{voters} voters: every write waits for {} disks", voters / 2 + 1),
        }
    }
}
