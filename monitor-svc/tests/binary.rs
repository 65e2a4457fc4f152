//! The program itself: starts, shows, dumps, stops; refuses what it cannot use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn program(token_file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitor-svc"));
    command
        .args([
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--service-token-file",
        ])
        .arg(token_file)
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    command
}

fn token_file(name: &str, mode: u32) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Ends the program when a test fails midway.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_serves_metrics_dumps_its_state_and_stops_on_a_signal() {
    let mut child = Running(program(&token_file("monitor-good-token", 0o600)).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let serves = lines.find(|line| line.contains("monitor serves")).expect("it says when it serves");
    assert!(!serves.contains("0123456789abcdef"));
    let (_, after) = serves.split_once("ops_listen\":\"").unwrap_or_else(|| panic!("{serves}"));
    let address: SocketAddr = after.split('"').next().unwrap().parse().unwrap();

    let mut ops = TcpStream::connect(address).unwrap();
    ops.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    ops.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("pm_monitor_nodes 0"), "{answer}");

    signal(&child.0, "-USR1");
    assert!(lines.any(|line| line.contains("monitor state")));
    signal(&child.0, "-TERM");
    assert!(lines.any(|line| line.contains("stopping")));
    assert!(child.0.wait().unwrap().success());
}

#[test]
fn a_token_file_that_others_can_read_is_refused_with_the_remedy() {
    let output = program(&token_file("monitor-open-token", 0o644)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("chmod 600"), "{said}");
}
