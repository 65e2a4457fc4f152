//! What a node has goes elsewhere, so that it can be taken away.
//!
//! ```text
//! (takes new) ──drain──▶ draining ── nothing is left but daemons and what has ended ──▶ drained
//!      ▲                    │ deadline: what is left is stopped, wherever it goes then    │
//!      └────── uncordon ────┴─────────────────────────────────────────────────────────────┘
//! ```
//! Who leaves when is decided in `moving`.

use crate::audit::Subject;
use crate::command::{DrainNode, SetSchedulable};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::nodes::{changed, emit, known};
use crate::placement::{self, Scope};
use crate::{Drain, Node, Refusal, State, moving};
use process_model::{NodeName, Timestamp, event_type};

impl Drain {
    /// When it has to be looked at.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.deadline.filter(|_| !self.over && self.done.is_none())
    }
}

pub(crate) fn schedulable(draft: &mut Draft<'_>, order: &SetSchedulable) -> Result<Decided, Refusal> {
    let node = known(draft, &order.node)?;
    let name = &order.node;
    let (command, cordoned) = if order.schedulable { ("uncordon-node", false) } else { ("cordon-node", true) };
    let subject = Subject::new(command, [name]);
    if node.cordoned == cordoned && (cordoned || node.drain.is_none()) {
        return Ok(Decided { audit: Some(subject), ..Decided::noted(draft) });
    }
    let yes = |is: bool| Some(if is { "yes" } else { "no" }.to_owned());
    let mut changes = vec![("cordoned", yes(node.cordoned), yes(cordoned))];
    let drain = if order.schedulable { None } else { node.drain.clone() };
    if drain != node.drain {
        changes.push(("drain", yes(true), None));
    }
    draft.put_node(Node { cordoned, drain, ..node });
    if order.schedulable {
        emit(draft, event_type::NODE_UNCORDONED, name, format!("node {name} takes new instances again"));
        placement::settle(draft, Scope::Node(name));
    } else {
        emit(draft, event_type::NODE_CORDONED, name, format!("node {name} gets nothing new"));
    }
    let audit = Some(subject.with(changed(name, changes)));
    Ok(Decided { audit, ..Decided::noted(draft) })
}

pub(crate) fn drain(draft: &mut Draft<'_>, order: &DrainNode) -> Result<Decided, Refusal> {
    let node = known(draft, &order.node)?;
    let (name, now) = (&order.node, draft.header.time);
    let deadline = order.deadline.map(|after| now.plus(after));
    let begun = node.drain.as_ref().map_or(now, |drain| drain.begun);
    let done = node.drain.as_ref().and_then(|drain| drain.done);
    let over = node.drain.as_ref().is_some_and(|drain| drain.over) && deadline.is_none();
    let drain = Drain { begun, deadline, over, done };
    let said = |drain: &Drain| match drain.deadline {
        Some(at) => format!("deadline {} s after it began", at.seconds() - drain.begun.seconds()),
        None => "without a deadline".to_owned(),
    };
    let changes = [("drain", node.drain.as_ref().map(said), Some(said(&drain)))];
    let is_new = node.drain.is_none();
    draft.put_node(Node { drain: Some(drain), ..node });
    if is_new {
        let left = draft.state().load_of(name);
        emit(
            draft,
            event_type::NODE_DRAINING,
            name,
            format!("node {name} is being drained; {left} instances are on it"),
        );
    }
    moving::advance(draft);
    let subject = Subject::new("drain-node", [name]).with(changed(name, changes));
    Ok(Decided { audit: Some(subject), ..Decided::noted(draft) })
}

/// The time of a drain is over: what is left goes.
pub(crate) fn overdue(draft: &mut Draft<'_>, name: &NodeName) {
    let Some(node) = draft.state().nodes().get(name).cloned() else { return };
    let Some(drain) = node.drain.clone() else { return };
    draft.put_node(Node { drain: Some(Drain { over: true, ..drain }), ..Node::clone(&node) });
    let left = left_on(draft.state(), name);
    if left > 0 {
        let message = format!("the deadline of the drain of node {name} is over; {left} instances are stopped");
        emit(draft, event_type::NODE_DRAINING, name, message);
    }
    moving::advance(draft);
}

/// Says of nodes that nothing is left on them.
pub(crate) fn finish(draft: &mut Draft<'_>) {
    let state = draft.state();
    let done: Vec<NodeName> = (state.index.draining().iter())
        .filter(|name| state.nodes().get(name).and_then(|n| n.drain.as_ref()).is_some_and(|d| d.done.is_none()))
        .filter(|name| left_on(state, name) == 0)
        .cloned()
        .collect();
    let now = draft.header.time;
    for name in done {
        let Some(node) = draft.state().nodes().get(&name).cloned() else { continue };
        let drain = node.drain.clone().map(|drain| Drain { done: Some(now), ..drain });
        draft.put_node(Node { drain, ..Node::clone(&node) });
        emit(draft, event_type::NODE_DRAINED, &name, format!("node {name} is drained"));
    }
}

/// Instances that have yet to leave a node: neither daemons nor what has
/// ended and would run again elsewhere.
#[must_use]
pub fn left_on(state: &State, name: &NodeName) -> usize {
    let stays = |instance: &&std::sync::Arc<crate::Instance>| {
        let spec = state.processes().get(&instance.id.process).map(|process| &process.spec);
        !instance.removing && spec.is_some_and(|spec| placement::of(spec).daemon || moving::is_over(spec, instance))
    };
    state.instances_on(name).filter(|instance| !stays(instance)).count()
}
