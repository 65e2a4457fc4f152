//! Taking over from the runner before: every instance of the journal is set
//! going, with what the keeper knows of its run.

use crate::instance::{Origin, Restored};
use crate::io::journal::Journal;
use crate::io::keeper_link::KeeperLink;
use crate::roster::Roster;
use process_model::spec::Signal;
use runner_domain::RunId;
use runner_keeper::protocol::{Request, RunRecord};
use std::collections::BTreeMap;

pub(super) fn take_over(
    roster: &Roster,
    journal: &Journal,
    keeper: &KeeperLink,
    records: Vec<RunRecord>,
    rebooted: bool,
) {
    let mut records: BTreeMap<RunId, RunRecord> =
        records.into_iter().map(|record| (RunId(record.run), record)).collect();
    for (_, stored) in journal.instances() {
        let origin = match stored.memo {
            Some(memo) => {
                let record = memo.run.and_then(|run| records.remove(&run));
                Origin::Restored(Box::new(Restored {
                    memo,
                    before: stored.before,
                    main: stored.main,
                    record,
                    rebooted,
                }))
            }
            None => Origin::New,
        };
        roster.restore(stored.assignment, origin);
    }
    for (run, record) in records {
        // Ended and taken in, but the keeper was not told; or not of this journal at all.
        if record.ending.as_ref().is_none_or(|ending| !ending.tree_empty) {
            tracing::warn!(
                instance = record.instance,
                pid = record.pid,
                "the keeper holds a run that nobody knows; ending it"
            );
            keeper.send(Request::SignalTree { run: run.0, signal: Signal::KILL.number() });
        }
        keeper.send(Request::Forget { run: run.0 });
    }
}
