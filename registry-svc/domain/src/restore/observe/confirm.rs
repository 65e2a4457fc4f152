//! Looking on ends: from now on the nodes do what was restored.

use super::Inventory;
use super::compare::{Finding, Found, compare, is_same};
use crate::Mode;
use crate::audit::{Account, Subject};
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::placement::{self, Scope};
use crate::row::RowKey;
use crate::{Process, Refusal, State, history};
use process_model::{InstanceId, NodeName, ProcessName, event_type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ends looking on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmRestore {
    /// What becomes of what was not restored; `None`: there has to be nothing.
    pub unknown: Option<Unknown>,
}

/// What becomes of instances that run and were not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// They are stopped.
    Stop,
    /// They run on.
    Keep,
}

pub(crate) fn confirm(draft: &mut Draft<'_>, order: &ConfirmRestore) -> Result<Decided, Refusal> {
    match (draft.state().meta().mode, order.unknown) {
        (Mode::Observe { .. }, Some(unknown)) => Ok(act(draft, unknown)),
        (Mode::Observe { .. }, None) => {
            nothing_is_unknown(draft.state())?;
            Ok(act(draft, Unknown::Stop))
        }
        (Mode::KeepUnknown, Some(Unknown::Stop)) => Ok(go_on(draft, Unknown::Stop, Account::default())),
        (Mode::KeepUnknown, None | Some(Unknown::Keep)) | (Mode::Normal, _) => Err(Refusal::NotObserving),
    }
}

/// Every node has said what it has, and all of it is known.
fn nothing_is_unknown(state: &State) -> Result<(), Refusal> {
    let list = |names: Vec<String>| {
        let more = names.len().saturating_sub(5);
        let shown: Vec<String> = names.into_iter().take(5).collect();
        if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
    };
    let unknown = compare(state).into_iter().filter(|one| one.finding == Finding::Unknown);
    let unknown: Vec<String> = unknown.map(|one| one.instance.to_string()).collect();
    if !unknown.is_empty() {
        return Err(Refusal::UnknownRuns { what: format!("{} runs and was not restored", list(unknown)) });
    }
    let has_said = |node: &NodeName| state.inventories.get(node).is_some_and(|one| one.complete);
    let silent: Vec<String> = state.nodes.keys().filter(|node| !has_said(node)).map(ToString::to_string).collect();
    if silent.is_empty() {
        Ok(())
    } else {
        Err(Refusal::UnknownRuns { what: format!("node {} has not said what it runs", list(silent)) })
    }
}

fn act(draft: &mut Draft<'_>, unknown: Unknown) -> Decided {
    let found = compare(draft.state());
    let mut account = Account::default();
    // First the processes: what runs another spec gets a generation above the one that it has.
    let mut highest: BTreeMap<ProcessName, u64> = BTreeMap::new();
    for one in &found {
        if let (Some(process), Some(at_least)) = (process_of(draft.state(), one), at_least(draft.state(), one)) {
            let name = process.spec.name.clone();
            let above = highest.entry(name).or_default();
            *above = (*above).max(at_least);
        }
    }
    for (name, at_least) in highest {
        raise(draft, &name, at_least, &mut account);
    }
    for one in &found {
        adopt(draft, one);
    }
    go_on(draft, unknown, account)
}

fn process_of<'a>(state: &'a State, one: &Found) -> Option<&'a Arc<Process>> {
    state.processes.get(&one.instance.process)
}

/// The least generation that its process must have from now on.
fn at_least(state: &State, one: &Found) -> Option<u64> {
    let running = one.running.as_ref()?;
    let same = state.instances.get(&one.instance).is_some_and(|instance| is_same(state, instance, running));
    Some(if same { running.generation } else { running.generation.saturating_add(1) })
}

/// The spec of a process gets a higher number, as though it were applied once
/// more.
fn raise(draft: &mut Draft<'_>, name: &ProcessName, at_least: u64, account: &mut Account) {
    let Some(before) = draft.state().processes().get(name).filter(|one| one.generation < at_least).cloned() else {
        return;
    };
    history::adopt(draft, name);
    let (from, now) = (before.generation, draft.header.time);
    let changed = draft.next_revision();
    let process = Process { generation: at_least, changed, updated: now, ..Process::clone(&before) };
    history::note(draft, &process, Some(from), account);
    draft.put_process(process);
    draft.emit(Fact {
        kind: event_type::PROCESS_UPDATED.to_owned(),
        process: Some(name.clone()),
        message: format!(
            "process {name} is at generation {at_least}, above all that a node runs; it was restored with {from}"
        ),
        ..Fact::default()
    });
}

/// An instance stays where it runs, and goes on counting.
fn adopt(draft: &mut Draft<'_>, one: &Found) {
    let (Some(running), Some(node)) = (&one.running, &one.node) else { return };
    if one.finding == Finding::Unknown {
        return;
    }
    let generation = process_of(draft.state(), one).map_or(0, |process| process.generation);
    let same = one.finding != Finding::Differs;
    draft.change_instance(&one.instance, |instance| {
        instance.node = Some(node.clone());
        instance.restart_count = instance.restart_count.max(running.restart_count);
        instance.generation =
            if same { instance.generation.max(running.generation) } else { instance.generation.max(generation) };
    });
}

fn go_on(draft: &mut Draft<'_>, unknown: Unknown, account: Account) -> Decided {
    draft.touch(RowKey::Meta).meta.mode = match unknown {
        Unknown::Stop => Mode::Normal,
        Unknown::Keep => Mode::KeepUnknown,
    };
    keep_only(draft, unknown);
    draft.tell_everybody();
    placement::settle(draft, Scope::Everything);
    let message = match unknown {
        Unknown::Stop => "the restored state is confirmed; what was not restored is stopped",
        Unknown::Keep => "the restored state is confirmed; what was not restored is left as it is",
    };
    let kind = event_type::CLUSTER_CONFIRMED.to_owned();
    draft.emit(Fact { kind, message: message.to_owned(), ..Fact::default() });
    let target = match unknown {
        Unknown::Stop => "stop-unknown",
        Unknown::Keep => "keep-unknown",
    };
    Decided { audit: Some(Subject::new("confirm-restore", [target]).with(account)), ..Decided::noted(draft) }
}

/// What nodes said is forgotten, except of what is kept.
fn keep_only(draft: &mut Draft<'_>, unknown: Unknown) {
    let inventories: Vec<Arc<Inventory>> = draft.state().inventories.values().cloned().collect();
    for inventory in inventories {
        let is_kept = |id: &InstanceId| {
            let instance = draft.state().instances.get(id);
            unknown == Unknown::Keep && instance.is_none_or(|one| one.node.as_ref() != Some(&inventory.node))
        };
        let entries: BTreeMap<_, _> =
            inventory.entries.iter().filter(|(id, _)| is_kept(id)).map(|(id, e)| (id.clone(), e.clone())).collect();
        let node = inventory.node.clone();
        let state = draft.touch(RowKey::Inventory(node.clone()));
        if entries.is_empty() {
            state.inventories.remove(&node);
        } else {
            state.inventories.insert(node, Inventory { entries, ..Inventory::clone(&inventory) }.into());
        }
    }
}
