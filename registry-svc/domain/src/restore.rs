//! A backup takes the place of the state, through the log, so that every
//! replica has it: in pieces, and at the end all of it at once or nothing.
//!
//! ```text
//! Begin ─▶ restoring ─ Piece, Piece, … ─▶ restoring ─ End ─▶ another state, which looks on
//!   │ not empty: refused                     │ Abort, or nothing for a minute: as before
//! ```
//! What belongs to this cluster and not to what it holds stays: its level. What
//! nobody can know any more is not believed: that nodes are there, and what
//! became of orders that were under way.

mod mode;
mod observe;
mod piece;
mod rows;
mod step;

pub use mode::Mode;
pub(crate) use mode::permits;
pub use observe::{ConfirmRestore, Finding, Found, Inventory, InventoryEntry, NodeInventory, Unknown, compare};
pub(crate) use observe::{confirm, inventory};
pub use piece::Piece;
pub use step::{RestoreBegin, RestorePart, RestoreStep, Restoring};

use crate::audit::Subject;
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::reply::Reply;
use crate::row::{Meta, Row, RowKey};
use crate::{Node, NodeState, Process, Refusal, Rollout, Stage, State, action_number};
use process_model::audit::Anchor;
use process_model::{Action, ActionState, Timestamp, event_type};
use std::sync::Arc;

/// A restore that nobody goes on with for so long is given up: 60 s, by the
/// time of commands.
const LEFT_NANOS: u64 = 60_000_000_000;
/// So far the revision jumps: whoever watched the cluster of the backup after
/// that was taken is behind this, and is told to begin anew.
const JUMP: u64 = 1_000_000;
/// What becomes of orders that were under way.
const ORDER_LOST: &str = "the registry was restored from a backup; whether this was done is not known";

pub(crate) fn restore(draft: &mut Draft<'_>, step: &RestoreStep) -> Result<Decided, Refusal> {
    match step {
        RestoreStep::Begin(begin) => self::begin(draft, begin),
        RestoreStep::Part(part) => self::part(draft, part),
        RestoreStep::End { id } => end(draft, id),
        RestoreStep::Abort { id } => {
            if draft.state().meta.restoring.as_ref().is_some_and(|one| one.begin.id == *id) {
                give_up(draft);
            }
            Ok(Decided::noted(draft))
        }
    }
}

