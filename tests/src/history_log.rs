//! What clients asked and were answered, in the time of one clock. Enters:
//! invocations and returns from many clients at once. Leaves: a history that
//! [`crate::linear`] decides about.

use crate::linear::{Answer, Call, History, Op};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The log; shared by all clients of a test.
pub struct HistoryLog {
    /// Monotonic: no step of a wall clock moves one operation before another.
    began: Instant,
    ops: Mutex<Vec<(String, Op)>>,
}

/// An operation that has been asked for; its return is told with this.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Asked(usize);

impl HistoryLog {
    /// An empty one; its time begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { began: Instant::now(), ops: Mutex::default() }
    }

    /// Nanoseconds since its beginning.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("no test runs for centuries")
    }

    /// A client is about to ask. Told before the request is sent.
    pub fn invoked(&self, client: usize, key: &str, call: Call) -> Asked {
        let mut ops = self.ops.lock().unwrap_or_else(PoisonError::into_inner);
        let op = Op { client, call, invoked: self.now(), returned: None };
        ops.push((key.to_owned(), op));
        Asked(ops.len() - 1)
    }

    /// The answer is there. Told after it was received. What is never told of
    /// stays open.
    pub fn returned(&self, asked: Asked, answer: Answer) {
        let at = self.now();
        let mut ops = self.ops.lock().unwrap_or_else(PoisonError::into_inner);
        ops[asked.0].1.returned = Some((at, answer));
    }

    /// The history so far, by key. Reads without an answer say nothing and are
    /// left out.
    #[must_use]
    pub fn history(&self) -> History {
        let ops = self.ops.lock().unwrap_or_else(PoisonError::into_inner);
        let mut history = History::new();
        for (key, op) in ops.iter() {
            if op.call != Call::Read || op.returned.is_some() {
                history.entry(key.clone()).or_default().push(op.clone());
            }
        }
        history
    }
}

impl Default for HistoryLog {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_keep_their_real_order_and_what_is_not_answered_stays_open() {
        let log = HistoryLog::new();
        let first = log.invoked(1, "a", Call::Write(1));
        let lost = log.invoked(2, "a", Call::Write(2));
        let idle = log.invoked(3, "a", Call::Read);
        log.returned(first, Answer::Done);
        let read = log.invoked(1, "b", Call::Read);
        log.returned(read, Answer::Value(None));
        let history = log.history();
        let (a, b) = (&history["a"], &history["b"]);
        let returned = |op: &Op| op.returned.map(|(at, _)| at);
        assert_eq!((a.len(), b.len()), (2, 1), "{history:?} {lost:?} {idle:?}");
        assert_eq!(returned(&a[1]), None);
        assert!(a[0].invoked < a[1].invoked && a[1].invoked < returned(&a[0]).unwrap());
        assert!(returned(&a[0]).unwrap() <= b[0].invoked, "{history:?}");
    }
}
