//! Entries → state. In memory only: it runs between two messages of the Raft
//! library.

use super::payload;
use crate::view::Replicated;
use process_model::{Event, NodeName};
use registry_consensus::{Answers, Committed, Entry, MachineFault, Members, Position};
use registry_domain::{Command, RowKey, step};
use service_host::causes::chain;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// What an entry says, once it has been read.
pub(super) enum Said {
    Blank,
    Members(Members),
    Commands(Vec<Command>),
}

/// What applying entries led to.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) answers: Vec<Answers>,
    pub(super) touched: Vec<RowKey>,
    pub(super) orders: BTreeSet<NodeName>,
    pub(super) events: Vec<Arc<Event>>,
}

/// Reads entries. All of them before the first is applied, and before the
/// state is locked.
pub(super) fn read(
    entries: Vec<Committed>,
    known: u16,
    unknown: &OnceLock<String>,
) -> Result<Vec<(Position, Said)>, MachineFault> {
    let read_one = |Committed { at, entry }| {
        let said = match entry {
            Entry::Blank => Said::Blank,
            Entry::Members(members) => Said::Members(members),
            Entry::Batch(payload) => {
                let commands = payload::decode_up_to(&payload, known);
                Said::Commands(commands.map_err(|error| {
                    if error.is_of_later_version() {
                        // Whoever comes second says the same.
                        let _ = unknown.set(format!("{at} cannot be applied: {}", chain(&error)));
                    }
                    MachineFault::new(format!("{at} cannot be applied"), error)
                })?)
            }
        };
        Ok((at, said))
    };
    entries.into_iter().map(read_one).collect()
}

/// Applies what was read; refuses, before it changes anything, what is applied
/// already.
pub(super) fn apply(replicated: &mut Replicated, entries: Vec<(Position, Said)>) -> Result<Effects, MachineFault> {
    let mut before = replicated.applied.at;
    for (at, _) in &entries {
        if let Some(before) = before.filter(|before| before.index >= at.index) {
            return Err(MachineFault::because(format!("{at} was to be applied after {before}")));
        }
        before = Some(*at);
    }
    let mut effects = Effects::default();
    for (at, said) in entries {
        let mut answers = Vec::new();
        match said {
            Said::Blank => {}
            Said::Members(members) => {
                replicated.applied.members = members;
                replicated.applied.members_at = Some(at);
            }
            Said::Commands(commands) => {
                answers.reserve_exact(commands.len());
                for command in commands {
                    let outcome = step(&mut replicated.state, command);
                    effects.touched.extend(outcome.touched);
                    effects.orders.extend(outcome.orders);
                    effects.events.extend(outcome.events);
                    answers.push(outcome.reply);
                }
            }
        }
        replicated.applied.at = Some(at);
        effects.answers.push(Answers(answers));
    }
    Ok(effects)
}
