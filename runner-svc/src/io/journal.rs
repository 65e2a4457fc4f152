//! What survives the runner's own death: assignments, the memo of each
//! instance, and reports that the registry has not confirmed.
//!
//! An append-only file of framed records. A record reaches the kernel before
//! the step that it is about has any effect, so `kill -9` loses nothing; what
//! has to survive a power cut (assignments, final states) is synced right
//! after, in the background. A torn tail, which only a power cut can leave, is
//! cut off; damage before the tail is an error. The file is rewritten when
//! most of it is out of date, and when a full disk has left a gap in it.

mod file;
mod frame;
mod outbox;
mod record;
mod scribe;

pub(crate) use file::OpenError;
pub(crate) use record::{Reported, Stored};

use crate::clock;
use file::JournalFile;
use process_model::spec::Dependency;
use process_model::{ActionReport, Assignment, Elsewhere, InstanceId, InstanceReport, Phase, event_type};
use record::{Image, Record};
use runner_domain::{Leadership, Memo, Rest};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

use super::leftovers::MainProcess;

/// Cheap handle; one file, one writer at a time.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    inner: Arc<Mutex<Inner>>,
    /// Wakes the thread that syncs and rewrites.
    scribe: SyncSender<()>,
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

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    // Nothing that holds the lock panics halfway through a change.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Opens the journal of `dir`, or makes it.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let (file, image) = JournalFile::open(dir)?;
        let newest = watch::Sender::new(image.newest_seq);
        let inner = Arc::new(Mutex::new(Inner { file, image }));
        let scribe = scribe::start(inner.clone()).map_err(|source| OpenError::Io { path: dir.to_owned(), source })?;
        Ok(Self { inner, scribe, newest, confirmed: watch::Sender::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Appends `records`, then `reports` with the next numbers, and tells of them.
    fn append(&self, records: Vec<Record>, reports: impl IntoIterator<Item = Reported>, sync: bool) {
        self.write(records, reports, sync);
        self.announce();
    }

    /// Wakes whoever has something to do with what was appended.
    pub(crate) fn announce(&self) {
        let (owes, newest) = {
            let inner = self.lock();
            (inner.file.owes(), inner.image.newest_seq)
        };
        if owes {
            // Full: it has not heard the last one, and will see this, too.
            let _ = self.scribe.try_send(());
        }
        self.newest.send_if_modified(|known| std::mem::replace(known, newest) != newest);
    }

    fn write(&self, mut records: Vec<Record>, reports: impl IntoIterator<Item = Reported>, sync: bool) {
        let mut inner = self.lock();
        let Inner { file, image } = &mut *inner;
        for record in &records {
            image.apply(record.clone());
        }
        for report in reports {
            let record = image.numbered(report);
            image.apply(record.clone());
            records.push(record);
        }
        if let Err(error) = file.append(&records, sync) {
            // Supervision goes on: a full disk must not end what runs. A runner that dies now may report twice.
            tracing::error!(%error, "cannot write the journal; it is written anew as soon as the disk lets it");
        }
    }

    /// Instances as they were when the last runner wrote.
    pub(crate) fn instances(&self) -> BTreeMap<InstanceId, Box<Stored>> {
        self.lock().image.instances.clone()
    }

    /// The highest run id ever given out.
    pub(crate) fn newest_run(&self) -> u64 {
        self.lock().image.newest_run
    }

    /// One record each, one sync for all.
    pub(crate) fn assigned(&self, assignments: &[Arc<Assignment>]) {
        if !assignments.is_empty() {
            self.append(assignments.iter().cloned().map(Record::Assigned).collect(), [], true);
        }
    }

    /// A step of an instance: what it is now, and what is to be reported. Nobody
    /// is told before [`Journal::announce`].
    pub(crate) fn stepped(&self, instance: &InstanceId, memo: Memo, main: Option<MainProcess>, reports: Vec<Reported>) {
        let is_final = matches!(memo.rest, Some(Rest::Exited | Rest::Failed(_)));
        // A run that a power cut makes forgotten would be done twice.
        let is_run = reports.iter().any(|report| matches!(report, Reported::Run(_)));
        let step = Record::Stepped { instance: instance.clone(), memo, main };
        self.write(vec![step], reports, is_final || is_run);
    }

    pub(crate) fn action(&self, report: ActionReport) {
        self.append(Vec::new(), [Reported::Action(report)], false);
    }

    /// An action that must not be carried out twice begins; on disk before it does.
    pub(crate) fn began(&self, action: &str) {
        self.append(vec![Record::Began(action.to_owned())], [], true);
    }

    /// Actions that an earlier runner began, and of which nobody has said what
    /// became of them.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        self.lock().image.begun.iter().cloned().collect()
    }

    /// Whether it began here.
    pub(crate) fn has_begun(&self, action: &str) -> bool {
        self.lock().image.begun.contains(action)
    }

    /// Whether what became of it is known here, and not yet to the registry.
    pub(crate) fn has_ended(&self, action: &str) -> bool {
        self.lock().image.outbox.has_ended(action)
    }

    /// A report that no step of an instance has made.
    pub(crate) fn report(&self, report: InstanceReport) {
        self.append(Vec::new(), [Reported::Instance(report)], false);
    }

    /// Reports that nothing of this generation of an instance is here; 0: of any.
    pub(crate) fn gone(&self, instance: &InstanceId, generation: u64) {
        self.report(InstanceReport {
            instance: instance.clone(),
            seq: 0,
            generation,
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
            containment: String::new(),
            status: String::new(),
            log_lines: Vec::new(),
        });
    }

    pub(crate) fn forgotten(&self, instance: &InstanceId) {
        self.append(vec![Record::Forgotten(instance.clone())], [], false);
    }

    /// The registry has committed everything up to `seq`.
    pub(crate) fn acknowledged(&self, seq: u64) {
        self.append(vec![Record::Acknowledged(seq)], [], false);
        self.confirmed.send_replace(seq);
    }

    /// Changes with each confirmation.
    pub(crate) fn confirmations(&self) -> watch::Receiver<u64> {
        self.confirmed.subscribe()
    }

    /// Unconfirmed reports, oldest first.
    pub(crate) fn unconfirmed(&self, most: usize) -> Vec<(u64, Reported)> {
        self.lock().image.outbox.oldest(most)
    }

    /// Changes with each report.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Whether the registry has confirmed everything.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.lock().image.outbox.is_empty()
    }

    /// The cluster that this node belongs to.
    pub(crate) fn cluster(&self) -> Option<String> {
        self.lock().image.cluster.clone()
    }

    pub(crate) fn joined(&self, cluster: &str) {
        self.append(vec![Record::Joined(cluster.to_owned())], [], true);
    }

    /// The newest leader of the registry that this node has obeyed.
    pub(crate) fn leadership(&self) -> Leadership {
        self.lock().image.leadership
    }

    /// It is obeyed from now on, also by the runners after this one.
    pub(crate) fn obeyed(&self, leadership: Leadership) {
        self.append(vec![Record::Obeyed(leadership)], [], true);
    }

    /// Addresses of all replicas of the registry, as far as was ever said.
    pub(crate) fn registries(&self) -> Vec<String> {
        self.lock().image.registries.clone()
    }

    /// What was just said of them.
    pub(crate) fn found_registries(&self, addresses: Vec<String>) {
        if self.registries() != addresses {
            self.append(vec![Record::Registries(addresses)], [], true);
        }
    }

    /// How what is depended on stood on other nodes, as was last said.
    pub(crate) fn elsewhere(&self) -> BTreeMap<Dependency, Elsewhere> {
        self.lock().image.elsewhere.clone()
    }

    /// How it stands there now.
    pub(crate) fn heard(&self, now: &BTreeMap<Dependency, Elsewhere>) {
        let record = self.lock().image.hears(now);
        if let Some(record) = record {
            self.append(vec![record], [], true);
        }
    }

    /// The boot in which the last runner took its instances over.
    pub(crate) fn boot_id(&self) -> Option<String> {
        self.lock().image.boot_id.clone()
    }

    /// Everything is taken over in this boot. Not said earlier: a runner that
    /// fails before has to leave its successor the news of the boot.
    pub(crate) fn booted(&self, boot_id: &str) {
        if self.boot_id().as_deref() != Some(boot_id) {
            self.append(vec![Record::Booted(boot_id.to_owned())], [], true);
        }
    }
}

#[cfg(test)]
mod tests;
