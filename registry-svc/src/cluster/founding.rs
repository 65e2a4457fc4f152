//! From whatever the directory holds to the identity of a replica: asks its
//! peers who they are, lets `registry_quorum::founding` decide, does it, and
//! asks again, until there is an identity or a refusal. Every step is durable
//! before the next, so that being cut off anywhere is being asked again.

use super::Myself;
use super::joining::{Enrolled, join};
use super::not_yet::NotYet;
use crate::home::{Found, Home, Identity};
use crate::open::OpenError;
use crate::options::Options;
use crate::peers::{Introduced, STREAM_WINDOW, hand_out, introduce};
use futures::future::join_all;
use registry_consensus::ReplicaId;
use registry_quorum::founding::{
    Condition, Decision, Entry, Founder, FoundingPlan, FoundingRefusal, Introduction, decide,
};
use service_host::server::GrpcHost;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// So long a peer may take to say who it is.
const INTRODUCED_WITHIN: Duration = Duration::from_secs(1);
/// Between two rounds of asking. A peer that is started meanwhile, or that
/// has written the plan, cannot tell us before we ask.
const ROUND: Duration = Duration::from_millis(100);
/// The epoch of a cluster that was never recovered by force.
const FIRST_EPOCH: u64 = 1;

/// What a directory has become.
pub(crate) struct Settled {
    pub(crate) identity: Identity,
    /// The first of the founders writes the first entry, if the log is empty still.
    pub(crate) founders: Option<FoundingPlan>,
    /// Who is there already, for one that has just joined.
    pub(crate) members: BTreeMap<ReplicaId, Founder>,
}

/// Settles who this replica is.
///
/// # Errors
/// The directory or the peers say that it must not start.
pub(crate) async fn settle(
    home: &Arc<Home>,
    options: &Options,
    listener: Option<&TcpListener>,
    waiting: &watch::Sender<String>,
) -> Result<Settled, OpenError> {
    if let Found::Founded(identity) = home.look()? {
        must_belong_here(&identity, options).await?;
        return Ok(Settled { identity, founders: home.founders()?, members: BTreeMap::new() });
    }
    if options.is_alone() {
        return alone(home, options);
    }
    let myself = Arc::new(Myself::new(home.clone(), options)?);
    // One that does not belong here is not to be seen here, not even for a moment.
    let peers = introductions(options).await;
    if let Decision::Refuse(refusal) = decide(&myself.is()?, &peers, options.entry, &Uuid::new_v4().to_string()) {
        return Err(OpenError::Founding(refusal));
    }
    let done = CancellationToken::new();
    // Peers ask us, too, before there is anything else to serve.
    let host = match listener {
        Some(listener) => {
            let listener = listener_again(listener)?;
            let service = myself.reception().service();
            let host = GrpcHost::new(pm_proto::DESCRIPTORS).token(options.token.clone()).access(crate::access::TABLE);
            let host = host.stream_window(STREAM_WINDOW);
            let host = meanwhile(host.service(service), &waiting.subscribe());
            Some(tokio::spawn(host.serve(options.incoming(listener), done.clone())))
        }
        None => None,
    };
    let settled = among(home, options, &myself, waiting).await;
    done.cancel();
    if let Some(host) = host {
        // Whether it ended well does not matter: the real one comes next, on the same port.
        let _ = host.await;
    }
    settled
}

/// A directory that was founded elsewhere, and was put where a replica of
/// another cluster is expected: its own peers are not here, and those that are
/// would turn it away for ever. Nobody's silence and no single stranger keeps a
/// member from starting.
async fn must_belong_here(identity: &Identity, options: &Options) -> Result<(), OpenError> {
    if options.is_alone() {
        return Ok(());
    }
    let ours = identity.cluster.to_string();
    let mut strangers = Vec::new();
    for peer in introductions(options).await {
        match peer.condition {
            Condition::Founded { cluster, .. } if cluster == ours => return Ok(()),
            Condition::Founded { cluster, .. } => strangers.push((peer.address, cluster)),
            Condition::Fresh | Condition::Planned(_) => {}
        }
    }
    match strangers.into_iter().next() {
        Some((address, theirs)) => Err(OpenError::Founding(FoundingRefusal::OtherCluster { address, theirs, ours })),
        None => Ok(()),
    }
}

fn listener_again(listener: &TcpListener) -> Result<TcpListener, OpenError> {
    use std::os::fd::AsFd as _;
    let again = std::net::TcpListener::from(listener.as_fd().try_clone_to_owned()?);
    Ok(TcpListener::from_std(again)?)
}

fn found(home: &Home, cluster: Uuid, replica: ReplicaId) -> Result<Settled, OpenError> {
    let identity = Identity::new(cluster, FIRST_EPOCH, replica, home.store()?);
    home.found(&identity, &crate::log_settings())?;
    Ok(Settled { identity, founders: home.founders()?, members: BTreeMap::new() })
}

