//! What a directory holds, read from a copy of it: looking must not change
//! what is looked at, least of all how far it has applied.

use super::{RecoveryError, swap};
use crate::home::{Home, Identity};
use crate::machine::{MachineNumbers, MemoryMachine, Pace, Places, payload};
use registry_consensus::{Committed, Entry, Machine as _, Members, Position, read_entry};
use registry_domain::State;
use registry_log::{Floor, Limit, Log};
use registry_quorum::recovery::Remains;
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Entries that are read at a time.
const AT_ONCE: Limit = Limit { entries: 1_024, bytes: 16 << 20 };

/// What was found.
pub(super) struct Evidence {
    machine: MemoryMachine,
    tail: Vec<Committed>,
    remains: Remains,
}

impl Evidence {
    /// Copies what counts, and reads it.
    pub(super) fn read(home: &Home, identity: &Identity) -> Result<Self, RecoveryError> {
        let work = swap::fresh_work(home.path())?;
        for (from, name) in [(home.log(), "log"), (home.state(), "state"), (home.snapshots(), "snapshots")] {
            copy(&from, &work.join(name))?;
        }
        let places = Places { state: work.join("state"), snapshots: work.join("snapshots") };
        let machine = MemoryMachine::open(&places, Pace::default(), MachineNumbers::default())?;
        let settings = crate::log_settings();
        let (log, survey) = Log::open(&work.join("log"), &identity.into(), &settings, &Floor::default())
            .map_err(|source| crate::home::HomeError::Log { path: home.log(), source })?;
        let applied = machine.applied();
        let tail = tail(&log, applied.at);
        // It is only a copy; whether it closes well does not matter.
        let _ = log.close();
        let tail = tail?;
        let remains = remains(identity, &survey, &machine, &tail);
        Ok(Self { machine, tail, remains })
    }

    pub(super) fn remains(&self) -> &Remains {
        &self.remains
    }

    /// The state with every entry applied, and frees the files.
    pub(super) fn state(self) -> Result<State, RecoveryError> {
        for entry in &self.tail {
            self.machine.apply(vec![entry.clone()])?;
        }
        let state = self.machine.view().read().state.clone();
        self.machine.close();
        Ok(state)
    }

    pub(super) fn close(self) {
        self.machine.close();
    }
}

fn tail(log: &Log, applied: Option<Position>) -> Result<Vec<Committed>, RecoveryError> {
    let extent = log.extent();
    let (Some(first), Some(last)) = (extent.first, extent.last) else { return Ok(Vec::new()) };
    let mut next = applied.map_or(0, |at| at.index + 1);
    if next < first {
        return Err(RecoveryError::Hole { from: next, to: first - 1 });
    }
    let mut tail = Vec::new();
    while next <= last.index {
        let entries = log.read(next..last.index + 1, AT_ONCE)?;
        for entry in entries {
            let at = Position { term: entry.at.term, index: entry.at.index };
            next = at.index + 1;
            tail.push(read_entry(at, entry.payload)?);
        }
    }
    Ok(tail)
}

fn remains(identity: &Identity, survey: &registry_log::Survey, machine: &MemoryMachine, tail: &[Committed]) -> Remains {
    let applied = machine.applied();
    let newest_members = tail.iter().rev().find_map(|one| match &one.entry {
        Entry::Members(members) => Some(members.clone()),
        Entry::Blank | Entry::Batch(_) => None,
    });
    let Members { voters, learners } = newest_members.unwrap_or(applied.members);
    let at = |at: registry_log::Position| Position { term: at.term, index: at.index };
    let last = tail.last().map(|one| one.at).into_iter().chain(applied.at).max_by_key(|at| at.index);
    let committed = survey.committed.map(at).into_iter().chain(applied.at).max_by_key(|at| at.index);
    Remains {
        id: identity.replica,
        cluster: identity.cluster.to_string(),
        epoch: identity.epoch,
        term: survey.vote.map_or(0, |vote| vote.term),
        last: last.unwrap_or_default(),
        committed: committed.unwrap_or_default(),
        voters,
        learners,
        next: machine.view().read().state.meta().next_member,
        newest: newest(machine, tail),
    }
}

/// When the newest change was made, as its command says.
fn newest(machine: &MemoryMachine, tail: &[Committed]) -> Option<String> {
    let in_tail = tail.iter().rev().find_map(|one| match &one.entry {
        Entry::Batch(batch) => payload::decode(batch).ok()?.last().map(|command| command.header.time),
        Entry::Blank | Entry::Members(_) => None,
    });
    let replicated = machine.view().read();
    let in_state = replicated.state.events().last().map(|(_, event)| event.time);
    let time = in_tail.max(in_state)?;
    let since = Duration::from_nanos(u64::try_from(time.0).ok()?);
    Some(humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string())
}

fn copy(from: &Path, to: &Path) -> Result<(), RecoveryError> {
    if !from.try_exists().map_err(RecoveryError::io("look at", from))? {
        return Ok(());
    }
    fs::create_dir_all(to).map_err(RecoveryError::io("make", to))?;
    for entry in fs::read_dir(from).map_err(RecoveryError::io("read", from))? {
        let path = entry.map_err(RecoveryError::io("read", from))?.path();
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(RecoveryError::io("copy", &path))?;
        }
    }
    Ok(())
}
