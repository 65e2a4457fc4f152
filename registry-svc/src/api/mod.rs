//! The edge: one gRPC service a file. Wire messages stop here.
//!
//! | module | what |
//! |---|---|
//! | `process`, `instance`, `node`, `action`, `event`, `cluster` | for clients, through the gateway |
//! | `event_list`, `audit`, `generations`, `runs` | what was: events, the audit log, specs of a process, runs |
//! | `rollout` | how instances come to a new spec; how many there are |
//! | `backup` | the state as a file, and back; looking on after that |
//! | `watch` | events as they happen |
//! | `listing` | lists page by page |
//! | `runner_session` | for runners |
//! | `internal` | for the gateway itself |
//! | `join_token`, `node_identity` | who may join, and certificates of those who did |
//! | `raft` | for peers |
//! | `request` | what every mutation has: bounds, idempotency, actor |
//! | `answers` | rows → wire |
//! | `status` | refusals → gRPC statuses |

mod action;
mod answers;
mod audit;
mod backup;
mod cluster;
mod event;
mod event_list;
mod generations;
mod instance;
mod internal;
mod join_token;
mod listing;
mod node;
mod node_identity;
mod process;
mod request;
mod rollout;
mod runner_session;
mod runs;
mod status;
mod watch;

pub(crate) use runner_session::receive as receive_runner;
pub(crate) use status::{bad_field, change_fault, changed_reply, check_address, closing, no_leader, not_linearizable};
pub(crate) use watch::{Isolation, Rosters, tend as tend_watchers};

use crate::core::Core;
use crate::peers::STREAM_WINDOW;
use pm_proto::v1;
use service_host::server::{GrpcHost, ServeError};
use service_host::transport::Incoming;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Serves every service until `shutdown`. Streams that would never end by
/// themselves end with it.
pub(crate) async fn serve(
    registry: Arc<Core>,
    incoming: Incoming,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let token = registry.options.token.clone();
    let streams = shutdown.child_token();
    let peers = registry.reception.clone().service();
    let events = watch::Service::new(event::Api { registry: registry.clone(), shutdown: streams.clone() });
    let internal = internal::Api(registry.clone());
    let backups = backup::Api::new(registry.clone());
    let runners = runner_session::Api { registry: registry.clone(), shutdown: streams };
    let (tokens, identities) = (join_token::Api(registry.clone()), node_identity::Api(registry.clone()));
    let (refusals, links) = (registry.refusals.clone(), registry.links.clone());
    let serving = GrpcHost::new(pm_proto::DESCRIPTORS)
        .token(token)
        .access(crate::access::TABLE)
        .on_refusal(Arc::new(move |call| refusals.note(call)))
        .stream_window(STREAM_WINDOW)
        .service(v1::process_service_server::ProcessServiceServer::new(process::Api(registry.clone())))
        .service(v1::instance_service_server::InstanceServiceServer::new(instance::Api(registry.clone())))
        .service(v1::node_service_server::NodeServiceServer::new(node::Api(registry.clone())))
        .service(v1::action_service_server::ActionServiceServer::new(action::Api(registry.clone())))
        .service(events)
        .service(v1::rollout_service_server::RolloutServiceServer::new(rollout::Api(registry.clone())))
        .service(v1::cluster_service_server::ClusterServiceServer::new(cluster::Api(registry)))
        .service(v1::backup_service_server::BackupServiceServer::new(backups))
        .service(v1::registry_internal_service_server::RegistryInternalServiceServer::new(internal))
        .service(v1::runner_session_service_server::RunnerSessionServiceServer::new(runners))
        .service(v1::join_token_service_server::JoinTokenServiceServer::new(tokens))
        .service(v1::node_identity_service_server::NodeIdentityServiceServer::new(identities))
        .service(peers)
        .serve(incoming, shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = shutdown.cancelled() => links.close_doors(),
    }
    serving.await
}

/// A directory for unit tests beside the build's own, which is on a disk;
/// `/tmp` may be memory.
#[cfg(test)]
pub(crate) fn real_disk() -> tempfile::TempDir {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tmp");
    std::fs::create_dir_all(beside).unwrap();
    tempfile::tempdir_in(beside).unwrap()
}
