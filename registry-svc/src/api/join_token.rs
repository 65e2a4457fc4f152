//! Invitations: a token is made here, shown once, and known by its hash from then on.

use super::request::Mutation;
use super::status::bad_field;
use crate::core::Core;
use crate::identity::{Way, hash, must_certify, new_token, way};
use pm_proto::convert::{duration_from_wire, timestamp_to_wire};
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::join_token_service_client::JoinTokenServiceClient;
use pm_proto::v1::join_token_service_server::JoinTokenService;
use process_model::{NodeName, Timestamp};
use registry_domain::Order;
use registry_domain::invitations::{Invite, RUNNER};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Code, Request, Response, Status};

/// How long a token is good, if nothing else is said.
const USUAL: Duration = Duration::from_secs(3600);
/// How long at most: what lies about for longer is found by somebody else.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long at least: somebody has to carry it over.
const SHORTEST: Duration = Duration::from_secs(1);

pub(super) struct Api(pub(super) Arc<Core>);

#[tonic::async_trait]
impl JoinTokenService for Api {
    async fn create_join_token(
        &self,
        request: Request<v1::CreateJoinTokenRequest>,
    ) -> Result<Response<v1::CreateJoinTokenResponse>, Status> {
        let core = &self.0;
        let body = request.get_ref();
        let node = (!body.node.is_empty()).then(|| body.node.parse::<NodeName>()).transpose();
        let node = node.map_err(|error| bad_field("node", error.to_string(), "write a node's name"))?;
        let ttl = body.ttl.as_ref().map(|ttl| duration_from_wire("ttl", ttl)).transpose()?.unwrap_or(USUAL);
        if !(SHORTEST..=LONGEST).contains(&ttl) {
            let problem = format!("{} s is out of range", ttl.as_secs());
            return Err(bad_field("ttl", problem, "write 1s to 24h"));
        }
        let mutation = Mutation::new("invite-node", &request, "", &body.reason)?;
        if let Way::Leader(channel) = way(core, request.metadata())? {
            let request = Way::pass_on(request.metadata(), body.clone());
            return JoinTokenServiceClient::new(channel).create_join_token(request).await;
        }
        let (_, identity) = must_certify(core)?;
        let token = new_token().map_err(|error| {
            tracing::error!(%error, "no join token");
            status(Code::Internal, reason::INTERNAL, "the token could not be made", &[])
        })?;
        let order = Order::Invite(Invite { hash: hash(token.expose()), role: RUNNER.to_owned(), node, ttl });
        core.levels.permit(&order).await?;
        let now = core.now();
        // Not under the call's request id: the answer to a repeated one could not show the token again.
        mutation.without_request_id().run(core, order).await?;
        let end = now.0.saturating_add(i64::try_from(ttl.as_nanos()).unwrap_or(i64::MAX));
        Ok(Response::new(v1::CreateJoinTokenResponse {
            token: token.expose().to_owned(),
            expire_time: Some(timestamp_to_wire(Timestamp(end))),
            ca_fingerprint: identity.ca_fingerprint(),
            registries: core.addresses(),
        }))
    }
}
