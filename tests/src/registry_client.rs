//! A gRPC client of one replica, as a service is one: with the service token,
//! with a deadline on each call, and of this replica only, so that a test
//! decides whom it asks.

// Later versions of the requests have more fields.
#![allow(clippy::needless_update)]

use crate::api::runtime;
use pm_proto::v1;
use pm_proto::v1::action_service_client::ActionServiceClient;
use pm_proto::v1::backup_service_client::BackupServiceClient;
use pm_proto::v1::cluster_service_client::ClusterServiceClient;
use pm_proto::v1::event_service_client::EventServiceClient;
use pm_proto::v1::instance_service_client::InstanceServiceClient;
use pm_proto::v1::node_service_client::NodeServiceClient;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use process_model::audit::{Anchor, AuditEntry, Verifier};
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// Longest call. Longer than a change of the leader; a call that outlasts it
/// has an unknown outcome.
const CALL: Duration = Duration::from_secs(3);
/// Longest wait for a connection, and until a silent one is asked for a sign of life.
const CONNECT: Duration = Duration::from_millis(500);

/// Puts the token on each call.
#[derive(Clone)]
pub struct ServiceToken(MetadataValue<Ascii>);

impl Interceptor for ServiceToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type ServiceChannel = InterceptedService<Channel, ServiceToken>;

/// A client of one replica; clones share its connection.
#[derive(Clone)]
pub struct RegistryClient {
    channel: ServiceChannel,
}

