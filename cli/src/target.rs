//! Where the service is, and which token goes there.
//!
//! Endpoint: `--endpoint` > `PM_ENDPOINT` > `up.json` > `http://127.0.0.1:7480`.
//! Token: `--token-file` > `PM_TOKEN_FILE` > `up.json`'s > the state folder's.
//! A token that was merely found never leaves this machine.

use crate::error::Failure;
use crate::exit::Exit;
use crate::state_dir::StateDir;
use crate::up_record::UpRecord;
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
    /// `http://HOST:PORT`.
    pub endpoint: String,
    /// Who said so.
    pub origin: Origin,
    /// The token's file; `None` when there is none.
    pub token_file: Option<PathBuf>,
}

/// What the command line and the environment say.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// `--endpoint` or `PM_ENDPOINT`.
    pub endpoint: Option<String>,
    /// `--token-file` or `PM_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
}

impl Target {
    /// Decides where to call. `record`: what `up.json` says, and whether its
    /// process lives.
    ///
    /// # Errors
    /// The wished endpoint is none.
    pub fn discover(wish: &Wish, record: Option<(&UpRecord, bool)>, state: &StateDir) -> Result<Self, Failure> {
        let (endpoint, origin) = match (&wish.endpoint, record) {
            (Some(endpoint), _) => (normalise(endpoint)?, Origin::Asked),
            (None, Some((record, true))) => (record.endpoint.clone(), Origin::Found),
            (None, Some((record, false))) => (DEFAULT_ENDPOINT.to_owned(), Origin::Stale(record.identity.pid)),
            (None, None) => (DEFAULT_ENDPOINT.to_owned(), Origin::Default),
        };
        let found = || {
            let recorded = record.map(|(record, _)| record.token_file.clone()).filter(|path| path.exists());
            recorded.or_else(|| Some(state.token()).filter(|path| path.exists()))
        };
        let token_file = match &wish.token_file {
            Some(path) => Some(path.clone()),
            None if is_loopback(&endpoint) => found(),
            None => None,
        };
        Ok(Self { endpoint, origin, token_file })
    }

    /// Nothing answers there: why, and what to run.
    #[must_use]
    pub fn unreachable(&self, why: &str) -> Failure {
        let failure = Failure::new(Exit::Unreachable, format!("nothing answers at {}: {why}", self.endpoint));
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
        let failure = Failure::new(Exit::NotAllowed, format!("there is no token for {}", self.endpoint));
        if is_loopback(&self.endpoint) {
            failure.help("name its file with --token-file or PM_TOKEN_FILE")
        } else {
            failure
                .help("name its file with --token-file or PM_TOKEN_FILE; your local token is not sent to other hosts")
        }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn socket_address(&self) -> Option<String> {
        self.endpoint.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
    }
}

/// `HOST:PORT` or `http://HOST:PORT`, as the latter.
fn normalise(endpoint: &str) -> Result<String, Failure> {
    let bad = |why: &str| {
        Failure::usage(format!("{endpoint:?} is no endpoint: {why}")).help("write it as http://127.0.0.1:7480")
    };
    if endpoint.starts_with("https://") {
        return Err(bad("TLS is not supported; put a tunnel in between"));
    }
    let bare = endpoint.strip_prefix("http://").unwrap_or(endpoint).trim_end_matches('/');
    let (host, port) = bare.rsplit_once(':').ok_or_else(|| bad("it has no port"))?;
    if host.is_empty() || host.contains(['/', '@', ' ']) || host.contains("://") {
        return Err(bad("its host is malformed"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(format!("http://{host}:{port}")),
        Ok(0) | Err(_) => Err(bad("its port is not between 1 and 65535")),
    }
}

fn is_loopback(endpoint: &str) -> bool {
    let bare = endpoint.strip_prefix("http://").unwrap_or(endpoint);
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
        Wish { endpoint: endpoint.map(str::to_owned), token_file: token.map(PathBuf::from) }
    }

    #[test]
    fn the_endpoint_comes_from_the_flag_then_the_record_then_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let (state, record) = (StateDir::at(dir.path()), record(dir.path()));
        let find = |w: &Wish, r| Target::discover(w, r, &state).unwrap();
        let asked = find(&wish(Some("127.0.0.1:1"), None), Some((&record, true)));
        assert_eq!((asked.endpoint.as_str(), asked.origin), ("http://127.0.0.1:1", Origin::Asked));
        let found = find(&wish(None, None), Some((&record, true)));
        assert_eq!((found.endpoint.as_str(), found.origin), ("http://127.0.0.1:9999", Origin::Found));
        let stale = find(&wish(None, None), Some((&record, false)));
        assert_eq!((stale.endpoint.as_str(), stale.origin), (DEFAULT_ENDPOINT, Origin::Stale(42)));
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
        ] {
            let target = Target::discover(&wish(Some(endpoint), None), None, &state).unwrap();
            assert_eq!(target.token_file.is_some(), sent, "{endpoint}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_right_form() {
        for bad in
            ["", "localhost", "http://", "http://:80", "host:0", "host:70000", "ftp://h:1", "https://h:1", "u@h:1"]
        {
            let refused = normalise(bad).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage, "{bad}");
            assert!(refused.to_string().contains("http://127.0.0.1:7480"));
        }
        assert_eq!(normalise("http://h:1/").unwrap(), "http://h:1");
    }

    #[test]
    fn nobody_there_says_where_and_what_to_run() {
        let target = |origin| Target { endpoint: DEFAULT_ENDPOINT.to_owned(), origin, token_file: None };
        let text = target(Origin::Default).unreachable("refused").to_string();
        assert!(text.contains(DEFAULT_ENDPOINT) && text.contains("pmctl up"), "{text}");
        let text = target(Origin::Stale(42)).unreachable("refused").to_string();
        assert!(text.contains("42") && text.contains("pmctl down"), "{text}");
        assert_eq!(target(Origin::Asked).unreachable("x").exit(), Exit::Unreachable);
    }
}