/// Without peers: a cluster of one, founded at once.
fn alone(home: &Home, options: &Options) -> Result<Settled, OpenError> {
    let me = Introduction {
        address: options.advertise.clone(),
        store: home.store()?.to_string(),
        replicas: 1,
        condition: Condition::Fresh,
    };
    let cluster = Uuid::new_v4();
    match home.look()? {
        Found::Planned(plan) => {
            // A plan of ours alone may be gone on with; one with others needs them.
            let Some(id) = plan.number_of(&me).filter(|_| plan.founders.len() == 1) else {
                return Err(OpenError::Planned { others: plan.founders.len() - 1 });
            };
            let cluster = plan.cluster.parse().map_err(|_| OpenError::BadCluster(plan.cluster.clone()))?;
            found(home, cluster, id)
        }
        Found::Fresh => {
            if let Decision::Found(plan) = decide(&me, &[], Entry::Found, &cluster.to_string()) {
                home.plan(&plan)?;
            }
            found(home, cluster, ReplicaId(1))
        }
        Found::Founded(identity) => Ok(Settled { identity, founders: home.founders()?, members: BTreeMap::new() }),
    }
}

/// Clients come as soon as somebody listens.
fn meanwhile(host: GrpcHost, waiting: &watch::Receiver<String>) -> GrpcHost {
    use pm_proto::v1;
    host.service(NotYet::<v1::process_service_server::ProcessServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::rollout_service_server::RolloutServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::instance_service_server::InstanceServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::node_service_server::NodeServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::action_service_server::ActionServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::event_service_server::EventServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::cluster_service_server::ClusterServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::registry_internal_service_server::RegistryInternalServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::runner_session_service_server::RunnerSessionServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::join_token_service_server::JoinTokenServiceServer<()>>::new(waiting))
        .service(NotYet::<v1::node_identity_service_server::NodeIdentityServiceServer<()>>::new(waiting))
}

async fn among(
    home: &Arc<Home>,
    options: &Options,
    myself: &Myself,
    waiting: &watch::Sender<String>,
) -> Result<Settled, OpenError> {
    let name = Uuid::new_v4();
    let mut told = String::new();
    loop {
        let me = myself.is()?;
        let peers = introductions(options).await;
        match decide(&me, &peers, options.entry, &name.to_string()) {
            Decision::Found(plan) | Decision::Adopt(plan) => {
                myself.take_plan(&plan)?;
                hand_round(options, &plan, &me).await;
            }
            Decision::Initialise(plan) => {
                let me = plan.number_of(&me).unwrap_or_default();
                return found(home, cluster_of(&plan)?, me);
            }
            Decision::Start(id) => {
                let Found::Planned(plan) = home.look()? else { continue };
                return found(home, cluster_of(&plan)?, id);
            }
            Decision::Resume => {}
            Decision::Join { cluster, through } => {
                waiting.send_replace(format!("this replica is joining cluster {cluster} through {through}"));
                if let Some(Enrolled { identity, members }) = join(home, options, &me, &through).await? {
                    return Ok(Settled { identity, founders: None, members });
                }
                tokio::time::sleep(ROUND).await;
            }
            Decision::Wait(why) => {
                if why != told {
                    tracing::info!(why, "waiting to found the cluster");
                    waiting.send_replace(format!("the cluster is being founded; waiting: {why}"));
                    told = why;
                }
                myself.changed_or(ROUND).await;
            }
            Decision::Refuse(refusal) => return Err(OpenError::Founding(refusal)),
        }
    }
}

fn cluster_of(plan: &FoundingPlan) -> Result<Uuid, OpenError> {
    plan.cluster.parse().map_err(|_| OpenError::BadCluster(plan.cluster.clone()))
}

/// Who answers at the addresses of our peers, ourselves not counted twice.
async fn introductions(options: &Options) -> Vec<Introduction> {
    let addresses = options.peer_addresses().await;
    let credentials = options.credentials();
    let asked = join_all(addresses.iter().map(|address| introduce(address, &credentials, INTRODUCED_WITHIN))).await;
    let mut peers: Vec<Introduction> = Vec::new();
    for (address, answer) in addresses.iter().zip(asked) {
        match answer {
            Ok(Introduced { is, .. }) if peers.contains(&is) => {}
            Ok(Introduced { is, .. }) => peers.push(is),
            Err(fault) => tracing::debug!(address, %fault, "a peer did not introduce itself"),
        }
    }
    peers
}

/// Only makes it quicker: they would ask for it.
async fn hand_round(options: &Options, plan: &FoundingPlan, me: &Introduction) {
    let credentials = options.credentials();
    let others = plan.founders.values().filter(|founder| founder.store != me.store);
    let handed = others.map(|founder| hand_out(&founder.address, &credentials, plan, INTRODUCED_WITHIN));
    for fault in join_all(handed).await.into_iter().filter_map(Result::err) {
        tracing::debug!(%fault, "the plan was not taken yet");
    }
}
