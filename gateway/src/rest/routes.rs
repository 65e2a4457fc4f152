//! The routes of the HTTP door, one line each. To add one, add a line: the
//! role comes from the method's entry in [`crate::access`], the fields from
//! the contract.
//!
//! In a path, `{field}` is one segment, percent-decoded, that becomes that
//! field of the request message (of a repeated field: its only element).
//! A custom verb is written after a colon, as in Google's AIP-136:
//! `/api/v1/processes/web:restart`. There is no second form with a slash.
//!
//! What neither path nor body sets, the query may: `?page_size=10` or
//! `?pageSize=10`, repeated fields repeated.

use http::Method;

/// One route.
#[derive(Debug)]
pub struct Route {
    /// HTTP method.
    pub method: Method,
    /// Path template.
    pub path: &'static str,
    /// The gRPC methods that it calls; the first one's request takes the
    /// fields. More than one only for [`Answer::Status`].
    pub rpcs: &'static [&'static str],
    /// What the body is.
    pub body: Takes,
    /// What is answered.
    pub answer: Answer,
}

/// What a route's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing; a body is refused.
    Nothing,
    /// The request message; nothing at all stands for an empty one.
    Message,
    /// One `ProcessSpec`, the only element of `specs`; its name is the
    /// path's, and `If-Match` is the expected etag.
    Spec,
}

/// What a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The response message, as JSON.
    Message,
    /// Events, as server-sent events that can be resumed.
    Events,
    /// Log chunks, as server-sent events.
    Logs,
    /// Frames, as server-sent events that cannot be resumed.
    Frames,
    /// One document made of several responses.
    Status,
    /// The text of a metrics response, with its content type.
    MetricsText,
}

