//! Certificates of nodes: for those that were invited, and for those that have one already.

use super::status::bad_field;
use crate::core::Core;
use crate::identity::{MAX_TOKEN, Way, certify, hash, must_certify, not_invited, way};
use pm_proto::convert::timestamp_to_wire;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::node_identity_service_client::NodeIdentityServiceClient;
use pm_proto::v1::node_identity_service_server::NodeIdentityService;
use process_model::NodeName;
use registry_domain::invitations::{Admit, RUNNER};
use registry_domain::{Command, Header, Order, Refusal};
use service_host::identity::{Caller, Role, request_key};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

/// Bytes of a signing request; those of the usual keys have some hundred.
const MAX_REQUEST: usize = 16 << 10;
/// The method, as the audit log names it.
const JOIN: &str = "pm.v1.NodeIdentityService/JoinNode";

pub(super) struct Api(pub(super) Arc<Core>);

/// Where a call came from, as the door or the replica that passed it on has written it.
fn source(metadata: &MetadataMap) -> (String, Option<IpAddr>) {
    let said = metadata.get(pm_proto::metadata::SOURCE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    (said.to_owned(), said.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl Api {
    /// A token that is worth an entry in the log, and what it asks for.
    fn check(&self, body: &v1::JoinNodeRequest) -> Result<Admit, Status> {
        let node: NodeName = body.node.parse().map_err(|_| not_invited())?;
        if body.token.len() > MAX_TOKEN || body.signing_request.len() > MAX_REQUEST {
            return Err(not_invited());
        }
        let key = request_key(&body.signing_request).map_err(|error| {
            bad_field("signing_request", error.to_string(), "send a PKCS #10 signing request in DER")
        })?;
        Ok(Admit { hash: hash(&body.token), role: RUNNER.to_owned(), node, key })
    }

    async fn admit(&self, admit: Admit, source: &str) -> Result<(), Status> {
        let core = &self.0;
        core.read_barrier(false).await?;
        // Guesses are worth no entry in the log.
        if core.view.read().state.invited(&admit, core.now()).is_none() {
            return Err(not_invited());
        }
        let header = Header {
            actor: format!("node:{}", admit.node),
            source: source.to_owned(),
            time: core.now(),
            ..Header::default()
        };
        let order = Order::Admit(admit);
        core.levels.permit(&order).await?;
        match core.driver.propose(Command { header, order }, 0).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(Refusal::NotInvited)) => Err(not_invited()),
            Ok(Err(refusal)) => Err(super::status::refused(&refusal)),
            Err(error) => Err(super::status::not_proposed(&error)),
        }
    }
}

#[tonic::async_trait]
impl NodeIdentityService for Api {
    async fn join_node(&self, request: Request<v1::JoinNodeRequest>) -> Result<Response<v1::JoinNodeResponse>, Status> {
        let core = &self.0;
        let (source, address) = source(request.metadata());
        if !core.turnstile.pass(address, Instant::now()) {
            core.refusals.note_about("(no certificate)", &source, JOIN, &[]);
            let message = "too many tries to join; wait a minute";
            return Err(status(Code::ResourceExhausted, reason::TOO_MANY_TRIES, message, &[]));
        }
        let body = request.get_ref();
        if let Way::Leader(channel) = way(core, request.metadata())? {
            let request = Way::pass_on(request.metadata(), body.clone());
            let answer = NodeIdentityServiceClient::new(channel).join_node(request).await;
            if answer.is_ok() {
                core.turnstile.forget(address);
            }
            return answer;
        }
        let (_, identity) = must_certify(core)?;
        let admitted = match self.check(body) {
            Ok(admit) => self.admit(admit, &source).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = admitted {
            if refusal.code() == Code::PermissionDenied {
                let node: String = body.node.chars().take(64).collect();
                tracing::warn!(source, node, "a join token lets nobody in");
                core.refusals.note_about("(no certificate)", &source, JOIN, &[&node]);
            }
            return Err(refusal);
        }
        let node: NodeName = body.node.parse().map_err(|_| not_invited())?;
        core.turnstile.forget(address);
        let (signed, until) = certify(core, &node, &body.signing_request)?;
        Ok(Response::new(v1::JoinNodeResponse {
            certificate: signed.pem,
            ca: identity.ca_pem(),
            expire_time: Some(timestamp_to_wire(until)),
            registries: core.addresses(),
        }))
    }

    async fn renew_certificate(
        &self,
        request: Request<v1::RenewCertificateRequest>,
    ) -> Result<Response<v1::RenewCertificateResponse>, Status> {
        let core = &self.0;
        let caller = Caller::of(&request);
        let body = request.get_ref();
        let said = match (caller.name_as(Role::Runner), caller.role()) {
            (Some(own), _) if body.node.is_empty() || body.node == own => own.to_owned(),
            // It has seen the runner's own certificate.
            (None, Some(Role::Registry)) => body.node.clone(),
            (Some(_) | None, _) => {
                let (source, _) = source(request.metadata());
                let method = "pm.v1.NodeIdentityService/RenewCertificate";
                core.refusals.note_about(&caller.actor(), &source, method, &[&body.node]);
                let message = format!("{} may not have a certificate of node {:?}", caller.actor(), body.node);
                return Err(service_host::identity::denied(&message, &[]));
            }
        };
        let node: NodeName = said.parse().map_err(|error: process_model::InvalidName| {
            bad_field("node", error.to_string(), "use the certificate of a node")
        })?;
        if let Way::Leader(channel) = way(core, request.metadata())? {
            let request = Way::pass_on(request.metadata(), v1::RenewCertificateRequest { node: said, ..body.clone() });
            return NodeIdentityServiceClient::new(channel).renew_certificate(request).await;
        }
        let (_, identity) = must_certify(core)?;
        if body.signing_request.len() > MAX_REQUEST {
            let problem = format!("it has {} bytes", body.signing_request.len());
            return Err(bad_field("signing_request", problem, "send a PKCS #10 signing request in DER"));
        }
        request_key(&body.signing_request).map_err(|error| {
            bad_field("signing_request", error.to_string(), "send a PKCS #10 signing request in DER")
        })?;
        // A leader that was replaced must not certify whom its successor has removed.
        core.read_barrier(false).await?;
        if !core.view.read().state.nodes().contains_key(&node) {
            let message =
                format!("node {node} is not known, or not any more; invite it with `pmctl nodes join-command`");
            return Err(service_host::identity::denied(&message, &[("node", node.as_str())]));
        }
        let (signed, until) = certify(core, &node, &body.signing_request)?;
        Ok(Response::new(v1::RenewCertificateResponse {
            certificate: signed.pem,
            ca: identity.ca_pem(),
            expire_time: Some(timestamp_to_wire(until)),
        }))
    }
}
