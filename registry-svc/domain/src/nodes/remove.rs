//! A node that will not come back is forgotten. Should it come back, it is a
//! new one, and is told that it has nothing.

use super::{changed, emit, known};
use crate::audit::Subject;
use crate::command::RemoveNode;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::placement::{self, Scope};
use crate::{Instance, NodeState, Refusal, actions, apply, moving, retire, rollout, runs};
use process_model::{ActionState, InstanceId, NodeName, event_type};

pub(crate) fn remove(draft: &mut Draft<'_>, order: &RemoveNode) -> Result<Decided, Refusal> {
    let node = known(draft, &order.node)?;
    let name = &order.node;
    if !order.force {
        let count = draft.state().load_of(name);
        let why = match (node.state, count) {
            (NodeState::Ready | NodeState::Suspect, _) => "it is ready; stop its runner first".to_owned(),
            (NodeState::Lost, 0) => String::new(),
            (NodeState::Lost, count) => {
                format!("{count} instances are on it, which may be running; drain it before its runner is stopped")
            }
        };
        if !why.is_empty() {
            return Err(Refusal::NodeInUse { node: name.to_string(), why });
        }
    }
    let left = forget_instances(draft, name);
    close_actions(draft, name);
    draft.remove_node(name);
    emit(draft, event_type::NODE_REMOVED, name, format!("node {name} was removed"));
    super::brake::fewer_lost(draft);
    for instance in &left {
        apply::wanted_again(draft, instance, None);
    }
    rollout::advance_of(draft, left.iter().map(|instance| &instance.id));
    placement::settle(draft, Scope::Everything);
    let state = match node.state {
        NodeState::Ready => "ready",
        NodeState::Suspect => "suspect",
        NodeState::Lost => "lost",
    };
    let subject = Subject::new("remove-node", [name]).with(changed(name, [("node", Some(state.to_owned()), None)]));
    Ok(Decided { audit: Some(subject), ..Decided::noted(draft) })
}

/// Nothing of a node's instances is left, as far as anybody will ever know.
fn forget_instances(draft: &mut Draft<'_>, name: &NodeName) -> Vec<Instance> {
    let ids: Vec<InstanceId> = draft.state().instances_on(name).map(|one| one.id.clone()).collect();
    let mut left = Vec::with_capacity(ids.len());
    for id in ids {
        let spec = draft.state().processes().get(&id.process).map(|process| process.spec.clone());
        // What has ended does not run a second time.
        let one = draft.state().instances().get(&id).zip(spec.as_ref());
        let over = one.is_some_and(|(one, spec)| moving::is_over_in(spec, one, one.seen.phase));
        // A daemon goes with its node.
        if spec.is_some_and(|spec| !placement::of(&spec).daemon) {
            moving::let_go(draft, &id, !over);
            runs::lose(draft, &id, name);
        }
        left.extend(retire::removed(draft, &id).map(|one| Instance::clone(&one)));
    }
    left
}

fn close_actions(draft: &mut Draft<'_>, name: &NodeName) {
    let open: Vec<u64> = draft.state().open_actions(name).map(|(number, _)| number).collect();
    for number in open {
        actions::advance(draft, number, ActionState::Failed, &format!("node {name} was removed"), None);
    }
}