const fn get(path: &'static str, rpcs: &'static [&'static str], answer: Answer) -> Route {
    Route { method: Method::GET, path, rpcs, body: Takes::Nothing, answer }
}

const fn post(path: &'static str, rpcs: &'static [&'static str]) -> Route {
    Route { method: Method::POST, path, rpcs, body: Takes::Message, answer: Answer::Message }
}

const LIST_PROCESSES: &str = "pm.v1.ProcessService/ListProcesses";
const APPLY: &[&str] = &["pm.v1.ProcessService/ApplyProcesses"];
const DELETE: &[&str] = &["pm.v1.ProcessService/DeleteProcesses"];
const START: &[&str] = &["pm.v1.ProcessService/StartProcesses"];
const STOP: &[&str] = &["pm.v1.ProcessService/StopProcesses"];
const RESTART: &[&str] = &["pm.v1.ProcessService/RestartProcesses"];
const RELOAD: &[&str] = &["pm.v1.ProcessService/ReloadProcesses"];
const SIGNAL: &[&str] = &["pm.v1.ProcessService/SignalProcesses"];
const LIST_INSTANCES: &str = "pm.v1.InstanceService/ListInstances";
const LIST_NODES: &str = "pm.v1.NodeService/ListNodes";
const CLUSTER: &str = "pm.v1.ClusterService/GetClusterStatus";
const READ_LOGS: &[&str] = &["pm.v1.LogService/ReadLogs"];
const PUT: Method = Method::PUT;

/// Every route.
pub static ROUTES: &[Route] = &[
    // Processes.
    get("/api/v1/processes", &[LIST_PROCESSES], Answer::Message),
    post("/api/v1/processes", APPLY),
    post("/api/v1/processes:delete", DELETE),
    post("/api/v1/processes:start", START),
    post("/api/v1/processes:stop", STOP),
    post("/api/v1/processes:restart", RESTART),
    post("/api/v1/processes:reload", RELOAD),
    post("/api/v1/processes:signal", SIGNAL),
    get("/api/v1/processes/{name}", &["pm.v1.ProcessService/GetProcess"], Answer::Message),
    Route { method: PUT, path: "/api/v1/processes/{name}", rpcs: APPLY, body: Takes::Spec, answer: Answer::Message },
    Route {
        method: Method::DELETE,
        path: "/api/v1/processes/{selectors}",
        rpcs: DELETE,
        body: Takes::Nothing,
        answer: Answer::Message,
    },
    post("/api/v1/processes/{selectors}:start", START),
    post("/api/v1/processes/{selectors}:stop", STOP),
    post("/api/v1/processes/{selectors}:restart", RESTART),
    post("/api/v1/processes/{selectors}:reload", RELOAD),
    post("/api/v1/processes/{selectors}:signal", SIGNAL),
    get("/api/v1/processes/{name}/generations", &["pm.v1.ProcessService/ListGenerations"], Answer::Message),
    get("/api/v1/processes/{name}/generation", &["pm.v1.ProcessService/GetGeneration"], Answer::Message),
    get("/api/v1/processes/{name}/diff", &["pm.v1.ProcessService/GetProcessDiff"], Answer::Message),
    post("/api/v1/processes/{name}:rollback", &["pm.v1.ProcessService/RollbackProcess"]),
    get("/api/v1/processes/{name}/runs", &["pm.v1.ProcessService/ListRuns"], Answer::Message),
    // Rollouts.
    get("/api/v1/processes/{name}/rollout", &["pm.v1.RolloutService/GetRollout"], Answer::Message),
    post("/api/v1/processes/{name}/rollout:pause", &["pm.v1.RolloutService/PauseRollout"]),
    post("/api/v1/processes/{name}/rollout:resume", &["pm.v1.RolloutService/ResumeRollout"]),
    post("/api/v1/processes/{name}/rollout:promote", &["pm.v1.RolloutService/PromoteRollout"]),
    post("/api/v1/processes/{selectors}/rollout:restart", &["pm.v1.RolloutService/RestartRollout"]),
    post("/api/v1/processes/{name}:scale", &["pm.v1.RolloutService/ScaleProcess"]),
    // Instances.
    get("/api/v1/instances", &[LIST_INSTANCES], Answer::Message),
    get("/api/v1/instances/{id}", &["pm.v1.InstanceService/GetInstance"], Answer::Message),
    post("/api/v1/instances/{selectors}:start", START),
    post("/api/v1/instances/{selectors}:stop", STOP),
    post("/api/v1/instances/{selectors}:restart", RESTART),
    post("/api/v1/instances/{selectors}:reload", RELOAD),
    post("/api/v1/instances/{selectors}:signal", SIGNAL),
    get("/api/v1/instances/{instance_id}/samples", &["pm.v1.SampleService/ListInstanceSamples"], Answer::Message),
    get("/api/v1/instances/{selectors}/logs", READ_LOGS, Answer::Logs),
    // Everything else.
    get("/api/v1/logs", READ_LOGS, Answer::Logs),
    get("/api/v1/samples", &["pm.v1.SampleService/ListLatestSamples"], Answer::Message),
    get("/api/v1/nodes", &[LIST_NODES], Answer::Message),
    post("/api/v1/nodes/{nodes}:control-unit", &["pm.v1.ActionService/ControlUnits"]),
    post("/api/v1/nodes:release-brake", &["pm.v1.NodeService/ReleaseBrake"]),
    get("/api/v1/nodes/{name}", &["pm.v1.NodeService/GetNode"], Answer::Message),
    post("/api/v1/nodes/{name}:set-schedulable", &["pm.v1.NodeService/SetNodeSchedulable"]),
    post("/api/v1/nodes/{name}:drain", &["pm.v1.NodeService/DrainNode"]),
    post("/api/v1/nodes/{name}:label", &["pm.v1.NodeService/LabelNode"]),
    post("/api/v1/nodes/{name}:remove", &["pm.v1.NodeService/RemoveNode"]),
    get("/api/v1/processes/{name}/placement", &["pm.v1.NodeService/GetPlacement"], Answer::Message),
    get("/api/v1/actions", &["pm.v1.ActionService/ListActions"], Answer::Message),
    get("/api/v1/actions/{id}", &["pm.v1.ActionService/GetAction"], Answer::Message),
    get("/api/v1/events", &["pm.v1.EventService/WatchEvents"], Answer::Events),
    get("/api/v1/events/history", &["pm.v1.EventService/ListEvents"], Answer::Message),
    get("/api/v1/audit/log", &["pm.v1.EventService/ReadAuditLog"], Answer::Frames),
    get("/api/v1/audit", &["pm.v1.EventService/ListAuditEntries"], Answer::Message),
    get("/api/v1/cluster", &[CLUSTER], Answer::Message),
    get("/api/v1/cluster/health", &["pm.v1.ClusterService/GetClusterHealth"], Answer::Message),
    post("/api/v1/nodes:create-join-token", &["pm.v1.JoinTokenService/CreateJoinToken"]),
    post("/api/v1/cluster:join-member", &["pm.v1.ClusterService/JoinMember"]),
    post("/api/v1/cluster:remove-member", &["pm.v1.ClusterService/RemoveMember"]),
    post("/api/v1/cluster:transfer-leadership", &["pm.v1.ClusterService/TransferLeadership"]),
    get("/api/v1/backup/restore", &["pm.v1.BackupService/GetRestoreStatus"], Answer::Message),
    post("/api/v1/backup/restore:confirm", &["pm.v1.BackupService/ConfirmRestore"]),
    get("/status", &[CLUSTER, LIST_NODES, LIST_PROCESSES, LIST_INSTANCES], Answer::Status),
    get("/metrics", &["pm.v1.SampleService/GetMetricsText"], Answer::MetricsText),
];

#[cfg(test)]
mod tests {
    use super::{Answer, ROUTES, Takes};
    use crate::access::Role;
    use crate::catalogue::Catalogue;
    use crate::rest::template::Template;
    use http::Method;

    #[test]
    fn every_route_calls_public_methods_and_so_has_a_role() {
        let catalogue = Catalogue::load().unwrap();
        for route in ROUTES {
            assert!(!route.rpcs.is_empty(), "{}", route.path);
            for rpc in route.rpcs {
                let method = catalogue.method(rpc).unwrap_or_else(|| panic!("{} names {rpc}", route.path));
                // Safe methods change nothing, so a viewer may use them; all
                // others change something.
                let expected = if route.method == Method::GET { Role::Viewer } else { Role::Admin };
                assert_eq!(method.role, expected, "{} {}", route.method, route.path);
            }
        }
    }

    #[test]
    fn every_path_field_is_a_text_field_of_its_request() {
        let catalogue = Catalogue::load().unwrap();
        for route in ROUTES {
            let input = catalogue.method(route.rpcs[0]).unwrap().descriptor.input();
            for field in Template::parse(route.path).fields() {
                if route.body == Takes::Spec {
                    assert_eq!(field, "name");
                    continue;
                }
                let field = input.get_field_by_name(field).unwrap_or_else(|| panic!("{}: {field}", route.path));
                assert_eq!(field.kind(), prost_reflect::Kind::String, "{}", route.path);
            }
        }
    }

    #[test]
    fn streams_are_answered_as_streams() {
        let catalogue = Catalogue::load().unwrap();
        for route in ROUTES {
            let streams = catalogue.method(route.rpcs[0]).unwrap().descriptor.is_server_streaming();
            let as_stream = matches!(route.answer, Answer::Events | Answer::Logs | Answer::Frames);
            assert_eq!(streams, as_stream, "{}", route.path);
        }
    }

    #[test]
    fn every_public_method_has_a_route() {
        // Files, as bytes: JSON is no form for them.
        let files = ["SaveBackup", "RestoreBackup"];
        for access in crate::access::PUBLIC {
            for (method, _) in access.methods {
                let name = format!("{}/{method}", access.service);
                let has_one = ROUTES.iter().any(|route| route.rpcs.contains(&name.as_str()));
                assert_ne!(has_one, files.contains(method), "{name}");
            }
        }
    }
}
