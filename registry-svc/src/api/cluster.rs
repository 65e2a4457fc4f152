//! The cluster as this replica sees it, as all of them see it, and changes of
//! its members. A change is the leader's: another replica passes it on.

use super::request::{Mutation, check_text};
use super::status::{bad_field, change_fault, closing, no_leader};
use crate::cluster::{ChangeFault, Changed, carry_out, check, health};
use crate::core::Core;
use crate::peers::FORWARDED;
use pm_proto::v1;
use pm_proto::v1::cluster_service_client::ClusterServiceClient;
use pm_proto::v1::cluster_service_server::ClusterService;
use registry_consensus::{HandOverEnd, ReplicaId};
use registry_domain::Order;
use registry_domain::members::MemberNote;
use registry_quorum::members::Change;
use service_host::client::ServiceChannel;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

/// So long whoever handed over waits for the next leader to show.
const SUCCESSOR: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Api(pub(super) Arc<Core>);

/// A request as it came, to be passed on.
struct Came<M> {
    metadata: MetadataMap,
    message: M,
}

impl<M: Clone> Came<M> {
    fn of(request: &Request<M>) -> Self {
        Self { metadata: request.metadata().clone(), message: request.get_ref().clone() }
    }
}

impl Api {
    fn leads(&self) -> bool {
        self.0.consensus.standing().borrow().leads()
    }

    /// The way to the leader, and the request as it goes there; once only, so that no two pass it to each other.
    async fn leader<M>(&self, came: Came<M>) -> Result<(ClusterServiceClient<ServiceChannel>, Request<M>), Status> {
        let core = &self.0;
        if came.metadata.contains_key(FORWARDED) {
            return Err(no_leader(core));
        }
        let me = core.links.identity().id();
        let mut standing = core.consensus.standing();
        let other = standing.wait_for(|standing| standing.leader.is_some_and(|leader| leader != me));
        let leader = tokio::time::timeout(SUCCESSOR, other).await.ok().and_then(|found| found.ok()?.leader);
        let channel = leader.and_then(|leader| core.links.channel(leader).ok()).ok_or_else(|| no_leader(core))?;
        let mut request = Request::new(came.message);
        *request.metadata_mut() = came.metadata;
        request.metadata_mut().remove("authorization");
        request.metadata_mut().insert(FORWARDED, MetadataValue::from_static("1"));
        Ok((ClusterServiceClient::new(channel), request))
    }

    /// Checks, writes down who wants it, and does it, or that it was refused; on a task of its own, as the caller may give
    /// up in the middle.
    async fn change(&self, change: Change, mutation: Mutation, note: MemberNote) -> Result<Changed, ChangeFault> {
        let core = self.0.clone();
        let task = tokio::spawn(async move {
            let (method, targets) = (note.command.clone(), note.targets.clone());
            let changing = async {
                check(&core, change).await?;
                let header = mutation.header(&core);
                core.driver.propose(mutation.command(&core, Order::MemberNote(note)), 0).await??;
                carry_out(&core, change, &header).await
            };
            let changed = changing.await;
            if let Err(fault @ ChangeFault::Refused(_)) = &changed {
                mutation.note_refusal(&core, &method, &targets, &change_fault(&core, fault)).await;
            }
            changed
        });
        task.await.unwrap_or(Err(ChangeFault::Proposal(crate::driver::ProposeError::Closing)))
    }

    /// Every replica has to know what is written down about members.
    async fn permit(&self, note: &MemberNote) -> Result<(), Status> {
        self.0.levels.permit(&Order::MemberNote(note.clone())).await
    }

    fn note(&self, command: &str, ids: &[u64]) -> MemberNote {
        let above = self.0.consensus.standing().borrow().members.all().last().map_or(0, |id| id.0);
        MemberNote { command: command.to_owned(), targets: ids.iter().map(ToString::to_string).collect(), above }
    }

    fn refused(&self, fault: &ChangeFault) -> Status {
        change_fault(&self.0, fault)
    }
}

/// A number of a replica; 0 means that none was given.
fn number(field: &str, id: u64) -> Result<ReplicaId, Status> {
    if id == 0 {
        return Err(bad_field(
            field,
            "it is missing",
            "send the number of a replica; `pmctl cluster members` lists them",
        ));
    }
    Ok(ReplicaId(id))
}

fn ids(changed: &Changed) -> Vec<u64> {
    changed.voters.iter().map(|id| id.0).collect()
}

fn advice(changed: &Changed) -> String {
    changed.advice.map(|advice| advice.to_string()).unwrap_or_default()
}

