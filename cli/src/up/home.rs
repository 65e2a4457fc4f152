//! What has to be had before anything is started: the state folder for this
//! process alone, the port, the tokens, and the record by which others find
//! it.

use crate::error::Failure;
use crate::identity::Identity;
use crate::output::human;
use crate::state_dir::{Lock, LockError, StateDir, write_private};
use crate::up_record::UpRecord;
use process_model::NodeName;
use service_host::secret::Secret;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Mutex;

/// What this process owns while it is up.
#[derive(Debug)]
pub struct Home {
    state: StateDir,
    record: UpRecord,
    node: NodeName,
    admin: Secret,
    viewer: Secret,
    // Taken once by the gateway.
    listener: Mutex<Option<TcpListener>>,
    _lock: Lock,
}

impl Home {
    /// Takes it all, or nothing.
    ///
    /// # Errors
    /// Another `pmctl up` has the state, the port is in use, or the folder
    /// cannot be used.
    pub fn take(state: StateDir, listen: SocketAddr) -> Result<Self, Failure> {
        state.create()?;
        let lock = state.lock().map_err(|e| refused(&state, e))?;
        let listener = bind(listen)?;
        let address = listener.local_addr().map_err(|e| Failure::failed(format!("cannot listen on {listen}: {e}")))?;
        let (admin, viewer) = (state.secret(&state.token())?, state.secret(&state.viewer_token())?);
        let node = node_name(&state)?;
        let identity = Identity::of_self()
            .map_err(|e| Failure::failed(format!("cannot read /proc: {e}")).help("pmctl needs /proc to be mounted"))?;
        let record = UpRecord { endpoint: endpoint(address), identity, token_file: state.token() };
        record
            .write(&state.up_record())
            .map_err(|e| Failure::failed(format!("cannot write {}: {e}", state.up_record().display())))?;
        Ok(Self { state, record, node, admin, viewer, listener: Mutex::new(Some(listener)), _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn state(&self) -> &StateDir {
        &self.state
    }

    /// Where the gateway is reached.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.record.endpoint
    }

    /// This process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.record.identity.pid
    }

    /// This node's name.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// The token that allows everything.
    #[must_use]
    pub fn admin_token(&self) -> &Secret {
        &self.admin
    }

    /// The token that allows looking.
    #[must_use]
    pub fn viewer_token(&self) -> &Secret {
        &self.viewer
    }

    /// The port; `None` the second time.
    #[must_use]
    pub fn take_listener(&self) -> Option<TcpListener> {
        self.listener.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// Nobody finds this process any more.
    pub fn leave(&self) {
        self.record.remove(&self.state.up_record());
    }
}

/// The second `pmctl up` on the same state.
#[must_use]
pub fn refused(state: &StateDir, error: LockError) -> Failure {
    match error {
        LockError::Held(pid) => {
            let record = UpRecord::read(&state.up_record()).filter(|record| record.identity.is_alive());
            let (pid, place) = match &record {
                Some(record) => (Some(record.identity.pid), format!(" at {}", record.endpoint)),
                None => (pid, String::new()),
            };
            let who = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            Failure::failed(format!("pmctl up runs already{who}{place}, with its state in {}", state.root().display()))
                .help("`pmctl apply -f FILE` gives it more processes, `pmctl down` ends it")
                .help("--state-dir DIR keeps another one apart")
        }
        LockError::Io(path, e) => Failure::failed(format!("cannot lock {}: {e}", path.display()))
            .help("the state folder has to be writable; --state-dir names another"),
    }
}

fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).map_err(|e| {
        let kind = e.kind();
        if kind == ErrorKind::AddrInUse {
            Failure::failed(format!("cannot listen on {listen}: the port is in use"))
                .help("--listen 127.0.0.1:PORT takes another, --listen 127.0.0.1:0 any that is free")
                .help(format!("`ss -ltnp 'sport = :{}'` shows who has it", listen.port()))
        } else if kind == ErrorKind::PermissionDenied {
            Failure::failed(format!("not allowed to listen on {listen}"))
                .help("ports below 1024 need a privilege; --listen takes another")
        } else if kind == ErrorKind::AddrNotAvailable {
            Failure::failed(format!("{} is no address of this machine", listen.ip()))
                .help("--listen takes another, as 127.0.0.1:7480")
        } else {
            Failure::failed(format!("cannot listen on {listen}: {e}"))
        }
    })
}

/// Where to call what listens there: "everywhere" is no place to call.
fn endpoint(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// The name that this state was begun with; the host's name at first. A host
/// that is renamed stays the same node: its instances belong to it.
fn node_name(state: &StateDir) -> Result<NodeName, Failure> {
    let path = state.node();
    if let Some(name) = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()) {
        return Ok(name);
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = as_name(host.trim());
    write_private(&path, format!("{name}\n").as_bytes())
        .map_err(|e| Failure::failed(format!("cannot write {}: {e}", path.display())))?;
    name.parse().map_err(|e| Failure::failed(format!("the node has no name: {e}")))
}

/// A host name made fit for a node's name.
fn as_name(host: &str) -> String {
    let kept: String =
        host.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
    let name = human::shorten(kept.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()), 64);
    let name: String = name.chars().filter(char::is_ascii).take(63).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_second_one_is_told_who_runs_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let home = Home::take(state.clone(), any).unwrap();
        let refused = Home::take(state.clone(), any).unwrap_err();
        assert_eq!(refused.exit(), Exit::Failed);
        let text = refused.to_string();
        for word in [&std::process::id().to_string(), home.endpoint(), "pmctl apply -f", "pmctl down"] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        home.leave();
        assert!(!state.up_record().exists());
    }

    #[test]
    fn a_port_in_use_is_named_and_leaves_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let text = Home::take(state.clone(), address).unwrap_err().to_string();
        assert!(text.contains(&address.port().to_string()) && text.contains("--listen"), "{text}");
        assert!(!state.up_record().exists());
    }

    #[test]
    fn any_host_name_becomes_a_node_name_that_stays() {
        for host in ["web-1.example.com", "", "-x", "härte", "a b", &"x".repeat(70)] {
            assert!(as_name(host).parse::<NodeName>().is_ok(), "{host}");
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("node"), "first\n").unwrap();
        assert_eq!(node_name(&StateDir::at(dir.path())).unwrap().as_str(), "first");
    }

    #[test]
    fn everywhere_is_called_by_loopback() {
        assert_eq!(endpoint("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(endpoint("[::]:80".parse().unwrap()), "http://[::1]:80");
        assert_eq!(endpoint("10.0.0.1:80".parse().unwrap()), "http://10.0.0.1:80");
    }
}
