//! A registry that remembers what it was asked.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

#[derive(Clone, Default)]
pub(crate) struct FakeRegistry(pub(crate) Arc<Memory>);

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) metadata: Mutex<MetadataMap>,
    pub(crate) actor: Mutex<String>,
    pub(crate) applied: Mutex<Option<v1::ApplyProcessesRequest>>,
    pub(crate) stopped: Mutex<Option<v1::StopProcessesRequest>>,
    /// It does not lead: stops are refused with this hint.
    pub(crate) leader: Mutex<Option<String>>,
    /// Request ids of stops, shared by the replicas of a test: one that comes
    /// again has no second effect.
    pub(crate) stops: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    pub(crate) reloaded: Mutex<Option<v1::ReloadProcessesRequest>>,
    pub(crate) signalled: Mutex<Option<v1::SignalProcessesRequest>>,
    pub(crate) rolled_back: Mutex<Option<v1::RollbackProcessRequest>>,
    pub(crate) watched: Mutex<Option<v1::WatchEventsRequest>>,
    /// Attempts that the gateway refused.
    pub(crate) refusals: Mutex<Vec<v1::RefusedAttempt>>,
    pub(crate) refusals_told: Notify,
    /// A watch was dropped by its caller.
    pub(crate) watch_dropped: Notify,
    /// A restart has arrived, and waits for `release`.
    pub(crate) arrived: Notify,
    pub(crate) release: Notify,
}

impl FakeRegistry {
    fn note<T>(&self, request: &Request<T>) {
        *self.0.metadata.lock().unwrap() = request.metadata().clone();
        *self.0.actor.lock().unwrap() = service_host::auth::actor(request);
    }
}

fn process(name: &str) -> v1::Process {
    let spec = v1::ProcessSpec { name: name.to_owned(), instances: Some(2), ..Default::default() };
    v1::Process { spec: Some(spec), generation: 3, etag: "e-3".to_owned(), ..Default::default() }
}

#[tonic::async_trait]
impl v1::process_service_server::ProcessService for FakeRegistry {
    async fn list_processes(
        &self,
        request: Request<v1::ListProcessesRequest>,
    ) -> Result<Response<v1::ListProcessesResponse>, Status> {
        self.note(&request);
        let request = request.into_inner();
        let names = if request.selectors.is_empty() { vec!["web".to_owned()] } else { request.selectors };
        let processes = names.iter().map(|name| process(name)).collect();
        Ok(Response::new(v1::ListProcessesResponse {
            processes,
            revision: 9_007_199_254_740_993,
            ..Default::default()
        }))
    }

    async fn get_process(
        &self,
        request: Request<v1::GetProcessRequest>,
    ) -> Result<Response<v1::GetProcessResponse>, Status> {
        self.note(&request);
        let name = request.into_inner().name;
        if name != "web" {
            let message = format!("there is no process {name}");
            return Err(status(Code::NotFound, reason::NOT_FOUND, message, &[("process", &name)]));
        }
        Ok(Response::new(v1::GetProcessResponse { process: Some(process("web")), revision: 7 }))
    }

    async fn apply_processes(
        &self,
        request: Request<v1::ApplyProcessesRequest>,
    ) -> Result<Response<v1::ApplyProcessesResponse>, Status> {
        self.note(&request);
        let request = request.into_inner();
        *self.0.applied.lock().unwrap() = Some(request.clone());
        if request.etags.values().any(|etag| etag != "e-3") {
            return Err(status(Code::Aborted, reason::ETAG_MISMATCH, "web was changed by somebody else", &[]));
        }
        if request.specs.iter().any(|spec| spec.instances() > 10_000) {
            let fault = process_model::spec::Fault::new("specs[0].instances", "is 10001", "write 0 to 10000");
            return Err(pm_proto::error::invalid(&[fault]));
        }
        let result = |spec: &v1::ProcessSpec| v1::ApplyResult {
            name: spec.name.clone(),
            outcome: v1::ApplyOutcome::Created.into(),
            process: Some(process(&spec.name)),
            plan: Vec::new(),
        };
        let results = request.specs.iter().map(result).collect();
        Ok(Response::new(v1::ApplyProcessesResponse { results, revision: 8 }))
    }

    async fn delete_processes(
        &self,
        request: Request<v1::DeleteProcessesRequest>,
    ) -> Result<Response<v1::DeleteProcessesResponse>, Status> {
        self.note(&request);
        let names = request.into_inner().selectors;
        Ok(Response::new(v1::DeleteProcessesResponse { names, revision: 9, ..Default::default() }))
    }

    async fn start_processes(
        &self,
        _: Request<v1::StartProcessesRequest>,
    ) -> Result<Response<v1::StartProcessesResponse>, Status> {
        // A status without details, as a service's own library makes it.
        Err(Status::failed_precondition("not now"))
    }

