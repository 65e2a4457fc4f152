//! Conducts the elections: one task that tells [`Elections`] what was seen and
//! does what they want. It sleeps between deadlines; the hot paths leave their
//! signs in [`Signs`](crate::signs::Signs) and wake it only in doubt.
//!
//! ```text
//!  links · notes · the library's view · disk notices · deadlines ─▶ step ─▶ stand · ask · suspend · hand over
//!                                                                    └────▶ Standing, for everybody else
//! ```

mod acts;
mod joint;
mod sees;
mod snapshots;

pub(crate) use snapshots::SnapshotPolicy;

use crate::consensus::Inner;
use crate::standing::Standing;
use registry_log::Notice;
use registry_quorum::elections::{HandOverEnd, Saw};
use registry_quorum::{Elections, ReplicaId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// The longest sleep: a disk that hangs announces itself by time alone.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// What others tell the conductor.
pub(crate) enum Word {
    /// Something was seen.
    Saw(Saw),
    /// Leadership is to be handed over, to this replica or to the best one.
    HandOver { to: Option<ReplicaId>, answer: oneshot::Sender<HandOverEnd> },
}

/// The task's own things.
pub(crate) struct Conductor {
    pub(crate) inner: Arc<Inner>,
    pub(crate) elections: Elections,
    pub(crate) words: mpsc::UnboundedReceiver<Word>,
    pub(crate) links: mpsc::UnboundedReceiver<crate::LinkEvent>,
    pub(crate) notices: mpsc::UnboundedReceiver<Notice>,
    pub(crate) standing: watch::Sender<Standing>,
    pub(crate) handing_over: Vec<oneshot::Sender<HandOverEnd>>,
    pub(crate) told: registry_quorum::elections::Standing,
    pub(crate) disk_stalled: bool,
    pub(crate) policy: SnapshotPolicy,
    /// Goes on with a change of the members that somebody else began.
    pub(crate) finishing: Option<JoinHandle<()>>,
    /// So long may a write wait before the disk counts as stalled.
    pub(crate) patience: Duration,
}

impl Conductor {
    /// Runs until the engine ends, or `stop`.
    pub(crate) async fn run(mut self) {
        let inner = self.inner.clone();
        let mut server = inner.raft.server_metrics();
        let mut data = inner.raft.data_metrics();
        // Whatever is so from the start is no change.
        self.step(Saw::Tick);
        loop {
            let deadline = self.elections.next_deadline().map(|at| inner.signs.instant(at));
            let latest = tokio::time::Instant::now() + LONGEST_SLEEP;
            let wake = deadline.map_or(latest, |at| at.min(latest));
            let watched = !self.handing_over.is_empty() || self.policy.is_busy();
            tokio::select! {
                biased;
                () = inner.stop.cancelled() => break,
                Some(event) = self.links.recv() => self.link(event),
                word = self.words.recv() => match word {
                    Some(word) => self.word(word),
                    None => break,
                },
                Some(notice) = self.notices.recv() => self.notice(&notice),
                changed = server.changed() => match changed {
                    Ok(()) => { server.mark_unchanged(); self.step(Saw::Tick); }
                    Err(_engine_ended) => { self.publish(); break; }
                },
                () = inner.signs.heard.notified() => self.step(Saw::Tick),
                () = inner.edge.caught_up.notified() => self.tell_commit(),
                // Changes with every entry: looked at only while something depends on it.
                Ok(()) = data.changed(), if watched => self.step(Saw::Tick),
                () = tokio::time::sleep_until(wake) => self.step(Saw::Tick),
            }
            self.snapshots();
            self.joint();
        }
        self.publish();
    }
}
