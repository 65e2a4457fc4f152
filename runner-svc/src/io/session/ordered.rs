//! Actions from the wire: for an instance, or for a unit of the node's own
//! service manager. One that makes no sense says why.

use crate::units::UnitOrder;
use pm_proto::convert::{WireFault, duration_from_wire};
use pm_proto::v1;
use process_model::spec::limits;
use process_model::{ActionVerb, InstanceId};
use runner_domain::Order;
use std::time::Duration;

/// An action that makes sense.
#[derive(Debug)]
pub(super) enum Ordered {
    Instance(InstanceId, Order, Option<Duration>),
    Unit(UnitOrder),
}

pub(super) fn read(wire: &v1::ActionOrder) -> Result<Ordered, String> {
    let told = |fault: WireFault| format!("this runner cannot read the action: {fault}");
    let stop_timeout = wire.stop_timeout.as_ref().map(|t| duration_from_wire("stop_timeout", t)).transpose();
    let stop_timeout = stop_timeout.map_err(told)?.map(|timeout| timeout.min(*limits::STOP_TIMEOUT.end()));
    let verb = ActionVerb::try_from(wire.verb()).map_err(told)?;
    let action = wire.action_id.clone();
    if !wire.unit.is_empty() {
        return Ok(Ordered::Unit(UnitOrder { action, verb, unit: wire.unit.clone() }));
    }
    let signal = match verb {
        ActionVerb::Signal => Some(wire.signal.parse()?),
        ActionVerb::Start | ActionVerb::Stop | ActionVerb::Restart | ActionVerb::Reload => None,
    };
    let instance =
        wire.instance_id.parse().map_err(|_| format!("instance {} is not on this node", wire.instance_id))?;
    let order = Order { action, verb, restart_count: wire.restart_count, signal };
    Ok(Ordered::Instance(instance, order, stop_timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> v1::ActionOrder {
        v1::ActionOrder {
            action_id: "a".into(),
            verb: v1::ActionVerb::Stop.into(),
            instance_id: "web-1".into(),
            ..v1::ActionOrder::default()
        }
    }

    #[test]
    fn a_stop_timeout_without_an_end_becomes_the_longest_one() {
        let day = pm_proto::convert::duration_to_wire(Duration::from_secs(86_400));
        let read = read(&v1::ActionOrder { stop_timeout: Some(day), ..order() }).unwrap();
        assert!(matches!(read, Ordered::Instance(_, _, Some(timeout)) if timeout == *limits::STOP_TIMEOUT.end()));
    }

    #[test]
    fn an_action_that_cannot_be_read_says_why() {
        assert!(read(&order()).is_ok());
        let unknown = v1::ActionOrder { verb: 99, ..order() };
        assert!(read(&unknown).unwrap_err().contains("verb"));
        let nobody = v1::ActionOrder { instance_id: "?".into(), ..order() };
        assert!(read(&nobody).unwrap_err().contains("is not on this node"));
    }
}
