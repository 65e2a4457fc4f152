//! The machine without its disk: what entries make of the state, and the state
//! as a snapshot's bytes. [`MemoryMachine`](super::MemoryMachine) puts rows and
//! files behind it; a simulation has nothing behind it.

use super::{apply, payload};
use crate::io::applied_record;
use crate::io::snapshot::memory;
use crate::view::{Changed, Replicated, View};
use registry_consensus::{Answers, Applied, Committed, MachineFault, Snapshot};
use registry_domain::RowKey;
use std::sync::{Arc, OnceLock};

/// The state in memory; clones share it.
#[derive(Debug, Clone)]
pub struct Volatile(Arc<View>);

impl Volatile {
    /// Over what is shown already.
    #[must_use]
    pub fn over(view: Arc<View>) -> Self {
        Self(view)
    }

    /// The state of a snapshot, or an empty one.
    ///
    /// # Errors
    /// The snapshot is damaged.
    pub fn open(snapshot: Option<&Snapshot>) -> Result<Self, MachineFault> {
        let machine = Self(Arc::new(View::new(Replicated::default())));
        snapshot.map_or(Ok(()), |snapshot| machine.install(snapshot))?;
        Ok(machine)
    }

    /// What everybody reads.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.0
    }

    /// Up to where it has applied.
    #[must_use]
    pub fn applied(&self) -> Applied {
        self.0.read().applied.clone()
    }

    /// Applies entries. `touched`: the rows that have changed, told while
    /// nobody reads.
    ///
    /// # Errors
    /// As [`registry_consensus::Machine::apply`].
    pub fn apply(
        &self,
        entries: Vec<Committed>,
        touched: impl FnOnce(Vec<RowKey>),
    ) -> Result<Vec<Answers>, MachineFault> {
        self.apply_up_to(payload::LEVEL, entries, &OnceLock::new(), touched)
    }

    /// The same of commands up to a level; `unknown` is told what a later version wrote.
    pub(super) fn apply_up_to(
        &self,
        known: u16,
        entries: Vec<Committed>,
        unknown: &OnceLock<String>,
        touched: impl FnOnce(Vec<RowKey>),
    ) -> Result<Vec<Answers>, MachineFault> {
        // All of them are read before the state is locked.
        let read = apply::read(entries, known, unknown)?;
        self.0.change(|replicated| {
            let effects = apply::apply(replicated, read)?;
            touched(effects.touched);
            Ok((effects.answers, Changed { orders: effects.orders, events: effects.events }))
        })
    }

    /// A snapshot of the state as it is now, in memory.
    ///
    /// # Errors
    /// A row cannot be written down.
    pub fn snapshot(&self) -> Result<Snapshot, MachineFault> {
        let (frozen, applied) = {
            let replicated = self.0.read();
            (replicated.state.freeze(), replicated.applied.clone())
        };
        memory::of_rows(&applied, frozen.rows()).map_err(|error| MachineFault::new("cannot take a snapshot", error))
    }

    /// Takes the state of a snapshot, after all of it has been verified.
    ///
    /// # Errors
    /// It is damaged; nothing has changed then.
    pub fn install(&self, snapshot: &Snapshot) -> Result<(), MachineFault> {
        let state = memory::state(snapshot).map_err(|error| MachineFault::new("cannot install a snapshot", error))?;
        self.0.replace(state, applied_record::applied(&snapshot.meta), || {});
        Ok(())
    }
}
