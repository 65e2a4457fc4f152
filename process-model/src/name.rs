//! Names: checked once, then trusted. They become file names, environment
//! values and URL segments, so nothing that means something there is allowed.

use crate::parsed::parsed;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Longest name in bytes: a DNS label, so that a name fits everywhere.
const MAX_LEN: usize = 63;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no valid name: {fault}; use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit")]
pub struct InvalidName {
    /// The refused text, cut to a printable length.
    pub value: String,
    /// What is wrong with it.
    pub fault: &'static str,
}

pub(crate) fn check(value: &str) -> Result<(), InvalidName> {
    let fault = if value.is_empty() {
        "it is empty"
    } else if value.len() > MAX_LEN {
        "it is longer than 63 bytes"
    } else if !value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "it does not begin with a letter or digit"
    } else if !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        "it contains a character that is not allowed"
    } else {
        return Ok(());
    };
    Err(InvalidName { value: value.chars().take(80).collect(), fault })
}

/// A type whose values are checked names.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::parsed::parsed(deserializer)
            }
        }

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::InvalidName;
            fn from_str(s: &str) -> Result<Self, $crate::InvalidName> {
                $crate::name::check(s)?;
                Ok(Self(s.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::InvalidName;
            fn try_from(s: String) -> Result<Self, $crate::InvalidName> {
                s.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

pub(crate) use name_type;

name_type! {
    /// Name of a process: unique in the cluster.
    ProcessName
}

name_type! {
    /// Name of a node: unique in the cluster, by default the host's name.
    NodeName
}

/// Id of an instance: its process and its number from 1, as `web-1`.
///
/// Ordered by process, then by number (`web-2` before `web-10`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// The process.
    pub process: ProcessName,
    /// The number, from 1.
    pub index: u32,
}

impl InstanceId {
    /// The id of instance `index` (from 1) of `process`.
    #[must_use]
    pub fn new(process: ProcessName, index: u32) -> Self {
        Self { process, index }
    }

    /// Where the ids of the instances of a process are among others, in their order.
    #[must_use]
    pub fn all_of(process: &ProcessName) -> RangeInclusive<Self> {
        Self::new(process.clone(), 0)..=Self::new(process.clone(), u32::MAX)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.process, self.index))
    }
}

/// Why a text is no instance id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no instance id; write PROCESS-NUMBER, as web-1")]
pub struct InvalidInstanceId(pub String);

impl FromStr for InstanceId {
    type Err = InvalidInstanceId;
    fn from_str(s: &str) -> Result<Self, InvalidInstanceId> {
        let fault = || InvalidInstanceId(s.chars().take(80).collect());
        let (process, index) = s.rsplit_once('-').ok_or_else(fault)?;
        // One spelling only: `web-01` and `web-+1` would be two names of one instance.
        if index.is_empty() || index.starts_with('0') || !index.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fault());
        }
        Ok(Self { process: process.parse().map_err(|_| fault())?, index: index.parse().map_err(|_| fault())? })
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_elsewhere_are_refused() {
        for bad in ["", ".", "../x", "a/b", "-a", "a b", "ä", "a\0", "a\n", &"x".repeat(64)] {
            assert!(bad.parse::<ProcessName>().is_err(), "{bad:?} was accepted");
        }
        for good in ["a", "WebServer", "web-1", "a.b_c-9", &"x".repeat(63)] {
            assert!(good.parse::<ProcessName>().is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn instance_ids_read_back_as_written_and_have_one_spelling() {
        let id: InstanceId = "web-api-12".parse().unwrap();
        assert_eq!((id.process.as_str(), id.index), ("web-api", 12));
        assert_eq!(id.to_string(), "web-api-12");
        for bad in ["web", "web-", "web-0", "web-01", "web-+1", "-1", "web-99999999999"] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn instances_are_ordered_by_number_not_by_text() {
        let (two, ten): (InstanceId, InstanceId) = ("web-2".parse().unwrap(), "web-10".parse().unwrap());
        assert!(two < ten);
    }
}
