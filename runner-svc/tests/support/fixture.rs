//! A program for tests: the test's own binary, which does nothing else when
//! told so by its environment.

// Each test file uses its own part.
#![allow(dead_code)]
// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used)]

use nix::sys::socket::{MsgFlags, accept, send};
use runner_keeper::protocol::SpawnRequest;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

const ROLE: &str = "PM_TEST_ROLE";

/// Makes the program of a request this one, in a role.
pub(crate) fn fixture(request: SpawnRequest, role: &str) -> SpawnRequest {
    let program = std::env::current_exe().unwrap().to_string_lossy().into_owned();
    let mut argv = vec![program];
    argv.extend(["--exact", "fixture::a_program_for_tests", "--nocapture"].map(str::to_owned));
    let mut request = SpawnRequest { argv, ..request };
    request.env.push((ROLE.to_owned(), role.to_owned()));
    request
}

#[test]
fn a_program_for_tests() {
    match std::env::var(ROLE).as_deref() {
        Ok("serve") => serve(),
        Ok("notify") => say_ready(),
        Ok("child") => assert!(notify(&variable("NOTIFY_SOCKET"), "STATUS=from a child")),
        _ => {}
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Answers each connection to the first socket that it was given.
fn serve() {
    assert_eq!(variable("LISTEN_PID"), std::process::id().to_string());
    let answer = format!("{} {} {}", std::process::id(), variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"));
    while let Ok(connection) = accept(3) {
        let _ = send(connection, answer.as_bytes(), MsgFlags::empty());
    }
}

fn say_ready() {
    let watched = match variable("WATCHDOG_PID") {
        none if none.is_empty() => "not watched".to_owned(),
        pid => format!("watched {pid}"),
    };
    assert!(notify(&variable("NOTIFY_SOCKET"), &format!("READY=1\nSTATUS={watched}")));
    while !std::path::Path::new("go").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(std::env::args().skip(1)).env(ROLE, "child").status().unwrap();
    std::thread::park();
}

/// Sends to an abstract socket; false when there is none.
pub(crate) fn notify(name: &str, text: &str) -> bool {
    let name = SocketAddr::from_abstract_name(name.strip_prefix('@').unwrap()).unwrap();
    UnixDatagram::unbound().unwrap().send_to_addr(text.as_bytes(), &name).is_ok()
}
