//! Assignments.

use super::{WireFault, spec_from_wire, spec_to_wire, timestamp_from_wire, timestamp_to_wire};
use crate::v1;
use process_model::{Assignment, InstanceId, Plan};
use std::sync::Arc;

impl From<&Assignment> for v1::Assignment {
    fn from(assignment: &Assignment) -> Self {
        Self {
            instance_id: assignment.instance.to_string(),
            index: assignment.instance.index,
            generation: assignment.generation,
            spec: Some(spec_to_wire(&assignment.spec)),
            wanted: assignment.wanted,
            restart_count: assignment.restart_count,
            traceparent: assignment.traceparent.clone(),
            fencing_token: assignment.fencing_token,
            plan: assignment
                .plan
                .map(|plan| v1::SchedulePlan { due_time: Some(timestamp_to_wire(plan.due)), certain: plan.certain }),
        }
    }
}

impl TryFrom<&v1::Assignment> for Assignment {
    type Error = WireFault;
    fn try_from(wire: &v1::Assignment) -> Result<Self, WireFault> {
        let spec = wire.spec.as_ref().ok_or_else(|| WireFault::missing("spec"))?;
        let spec = spec_from_wire(spec).map_err(|faults| {
            WireFault::new("spec", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let instance = InstanceId::new(spec.name.clone(), wire.index);
        if instance.to_string() != wire.instance_id {
            return Err(WireFault::new("instance_id", format!("{:?} is not {instance}", wire.instance_id)));
        }
        Ok(Self {
            instance,
            generation: wire.generation,
            spec: Arc::new(spec),
            wanted: wire.wanted,
            restart_count: wire.restart_count,
            traceparent: wire.traceparent.clone(),
            fencing_token: wire.fencing_token,
            plan: wire.plan.as_ref().map(plan).transpose()?,
        })
    }
}

fn plan(wire: &v1::SchedulePlan) -> Result<Plan, WireFault> {
    let due = wire.due_time.as_ref().ok_or_else(|| WireFault::missing("plan.due_time"))?;
    Ok(Plan { due: timestamp_from_wire("plan.due_time", due)?, certain: wire.certain })
}