    async fn stop_processes(
        &self,
        request: Request<v1::StopProcessesRequest>,
    ) -> Result<Response<v1::StopProcessesResponse>, Status> {
        self.note(&request);
        if let Some(leader) = &*self.0.leader.lock().unwrap() {
            let hint = [("leader", leader.as_str())];
            return Err(status(Code::Unavailable, reason::NO_LEADER, "another replica leads", &hint));
        }
        let id = request.metadata().get("pm-request-id").unwrap().to_str().unwrap().to_owned();
        self.0.stops.lock().unwrap().entry(id).or_insert_with(|| request.get_ref().selectors.clone());
        *self.0.stopped.lock().unwrap() = Some(request.into_inner());
        Ok(Response::new(v1::StopProcessesResponse { actions: Vec::new(), revision: 10 }))
    }

    async fn restart_processes(
        &self,
        _: Request<v1::RestartProcessesRequest>,
    ) -> Result<Response<v1::RestartProcessesResponse>, Status> {
        self.0.arrived.notify_one();
        self.0.release.notified().await;
        Ok(Response::new(v1::RestartProcessesResponse { actions: Vec::new(), revision: 11 }))
    }

    async fn reload_processes(
        &self,
        request: Request<v1::ReloadProcessesRequest>,
    ) -> Result<Response<v1::ReloadProcessesResponse>, Status> {
        self.note(&request);
        *self.0.reloaded.lock().unwrap() = Some(request.into_inner());
        Ok(Response::new(v1::ReloadProcessesResponse { actions: Vec::new(), revision: 12 }))
    }

    async fn signal_processes(
        &self,
        request: Request<v1::SignalProcessesRequest>,
    ) -> Result<Response<v1::SignalProcessesResponse>, Status> {
        self.note(&request);
        *self.0.signalled.lock().unwrap() = Some(request.into_inner());
        Ok(Response::new(v1::SignalProcessesResponse { actions: Vec::new(), revision: 13 }))
    }

    async fn list_generations(
        &self,
        _: Request<v1::ListGenerationsRequest>,
    ) -> Result<Response<v1::ListGenerationsResponse>, Status> {
        let generations = vec![generation(2), generation(1)];
        Ok(Response::new(v1::ListGenerationsResponse { generations, ..Default::default() }))
    }

    async fn list_runs(&self, _: Request<v1::ListRunsRequest>) -> Result<Response<v1::ListRunsResponse>, Status> {
        let runs = vec![v1::Run { instance_id: "web-1".into(), number: 7, ..Default::default() }];
        Ok(Response::new(v1::ListRunsResponse { runs, ..Default::default() }))
    }

    async fn get_generation(
        &self,
        request: Request<v1::GetGenerationRequest>,
    ) -> Result<Response<v1::GetGenerationResponse>, Status> {
        let generation = Some(generation(request.into_inner().generation));
        Ok(Response::new(v1::GetGenerationResponse { generation, revision: 7 }))
    }

    async fn get_process_diff(
        &self,
        request: Request<v1::GetProcessDiffRequest>,
    ) -> Result<Response<v1::GetProcessDiffResponse>, Status> {
        let request = request.into_inner();
        let (from, to) = (Some(generation(request.from)), Some(generation(request.to)));
        Ok(Response::new(v1::GetProcessDiffResponse { from, to, ..Default::default() }))
    }

    async fn rollback_process(
        &self,
        request: Request<v1::RollbackProcessRequest>,
    ) -> Result<Response<v1::RollbackProcessResponse>, Status> {
        self.note(&request);
        let request = request.into_inner();
        *self.0.rolled_back.lock().unwrap() = Some(request.clone());
        if request.expected_generation.is_some_and(|expected| expected != 3) {
            let data = [("actual", "3"), ("actor", "admin")];
            return Err(status(Code::Aborted, reason::GENERATION_MISMATCH, "web has generation 3", &data));
        }
        Ok(Response::new(v1::RollbackProcessResponse { result: None, revision: 13 }))
    }
}

fn generation(number: u64) -> v1::Generation {
    v1::Generation { process: "web".to_owned(), generation: number, ..Default::default() }
}

#[tonic::async_trait]
impl v1::instance_service_server::InstanceService for FakeRegistry {
    async fn list_instances(
        &self,
        _: Request<v1::ListInstancesRequest>,
    ) -> Result<Response<v1::ListInstancesResponse>, Status> {
        let instance = v1::Instance {
            id: "web-1".to_owned(),
            phase: v1::InstancePhase::Running.into(),
            ready: true,
            ..Default::default()
        };
        Ok(Response::new(v1::ListInstancesResponse { instances: vec![instance], revision: 7, ..Default::default() }))
    }

    async fn get_instance(
        &self,
        request: Request<v1::GetInstanceRequest>,
    ) -> Result<Response<v1::GetInstanceResponse>, Status> {
        let instance = v1::Instance { id: request.into_inner().id, ..Default::default() };
        Ok(Response::new(v1::GetInstanceResponse { instance: Some(instance), revision: 7 }))
    }
}