impl RegistryClient {
    /// A client of the replica at `http://HOST:PORT`. Connects with the first
    /// call.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        Self::with_deadline(url, token, CALL)
    }

    /// The same with another deadline on each call.
    #[must_use]
    pub fn with_deadline(url: &str, token: &str, deadline: Duration) -> Self {
        let endpoint = Channel::from_shared(url.to_owned()).expect("the endpoint is an address");
        let endpoint = endpoint.timeout(deadline).connect_timeout(CONNECT).tcp_nodelay(true);
        // A connection into a partition would stay for ever else.
        let endpoint = endpoint.http2_keep_alive_interval(CONNECT).keep_alive_timeout(deadline);
        let channel = {
            let _inside = runtime().enter();
            endpoint.connect_lazy()
        };
        let bearer = format!("Bearer {token}").parse().expect("a token is plain text");
        Self { channel: InterceptedService::new(channel, ServiceToken(bearer)) }
    }

    /// Runs a call to its end.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        runtime().block_on(call)
    }

    /// Calls about processes.
    #[must_use]
    pub fn processes(&self) -> ProcessServiceClient<ServiceChannel> {
        ProcessServiceClient::new(self.channel.clone())
    }

    /// Calls about events and audit.
    #[must_use]
    pub fn events(&self) -> EventServiceClient<ServiceChannel> {
        EventServiceClient::new(self.channel.clone())
    }

    /// Calls about actions.
    #[must_use]
    pub fn actions(&self) -> ActionServiceClient<ServiceChannel> {
        ActionServiceClient::new(self.channel.clone())
    }

    /// Calls about the cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterServiceClient<ServiceChannel> {
        ClusterServiceClient::new(self.channel.clone())
    }

    /// How every replica fares.
    ///
    /// # Errors
    /// As the call.
    pub fn health(&self) -> Result<v1::GetClusterHealthResponse, Status> {
        self.wait(self.cluster().get_cluster_health(v1::GetClusterHealthRequest {})).map(tonic::Response::into_inner)
    }

    /// Why a change that only the newest version knows is refused: that it is
    /// known, and there is nothing to confirm; or that it is not.
    ///
    /// # Errors
    /// Always.
    pub fn confirm_restore(&self) -> Result<(), Status> {
        let mut client = BackupServiceClient::new(self.channel.clone());
        let request = v1::ConfirmRestoreRequest { unknown: v1::UnknownInstances::Stop.into(), ..Default::default() };
        self.wait(client.confirm_restore(request)).map(drop)
    }

    /// The cluster as this replica sees it.
    ///
    /// # Errors
    /// As the call.
    pub fn status(&self) -> Result<v1::GetClusterStatusResponse, Status> {
        let mut client = ClusterServiceClient::new(self.channel.clone());
        self.wait(client.get_cluster_status(v1::GetClusterStatusRequest {})).map(tonic::Response::into_inner)
    }

    /// Every instance, as of a majority.
    ///
    /// # Errors
    /// As the call.
    pub fn instances(&self) -> Result<Vec<v1::Instance>, Status> {
        let mut client = InstanceServiceClient::new(self.channel.clone());
        let answer = self.wait(client.list_instances(v1::ListInstancesRequest::default()))?;
        Ok(answer.into_inner().instances)
    }

    /// Wants so many instances of a shell command to run.
    ///
    /// # Errors
    /// As the call.
    pub fn run_program(&self, name: &str, command: &str, instances: u32) -> Result<(), Status> {
        let spec = v1::ProcessSpec {
            name: name.to_owned(),
            command: Some(v1::process_spec::Command::Shell(command.to_owned())),
            instances: Some(instances),
            ..Default::default()
        };
        let request = v1::ApplyProcessesRequest { specs: vec![spec], ..Default::default() };
        self.wait(self.processes().apply_processes(request)).map(drop)
    }

    /// Wants these to run.
    ///
    /// # Errors
    /// As the call.
    pub fn apply(&self, specs: &[process_model::ProcessSpec]) -> Result<(), Status> {
        let specs = specs.iter().map(pm_proto::convert::spec_to_wire).collect();
        let request = v1::ApplyProcessesRequest { specs, ..Default::default() };
        self.wait(self.processes().apply_processes(request)).map(drop)
    }

    /// Every node, as of a majority.
    ///
    /// # Errors
    /// As the call.
    pub fn nodes(&self) -> Result<Vec<v1::Node>, Status> {
        let mut client = NodeServiceClient::new(self.channel.clone());
        let answer = self.wait(client.list_nodes(v1::ListNodesRequest::default()))?;
        Ok(answer.into_inner().nodes)
    }

    /// Has what lost nodes have placed elsewhere.
    ///
    /// # Errors
    /// As the call.
    pub fn release_brake(&self) -> Result<bool, Status> {
        let mut client = NodeServiceClient::new(self.channel.clone());
        let answer = self.wait(client.release_brake(v1::ReleaseBrakeRequest::default()))?;
        Ok(answer.into_inner().was_engaged)
    }

    /// Every event that is kept, oldest first.
    ///
    /// # Errors
    /// As the call.
    pub fn all_events(&self) -> Result<Vec<v1::Event>, Status> {
        let mut events = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListEventsRequest { page_size: 1_000, page_token, ..Default::default() };
            let answer = self.wait(self.events().list_events(request))?.into_inner();
            events.extend(answer.events);
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                events.sort_by_key(|event| event.revision);
                return Ok(events);
            }
        }
    }

    /// Reads a process, as of a majority; whether there is one.
    ///
    /// # Errors
    /// As the call, but for NOT_FOUND.
    pub fn has_program(&self, name: &str) -> Result<bool, Status> {
        let request = v1::GetProcessRequest { name: name.to_owned(), ..Default::default() };
        match self.wait(self.processes().get_process(request)) {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// What this replica holds, without asking the others: the revision, and
    /// everything in the order of the names as text, so that two can be
    /// compared and a difference can be read.
    ///
    /// # Errors
    /// As the calls.
    pub fn contents(&self) -> Result<(u64, String), Status> {
        let stale = true;
        let (mut instances, mut nodes) =
            (InstanceServiceClient::new(self.channel.clone()), NodeServiceClient::new(self.channel.clone()));
        let mut processes = self.processes();
        self.wait(async {
            let request = v1::ListProcessesRequest { stale, ..Default::default() };
            let processes = processes.list_processes(request).await?.into_inner();
            let request = v1::ListInstancesRequest { stale, ..Default::default() };
            let instances = instances.list_instances(request).await?.into_inner();
            let request = v1::ListNodesRequest { stale, ..Default::default() };
            let nodes = nodes.list_nodes(request).await?.into_inner();
            let mut text = String::new();
            for process in &processes.processes {
                text += &format!("{process:?}\n");
            }
            for instance in &instances.instances {
                text += &format!("{instance:?}\n");
            }
            for node in &nodes.nodes {
                text += &format!("{node:?}\n");
            }
            Ok((processes.revision, text))
        })
    }

    /// Follows the audit log from its first entry to its last: how many there
    /// are.
    ///
    /// # Errors
    /// An entry is missing, or is not what was chained; or as the call.
    ///
    /// # Panics
    /// When an entry cannot be read.
    pub fn verify_audit(&self) -> Result<u64, String> {
        let mut verifier = Verifier::new(Anchor::default());
        let mut pages = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListAuditEntriesRequest { page_size: 1_000, page_token, ..Default::default() };
            let answer = self.wait(self.events().list_audit_entries(request)).map_err(|status| status.to_string())?;
            let answer = answer.into_inner();
            pages.extend(answer.entries);
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        for entry in pages.iter().rev() {
            let entry = AuditEntry::try_from(entry).expect("an audit entry is readable");
            verifier.check(&entry).map_err(|fault| fault.to_string())?;
        }
        verifier.finish(None).map(|verified| verified.entries).map_err(|fault| fault.to_string())
    }

    /// The newest audit entries, at most 1,000, newest first.
    ///
    /// # Errors
    /// As the call.
    pub fn audit(&self) -> Result<Vec<v1::AuditEntry>, Status> {
        let request = v1::ListAuditEntriesRequest { page_size: 1_000, ..Default::default() };
        self.wait(self.events().list_audit_entries(request)).map(|answer| answer.into_inner().entries)
    }
}
