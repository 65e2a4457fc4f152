//! The name in a certificate: `spiffe://CLUSTER/ROLE/NAME`, the only URI among its subject alternative names (SPIFFE ID and
//! X.509-SVID specifications, <https://spiffe.io/docs/latest/spiffe-specs/>).

use std::fmt;
use std::str::FromStr;

/// What a part of the cluster is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A replica of the registry.
    Registry,
    /// The public door.
    Gateway,
    /// The monitor.
    Monitor,
    /// The runner of a node; its name is the node's.
    Runner,
    /// A person, or a program of one.
    Operator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Registry, Self::Gateway, Self::Monitor, Self::Runner, Self::Operator];

    /// The word in a certificate.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Gateway => "gateway",
            Self::Monitor => "monitor",
            Self::Runner => "runner",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidSpiffeId;

    fn from_str(text: &str) -> Result<Self, InvalidSpiffeId> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| InvalidSpiffeId {
            text: text.to_owned(),
            problem: "is no role; write registry, gateway, monitor, runner or operator",
        })
    }
}

/// Who holds a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    cluster: String,
    role: Role,
    name: String,
}

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {problem}")]
pub struct InvalidSpiffeId {
    /// The text.
    pub text: String,
    /// What is wrong with it, and what is right.
    pub problem: &'static str,
}

/// Longest name of a cluster; that of a host has as many.
const MAX_NAME: usize = 253;

impl SpiffeId {
    /// Of a cluster, a role and a name.
    ///
    /// # Errors
    /// A name has other characters than letters, digits, `.`, `_` and `-`, or none, or more than 253.
    pub fn new(cluster: &str, role: Role, name: &str) -> Result<Self, InvalidSpiffeId> {
        for (text, problem) in [
            (cluster, "is no name of a cluster; write 1 to 253 letters, digits, dots, underscores or hyphens"),
            (name, "is no name for a certificate; write 1 to 253 letters, digits, dots, underscores or hyphens"),
        ] {
            if !is_name(text) {
                return Err(InvalidSpiffeId { text: text.to_owned(), problem });
            }
        }
        Ok(Self { cluster: cluster.to_owned(), role, name: name.to_owned() })
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The name within the role.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the audit log and refusals name whoever it is: `ROLE:NAME`.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("{}:{}", self.role, self.name)
    }
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(plain) && text != "." && text != ".."
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/{}/{}", self.cluster, self.role, self.name)
    }
}

impl FromStr for SpiffeId {
    type Err = InvalidSpiffeId;

    fn from_str(text: &str) -> Result<Self, InvalidSpiffeId> {
        let refused = || InvalidSpiffeId { text: text.to_owned(), problem: "is not spiffe://CLUSTER/ROLE/NAME" };
        let mut parts = text.strip_prefix("spiffe://").ok_or_else(refused)?.split('/');
        let (Some(cluster), Some(role), Some(name), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        Self::new(cluster, role.parse()?, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_it_is_read() {
        let text = "spiffe://prod.example/runner/node-a";
        let id: SpiffeId = text.parse().unwrap();
        assert_eq!((id.cluster(), id.role(), id.name()), ("prod.example", Role::Runner, "node-a"));
        assert_eq!((id.to_string().as_str(), id.actor().as_str()), (text, "runner:node-a"));
    }

    #[test]
    fn nothing_else_than_cluster_role_and_name_is_an_id() {
        for bad in [
            "",
            "spiffe://a/runner",
            "spiffe://a/runner/b/c",
            "spiffe://a/runner/",
            "spiffe:///runner/b",
            "spiffe://a/admin/b",
            "spiffe://a/Runner/b",
            "https://a/runner/b",
            "spiffe://a/runner/..",
            "spiffe://a/runner/b%2fc",
            "spiffe://a/runner/b c",
            "SPIFFE://a/runner/b",
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad}");
        }
        assert!(SpiffeId::new(&"a".repeat(254), Role::Runner, "b").is_err());
    }
}
