//! Reads the audit log while it grows, since no single answer holds all of a
//! long run. What it did not see it says: then nothing is proved.

use crate::{DEADLINE, RegistryClient};
use pm_proto::v1;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Entries in one answer.
const PAGE: u32 = 1_000;
/// Successes between two readings. Refused and repeated requests may have
/// entries, too, so this is far below a page.
const EVERY: usize = 200;
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(20);

/// What it saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Audited {
    /// Revisions of the entries of each request id that was accepted.
    pub(super) requests: BTreeMap<String, Vec<u64>>,
    /// Why something may have been missed, if so.
    pub(super) hole: Option<String>,
}

/// What makes an entry one: revision, request id, command, time; and whether
/// the request was accepted. A second one that is equal is the same entry, seen
/// again.
type Entry = (u64, String, String, Option<(i64, i32)>, bool);

pub(super) struct Auditor {
    replicas: Vec<RegistryClient>,
    successes: watch::Receiver<Vec<u64>>,
    /// True when all clients have ended.
    over: watch::Receiver<bool>,
    seen: BTreeSet<Entry>,
    hole: Option<String>,
}

impl Auditor {
    pub(super) fn new(
        replicas: Vec<RegistryClient>,
        successes: watch::Receiver<Vec<u64>>,
        over: watch::Receiver<bool>,
    ) -> Self {
        Self { replicas, successes, over, seen: BTreeSet::new(), hole: None }
    }

    /// Reads until all clients have ended, and once more then.
    pub(super) async fn run(mut self) -> Audited {
        let mut next = EVERY;
        while !*self.over.borrow() {
            tokio::select! {
                grown = self.successes.wait_for(|at| at.len() >= next) => match grown {
                    Ok(at) => next = at.len() + EVERY,
                    Err(_) => break,
                },
                ended = self.over.changed() => if ended.is_err() { break },
            }
            // When nobody answers now, the next reading tells whether that was too long.
            let _ = self.read().await;
        }
        let began = Instant::now();
        while !self.read().await {
            if began.elapsed() > DEADLINE {
                self.hole = Some("it cannot be read at the end".to_owned());
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        let mut requests: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (revision, id, _, _, accepted) in self.seen {
            // What was refused changed nothing, and may have been refused before.
            if accepted && !id.is_empty() {
                requests.entry(id).or_default().push(revision);
            }
        }
        Audited { requests, hole: self.hole }
    }

    /// One reading, of the first replica that answers.
    #[allow(clippy::needless_update, reason = "later versions of the request have more fields")]
    async fn read(&mut self) -> bool {
        for replica in &self.replicas {
            let request = v1::ListAuditEntriesRequest { page_size: PAGE, ..Default::default() };
            let Ok(answer) = replica.events().list_audit_entries(request).await else { continue };
            let entries = answer.into_inner().entries;
            let full = entries.len() == PAGE as usize;
            let before = self.seen.len();
            let mut known = 0;
            for entry in entries {
                let time = entry.time.map(|time| (time.seconds, time.nanos));
                let accepted = entry.outcome() == v1::AuditOutcome::Accepted;
                let entry = (entry.revision, entry.request_id, entry.command, time, accepted);
                known += usize::from(!self.seen.insert(entry));
            }
            if full && known == 0 {
                self.hole = Some(format!("{PAGE} new audit entries between two readings, after {before} in all"));
            }
            return true;
        }
        false
    }
}
