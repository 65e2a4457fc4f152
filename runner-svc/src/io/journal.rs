//! What survives the runner's own death: assignments, the memo of each
//! instance, and reports that the registry has not confirmed.
//!
//! An append-only file of framed records (length, CRC-32, MessagePack with
//! field names). A record reaches the kernel before the step that it is about
//! has any effect, so `kill -9` loses nothing; what has to survive a power cut
//! (assignments, final states) is also synced. A torn tail, which only a power
//! cut can leave, is cut off; damage before the tail is an error. The file is
//! rewritten when most of it is out of date.

mod file;
mod record;

pub(crate) use record::{Reported, Stored};

use crate::clock;
use file::JournalFile;
pub(crate) use file::OpenError;
use process_model::{ActionReport, Assignment, InstanceId, InstanceReport, Phase, event_type};
use record::{Image, Record};
use runner_domain::{Memo, Rest};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

use super::leftovers::MainProcess;

/// Reports that are kept for a registry that is away. Beyond it the oldest go
/// first: at a restart each minute that is still days of history of a node.
const MAX_REPORTS: usize = 10_000;

/// Cheap handle; one file, one writer at a time.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    inner: Arc<Mutex<Inner>>,
    /// Changes with each report.
    newest: watch::Sender<u64>,
    /// Changes with each confirmation.
    confirmed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    file: JournalFile,
    image: Image,
}

impl Journal {
    /// Opens the journal of `dir`, or makes it.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let (file, image) = JournalFile::open(dir)?;
        let newest = watch::Sender::new(image.next_seq);
        Ok(Self { inner: Arc::new(Mutex::new(Inner { file, image })), newest, confirmed: watch::Sender::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held left the image as it was before the append.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, records: &[Record], sync: bool) {
        let mut inner = self.lock();
        let Inner { file, image } = &mut *inner;
        for record in records {
            image.apply(record.clone());
        }
        if let Err(e) = file.append(records, sync, image) {
            // Supervision goes on: a full disk must not end what runs. A runner that dies now may report twice.
            tracing::error!(error = %e, "cannot write the journal");
        }
        let next = image.next_seq;
        drop(inner);
        self.newest.send_if_modified(|newest| std::mem::replace(newest, next) != next);
    }

    /// Instances as they were when the last runner wrote.
    pub(crate) fn instances(&self) -> BTreeMap<InstanceId, Stored> {
        self.lock().image.instances.clone()
    }

    /// The highest run id ever given out.
    pub(crate) fn newest_run(&self) -> u64 {
        self.lock().image.newest_run
    }

    pub(crate) fn assigned(&self, assignment: &Assignment) {
        self.append(&[Record::Assigned(assignment.clone())], true);
    }

    /// A step of an instance: what it is now, and what is to be reported.
    pub(crate) fn stepped(
        &self,
        instance: &InstanceId,
        memo: Memo,
        main: Option<MainProcess>,
        reports: Vec<InstanceReport>,
    ) {
        let is_final = matches!(memo.rest, Some(Rest::Exited | Rest::Failed(_)));
        let mut records = vec![Record::Stepped { instance: instance.clone(), memo, main }];
        records.extend(reports.into_iter().map(|report| Record::Reported(Reported::Instance(report))));
        self.append(&records, is_final);
    }

    pub(crate) fn action(&self, report: ActionReport) {
        self.append(&[Record::Reported(Reported::Action(report))], false);
    }

    /// Reports that nothing of an instance is here.
    pub(crate) fn gone(&self, instance: &InstanceId) {
        let report = InstanceReport {
            instance: instance.clone(),
            seq: 0,
            generation: 0,
            event_type: event_type::INSTANCE_REMOVED.to_owned(),
            time: clock::wall(),
            phase: Phase::Stopped,
            ready: false,
            pid: 0,
            restarts: 0,
            last_exit: None,
            started: None,
            message: "nothing of it is on this node".to_owned(),
            next_restart: None,
            gone: true,
        };
        self.append(&[Record::Reported(Reported::Instance(report))], false);
    }

    pub(crate) fn forgotten(&self, instance: &InstanceId) {
        self.append(&[Record::Forgotten(instance.clone())], false);
    }

    /// The registry has committed everything up to `seq`.
    pub(crate) fn acknowledged(&self, seq: u64) {
        self.append(&[Record::Acknowledged(seq)], false);
        self.confirmed.send_replace(seq);
    }

    /// Changes with each confirmation.
    pub(crate) fn confirmations(&self) -> watch::Receiver<u64> {
        self.confirmed.subscribe()
    }

    /// Unconfirmed reports, oldest first.
    pub(crate) fn unconfirmed(&self, most: usize) -> Vec<(u64, Reported)> {
        self.lock().image.reports.iter().take(most).map(|(seq, report)| (*seq, report.clone())).collect()
    }

    /// Changes with each report.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Whether the registry has confirmed everything.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.lock().image.reports.is_empty()
    }

    /// The cluster that this node belongs to.
    pub(crate) fn cluster(&self) -> Option<String> {
        self.lock().image.cluster.clone()
    }

    pub(crate) fn joined(&self, cluster: &str) {
        self.append(&[Record::Joined(cluster.to_owned())], true);
    }

    /// The boot in which the last runner wrote; remembers the present one.
    pub(crate) fn booted(&self, boot_id: &str) -> Option<String> {
        let before = self.lock().image.boot_id.clone();
        if before.as_deref() != Some(boot_id) {
            self.append(&[Record::Booted(boot_id.to_owned())], true);
        }
        before
    }
}
