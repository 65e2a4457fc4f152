//! Decides whether a recorded history is linearizable (Herlihy and Wing 1990):
//! whether each operation can have taken effect at one moment between its
//! invocation and its return.
//!
//! | file | what |
//! |---|---|
//! | `register` | what a key is: a value that is read, written, or swapped if it is still the expected one |
//! | `search` | Wing and Gong's search with Lowe's memory of what was tried, as in Porcupine |
//!
//! Keys do not depend on each other, so each is decided by itself: linearizable
//! is the whole when each part is. An operation whose outcome nobody knows stays
//! open: it may take effect at any later moment, or never.

mod register;
mod search;

pub use register::{Answer, Call};
use std::collections::BTreeMap;

/// One operation on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// Who asked; for messages only.
    pub client: usize,
    /// What was asked.
    pub call: Call,
    /// When, in nanoseconds since any moment, before it was sent.
    pub invoked: u64,
    /// When the answer was there, and what it was. None: nobody knows.
    pub returned: Option<(u64, Answer)>,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none.
    Violated(Violation),
    /// The search was given up after too many steps: too much is open.
    Undecided {
        /// The key.
        key: String,
    },
}

/// Where no order goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The key.
    pub key: String,
    /// The longest order that was found, its end, and what cannot follow.
    pub story: String,
}

/// The history of each key.
pub type History = BTreeMap<String, Vec<Op>>;

/// Decides about a whole history.
#[must_use]
pub fn check(history: &History) -> Verdict {
    for (key, ops) in history {
        match search::search(ops) {
            search::Found::Order => {}
            search::Found::None { story } => return Verdict::Violated(Violation { key: key.clone(), story }),
            search::Found::TooLong => return Verdict::Undecided { key: key.clone() },
        }
    }
    Verdict::Linearizable
}

#[cfg(test)]
mod tests;
