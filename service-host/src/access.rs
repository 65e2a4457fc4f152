//! Who may call what of a server: a table in one place, and everything that is not in it is refused.
//!
//! The roles are those of certificates. A caller on plain text, which is loopback or the process itself, has shown the
//! services' token, which opens everything.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::identity::Role;

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever has a certificate with one of these roles.
    Roles(&'static [Role]),
    /// Everybody on an encrypted connection, with or without a certificate: for whoever has none yet.
    Anybody,
}

impl Who {
    /// Whether it is meant; `None`: a caller without a certificate.
    #[must_use]
    pub fn permits(self, role: Option<Role>) -> bool {
        match (self, role) {
            (Self::Anybody, _) => true,
            (Self::Roles(roles), Some(role)) => roles.contains(&role),
            (Self::Roles(_), None) => false,
        }
    }

    /// In words, for a refusal.
    fn needed(self) -> String {
        match self {
            Self::Anybody => "nothing".to_owned(),
            Self::Roles(roles) => {
                let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                format!("the role {}", names.join(" or "))
            }
        }
    }
}

/// A service, and who may call its methods.
#[derive(Debug)]
pub struct ServiceAccess {
    /// Its full name.
    pub service: &'static str,
    /// Its methods.
    pub methods: &'static [(&'static str, Who)],
}

/// All services of a server.
pub type AccessTable = &'static [ServiceAccess];

/// Served by every host: to whoever has a certificate.
const OWN: AccessTable = &[
    ServiceAccess {
        service: "grpc.health.v1.Health",
        methods: &[
            ("Check", Who::Roles(&Role::ALL)),
            ("List", Who::Roles(&Role::ALL)),
            ("Watch", Who::Roles(&Role::ALL)),
        ],
    },
    ServiceAccess {
        service: "grpc.reflection.v1.ServerReflection",
        methods: &[("ServerReflectionInfo", Who::Roles(&Role::ALL))],
    },
];

/// Who may call a path, as `/pm.v1.ProcessService/ListProcesses`; `None`: nobody.
#[must_use]
pub fn who(table: AccessTable, path: &str) -> Option<Who> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let found = table.iter().chain(OWN).find(|access| access.service == service)?;
    found.methods.iter().find(|(name, _)| *name == method).map(|(_, who)| *who)
}

/// Why a caller with this role may not call this path, if it may not.
pub(crate) fn refusal(table: AccessTable, path: &str, caller: &str, role: Option<Role>) -> Option<String> {
    let path_named = path.strip_prefix('/').unwrap_or(path);
    match who(table, path) {
        Some(who) if who.permits(role) => None,
        Some(who) => Some(format!("{path_named} needs a certificate with {}; the caller is {caller}", who.needed())),
        None => Some(format!("{path_named} is open to nobody here; the caller is {caller}")),
    }
}

/// A call that was refused because of who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCall {
    /// Who, as the audit log names it.
    pub actor: String,
    /// From where.
    pub source: Option<SocketAddr>,
    /// What was called, as `pm.v1.ProcessService/ListProcesses`.
    pub method: String,
}

/// Told of each refused call. It must not wait.
pub type OnRefusal = Arc<dyn Fn(RefusedCall) + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: AccessTable =
        &[ServiceAccess { service: "a.B", methods: &[("C", Who::Roles(&[Role::Gateway])), ("Open", Who::Anybody)] }];

    #[test]
    fn what_is_not_in_the_table_is_open_to_nobody() {
        let allowed = |path: &str, role| refusal(TABLE, path, "x", role).is_none();
        assert!(allowed("/a.B/C", Some(Role::Gateway)));
        for role in [Some(Role::Runner), Some(Role::Operator), None] {
            assert!(!allowed("/a.B/C", role), "{role:?}");
            assert!(allowed("/a.B/Open", role), "{role:?}");
        }
        for path in ["/a.B/D", "/a.B/", "/a.B", "a.B/C", "/a.C/C", "/", "", "/a.B/C/", "//C", "/a.B/c"] {
            assert!(!allowed(path, Some(Role::Gateway)), "{path}");
        }
        assert!(allowed("/grpc.health.v1.Health/Check", Some(Role::Runner)));
        assert!(!allowed("/grpc.health.v1.Health/Check", None));
    }
}
