//! How processes and instances go: what runs has to end first, and its node
//! says when it has.

use crate::actions;
use crate::draft::{Draft, Fact};
use process_model::{EventDetail, InstanceId, ProcessName, event_type};

/// Forgets a process and retires its instances.
pub(crate) fn process(draft: &mut Draft<'_>, name: &ProcessName, message: &str) {
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
        instance.removing
    });
    if waits == Some(false) {
        removed(draft, id);
    }
}

/// Nothing of the instance is left.
pub(crate) fn removed(draft: &mut Draft<'_>, id: &InstanceId) {
    actions::close_for_removed(draft, id);
    let Some(instance) = draft.remove_instance(id) else { return };
    draft.emit(Fact {
        kind: event_type::INSTANCE_REMOVED.to_owned(),
        instance: Some(id.clone()),
        node: instance.node.clone(),
        message: format!("instance {id} was removed"),
        detail: Some(EventDetail::Instance(instance.detail(None, Vec::new()))),
        ..Fact::default()
    });
}
