//! Progress for whoever hosts the runner (S2.9): not persisted, not sent to
//! the registry, lost when nobody listens.

use process_model::{InstanceId, Timestamp};
use std::time::Duration;

/// One piece of news.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// When.
    pub time: Timestamp,
    /// About which instance.
    pub instance: InstanceId,
    /// What happened.
    pub kind: NoticeKind,
    /// The same in words.
    pub text: String,
}

/// What a piece of news is about.
#[derive(Debug, Clone, PartialEq)]
pub enum NoticeKind {
    /// A lifecycle event; the registry, where there is one, has it too.
    Lifecycle {
        /// One of [`process_model::event_type`].
        event: String,
    },
    /// The watched log file grew.
    LogGrew {
        /// From this length in bytes.
        from: u64,
        /// To this one.
        to: u64,
    },
    /// The watched log file changed otherwise: rotated, truncated, touched.
    LogChanged,
    /// The watched log file is quiet.
    LogQuiet {
        /// For this long.
        silence: Duration,
        /// A restart follows after this long.
        timeout: Duration,
    },
    /// The watched log file cannot be looked at; tried again.
    LogUnreadable,
    /// The kernel does not tell of changes of the watched log file: it is only
    /// looked at each interval.
    LogPolled,
}
