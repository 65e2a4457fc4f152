//! What this replica is asked as a member: to enrol a replica that joins, and
//! how it fares.

use super::health::own_health;
use crate::api::{change_fault, changed_reply};
use crate::core::Core;
use crate::peers::{Attendant, FORWARDED};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::peer_service_client::PeerServiceClient;
use registry_consensus::ReplicaId;
use registry_domain::Order;
use registry_domain::members::Enroll;
use std::sync::{Arc, Weak};
use tonic::{Code, Request, Status};

/// Answers other members, as long as the registry is there.
pub(crate) struct Desk(pub(crate) Weak<Core>);

/// Who enrols replicas, in the audit log; the operator's word is `join`, or the flag that he gave.
const ACTOR: &str = "registry";

impl Attendant for Desk {
    fn enroll(
        &self,
        request: v1::EnrollMemberRequest,
        forwarded: bool,
        certificate: Option<String>,
    ) -> BoxFuture<'static, Result<v1::EnrollMemberResponse, Status>> {
        let core = self.0.upgrade();
        async move {
            let core = core.ok_or_else(crate::api::closing)?;
            // Who passes a request on has seen the certificate of whoever asks, and shows its own.
            if let Some(name) = certificate.filter(|_| !forwarded) {
                must_be_unbound(&core, &name, &request.store_id)?;
            }
            if core.consensus.standing().borrow().leads() {
                // It answers when the change is made; who asked may give up before.
                let task = tokio::spawn(async move { enroll(&core, request).await });
                return task.await.map_err(|_| crate::api::closing())?;
            }
            forward(&core, request, forwarded).await
        }
        .boxed()
    }

    fn status(&self) -> v1::GetReplicaStatusResponse {
        self.0.upgrade().map(|core| own_health(&core)).unwrap_or_default()
    }
}

/// A certificate that stands for another number would keep a replica out for
/// ever. It is told so before it has a number.
fn must_be_unbound(core: &Core, name: &str, store: &str) -> Result<(), Status> {
    let replicated = core.view.read();
    let other = replicated.state.members().values().find(|other| other.certificate == name && other.store != store);
    match other {
        None => Ok(()),
        Some(other) => {
            let text = format!(
                "the certificate registry/{name} is that of replica {}, and no other number is ever let in with it: start \
                 this replica with one whose name no replica had (`pmctl cluster issue`)",
                other.id
            );
            Err(status(Code::FailedPrecondition, reason::MEMBER_CHANGE_REFUSED, text, &[]))
        }
    }
}

async fn forward(
    core: &Arc<Core>,
    request: v1::EnrollMemberRequest,
    forwarded: bool,
) -> Result<v1::EnrollMemberResponse, Status> {
    let no_leader = || crate::api::no_leader(core);
    let leader = core.consensus.standing().borrow().leader;
    let leader = leader.filter(|_| !forwarded).ok_or_else(no_leader)?;
    let channel = core.links.channel(leader).map_err(|_| no_leader())?;
    let mut request = Request::new(request);
    request.metadata_mut().insert(FORWARDED, tonic::metadata::MetadataValue::from_static("1"));
    PeerServiceClient::new(channel).enroll_member(request).await.map(tonic::Response::into_inner)
}

async fn enroll(core: &Core, request: v1::EnrollMemberRequest) -> Result<v1::EnrollMemberResponse, Status> {
    let v1::EnrollMemberRequest { store_id, address, version, feature_level, votes } = request;
    // Its directory and its address are known to everybody from now on.
    store_id
        .parse::<uuid::Uuid>()
        .map_err(|_| crate::api::bad_field("store_id", "it is no UUID", "upgrade the replica"))?;
    crate::api::check_address("address", &address)?;
    let above = core.consensus.standing().borrow().members.all().last().map_or(0, |id| id.0);
    let level = u16::try_from(feature_level).unwrap_or(u16::MAX);
    let order = Order::Enroll(Enroll { store: store_id, address: address.clone(), version, level, votes, above });
    core.levels.permit(&order).await?;
    core.levels.takes(level)?;
    let id = ReplicaId(changed_reply(core.driver.note(ACTOR, order).await)?);
    core.book.set(id, &address);
    super::changes::add(core, id).await.map_err(|fault| change_fault(core, &fault))?;
    core.enrolled.notify_one();
    let fence = &core.links.identity().fence;
    let members = core.consensus.standing().borrow().members.all();
    let founder = |id: ReplicaId| (id.0, v1::Founder { address: core.address_of(id), store_id: String::new() });
    Ok(v1::EnrollMemberResponse {
        replica_id: id.0,
        cluster_id: fence.cluster.clone(),
        epoch: fence.epoch,
        members: members.into_iter().filter(|member| *member != id).map(founder).collect(),
    })
}
