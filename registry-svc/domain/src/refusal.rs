//! Why a command was refused. A refused command has changed nothing.

use process_model::{ProcessName, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Selectors match nothing.
    #[error("{}", join(.0))]
    NotFound(Vec<Miss>),
    /// No selector was given.
    #[error("selectors: none was given; name at least one process, or write \"*\" for all")]
    NoSelectors,
    /// Somebody else changed the process.
    #[error("process {process} has etag {actual:?}, not {expected:?}: somebody else changed it; read it again")]
    EtagMismatch {
        /// The process.
        process: String,
        /// What the caller expected.
        expected: String,
        /// What it is; empty when there is no such process.
        actual: String,
    },
    /// The process has another generation than was expected.
    #[error("process {process} has generation {actual}, not {expected}: {}; look at it and decide again", by(.actor, *.actual))]
    GenerationMismatch {
        /// The process.
        process: String,
        /// What the caller expected; 0: none.
        expected: u64,
        /// What it has; 0: it does not exist.
        actual: u64,
        /// Who made it so; empty: it is not known.
        actor: String,
        /// When; `None`: it is not known.
        time: Option<Timestamp>,
    },
    /// No such generation is kept.
    #[error("process {process} has no generation {wanted}; {oldest} to {newest} are kept")]
    NoGeneration {
        /// The process.
        process: String,
        /// What was asked for.
        wanted: u64,
        /// The oldest that is kept.
        oldest: u64,
        /// The newest.
        newest: u64,
    },
    /// One request names a process twice.
    #[error("specs: {0} is there twice; give each process once")]
    DuplicateName(ProcessName),
    /// Pruning needs to know what belongs together.
    #[error("prune: it needs a source; set source to what these specs come from")]
    PruneWithoutSource,
    /// The request id was used for another request.
    #[error("request id {0} was used before for another request; use a new one")]
    RequestIdReused(String),
    /// More than the registry holds.
    #[error("{what}: {got} are too many; at most {limit}")]
    TooMany {
        /// Of what.
        what: String,
        /// How many there would be.
        got: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The replica was removed.
    #[error(
        "replica {0} was removed, and a number is never used again: a voter that comes back without its past could \
         vote twice; start it with an empty directory and --join to get a new number"
    )]
    MemberGone(u64),
    /// The replica is known with another directory.
    #[error(
        "replica {0} is known with another data directory: under its old number this one could vote a second time; \
         start it with an empty directory and --join as a new replica, then run `pmctl cluster join NEW --replaces {0}`"
    )]
    MemberStore(u64),
    /// A later start of the replica is known, or another one with the same count.
    #[error(
        "replica {id} was started {known} times and now says {boot}: its data directory is an older copy; start it \
         with an empty directory and --join as a new replica, then run `pmctl cluster join NEW --replaces {id}`"
    )]
    MemberBoot {
        /// The replica.
        id: u64,
        /// How often it was started, by its own account.
        boot: u64,
        /// How often by what is known.
        known: u64,
    },
    /// The replica is known under another certificate.
    #[error(
        "replica {id} shows the certificate registry/{name}, and is known as {}: start it with the certificate that it had, \
         or as a new replica, with an empty directory, --join and a certificate whose name no replica had \
         (`pmctl cluster issue`)", certificate(.known)
    )]
    MemberCertificate {
        /// The replica.
        id: u64,
        /// What it shows.
        name: String,
        /// What is known; empty: the name is that of another one.
        known: String,
    },
    /// There is something that a restore would replace.
    #[error("this cluster is not empty: it has {what}; restore into an empty one, or replace all of it with --force")]
    NotEmpty {
        /// What is there, in words.
        what: String,
    },
    /// A backup is being restored.
    #[error("a backup is being restored; try again once that is over")]
    Restoring,
    /// The restore is not going on, or not like this.
    #[error("the backup was not restored: {why}; nothing was changed")]
    NotRestored {
        /// Why.
        why: String,
    },
    /// The registry looks on after a restore.
    #[error(
        "this cluster looks on since a backup was restored, and changes nothing: look at `pmctl backup status`, then run `pmctl backup confirm`"
    )]
    Observing,
    /// Nothing is to be confirmed.
    #[error("nothing is to be confirmed: this cluster does not look on")]
    NotObserving,
    /// What becomes of the unknown was not said.
    #[error("{what}; say what becomes of what was not restored: --stop-unknown or --keep-unknown")]
    UnknownRuns {
        /// What is unknown, in words.
        what: String,
    },
    /// A token that lets nobody in, or not this one. Why is told to nobody.
    #[error(
        "this join token lets nobody in as this node: it is wrong, used, expired or for another one; ask for a new one with `pmctl nodes join-command`"
    )]
    NotInvited,
    /// No rollout of the process is under way.
    #[error("process {0} has no rollout under way; `pmctl rollout status {0}` tells of its last one")]
    NoRollout(String),
    /// The rollout of the process is not where this can be done.
    #[error("process {process}: {why}")]
    RolloutUnfit {
        /// The process.
        process: String,
        /// Where it is instead, and what to do.
        why: String,
    },
    /// The process has as many instances as it has to have.
    #[error("process {process} cannot be scaled: {why}")]
    FixedNumber {
        /// The process.
        process: String,
        /// Why.
        why: String,
    },
    /// The node has never connected.
    #[error("node {0} is not known; it has to connect first")]
    UnknownNode(String),
    /// The node is in use.
    #[error("node {node} was not removed: {why}, or give it up with --force")]
    NodeInUse {
        /// The node.
        node: String,
        /// Why.
        why: String,
    },
}

