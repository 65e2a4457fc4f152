//! Why a directory is not used.

use registry_log::{OpenError, Position};
use registry_quorum::ReplicaId;
use std::io;
use std::path::{Path, PathBuf};

/// Why a directory is not used. A refusal has changed nothing; each says what
/// is wrong, where, and the way back in.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another process has it.
    #[error(
        "the data directory {} is in use by another registry: stop that one, or give this one a --data-dir of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// The system said no.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The log said no for a reason that lies in the system, not in the data.
    #[error("cannot open or make the log {}", path.display())]
    Log {
        /// Its directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The founding mark is not as it was written.
    #[error("the founding mark {} is damaged: put back the file that was there, or {}", .0.display(), way_back(None))]
    IdentityDamaged(PathBuf),
    /// The founding mark is gone.
    #[error(
        "the founding mark {} is missing although {} is there: put back the file that was there, or {}",
        mark.display(), found.display(), way_back(None)
    )]
    IdentityMissing {
        /// Where it should be.
        mark: PathBuf,
        /// What shows that there was one.
        found: PathBuf,
    },
    /// A file is of a format that a later version may know.
    #[error(
        "{} has format {found}, which this version does not know: start the version that wrote it, or a later one",
        file.display()
    )]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// The format's number.
        found: u32,
    },
    /// The directory was written by the version before.
    #[error("the data directory {} has format 1, from before the first release, which is no longer read: move it away and start with an empty one", .0.display())]
    OldFormat(PathBuf),
    /// The plan to found is not as it was written.
    #[error(
        "the founding plan {} is damaged: nothing was stored yet, so empty the directories of all founders and start \
         them again",
        .0.display()
    )]
    PlanDamaged(PathBuf),
    /// A plan cannot be written down.
    #[error("the founding plan names {value:?}, which has control characters: correct --advertise of that replica")]
    PlanUnusable {
        /// The value.
        value: String,
    },
    /// Another plan stands.
    #[error(
        "{} holds the plan of another cluster than the one that is offered: nothing was stored yet, so empty the \
         directories of those with the wrong plan and start them again",
        .0.display()
    )]
    OtherPlan(PathBuf),
    /// What is to be founded is not what was planned.
    #[error(
        "{} does not plan {wanted}: nothing was stored yet, so empty the directory and start again",
        plan.display()
    )]
    NotPlanned {
        /// The plan's file.
        plan: PathBuf,
        /// What was to be founded.
        wanted: String,
    },
    /// The directory was never founded.
    #[error("the data directory {} is not founded yet: start it with --peers, or with --join", .0.display())]
    NotFounded(PathBuf),
    /// The directory is another replica's, cluster's or epoch's.
    #[error(
        "{} belongs to {found}, not to {wanted}: correct --data-dir, or {}",
        file.display(), way_back(Some(*replica))
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
        /// The replica that it should be.
        replica: ReplicaId,
    },
    /// The directory belongs to another replica.
    #[error("the data directory belongs to replica {found}, not {wanted}: correct --node-id or --data-dir")]
    OtherReplica {
        /// Whose it is.
        found: ReplicaId,
        /// Who asks.
        wanted: ReplicaId,
    },
    /// The cluster has turned this directory away.
    #[error("the cluster turned the data directory {path} away, for good: {why}; to begin anew in it, as a new replica: \
         `pmctl cluster reset --data-dir {path}`, and start it with --join", path = path.display())]
    TurnedAway {
        /// The directory.
        path: PathBuf,
        /// What it was told, with the way back in.
        why: String,
    },
    /// The log is gone.
    #[error(
        "the log {} is missing although this directory was founded with it: put it back, or {}",
        log.display(), way_back(Some(*replica))
    )]
    LogMissing {
        /// Where it should be.
        log: PathBuf,
        /// Whose it was.
        replica: ReplicaId,
    },
    /// The log is not as it was written.
    #[error("{source}: put back the newest copy if there is one, or {}", way_back(Some(*replica)))]
    LogDamaged {
        /// Whose it is.
        replica: ReplicaId,
        /// What is wrong, and where.
        source: OpenError,
    },
    /// The log is an older copy.
    #[error(
        "the log {} is an older copy, opened {boot} times where {known} are known: put back the newest, or {}",
        log.display(), way_back(Some(*replica))
    )]
    LogOld {
        /// Its directory.
        log: PathBuf,
        /// How often it was opened, by its own account.
        boot: u64,
        /// How often by the mark's.
        known: u64,
        /// Whose it is.
        replica: ReplicaId,
    },
    /// The state has applied what the log does not hold.
    #[error(
        "the log {} ends at {}, but {applied} was applied: it is an older copy or has lost its end; put back the newest, \
         or {}",
        log.display(), ends_at(*last), way_back(Some(*replica))
    )]
    LogBehind {
        /// Its directory.
        log: PathBuf,
        /// Where it ends.
        last: Option<Position>,
        /// What was applied.
        applied: Position,
        /// Whose it is.
        replica: ReplicaId,
    },
}

/// How a replica that lost its directory comes back: never under its old
/// number, under which it may have voted.
fn way_back(replica: Option<ReplicaId>) -> String {
    let old = replica.map_or("OLD".to_owned(), |id| id.to_string());
    format!(
        "start with an empty directory and --join as a new replica and then run `pmctl cluster join NEW --replaces \
         {old}`"
    )
}

fn ends_at(last: Option<Position>) -> String {
    last.map_or("its beginning".to_owned(), |last| format!("entry {last}"))
}

impl HomeError {
    /// What the process ends with, as `sysexits.h` names it: 78 the
    /// configuration is wrong, 65 the data are, 74 input or output failed, 75
    /// somebody else has the directory.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::InUse(_) => 75,
            Self::Io { .. } | Self::Log { .. } => 74,
            Self::IdentityDamaged(_)
            | Self::IdentityMissing { .. }
            | Self::PlanDamaged(_)
            | Self::LogMissing { .. }
            | Self::LogDamaged { .. }
            | Self::LogOld { .. }
            | Self::LogBehind { .. } => 65,
            Self::UnknownFormat { .. }
            | Self::OldFormat(_)
            | Self::PlanUnusable { .. }
            | Self::OtherPlan(_)
            | Self::NotPlanned { .. }
            | Self::NotFounded(_)
            | Self::TurnedAway { .. }
            | Self::Foreign { .. }
            | Self::OtherReplica { .. } => 78,
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
