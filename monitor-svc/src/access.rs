//! Who may call what of the monitor: one row for each method. What is not here is open to nobody.

use service_host::access::{AccessTable, ServiceAccess, Who};
use service_host::identity::Role;

const GATEWAY: Who = Who::Roles(&[Role::Gateway]);

/// The table. A runner is further bound to its own node, by the hello of its session.
pub(crate) const TABLE: AccessTable = &[
    ServiceAccess { service: "pm.v1.MonitorIntakeService", methods: &[("RunIntake", Who::Roles(&[Role::Runner]))] },
    ServiceAccess {
        service: "pm.v1.SampleService",
        methods: &[("ListLatestSamples", GATEWAY), ("ListInstanceSamples", GATEWAY), ("GetMetricsText", GATEWAY)],
    },
    ServiceAccess { service: "pm.v1.LogService", methods: &[("ReadLogs", GATEWAY)] },
];

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn every_method_that_the_monitor_serves_has_a_row() {
        let pool = pm_proto::json::pool().unwrap();
        for access in TABLE {
            let service = pool.get_service_by_name(access.service).unwrap();
            let mut contract: Vec<String> = service.methods().map(|method| method.name().to_owned()).collect();
            let mut table: Vec<String> = access.methods.iter().map(|(method, _)| (*method).to_owned()).collect();
            contract.sort();
            table.sort();
            assert_eq!(contract, table, "{}", access.service);
        }
    }
}
