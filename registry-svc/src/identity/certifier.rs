//! What the leader signs: certificates of runners, for keys that stay where they are.

use crate::core::Core;
use pm_proto::error::{reason, status};
use process_model::{NodeName, Timestamp};
use registry_domain::Refusal;
use service_host::identity::{Authority, Identity, Role, Signed, SpiffeId};
use std::time::UNIX_EPOCH;
use tonic::{Code, Status};

/// The CA, and who this replica is under it.
pub(crate) fn must_certify(core: &Core) -> Result<(&Authority, &Identity), Status> {
    match (&core.options.authority, &core.options.identity) {
        (Some(authority), Some(identity)) => Ok((authority, identity)),
        (None, _) | (_, None) => {
            let message = "this registry certifies no nodes: give its replicas --tls-ca-key FILE, or make the node's \
                           certificate with your own CA (docs/security.md)";
            Err(status(Code::FailedPrecondition, reason::NO_AUTHORITY, message, &[]))
        }
    }
}

/// A certificate for a node's key.
pub(crate) fn certify(core: &Core, node: &NodeName, request: &[u8]) -> Result<(Signed, Timestamp), Status> {
    let (authority, identity) = must_certify(core)?;
    let id = SpiffeId::new(identity.id().cluster(), Role::Runner, node.as_str());
    let id = id.map_err(|error| crate::api::bad_field("node", error.to_string(), "choose another name"))?;
    let signed = authority.sign(request, &id, core.options.node_certificate_life).map_err(|error| {
        tracing::error!(%error, %node, "a certificate was not signed");
        status(Code::Internal, reason::INTERNAL, "the certificate could not be signed", &[])
    })?;
    let until = signed.until.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    tracing::info!(%id, "certified a node");
    Ok((signed, Timestamp(i64::try_from(until).unwrap_or(i64::MAX))))
}

/// What whoever may not join is told, whatever is wrong.
pub(crate) fn not_invited() -> Status {
    status(Code::PermissionDenied, reason::PERMISSION_DENIED, Refusal::NotInvited.to_string(), &[])
}
