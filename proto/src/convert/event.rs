//! Events.

use super::timestamp_to_wire;
use crate::v1;
use process_model::{Event, EventDetail};

impl From<&Event> for v1::Event {
    fn from(event: &Event) -> Self {
        Self {
            revision: event.revision,
            time: Some(timestamp_to_wire(event.time)),
            r#type: event.kind.clone(),
            process: event.process.as_ref().map(ToString::to_string).unwrap_or_default(),
            instance_id: event.instance.as_ref().map(ToString::to_string).unwrap_or_default(),
            node: event.node.as_ref().map(ToString::to_string).unwrap_or_default(),
            message: event.message.clone(),
            actor: event.actor.clone(),
            detail: event.detail.as_ref().map(|detail| match detail {
                EventDetail::Instance(instance) => v1::event::Detail::Instance(v1::InstanceDetail {
                    phase: v1::InstancePhase::from(instance.phase).into(),
                    ready: instance.ready,
                    pid: instance.pid,
                    restarts: instance.restarts,
                    exit: instance.exit.as_ref().map(Into::into),
                    log_lines: instance.log_lines.clone(),
                }),
                EventDetail::Rollout(rollout) => {
                    let process = event.process.as_ref().map(ToString::to_string).unwrap_or_default();
                    v1::event::Detail::Rollout(v1::Rollout { process, ..rollout.as_ref().into() })
                }
                EventDetail::Action(action) => v1::event::Detail::Action(action.as_ref().into()),
            }),
        }
    }
}
