//! Who may call what, and which service behind the gateway answers it: one
//! table. What is not in it cannot be reached from outside.

/// What a token allows. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May look at everything and change nothing.
    Viewer,
    /// May do everything.
    Admin,
}

impl Role {
    /// The word under which audit entries name the caller.
    #[must_use]
    pub fn actor(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }

    /// Whether a caller with this role may do what needs `needed`.
    #[must_use]
    pub fn permits(self, needed: Self) -> bool {
        self >= needed
    }
}

/// A service behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Upstream {
    /// Stores, replicates, places.
    Registry,
    /// Samples and logs.
    Monitor,
}

/// A public service of the contract.
#[derive(Debug)]
pub struct ServiceAccess {
    /// Its full name.
    pub service: &'static str,
    /// Who answers it.
    pub upstream: Upstream,
    /// Its methods and the least role that each needs.
    pub methods: &'static [(&'static str, Role)],
}

/// Every public method. A method of the contract that is missing here, or
/// one too many, is an error when the gateway is built.
pub const PUBLIC: &[ServiceAccess] = &[
    ServiceAccess {
        service: "pm.v1.ProcessService",
        upstream: Upstream::Registry,
        methods: &[
            ("ListProcesses", Role::Viewer),
            ("GetProcess", Role::Viewer),
            ("ApplyProcesses", Role::Admin),
            ("DeleteProcesses", Role::Admin),
            ("StartProcesses", Role::Admin),
            ("StopProcesses", Role::Admin),
            ("RestartProcesses", Role::Admin),
            ("ReloadProcesses", Role::Admin),
            ("SignalProcesses", Role::Admin),
            ("ListGenerations", Role::Viewer),
            ("GetGeneration", Role::Viewer),
            ("GetProcessDiff", Role::Viewer),
            ("RollbackProcess", Role::Admin),
            ("ListRuns", Role::Viewer),
        ],
    },
    ServiceAccess {
        service: "pm.v1.RolloutService",
        upstream: Upstream::Registry,
        methods: &[
            ("GetRollout", Role::Viewer),
            ("PauseRollout", Role::Admin),
            ("ResumeRollout", Role::Admin),
            ("PromoteRollout", Role::Admin),
            ("RestartRollout", Role::Admin),
            ("ScaleProcess", Role::Admin),
        ],
    },
    ServiceAccess {
        service: "pm.v1.InstanceService",
        upstream: Upstream::Registry,
        methods: &[("ListInstances", Role::Viewer), ("GetInstance", Role::Viewer)],
    },
    ServiceAccess {
        service: "pm.v1.NodeService",
        upstream: Upstream::Registry,
        methods: &[
            ("ListNodes", Role::Viewer),
            ("GetNode", Role::Viewer),
            ("SetNodeSchedulable", Role::Admin),
            ("DrainNode", Role::Admin),
            ("LabelNode", Role::Admin),
            ("RemoveNode", Role::Admin),
            ("GetPlacement", Role::Viewer),
            ("ReleaseBrake", Role::Admin),
        ],
    },
    ServiceAccess {
        service: "pm.v1.EventService",
        upstream: Upstream::Registry,
        methods: &[
            ("WatchEvents", Role::Viewer),
            ("ListEvents", Role::Viewer),
            ("ListAuditEntries", Role::Viewer),
            ("ReadAuditLog", Role::Viewer),
        ],
    },
    ServiceAccess {
        service: "pm.v1.ActionService",
        upstream: Upstream::Registry,
        methods: &[("ListActions", Role::Viewer), ("GetAction", Role::Viewer), ("ControlUnits", Role::Admin)],
    },
    ServiceAccess {
        service: "pm.v1.ClusterService",
        upstream: Upstream::Registry,
        methods: &[
            ("GetClusterStatus", Role::Viewer),
            ("GetClusterHealth", Role::Viewer),
            ("JoinMember", Role::Admin),
            ("RemoveMember", Role::Admin),
            ("TransferLeadership", Role::Admin),
        ],
    },
    ServiceAccess {
        service: "pm.v1.BackupService",
        upstream: Upstream::Registry,
        methods: &[
            ("SaveBackup", Role::Admin),
            ("RestoreBackup", Role::Admin),
            ("GetRestoreStatus", Role::Viewer),
            ("ConfirmRestore", Role::Admin),
        ],
    },
    ServiceAccess {
        service: "pm.v1.JoinTokenService",
        upstream: Upstream::Registry,
        methods: &[("CreateJoinToken", Role::Admin)],
    },
    ServiceAccess {
        service: "pm.v1.SampleService",
        upstream: Upstream::Monitor,
        methods: &[
            ("ListLatestSamples", Role::Viewer),
            ("ListInstanceSamples", Role::Viewer),
            ("GetMetricsText", Role::Viewer),
        ],
    },
    ServiceAccess { service: "pm.v1.LogService", upstream: Upstream::Monitor, methods: &[("ReadLogs", Role::Viewer)] },
];

