//! How processes and instances go: what runs has to end first, and its node
//! says when it has.

use crate::audit::Account;
use crate::draft::{Draft, Fact};
use crate::{Instance, actions, dependencies, history, runs};
use process_model::{EventDetail, InstanceId, ProcessName, event_type};
use std::sync::Arc;

/// Forgets processes and retires their instances, those first that depend on
/// others of them. `why`: what became of each.
pub(crate) fn processes(draft: &mut Draft<'_>, names: &[&ProcessName], why: &str, account: &mut Account) {
    let stopped: Vec<InstanceId> =
        names.iter().flat_map(|name| draft.state().instances_of(name).map(|one| one.id.clone())).collect();
    dependencies::in_order(draft, &stopped, None);
    for name in names {
        history::end(draft, name, account);
        process(draft, name, &format!("process {name} {why}"));
    }
}

fn process(draft: &mut Draft<'_>, name: &ProcessName, message: &str) {
    draft.remove_process(name);
    draft.emit(Fact {
        kind: event_type::PROCESS_DELETED.to_owned(),
        process: Some(name.clone()),
        message: message.to_owned(),
        ..Fact::default()
    });
    let instances: Vec<InstanceId> = draft.state().instances_of(name).map(|i| i.id.clone()).collect();
    for id in instances {
        instance(draft, &id);
    }
}

/// An instance is to go: at once when no node has it.
pub(crate) fn instance(draft: &mut Draft<'_>, id: &InstanceId) {
    let waits = draft.change_instance(id, |instance| {
        instance.wanted = false;
        instance.removing = instance.node.is_some();
        instance.unfit = false;
        instance.moving = None;
        instance.removing
    });
    if waits == Some(false) {
        removed(draft, id);
    }
}

/// Nothing of the instance is left.
pub(crate) fn removed(draft: &mut Draft<'_>, id: &InstanceId) -> Option<Arc<Instance>> {
    actions::close_for_removed(draft, id);
    let instance = draft.remove_instance(id)?;
    // What goes to another node takes its history along.
    if instance.moving.is_none() {
        runs::forget(draft, id);
    }
    draft.emit(Fact {
        kind: event_type::INSTANCE_REMOVED.to_owned(),
        instance: Some(id.clone()),
        node: instance.node.clone(),
        message: match (&instance.moving, &instance.node) {
            (Some(_), Some(node)) => format!("instance {id} has left node {node}"),
            (None, _) | (_, None) => format!("instance {id} was removed"),
        },
        detail: Some(EventDetail::Instance(instance.detail(None, Vec::new()))),
        ..Fact::default()
    });
    Some(instance)
}
