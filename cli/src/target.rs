//! Where the service is, and which token goes there.
//!
//! Endpoint, or several of the same service: `--endpoint` > `PM_ENDPOINT` > `up.json` > `http://127.0.0.1:7480`.
//! Token: `--token-file` > `PM_TOKEN_FILE` > that of a running `pmctl up` > that of the packages' services, for whoever may
//! read it > the state folder's.
//! With an operator's certificate (`--tls-dir`) and an `https://` endpoint none is needed.
//! A token that was merely found never leaves this machine.

use crate::error::Failure;
use crate::exit::Exit;
use crate::state_dir::StateDir;
use crate::up_record::UpRecord;
use service_host::transport::{Endpoints, NobodyAnswers};
use std::fs::File;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// Where the gateway listens unless somebody says otherwise.
pub const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:7480";

/// Who said where the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The flag or the environment.
    Asked,
    /// The record of a running `pmctl up`.
    Found,
    /// The record of a `pmctl up` that has ended without removing it.
    Stale(u32),
    /// Nobody.
    Default,
}

/// Where to call, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The gateways; whichever answers is asked.
    pub endpoints: Endpoints,
    /// Who said so.
    pub origin: Origin,
    /// The token's file; `None` when there is none.
    pub token_file: Option<PathBuf>,
    /// The CA of encrypted endpoints.
    pub ca: Option<PathBuf>,
    /// An operator's certificate.
    pub tls_dir: Option<PathBuf>,
}

/// What the command line and the environment say.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// `--endpoint` or `PM_ENDPOINT`: one, or several with commas between.
    pub endpoint: Option<String>,
    /// `--token-file` or `PM_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// `--ca` or `PM_CA_FILE`.
    pub ca: Option<PathBuf>,
    /// `--tls-dir` or `PM_OPERATOR_TLS_DIR`.
    pub tls_dir: Option<PathBuf>,
}

impl Target {
    /// Decides where to call. `record`: what `up.json` says, and whether its
    /// process lives.
    ///
    /// # Errors
    /// The wished endpoint is none.
    pub fn discover(wish: &Wish, record: Option<(&UpRecord, bool)>, state: &StateDir) -> Result<Self, Failure> {
        let (list, origin) = match (&wish.endpoint, record) {
            (Some(endpoint), _) => (endpoint.as_str(), Origin::Asked),
            (None, Some((record, true))) => (record.endpoint.as_str(), Origin::Found),
            (None, Some((record, false))) => (DEFAULT_ENDPOINT, Origin::Stale(record.identity.pid)),
            (None, None) => (DEFAULT_ENDPOINT, Origin::Default),
        };
        let endpoints = endpoints(list)?;
        let recorded = |lives: bool| {
            let record = record.filter(|(_, alive)| *alive == lives);
            record.map(|(record, _)| record.token_file.clone()).filter(|path| path.exists())
        };
        // What one of these left behind does not hide the services of this machine.
        let system = || Some(state.system_token().to_owned()).filter(|path| File::open(path).is_ok());
        let own = || recorded(false).or_else(|| Some(state.token()).filter(|path| path.exists()));
        let found = || recorded(true).or_else(system).or_else(own);
        let token_file = match &wish.token_file {
            Some(path) => Some(path.clone()),
            // The certificate says who it is.
            None if wish.tls_dir.is_some() && endpoints.is_tls() => None,
            None if endpoints.addresses().iter().all(|endpoint| is_loopback(endpoint)) => found(),
            None => None,
        };
        Ok(Self { endpoints, origin, token_file, ca: wish.ca.clone(), tls_dir: wish.tls_dir.clone() })
    }

    /// A place that is known.
    ///
    /// # Errors
    /// It is none.
    pub fn at(endpoint: &str, token_file: PathBuf) -> Result<Self, Failure> {
        let (endpoints, token_file) = (endpoints(endpoint)?, Some(token_file));
        Ok(Self { endpoints, origin: Origin::Asked, token_file, ca: None, tls_dir: None })
    }

    /// Nothing answers there: why, and what to run.
    #[must_use]
    pub fn unreachable(&self, why: &str) -> Failure {
        self.what_to_do(Failure::new(Exit::Unreachable, format!("nothing answers at {}: {why}", self.endpoints)))
    }

