//! The runner's own gRPC port: what this node knows, with nobody else asked.
//! For looking into a node that is cut off; it changes nothing.

use crate::instance::Seen;
use crate::roster::Roster;
use pm_proto::convert::timestamp_to_wire;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::instance_service_server::InstanceService;
use process_model::{InstanceId, NodeName, Selector};
use service_host::access::{AccessTable, ServiceAccess, Who};
use service_host::identity::Role;
use tonic::{Code, Request, Response, Status};

/// Who may look: people, and this node's own runner. No other service has to.
const LOOKS: Who = Who::Roles(&[Role::Operator, Role::Runner]);

/// Who may call what here.
pub(crate) const ACCESS: AccessTable =
    &[ServiceAccess { service: "pm.v1.InstanceService", methods: &[("ListInstances", LOOKS), ("GetInstance", LOOKS)] }];

/// Serves the instances of this node.
pub(crate) struct LocalInstances {
    roster: Roster,
    node: NodeName,
}

impl LocalInstances {
    pub(crate) fn new(roster: Roster, node: NodeName) -> Self {
        Self { roster, node }
    }

    fn describe(&self, id: &InstanceId, seen: &Seen) -> v1::Instance {
        let view = &seen.view;
        v1::Instance {
            id: id.to_string(),
            process: id.process.to_string(),
            index: id.index,
            node: self.node.to_string(),
            generation: seen.assignment.generation,
            wanted: seen.assignment.wanted,
            phase: v1::InstancePhase::from(view.phase).into(),
            ready: view.ready,
            pid: view.pid,
            restarts: view.restarts,
            last_exit: view.last_exit.as_ref().map(Into::into),
            start_time: view.started.map(timestamp_to_wire),
            phase_time: None,
            message: view.message.clone(),
            next_restart_time: view.next_restart.map(timestamp_to_wire),
            removing: false,
            containment: seen.containment.to_string(),
            status: view.status.clone(),
        }
    }
}

#[tonic::async_trait]
impl InstanceService for LocalInstances {
    async fn list_instances(
        &self,
        request: Request<v1::ListInstancesRequest>,
    ) -> Result<Response<v1::ListInstancesResponse>, Status> {
        let request = request.into_inner();
        let elsewhere = !request.node.is_empty() && request.node != self.node.as_str();
        let selectors: Vec<Selector> = request.selectors.into_iter().map(Selector::new).collect();
        let selected = |id: &InstanceId| selectors.is_empty() || selectors.iter().any(|s| s.selects_instance(id));
        let seen = if elsewhere { Vec::new() } else { self.roster.seen() };
        let instances = seen.iter().filter(|(id, _)| selected(id)).map(|(id, seen)| self.describe(id, seen)).collect();
        Ok(Response::new(v1::ListInstancesResponse { instances, ..Default::default() }))
    }

    async fn get_instance(
        &self,
        request: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        let id = request.into_inner().id;
        let found = id.parse::<InstanceId>().ok().and_then(|parsed| Some((self.roster.seen_of(&parsed)?, parsed)));
        match found {
            Some((seen, parsed)) => {
                let instance = Some(self.describe(&parsed, &seen));
                Ok(Response::new(v1::GetInstanceResponse { instance, revision: 0 }))
            }
            None => {
                let message = format!("there is no instance {id:?} on this node");
                Err(status(Code::NotFound, reason::NOT_FOUND, message, &[("id", &id)]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ACCESS;

    #[test]
    fn every_method_that_a_runner_serves_has_a_row() {
        let pool = pm_proto::json::pool().unwrap();
        for access in ACCESS {
            let service = pool.get_service_by_name(access.service).unwrap();
            let mut contract: Vec<String> = service.methods().map(|method| method.name().to_owned()).collect();
            let mut table: Vec<String> = access.methods.iter().map(|(method, _)| (*method).to_owned()).collect();
            contract.sort();
            table.sort();
            assert_eq!(contract, table, "{}", access.service);
        }
    }
}