#[tonic::async_trait]
impl v1::cluster_service_server::ClusterService for FakeRegistry {
    async fn get_cluster_status(
        &self,
        _: Request<v1::GetClusterStatusRequest>,
    ) -> Result<Response<v1::GetClusterStatusResponse>, Status> {
        Ok(Response::new(v1::GetClusterStatusResponse { id: 1, leader_id: 1, ..Default::default() }))
    }

    async fn get_cluster_health(
        &self,
        _: Request<v1::GetClusterHealthRequest>,
    ) -> Result<Response<v1::GetClusterHealthResponse>, Status> {
        Ok(Response::new(v1::GetClusterHealthResponse { id: 1, leader_id: 1, ..Default::default() }))
    }

    async fn join_member(
        &self,
        request: Request<v1::JoinMemberRequest>,
    ) -> Result<Response<v1::JoinMemberResponse>, Status> {
        let voter_ids = vec![request.into_inner().id];
        Ok(Response::new(v1::JoinMemberResponse { voter_ids, ..Default::default() }))
    }

    async fn remove_member(
        &self,
        _: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        Ok(Response::new(v1::RemoveMemberResponse { voter_ids: vec![1], ..Default::default() }))
    }

    async fn transfer_leadership(
        &self,
        request: Request<v1::TransferLeadershipRequest>,
    ) -> Result<Response<v1::TransferLeadershipResponse>, Status> {
        Ok(Response::new(v1::TransferLeadershipResponse { leader_id: request.into_inner().id }))
    }
}

#[tonic::async_trait]
impl v1::registry_internal_service_server::RegistryInternalService for FakeRegistry {
    async fn record_refusals(
        &self,
        request: Request<v1::RecordRefusalsRequest>,
    ) -> Result<Response<v1::RecordRefusalsResponse>, Status> {
        self.0.refusals.lock().unwrap().extend(request.into_inner().attempts);
        self.0.refusals_told.notify_one();
        Ok(Response::new(v1::RecordRefusalsResponse {}))
    }
}

/// Tells when a watch's stream is dropped.
struct Told(Arc<Memory>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.watch_dropped.notify_one();
    }
}

#[tonic::async_trait]
impl v1::event_service_server::EventService for FakeRegistry {
    type WatchEventsStream = BoxStream<'static, Result<v1::WatchEventsResponse, Status>>;

    /// Events 1 to 3 of which the wanted ones come; then, with `follow`,
    /// nothing for ever. Type `break` breaks it, type `big` is 200 kB each.
    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        self.note(&request);
        let request = request.into_inner();
        *self.0.watched.lock().unwrap() = Some(request.clone());
        if request.from_revision == 999 {
            return Err(status(Code::OutOfRange, reason::REVISION_COMPACTED, "revision 999 is no longer kept", &[]));
        }
        let event = |revision| {
            let event = v1::Event { revision, r#type: "instance.started".to_owned(), ..Default::default() };
            let frame = v1::watch_events_response::Frame::Event(event);
            Ok(v1::WatchEventsResponse { frame: Some(frame) })
        };
        let mut frames: Vec<_> = (request.from_revision.max(1)..=3).map(event).collect();
        if request.types.iter().any(|kind| kind == "break") {
            frames.push(Err(status(Code::ResourceExhausted, reason::WATCHER_TOO_SLOW, "too slow", &[])));
        }
        let told = Told(Arc::clone(&self.0));
        let rest = if request.follow { futures::stream::pending().boxed() } else { futures::stream::empty().boxed() };
        let stream = futures::stream::iter(frames).chain(rest).map(move |frame| {
            let _keep = &told;
            frame
        });
        Ok(Response::new(stream.boxed()))
    }

    async fn list_audit_entries(
        &self,
        request: Request<v1::ListAuditEntriesRequest>,
    ) -> Result<Response<v1::ListAuditEntriesResponse>, Status> {
        let targets = vec![request.into_inner().page_size.to_string()];
        let entry = v1::AuditEntry { targets, ..Default::default() };
        Ok(Response::new(v1::ListAuditEntriesResponse { entries: vec![entry], ..Default::default() }))
    }

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let event = v1::Event { node: request.into_inner().node, ..Default::default() };
        Ok(Response::new(v1::ListEventsResponse { events: vec![event], ..Default::default() }))
    }

    type ReadAuditLogStream = BoxStream<'static, Result<v1::ReadAuditLogResponse, Status>>;

    async fn read_audit_log(
        &self,
        request: Request<v1::ReadAuditLogRequest>,
    ) -> Result<Response<Self::ReadAuditLogStream>, Status> {
        use v1::read_audit_log_response::Frame;
        let entry = v1::AuditEntry { number: request.into_inner().from_number, revision: 7, ..Default::default() };
        let anchor = v1::AuditAnchor::default();
        let frames = [Frame::Anchor(anchor.clone()), Frame::Entry(entry), Frame::Head(anchor)];
        let frames = frames.map(|frame| Ok(v1::ReadAuditLogResponse { frame: Some(frame) }));
        Ok(Response::new(futures::stream::iter(frames).boxed()))
    }
}