#[tonic::async_trait]
impl ClusterService for Api {
    async fn get_cluster_status(
        &self,
        _request: Request<v1::GetClusterStatusRequest>,
    ) -> Result<Response<v1::GetClusterStatusResponse>, Status> {
        let standing = self.0.consensus.standing().borrow().clone();
        let reached = self.0.consensus.reached();
        let machine = self.0.view.read();
        let members = standing.members.all().into_iter().map(|id| v1::ClusterMember {
            id: id.0,
            address: self.0.address_of(id),
            voter: standing.members.voters.contains(id),
        });
        Ok(Response::new(v1::GetClusterStatusResponse {
            id: standing.me.0,
            leader_id: standing.leader.map_or(0, |leader| leader.0),
            term: standing.term,
            last_log_index: reached.last.map_or(0, |at| at.index),
            applied_index: reached.applied.map_or(0, |at| at.index),
            revision: machine.state.revision(),
            members: members.collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster_id: machine.state.meta().cluster_id.clone(),
        }))
    }

    async fn get_cluster_health(
        &self,
        _request: Request<v1::GetClusterHealthRequest>,
    ) -> Result<Response<v1::GetClusterHealthResponse>, Status> {
        Ok(Response::new(health(&self.0).await))
    }

    async fn join_member(
        &self,
        request: Request<v1::JoinMemberRequest>,
    ) -> Result<Response<v1::JoinMemberResponse>, Status> {
        let body = request.get_ref();
        let new = number("id", body.id)?;
        let (change, note) = match body.replaces_id {
            0 => (Change::Promote(new), self.note("join-member", &[body.id])),
            old => (Change::Replace { old: ReplicaId(old), new }, self.note("replace-member", &[old, body.id])),
        };
        let mutation = Mutation::new("join-member", &request, &body.request_id, &body.reason)?;
        let came = Came::of(&request);
        if self.leads() {
            self.permit(&note).await?;
            match self.change(change, mutation, note).await {
                Ok(changed) => {
                    let (voter_ids, advice) = (ids(&changed), advice(&changed));
                    return Ok(Response::new(v1::JoinMemberResponse { voter_ids, advice }));
                }
                Err(ChangeFault::NotLeader) => {}
                Err(fault) => return Err(self.refused(&fault)),
            }
        }
        let (mut leader, request) = self.leader(came).await?;
        leader.join_member(request).await
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        let body = request.get_ref();
        let id = number("id", body.id)?;
        let mutation = Mutation::new("remove-member", &request, &body.request_id, &body.reason)?;
        let came = Came::of(&request);
        if self.leads() {
            let note = self.note("remove-member", &[id.0]);
            self.permit(&note).await?;
            match self.change(Change::Remove(id), mutation, note).await {
                Ok(changed) => {
                    let (voter_ids, advice) = (ids(&changed), advice(&changed));
                    return Ok(Response::new(v1::RemoveMemberResponse { voter_ids, advice }));
                }
                Err(ChangeFault::NotLeader) => {}
                Err(fault) => return Err(self.refused(&fault)),
            }
        }
        let (mut leader, request) = self.leader(came).await?;
        leader.remove_member(request).await
    }

    async fn transfer_leadership(
        &self,
        request: Request<v1::TransferLeadershipRequest>,
    ) -> Result<Response<v1::TransferLeadershipResponse>, Status> {
        let body = request.get_ref();
        let to = Some(ReplicaId(body.id)).filter(|id| id.0 != 0);
        check_text("request_id", &body.request_id, 128)?;
        let core = &self.0;
        if !self.leads() {
            let (mut leader, request) = self.leader(Came::of(&request)).await?;
            return leader.transfer_leadership(request).await;
        }
        let me = core.links.identity().id();
        if to == Some(me) {
            return Ok(Response::new(v1::TransferLeadershipResponse { leader_id: me.0 }));
        }
        let voters = core.consensus.standing().borrow().members.voters.target();
        if let Some(to) = to.filter(|to| !voters.contains(to)) {
            let fix = "name a voter; `pmctl cluster members` lists them";
            return Err(bad_field("id", format!("replica {to} is no voter"), fix));
        }
        let mutation = Mutation::new("transfer-leadership", &request, &body.request_id, &body.reason)?;
        let note = self.note("transfer-leadership", &to.map(|to| to.0).into_iter().collect::<Vec<_>>());
        self.permit(&note).await?;
        let noted = core.driver.propose(mutation.command(core, Order::MemberNote(note)), 0).await;
        noted
            .map_err(ChangeFault::from)
            .and_then(|noted| noted.map_err(ChangeFault::from))
            .map_err(|f| self.refused(&f))?;
        match core.consensus.hand_over(to).await {
            HandOverEnd::Done | HandOverEnd::NotLeading => {}
            end @ (HandOverEnd::NoHeir | HandOverEnd::Refused(_) | HandOverEnd::TimedOut(_)) => {
                return Err(self.refused(&ChangeFault::Stays(end)));
            }
        }
        let mut standing = core.consensus.standing();
        let next = standing.wait_for(|standing| standing.leader.is_some_and(|leader| leader != me));
        let next = tokio::time::timeout(SUCCESSOR, next).await.map_err(|_| no_leader(core))?;
        let leader_id = next.map_err(|_| closing())?.leader.map_or(0, |leader| leader.0);
        Ok(Response::new(v1::TransferLeadershipResponse { leader_id }))
    }
}