    /// None of several answers: why, each, and what to run.
    #[must_use]
    pub fn nobody(&self, nobody: &NobodyAnswers) -> Failure {
        let tried: Vec<String> = nobody.tried().map(|(address, why)| format!("{address}: {why}")).collect();
        let summary = format!("nothing answers at any of the {} endpoints", self.endpoints.addresses().len());
        self.what_to_do(Failure::new(Exit::Unreachable, summary).faults(tried))
    }

    fn what_to_do(&self, failure: Failure) -> Failure {
        match self.origin {
            Origin::Asked => failure.help("check --endpoint or PM_ENDPOINT, and that the service runs"),
            Origin::Found => failure.help("`pmctl up` runs but does not answer; its terminal or up.log says why"),
            Origin::Stale(pid) => failure
                .help(format!("`pmctl up` (pid {pid}) has ended; run `pmctl up` to take over what it left running"))
                .help("or `pmctl down` to stop it"),
            Origin::Default => failure
                .help("run `pmctl up -f FILE` in another terminal, or `pmctl up -d -f FILE`")
                .help("or name the service with --endpoint or PM_ENDPOINT"),
        }
    }

    /// Something answers there, but there is nothing to show it.
    #[must_use]
    pub fn no_token(&self) -> Failure {
        let failure = Failure::new(Exit::NotAllowed, format!("there is no token for {}", self.endpoints));
        if self.endpoints.addresses().iter().all(|endpoint| is_loopback(endpoint)) {
            failure.help("name its file with --token-file or PM_TOKEN_FILE")
        } else {
            failure
                .help("name its file with --token-file or PM_TOKEN_FILE; your local token is not sent to other hosts")
        }
    }

    /// `HOST:PORT` of each.
    pub fn socket_addresses(&self) -> impl Iterator<Item = &str> {
        self.endpoints.addresses().iter().map(|address| bare(address))
    }
}

/// One or several of `HOST:PORT` or `http://HOST:PORT`. Refused as a whole,
/// before anything is tried.
fn endpoints(list: &str) -> Result<Endpoints, Failure> {
    let whole = |item: &str| {
        let item = item.trim();
        if item.is_empty() || item.contains("://") { item.to_owned() } else { format!("http://{item}") }
    };
    let list = list.split(',').map(whole).collect::<Vec<_>>().join(",");
    list.parse().map_err(|why| {
        Failure::usage(format!("cannot use the endpoint: {why}"))
            .help("an endpoint looks like http://127.0.0.1:7480; several gateways have commas between them")
    })
}

fn bare(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, bare)| bare)
}