/// Services of the contract that only our own services call. To a client
/// they do not exist.
pub const INTERNAL: &[&str] = &[
    "pm.v1.RunnerSessionService",
    "pm.v1.MonitorIntakeService",
    "pm.v1.RaftService",
    "pm.v1.PeerService",
    "pm.v1.RegistryInternalService",
    "pm.v1.NodeIdentityService",
    // Served by plugins to the runner of their node, on a Unix socket.
    "pm.v1.RuntimePluginService",
];

/// Services that the gateway answers itself, to every role.
pub const LOCAL: &[&str] = &["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];

#[cfg(test)]
mod tests {
    use super::{INTERNAL, PUBLIC, Role};

    #[test]
    fn every_service_of_the_contract_is_public_or_internal_and_never_both() {
        let pool = pm_proto::json::pool().unwrap();
        for service in pool.services() {
            let public = PUBLIC.iter().any(|access| access.service == service.full_name());
            let internal = INTERNAL.contains(&service.full_name());
            assert!(public != internal, "{} must be in exactly one of PUBLIC and INTERNAL", service.full_name());
        }
    }

    #[test]
    fn every_public_method_has_a_role() {
        let pool = pm_proto::json::pool().unwrap();
        for access in PUBLIC {
            let service = pool.get_service_by_name(access.service).unwrap();
            let mut contract: Vec<String> = service.methods().map(|m| m.name().to_owned()).collect();
            let mut table: Vec<String> = access.methods.iter().map(|(name, _)| (*name).to_owned()).collect();
            contract.sort();
            table.sort();
            assert_eq!(contract, table, "{}", access.service);
        }
    }

    /// Clients of several replicas repeat calls by what a method's name says.
    #[test]
    fn a_method_s_name_says_whether_its_calls_may_be_repeated() {
        use service_host::transport::CallKind;
        let pool = pm_proto::json::pool().unwrap();
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let streams = method.is_client_streaming() || method.is_server_streaming();
            let name = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let is_stream = CallKind::of(&name) == CallKind::Stream;
            assert_eq!(is_stream, streams, "{name}: its name must begin as service_host's `CallKind` says");
        }
        for access in PUBLIC {
            for (method, role) in access.methods {
                let changes = CallKind::of(method) == CallKind::Change;
                assert!(
                    *role == Role::Admin || !changes,
                    "{}/{method} reads, and would get a request id",
                    access.service
                );
                let reads = CallKind::of(method) == CallKind::Read;
                assert!(*role == Role::Viewer || !reads, "{}/{method} changes, and gets no request id", access.service);
            }
        }
    }

    #[test]
    fn a_viewer_may_only_read() {
        for access in PUBLIC {
            for (method, role) in access.methods {
                let reads = ["List", "Get", "Watch", "Read"].iter().any(|verb| method.starts_with(verb));
                assert_eq!(Role::Viewer.permits(*role), reads, "{}/{method}", access.service);
                assert!(Role::Admin.permits(*role));
            }
        }
    }
}
