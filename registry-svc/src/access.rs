//! Who may call what of a replica: one row for each method. What is not here is open to nobody.
//!
//! What users may do is decided by the gateway, which calls for them; here is only decided that it is a gateway. A replica
//! passes changes of the members on to the one that leads, and so may call what a gateway may of these.

use service_host::access::{AccessTable, ServiceAccess, Who};
use service_host::identity::Role;

const GATEWAY: Who = Who::Roles(&[Role::Gateway]);
const PASSED_ON: Who = Who::Roles(&[Role::Gateway, Role::Registry]);
const REPLICA: Who = Who::Roles(&[Role::Registry]);
const RUNNER: Who = Who::Roles(&[Role::Runner]);
/// A node that was invited has no certificate yet; its token says that it was. A replica passes it on.
const INVITED: Who = Who::Anybody;

/// The table.
pub const TABLE: AccessTable = &[
    ServiceAccess {
        service: "pm.v1.ProcessService",
        methods: &[
            ("ListProcesses", GATEWAY),
            ("GetProcess", GATEWAY),
            ("ApplyProcesses", GATEWAY),
            ("DeleteProcesses", GATEWAY),
            ("StartProcesses", GATEWAY),
            ("StopProcesses", GATEWAY),
            ("RestartProcesses", GATEWAY),
            ("ReloadProcesses", GATEWAY),
            ("SignalProcesses", GATEWAY),
            ("ListGenerations", GATEWAY),
            ("GetGeneration", GATEWAY),
            ("GetProcessDiff", GATEWAY),
            ("RollbackProcess", GATEWAY),
            ("ListRuns", GATEWAY),
        ],
    },
    ServiceAccess {
        service: "pm.v1.RolloutService",
        methods: &[
            ("GetRollout", GATEWAY),
            ("PauseRollout", GATEWAY),
            ("ResumeRollout", GATEWAY),
            ("PromoteRollout", GATEWAY),
            ("RestartRollout", GATEWAY),
            ("ScaleProcess", GATEWAY),
        ],
    },
    ServiceAccess {
        service: "pm.v1.InstanceService",
        methods: &[("ListInstances", GATEWAY), ("GetInstance", GATEWAY)],
    },
    ServiceAccess {
        service: "pm.v1.NodeService",
        methods: &[
            ("ListNodes", GATEWAY),
            ("ReleaseBrake", GATEWAY),
            ("GetNode", GATEWAY),
            ("SetNodeSchedulable", GATEWAY),
            ("DrainNode", GATEWAY),
            ("LabelNode", GATEWAY),
            ("RemoveNode", GATEWAY),
            ("GetPlacement", GATEWAY),
        ],
    },
    ServiceAccess {
        service: "pm.v1.ActionService",
        methods: &[("ListActions", GATEWAY), ("GetAction", GATEWAY), ("ControlUnits", GATEWAY)],
    },
    ServiceAccess {
        service: "pm.v1.EventService",
        methods: &[
            ("WatchEvents", GATEWAY),
            ("ListEvents", GATEWAY),
            ("ListAuditEntries", GATEWAY),
            ("ReadAuditLog", GATEWAY),
        ],
    },
    ServiceAccess {
        service: "pm.v1.ClusterService",
        methods: &[
            ("GetClusterStatus", GATEWAY),
            ("GetClusterHealth", GATEWAY),
            ("JoinMember", PASSED_ON),
            ("RemoveMember", PASSED_ON),
            ("TransferLeadership", PASSED_ON),
        ],
    },
    ServiceAccess {
        service: "pm.v1.BackupService",
        methods: &[
            ("SaveBackup", GATEWAY),
            ("RestoreBackup", GATEWAY),
            ("GetRestoreStatus", GATEWAY),
            ("ConfirmRestore", GATEWAY),
        ],
    },
    ServiceAccess { service: "pm.v1.JoinTokenService", methods: &[("CreateJoinToken", PASSED_ON)] },
    ServiceAccess { service: "pm.v1.RegistryInternalService", methods: &[("RecordRefusals", GATEWAY)] },
    ServiceAccess { service: "pm.v1.RunnerSessionService", methods: &[("RunSession", RUNNER)] },
    ServiceAccess {
        service: "pm.v1.NodeIdentityService",
        methods: &[("JoinNode", INVITED), ("RenewCertificate", Who::Roles(&[Role::Runner, Role::Registry]))],
    },
    ServiceAccess {
        service: "pm.v1.PeerService",
        methods: &[
            ("Introduce", REPLICA),
            ("FoundCluster", REPLICA),
            ("EnrollMember", REPLICA),
            ("GetReplicaStatus", REPLICA),
            ("Link", REPLICA),
            ("SendSnapshot", REPLICA),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use service_host::access::who;

    /// Services of the contract that another server has, or a plugin.
    const ELSEWHERE: [&str; 5] = [
        "pm.v1.MonitorIntakeService",
        "pm.v1.SampleService",
        "pm.v1.LogService",
        "pm.v1.RuntimePluginService",
        "pm.v1.RaftService",
    ];

    #[test]
    fn every_method_that_a_replica_serves_has_a_row_and_no_row_is_of_another() {
        let pool = pm_proto::json::pool().unwrap();
        let served = pool.services().filter(|service| !ELSEWHERE.contains(&service.full_name()));
        let mut contract: Vec<String> = served
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
            .collect();
        let mut table: Vec<String> = TABLE
            .iter()
            .flat_map(|access| access.methods.iter().map(|(method, _)| format!("/{}/{method}", access.service)))
            .collect();
        contract.sort();
        table.sort();
        assert_eq!(contract, table);
    }

    #[test]
    fn no_role_can_do_what_is_another_s() {
        let open_to = |role| {
            let all = TABLE.iter().flat_map(|access| access.methods.iter().map(move |row| (access.service, row)));
            let open = all
                .filter(|(_, (_, who))| who.permits(role))
                .map(|(service, (method, _))| format!("{service}/{method}"));
            open.collect::<Vec<_>>()
        };
        let runner = [
            "pm.v1.RunnerSessionService/RunSession",
            "pm.v1.NodeIdentityService/JoinNode",
            "pm.v1.NodeIdentityService/RenewCertificate",
        ];
        assert_eq!(open_to(Some(Role::Runner)), runner);
        for role in [Some(Role::Monitor), Some(Role::Operator), None] {
            assert_eq!(open_to(role), ["pm.v1.NodeIdentityService/JoinNode"], "{role:?}");
        }
        for method in open_to(Some(Role::Gateway)) {
            assert!(!method.contains("PeerService") && !method.contains("RunnerSession"), "{method}");
        }
        assert!(who(TABLE, "/pm.v1.RaftService/Vote").is_none(), "it is served by nobody");
    }
}