fn is_loopback(endpoint: &str) -> bool {
    let bare = bare(endpoint);
    let host = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
    host == "localhost"
        || host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .is_some_and(|h| h.parse() == Ok(Ipv6Addr::LOCALHOST))
        || format!("{host}:0").parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use std::path::Path;

    fn record(dir: &Path) -> UpRecord {
        UpRecord {
            endpoint: "http://127.0.0.1:9999".to_owned(),
            identity: Identity { pid: 42, start_time: 1, boot_id: "b".to_owned() },
            token_file: dir.join("recorded"),
        }
    }

    fn wish(endpoint: Option<&str>, token: Option<&str>) -> Wish {
        Wish { endpoint: endpoint.map(str::to_owned), token_file: token.map(PathBuf::from), ..Wish::default() }
    }

    #[test]
    fn the_endpoint_comes_from_the_flag_then_the_record_then_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let (state, record) = (StateDir::at(dir.path()), record(dir.path()));
        let find = |w: &Wish, r| Target::discover(w, r, &state).unwrap();
        let asked = find(&wish(Some("127.0.0.1:1"), None), Some((&record, true)));
        assert_eq!((asked.endpoints.to_string().as_str(), asked.origin), ("http://127.0.0.1:1", Origin::Asked));
        let found = find(&wish(None, None), Some((&record, true)));
        assert_eq!((found.endpoints.to_string().as_str(), found.origin), ("http://127.0.0.1:9999", Origin::Found));
        let stale = find(&wish(None, None), Some((&record, false)));
        assert_eq!((stale.endpoints.to_string().as_str(), stale.origin), (DEFAULT_ENDPOINT, Origin::Stale(42)));
        assert_eq!(find(&wish(None, None), None).origin, Origin::Default);
    }

    #[test]
    fn the_token_comes_from_the_flag_then_the_record_then_the_state_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (state, record) = (StateDir::at(dir.path()), record(dir.path()));
        let token = |w: &Wish, r| Target::discover(w, r, &state).unwrap().token_file;
        assert_eq!(token(&wish(None, None), Some((&record, true))), None);
        std::fs::write(state.token(), "x").unwrap();
        assert_eq!(token(&wish(None, None), Some((&record, true))), Some(state.token()));
        std::fs::write(&record.token_file, "x").unwrap();
        assert_eq!(token(&wish(None, None), Some((&record, true))), Some(record.token_file.clone()));
        assert_eq!(token(&wish(None, Some("/t")), Some((&record, true))), Some("/t".into()));
    }

    #[test]
    fn the_token_of_the_packages_comes_before_what_an_ended_up_left_and_after_a_running_one() {
        let dir = tempfile::tempdir().unwrap();
        let (state, record) = (StateDir::at(dir.path()), record(dir.path()));
        let token = |record| Target::discover(&wish(None, None), record, &state).unwrap().token_file;
        std::fs::write(state.token(), "x").unwrap();
        std::fs::write(&record.token_file, "x").unwrap();
        assert_eq!(token(Some((&record, false))), Some(record.token_file.clone()));
        std::fs::write(state.system_token(), "x").unwrap();
        assert_eq!(token(None), Some(state.system_token().into()));
        assert_eq!(token(Some((&record, false))), Some(state.system_token().into()));
        assert_eq!(token(Some((&record, true))), Some(record.token_file.clone()));
    }

    #[test]
    fn a_token_that_was_merely_found_is_not_sent_to_another_host() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        std::fs::write(state.token(), "x").unwrap();
        for (endpoint, sent) in [
            ("http://127.0.0.1:1", true),
            ("localhost:1", true),
            ("[::1]:1", true),
            ("127.0.0.1.example.com:1", false),
            ("10.0.0.1:1", false),
            ("127.0.0.1:1,localhost:1", true),
            ("127.0.0.1:1,10.0.0.1:1", false),
        ] {
            let target = Target::discover(&wish(Some(endpoint), None), None, &state).unwrap();
            assert_eq!(target.token_file.is_some(), sent, "{endpoint}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_right_form() {
        for bad in ["", "localhost", "http://", "http://:80", "host:0", "host:70000", "ftp://h:1", "u@h:1"] {
            let refused = endpoints(bad).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage, "{bad}");
            assert!(refused.to_string().contains("http://127.0.0.1:7480"));
        }
        assert_eq!(endpoints("http://h:1/").unwrap().to_string(), "http://h:1");
        assert_eq!(endpoints("https://h:1").unwrap().to_string(), "https://h:1");
    }

    #[test]
    fn of_a_list_the_bad_one_is_named() {
        assert_eq!(endpoints("h:1, http://i:2").unwrap().addresses(), ["http://h:1", "http://i:2"]);
        for (list, named) in [("h:1,i", "http://i"), ("h:1,,i:2", "address 2"), ("h:1,i:2,h:1", "http://h:1")] {
            let refused = endpoints(list).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage, "{list}");
            assert!(refused.summary().contains(named), "{refused}");
        }
    }

    #[test]
    fn nobody_there_says_where_and_what_to_run() {
        let target = |origin| Target {
            endpoints: endpoints(DEFAULT_ENDPOINT).unwrap(),
            origin,
            token_file: None,
            ca: None,
            tls_dir: None,
        };
        let text = target(Origin::Default).unreachable("refused").to_string();
        assert!(text.contains(DEFAULT_ENDPOINT) && text.contains("pmctl up"), "{text}");
        let text = target(Origin::Stale(42)).unreachable("refused").to_string();
        assert!(text.contains("42") && text.contains("pmctl down"), "{text}");
        assert_eq!(target(Origin::Asked).unreachable("x").exit(), Exit::Unreachable);
    }
}
