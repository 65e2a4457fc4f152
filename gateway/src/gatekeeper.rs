//! Authentication: a Bearer token in, or an operator's certificate; a role
//! out. Decided before anything else about a request is looked at, so that a
//! refusal tells nothing.

use crate::access::Role;
use crate::visitor::{Peer, Visitor};
use http::{HeaderMap, header::AUTHORIZATION};
use pm_proto::error::{reason, status};
use service_host::secret::Secret;
use std::sync::Arc;
use tonic::{Code, Status};

/// Knows the tokens.
#[derive(Debug)]
pub(crate) struct Gatekeeper {
    admin: Secret,
    viewer: Option<Secret>,
}

impl Gatekeeper {
    pub(crate) fn new(admin: Secret, viewer: Option<Secret>) -> Self {
        Self { admin, viewer }
    }

    /// Who presents these headers, on a connection of this peer. A token that
    /// is sent counts, not the certificate beside it.
    pub(crate) fn admit(&self, headers: &HeaderMap, peer: &Peer) -> Result<Visitor, Status> {
        match &peer.operator {
            Some(name) if !headers.contains_key(AUTHORIZATION) => {
                Ok(Visitor { role: Role::Admin, peer: peer.address, operator: Some(Arc::clone(name)) })
            }
            Some(_) | None => Ok(Visitor { role: self.by_token(headers)?, peer: peer.address, operator: None }),
        }
    }

    fn by_token(&self, headers: &HeaderMap) -> Result<Role, Status> {
        let presented =
            bearer(headers).ok_or_else(|| refusal("send `authorization: Bearer TOKEN` with each request"))?;
        // Both are always compared: the time taken does not tell which one
        // was nearly right.
        let admin = self.admin.matches(presented);
        let viewer = self.viewer.as_ref().is_some_and(|secret| secret.matches(presented));
        if admin {
            Ok(Role::Admin)
        } else if viewer {
            Ok(Role::Viewer)
        } else {
            Err(refusal("the token is not one of this gateway's; `pmctl up` prints where its own is kept"))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn refusal(message: &str) -> Status {
    status(Code::Unauthenticated, reason::UNAUTHENTICATED, message, &[])
}

/// Refuses what the caller's role does not allow.
pub(crate) fn require(role: Role, needed: Role, what: &str) -> Result<(), Status> {
    if role.permits(needed) {
        return Ok(());
    }
    let message = format!("{what} needs the role {}; this token's role is {}", needed.actor(), role.actor());
    let metadata = [("role", role.actor()), ("needed", needed.actor())];
    Err(status(Code::PermissionDenied, reason::PERMISSION_DENIED, message, &metadata))
}

#[cfg(test)]
mod tests {
    use super::{AUTHORIZATION, HeaderMap, bearer};

    #[test]
    fn only_one_well_formed_bearer_header_is_a_token() {
        for (values, expected) in [
            (vec!["Bearer abc"], Some("abc")),
            (vec!["bearer abc"], Some("abc")),
            (vec!["Basic abc"], None),
            (vec!["Bearer "], None),
            (vec!["abc"], None),
            (vec!["Bearer abc", "Bearer def"], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers), expected, "{values:?}");
        }
    }
}