impl Refusal {
    /// Its stable name, as the API has it (`google.rpc.ErrorInfo.reason`).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) | Self::NoGeneration { .. } | Self::UnknownNode(_) => "NOT_FOUND",
            Self::NoSelectors | Self::DuplicateName(_) | Self::PruneWithoutSource => "INVALID_ARGUMENT",
            Self::EtagMismatch { .. } => "ETAG_MISMATCH",
            Self::GenerationMismatch { .. } => "GENERATION_MISMATCH",
            Self::RequestIdReused(_) => "REQUEST_ID_REUSED",
            Self::TooMany { .. } => "REQUEST_TOO_LARGE",
            Self::MemberGone(_) | Self::MemberStore(_) | Self::MemberBoot { .. } | Self::MemberCertificate { .. } => {
                "MEMBER_CHANGE_REFUSED"
            }
            Self::NotEmpty { .. } => "CLUSTER_NOT_EMPTY",
            Self::Restoring => "RESTORING",
            Self::NotRestored { .. } => "BACKUP_UNUSABLE",
            Self::Observing => "OBSERVE_MODE",
            Self::NotObserving => "NOT_OBSERVING",
            Self::UnknownRuns { .. } => "UNKNOWN_INSTANCES",
            Self::NotInvited => "PERMISSION_DENIED",
            Self::NodeInUse { .. } => "NODE_IN_USE",
            Self::NoRollout(_) | Self::RolloutUnfit { .. } => "ROLLOUT_STATE",
            Self::FixedNumber { .. } => "FIXED_NUMBER",
        }
    }
}

fn certificate(known: &str) -> String {
    if known.is_empty() { "one whose name is not another replica's".to_owned() } else { format!("registry/{known}") }
}

fn by(actor: &str, actual: u64) -> String {
    match (actor.is_empty(), actual) {
        (true, 0) => "it does not exist".to_owned(),
        (true, _) => "somebody changed it".to_owned(),
        (false, 0) => format!("{actor} deleted it"),
        (false, _) => format!("{actor} changed it"),
    }
}

/// A selector that matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// The selector.
    pub selector: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing matches {:?}", self.selector)?;
        match &self.suggestion {
            Some(name) => write!(f, "; did you mean {name:?}?"),
            None => Ok(()),
        }
    }
}

fn join(misses: &[Miss]) -> String {
    misses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
