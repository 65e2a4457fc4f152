//! [`Endpoints`]: where the replicas of one service are.
//!
//! Enters: `http://HOST:PORT` or, encrypted, `https://HOST:PORT`, several with commas between. Leaves: at least one, each
//! once, each spelt one way; or an error that names the item and says how to write it. Decides nothing about who is asked first.

use std::fmt;
use std::str::FromStr;

use super::{Dial, TransportError};
use crate::identity::Secured;

/// Addresses in one list. A registry has at most five replicas and there are never many gateways; more is a mistake.
pub const MAX_ENDPOINTS: usize = 16;

/// Addresses of one service, in the order in which they were given. At least one, none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(Vec<String>);

/// Why a list of addresses is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointsError {
    /// Nothing between two commas, or nothing at all.
    #[error("address {place} is empty; write http://HOST:PORT, several with commas between")]
    Empty {
        /// Its place in the list, from 1.
        place: usize,
    },
    /// Not an address.
    #[error("{item:?} (address {place}) {problem}; write it as http://HOST:PORT")]
    Item {
        /// What was given.
        item: String,
        /// Its place in the list, from 1.
        place: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Some are encrypted, and others are not.
    #[error("{item:?} is of another kind than the others: write http:// everywhere, or https://")]
    Mixed {
        /// The first that differs.
        item: String,
    },
    /// An address twice.
    #[error("{item:?} is there twice; name each address once")]
    Twice {
        /// Which.
        item: String,
    },
    /// More than [`MAX_ENDPOINTS`].
    #[error("{count} addresses are given; name at most {MAX_ENDPOINTS}")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl Endpoints {
    /// The addresses, in their order.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.0
    }

    /// Whether they are to be reached by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.first().is_some_and(|address| is_tls(address))
    }

    /// How to reach them with TLS.
    ///
    /// # Errors
    /// They are `http://`.
    pub fn secured(&self, secured: Secured) -> Result<Dial, TransportError> {
        match self.0.iter().find(|address| !is_tls(address)) {
            Some(address) => Err(TransportError::PlainText { address: address.clone() }),
            None => Ok(Dial::Tls(self.clone(), secured)),
        }
    }

    /// How to reach them without.
    ///
    /// # Errors
    /// They are `https://`.
    pub fn plain(&self) -> Result<Dial, TransportError> {
        match self.0.iter().find(|address| is_tls(address)) {
            Some(address) => Err(TransportError::NeedsCertificate { address: address.clone() }),
            None => Ok(self.dial()),
        }
    }

    /// How to reach them in plain text: one address is dialled plainly, since nobody else could answer in its place.
    #[must_use]
    pub fn dial(&self) -> Dial {
        match self.0.as_slice() {
            [one] => Dial::Tcp(one.clone()),
            _ => Dial::Cluster(self.clone()),
        }
    }
}

impl FromStr for Endpoints {
    type Err = EndpointsError;

    fn from_str(list: &str) -> Result<Self, EndpointsError> {
        let count = list.split(',').count();
        if count > MAX_ENDPOINTS {
            return Err(EndpointsError::TooMany { count });
        }
        let mut addresses: Vec<String> = Vec::with_capacity(count);
        for (at, item) in list.split(',').map(str::trim).enumerate() {
            let place = at + 1;
            if item.is_empty() {
                return Err(EndpointsError::Empty { place });
            }
            let address =
                address(item).map_err(|problem| EndpointsError::Item { item: item.to_owned(), place, problem })?;
            if addresses.first().is_some_and(|first| is_tls(first) != is_tls(&address)) {
                return Err(EndpointsError::Mixed { item: item.to_owned() });
            }
            if addresses.contains(&address) {
                return Err(EndpointsError::Twice { item: item.to_owned() });
            }
            addresses.push(address);
        }
        Ok(Self(addresses))
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// Whether an address asks for TLS.
pub(super) fn is_tls(address: &str) -> bool {
    address.starts_with("https://")
}

/// One address in the one way that it is compared by; or what is wrong with it.
pub(super) fn address(text: &str) -> Result<String, &'static str> {
    let (scheme, bare) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(bare), _) => ("http", bare),
        (None, Some(bare)) => ("https", bare),
        (None, None) => return Err("does not begin with http:// or https://"),
    };
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    let (host, port) = bare.rsplit_once(':').ok_or("has no port")?;
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
    };
    if !is_host {
        return Err("has no proper host");
    }
    match port.parse::<u16>() {
        Ok(1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(format!("{scheme}://{}:{}", host.to_ascii_lowercase(), port.trim_start_matches('0')))
        }
        Ok(_) | Err(_) => Err("has no port between 1 and 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<Vec<String>, EndpointsError> {
        list.parse::<Endpoints>().map(|endpoints| endpoints.addresses().to_vec())
    }

    #[test]
    fn a_list_keeps_its_order_and_each_address_has_one_spelling() {
        let list = read("http://B.example:7481, http://[::1]:7481/,http://10.0.0.1:80").unwrap();
        assert_eq!(list, ["http://b.example:7481", "http://[::1]:7481", "http://10.0.0.1:80"]);
        let again: Endpoints = "http://a:1,http://b:2".parse().unwrap();
        assert_eq!(again.to_string(), "http://a:1,http://b:2");
    }

    #[test]
    fn a_bad_list_is_refused_with_the_item_and_how_to_write_it() {
        for (list, item) in [
            ("http://a:1,b:2", "\"b:2\" (address 2)"),
            ("http://a", "\"http://a\" (address 1)"),
            ("http://a:0", "http://a:0"),
            ("http://a:70000", "http://a:70000"),
            ("http://a:+1", "http://a:+1"),
            ("http://:1", "http://:1"),
            ("http://u@a:1", "http://u@a:1"),
            ("http://a:1/x", "http://a:1/x"),
            ("http://[::1:1", "http://[::1:1"),
            ("http://a b:1", "http://a b:1"),
            ("ftp://a:1", "ftp://a:1"),
        ] {
            let error = read(list).unwrap_err().to_string();
            assert!(error.contains(item) && error.contains("http://HOST:PORT"), "{list}: {error}");
        }
        let mixed = read("http://a:1,https://b:1").unwrap_err();
        assert!(matches!(&mixed, EndpointsError::Mixed { item } if item == "https://b:1"), "{mixed}");
        assert_eq!(read("https://A:01/").unwrap(), ["https://a:1"]);
        for list in ["", " ", "http://a:1,", ",http://a:1"] {
            assert!(matches!(read(list), Err(EndpointsError::Empty { .. })), "{list:?}");
        }
        let twice = read("http://a:1,http://A:01/").unwrap_err().to_string();
        assert!(twice.contains("http://A:01/") && twice.contains("twice"), "{twice}");
        let many = (1..=17).map(|n| format!("http://a:{n}")).collect::<Vec<_>>().join(",");
        assert!(matches!(read(&many), Err(EndpointsError::TooMany { count: 17 })));
    }

    #[test]
    fn one_address_is_dialled_plainly_and_several_as_a_cluster() {
        assert!(matches!("http://a:1".parse::<Endpoints>().unwrap().dial(), Dial::Tcp(a) if a == "http://a:1"));
        assert!(matches!("http://a:1,http://b:1".parse::<Endpoints>().unwrap().dial(), Dial::Cluster(_)));
    }
}
