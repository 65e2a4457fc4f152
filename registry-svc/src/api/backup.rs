//! Backups: the state out as a file, and a file in as the state. Neither is
//! ever held in memory as a whole on its way.

mod restoring;
mod saving;
mod upload;

use super::request::Mutation;
use super::status::bad_field;
use crate::core::Core;
use pm_proto::convert::timestamp_to_wire;
use pm_proto::v1;
use pm_proto::v1::backup_service_server::BackupService;
use process_model::NodeName;
use registry_domain::{ConfirmRestore, Finding, Found, Mode, NodeState, Order, State, Unknown, compare};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Backups that are saved at a time: each has a thread, and holds the state as
/// it was when it began.
const SAVES: usize = 2;

pub(super) struct Api {
    registry: Arc<Core>,
    saves: Arc<Semaphore>,
}

impl Api {
    pub(super) fn new(registry: Arc<Core>) -> Self {
        Self { registry, saves: Arc::new(Semaphore::new(SAVES)) }
    }
}

#[tonic::async_trait]
impl BackupService for Api {
    type SaveBackupStream = ReceiverStream<Result<v1::SaveBackupResponse, Status>>;

    async fn save_backup(
        &self,
        _request: Request<v1::SaveBackupRequest>,
    ) -> Result<Response<Self::SaveBackupStream>, Status> {
        self.registry.read_barrier(false).await?;
        saving::save(&self.registry, &self.saves).map(Response::new)
    }

    async fn restore_backup(
        &self,
        request: Request<Streaming<v1::RestoreBackupRequest>>,
    ) -> Result<Response<v1::RestoreBackupResponse>, Status> {
        let (metadata, extensions, mut pieces) = request.into_parts();
        let (wish, file) = upload::take(&self.registry, &mut pieces).await?;
        let plain = Request::from_parts(metadata, extensions, wish);
        let mutation = Mutation::new("RestoreBackup", &plain, "", &plain.get_ref().reason)?;
        let registry = self.registry.clone();
        let wish = plain.into_inner();
        // To its end, whether or not somebody still waits for the answer.
        let restoring = tokio::spawn(async move { restoring::restore(&registry, mutation, &wish, file).await });
        restoring.await.map_err(|error| upload::failed(&error))?.map(Response::new)
    }

    async fn get_restore_status(
        &self,
        _request: Request<v1::GetRestoreStatusRequest>,
    ) -> Result<Response<v1::GetRestoreStatusResponse>, Status> {
        self.registry.read_barrier(false).await?;
        Ok(Response::new(restore_status(&self.registry.view.read().state)))
    }

    async fn confirm_restore(
        &self,
        request: Request<v1::ConfirmRestoreRequest>,
    ) -> Result<Response<v1::ConfirmRestoreResponse>, Status> {
        let wish = request.get_ref();
        let unknown = match v1::UnknownInstances::try_from(wish.unknown) {
            Ok(v1::UnknownInstances::Unspecified) => None,
            Ok(v1::UnknownInstances::Stop) => Some(Unknown::Stop),
            Ok(v1::UnknownInstances::Keep) => Some(Unknown::Keep),
            Err(_) => return Err(bad_field("unknown", "it is no value of it", "write STOP or KEEP, or leave it out")),
        };
        let mutation = Mutation::new("ConfirmRestore", &request, &wish.request_id, &wish.reason)?;
        let reply = mutation.run(&self.registry, Order::ConfirmRestore(ConfirmRestore { unknown })).await?;
        Ok(Response::new(v1::ConfirmRestoreResponse { revision: reply.revision() }))
    }
}

fn restore_status(state: &State) -> v1::GetRestoreStatusResponse {
    let mode = state.meta().mode;
    let since = match mode {
        Mode::Observe { since } => Some(since),
        Mode::Normal | Mode::KeepUnknown => None,
    };
    let found = if mode == Mode::Normal { Vec::new() } else { compare(state) };
    let is_shown = |one: &&Found| since.is_some() || one.finding == Finding::Unknown;
    let reported = |name: &NodeName| state.inventories().any(|inventory| inventory.node == *name && inventory.complete);
    let nodes = state.nodes().values().filter(|_| since.is_some()).map(|node| v1::RestoredNode {
        name: node.name.to_string(),
        ready: node.state == NodeState::Ready,
        reported: reported(&node.name),
    });
    v1::GetRestoreStatusResponse {
        observing: since.is_some(),
        since: since.map(timestamp_to_wire),
        keeps_unknown: mode == Mode::KeepUnknown,
        instances: found.iter().filter(is_shown).map(instance).collect(),
        nodes: nodes.collect(),
        revision: state.revision(),
    }
}

fn instance(found: &Found) -> v1::RestoredInstance {
    let finding = match found.finding {
        Finding::Adopted => v1::RestoreFinding::Adopted,
        Finding::Differs => v1::RestoreFinding::Differs,
        Finding::Runs => v1::RestoreFinding::Runs,
        Finding::Missing => v1::RestoreFinding::Missing,
        Finding::Unknown => v1::RestoreFinding::Unknown,
        Finding::Silent => v1::RestoreFinding::Silent,
    };
    let running = found.running.as_ref();
    v1::RestoredInstance {
        instance_id: found.instance.to_string(),
        node: found.node.as_ref().map(ToString::to_string).unwrap_or_default(),
        finding: finding.into(),
        phase: running.map_or(v1::InstancePhase::Unspecified, |one| one.phase.into()).into(),
        pid: running.map_or(0, |one| one.pid),
        running_generation: running.map_or(0, |one| one.generation),
        restored_generation: found.restored,
    }
}
