//! The brake: when many nodes are lost at once, the fault lies with what they
//! have in common (a switch, the registry's own network) more often than with
//! each of them, and what they run goes on. Nothing is placed elsewhere then,
//! until most of them are back or somebody says that they are gone for good.

use crate::audit::Subject;
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::row::RowKey;
use crate::{NodeState, State};
use process_model::{Timestamp, event_type};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Fewer lost nodes than this never engage it.
const LEAST: usize = 3;
/// More of all nodes than this, in percent, engage it; no more than this release it.
const SHARE: usize = 30;
/// Lost within this time is lost at once.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// An engaged brake: nothing that lost nodes have is placed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// Since when.
    pub since: Timestamp,
    /// Nodes that had been lost within five minutes then.
    pub lost: u64,
    /// Nodes that there were.
    pub nodes: u64,
}

fn is_many(lost: usize, nodes: usize) -> bool {
    lost * 100 > nodes * SHARE
}

/// A node was lost: engages the brake if it was one of many.
pub(crate) fn lost_one(draft: &mut Draft<'_>) {
    let now = draft.header.time;
    let (lost, nodes) = (lost_lately(draft.state(), now), draft.state().nodes.len());
    if draft.state().meta.brake.is_some() || lost < LEAST || !is_many(lost, nodes) {
        return;
    }
    let brake = Brake { since: now, lost: lost as u64, nodes: nodes as u64 };
    draft.touch(RowKey::Meta).meta.brake = Some(Box::new(brake));
    let message = format!(
        "{lost} of {nodes} nodes were lost within {} minutes: nothing that they have is placed elsewhere until most are \
         back, or `pmctl nodes release-brake`",
        WINDOW.as_secs() / 60
    );
    draft.emit(Fact { kind: event_type::CLUSTER_BRAKE_ENGAGED.to_owned(), message, ..Fact::default() });
}

/// Lost within the window, and since somebody last released the brake.
fn lost_lately(state: &State, now: Timestamp) -> usize {
    let window = i64::try_from(WINDOW.as_nanos()).unwrap_or(i64::MAX);
    let from = Timestamp(now.0.saturating_sub(window)).max(state.meta.brake_released);
    state.nodes.values().filter(|node| node.state == NodeState::Lost && node.state_time > from).count()
}

/// A node is back, or gone for good: releases the brake if most are there.
pub(crate) fn fewer_lost(draft: &mut Draft<'_>) {
    let state = draft.state();
    let lost = state.nodes.values().filter(|node| node.state == NodeState::Lost).count();
    if state.meta.brake.is_none() || is_many(lost, state.nodes.len()) {
        return;
    }
    draft.touch(RowKey::Meta).meta.brake = None;
    let message = format!("most nodes are back, {lost} are lost: what these have is placed elsewhere as its specs say");
    draft.emit(Fact { kind: event_type::CLUSTER_BRAKE_RELEASED.to_owned(), message, ..Fact::default() });
}

/// Somebody says that the lost nodes are to be taken for lost. Released already,
/// it stays so.
pub(crate) fn release(draft: &mut Draft<'_>) -> Decided {
    let now = draft.header.time;
    if draft.state().meta.brake.is_some() {
        let meta = &mut draft.touch(RowKey::Meta).meta;
        (meta.brake, meta.brake_released) = (None, now);
        let message = "the brake was released: what lost nodes have is placed elsewhere as its specs say".to_owned();
        draft.emit(Fact { kind: event_type::CLUSTER_BRAKE_RELEASED.to_owned(), message, ..Fact::default() });
    }
    let subject = Subject::new("release-brake", std::iter::empty::<&str>());
    Decided { audit: Some(subject), ..Decided::noted(draft) }
}