/// What a restore would replace, in words; `None`: nothing. Nodes are nothing:
/// those of the backup's own cluster knock at the door before it is restored.
#[must_use]
pub fn what_is_there(state: &State) -> Option<String> {
    fn names<T: ToString>(what: &str, all: impl ExactSizeIterator<Item = T>) -> Option<String> {
        let count = all.len();
        let mut names: Vec<String> = all.take(3).map(|one| one.to_string()).collect();
        if count > names.len() {
            names.push("…".to_owned());
        }
        (count > 0).then(|| format!("{count} {what} ({})", names.join(", ")))
    }
    let found = [names("processes", state.processes.keys()), names("instances", state.instances.keys())];
    let found: Vec<String> = found.into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// Gives a restore up that nobody goes on with.
pub(crate) fn give_up_if_left(draft: &mut Draft<'_>) {
    let now = draft.header.time;
    let is_left = |one: &Restoring| one.last.0.saturating_add_unsigned(LEFT_NANOS) < now.0;
    if draft.state().meta.restoring.as_deref().is_some_and(is_left) {
        give_up(draft);
    }
}

fn give_up(draft: &mut Draft<'_>) {
    draft.touch(RowKey::Meta).meta.restoring = None;
    let numbers: Vec<u32> = draft.state().pieces.keys().copied().collect();
    for number in numbers {
        draft.touch(RowKey::Piece(number)).pieces.remove(&number);
    }
}

fn begin(draft: &mut Draft<'_>, begin: &RestoreBegin) -> Result<Decided, Refusal> {
    let meta = draft.state().meta();
    match &meta.restoring {
        Some(other) if other.begin.id != begin.id => return Err(Refusal::Restoring),
        Some(_) => return Ok(Decided::noted(draft)),
        None => {}
    }
    if begin.level > meta.level() {
        let why = format!("it holds what only level {} knows, and this cluster has {}", begin.level, meta.level());
        return Err(Refusal::NotRestored { why });
    }
    if let Some(what) = what_is_there(draft.state()).filter(|_| !begin.force) {
        return Err(Refusal::NotEmpty { what });
    }
    let restoring = Restoring { begin: begin.clone(), pieces: 0, bytes: 0, last: draft.header.time };
    draft.touch(RowKey::Meta).meta.restoring = Some(restoring.into());
    Ok(Decided::noted(draft))
}

/// The restore of this id.
fn going_on(draft: &Draft<'_>, id: &str) -> Result<Restoring, Refusal> {
    let found = draft.state().meta.restoring.as_deref().filter(|one| one.begin.id == id);
    found.cloned().ok_or_else(|| Refusal::NotRestored { why: "it was given up, or another one began".to_owned() })
}

fn part(draft: &mut Draft<'_>, part: &RestorePart) -> Result<Decided, Refusal> {
    let mut restoring = going_on(draft, &part.id)?;
    if part.piece.number < restoring.pieces {
        return Ok(Decided::noted(draft));
    }
    restoring.bytes = restoring.bytes.saturating_add(part.piece.bytes.len() as u64);
    if part.piece.number != restoring.pieces || restoring.bytes > restoring.begin.bytes {
        let why = format!("piece {} is none of it, or comes out of turn", part.piece.number);
        return Err(Refusal::NotRestored { why });
    }
    restoring.pieces += 1;
    restoring.last = draft.header.time;
    draft.touch(RowKey::Meta).meta.restoring = Some(restoring.into());
    let number = part.piece.number;
    draft.touch(RowKey::Piece(number)).pieces.insert(number, part.piece.clone());
    Ok(Decided::noted(draft))
}

fn end(draft: &mut Draft<'_>, id: &str) -> Result<Decided, Refusal> {
    let restoring = going_on(draft, id)?;
    let begin = &restoring.begin;
    if restoring.bytes != begin.bytes {
        let why = format!("{} of {} bytes came", restoring.bytes, begin.bytes);
        return Err(Refusal::NotRestored { why });
    }
    // Somebody may have come while the pieces did.
    if let Some(what) = what_is_there(draft.state()).filter(|_| !begin.force) {
        return Err(Refusal::NotEmpty { what });
    }
    let (rows, digest) = rows::read(&draft.state().pieces).map_err(|why| Refusal::NotRestored { why })?;
    if digest != begin.digest {
        let why = "its rows do not have the digest that it names".to_owned();
        return Err(Refusal::NotRestored { why });
    }
    let now = draft.header.time;
    let before = draft.state().meta().clone();
    let head = draft.state().audit().last().map_or(before.audit_anchor, |(_, entry)| Anchor::of(entry));
    let replaced = what_is_there(draft.state()).unwrap_or_else(|| "nothing".to_owned());
    let mut state: State = rows.into_iter().filter(is_content).collect();
    let of_backup = settle(&mut state, &before, begin, now);
    nobody_is_there(&mut state, now);
    state.members.clone_from(&draft.state().members);
    let (processes, instances) = (state.processes.len() as u64, state.instances.len() as u64);
    let (cluster_id, epoch) = (state.meta.cluster_id.clone(), state.meta.epoch);
    draft.replace(state);
    draft.emit(Fact {
        kind: event_type::CLUSTER_RESTORED.to_owned(),
        message: format!(
            "the state of revision {of_backup} was restored; the cluster looks on until that is confirmed"
        ),
        ..Fact::default()
    });
    let subject = Subject::new(
        "restore",
        [
            format!("cluster {cluster_id} at revision {of_backup}"),
            format!("replaced cluster {} with {replaced}", before.cluster_id),
            format!("its audit log ended with {}:{}", head.number, head.hash),
        ],
    );
    let revision = draft.state().revision();
    let reply =
        Reply::Restored { digest, cluster_id, epoch, backup_revision: of_backup, processes, instances, revision };
    Ok(Decided { reply, audit: Some(subject) })
}

/// Whether a row is of what a backup holds; the others are of what was going
/// on when it was taken.
#[must_use]
pub fn is_content(row: &Row) -> bool {
    match row {
        Row::Meta(_)
        | Row::Process(_)
        | Row::Instance(_)
        | Row::Node(_)
        | Row::Action(_)
        | Row::Event(_)
        | Row::Audit(_)
        | Row::Reply(_)
        | Row::Generation(_)
        | Row::Lineage(_)
        | Row::Runs(_) => true,
        Row::Piece(_) | Row::Inventory(_) => false,
        // A restored token would be good a second time.
        Row::Invitation(_) => false,
        // Who the replicas are does not change with what they hold.
        Row::Member(_) => false,
    }
}

/// Makes the counters and settings of a backup those of this cluster; returns
/// the revision that it was taken at.
fn settle(state: &mut State, before: &Meta, begin: &RestoreBegin, now: Timestamp) -> u64 {
    let meta = &mut state.meta;
    let of_backup = meta.revision;
    meta.revision = meta.revision.max(before.revision).saturating_add(JUMP);
    meta.cut = meta.revision;
    meta.epoch = begin.epoch.max(before.epoch);
    meta.mode = Mode::Observe { since: now };
    meta.level = before.level;
    meta.next_member = before.next_member;
    meta.restoring = None;
    of_backup
}

/// Nobody has been heard of since, and no order is under way.
fn nobody_is_there(state: &mut State, now: Timestamp) {
    let nodes: Vec<Arc<Node>> = state.nodes.values().cloned().collect();
    for node in nodes {
        if node.state != NodeState::Lost {
            state.put_node(Node { state: NodeState::Lost, state_time: now, ..Node::clone(&node) }.into());
        }
    }
    let ids: Vec<_> = state.instances.values().filter(|one| one.node.is_some()).map(|one| one.id.clone()).collect();
    for id in ids {
        state.change_instance(&id, |instance| {
            instance.lost_since = instance.lost_since.or(Some(now));
            // What its node has may have begun at any time.
            instance.born = 0;
        });
    }
    // What it counted on is long over: somebody looks at it first.
    let rolling: Vec<Arc<Process>> = state.processes.values().cloned().collect();
    for process in rolling {
        let Some(rollout) = process.active_rollout() else { continue };
        let stage = if rollout.is_over() { rollout.stage.clone() } else { Stage::Paused };
        let held = Rollout { stage, due: None, ..rollout.clone() };
        state.put_process(Process { rollout: Some(held.into()), ..Process::clone(&process) }.into());
    }
    let open: Vec<Arc<Action>> = state.actions.values().filter(|one| !one.state.is_final()).cloned().collect();
    for action in open {
        let Some(number) = action_number(&action.id) else { continue };
        let (state_now, message) = (ActionState::Failed, ORDER_LOST.to_owned());
        let over = Action { state: state_now, message, updated: now, ..Action::clone(&action) };
        state.put_action(number, over.into());
    }
}
