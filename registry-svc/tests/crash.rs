//! `kill -9` of a real registry while clients write: whatever was acknowledged
//! is there afterwards.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::v1;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use service_host::client::service_channel;
use service_host::secret::Secret;
use service_host::transport::Dial;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::task::JoinSet;
use town::spec;

/// Kills in one test.
const ROUNDS: usize = 8;
/// Clients that write at the same time.
const WRITERS: usize = 8;

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(dir: &Path, token: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_registry-svc"))
            .args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-format", "json"])
            // It leads until it is killed, however long the disk of a busy machine takes for a write.
            .args(["--election-timeout", "60s"])
            .arg("--data-dir")
            .arg(dir.join("data"))
            .arg("--service-token-file")
            .arg(token)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else { panic!("it did not get ready:\n{}", log.join("\n")) };
            if line.contains("the registry is ready") {
                break ready_address(&line);
            }
            log.push(line);
        };
        // Read on, or a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn ready_address(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let address = line.get("address").or_else(|| line.get("fields").and_then(|f| f.get("address")));
    format!("http://{}", address.and_then(|a| a.as_str()).unwrap())
}

fn client(server: &Server, token: &Secret) -> ProcessServiceClient<service_host::client::ServiceChannel> {
    ProcessServiceClient::new(service_channel(&Dial::Tcp(server.address.clone()), token).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_survives_kill_9_at_any_moment() {
    let dir = place::real_disk();
    let (token, token_file) = (Secret::generate(), dir.path().join("token"));
    token.write_new(&token_file).unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let server = Server::start(dir.path(), &token_file);
        check(&server, &token, &acknowledged).await;
        let mut writers = JoinSet::new();
        let (report, mut reports) = tokio::sync::mpsc::channel(64);
        for writer in 0..WRITERS {
            let (mut client, report) = (client(&server, &token), report.clone());
            writers.spawn(async move {
                for n in 0.. {
                    let name = format!("p-{round}-{writer}-{n}");
                    let request = v1::ApplyProcessesRequest { specs: vec![spec(&name, 1)], ..Default::default() };
                    if client.apply_processes(request).await.is_err() || report.send(name).await.is_err() {
                        return;
                    }
                }
            });
        }
        drop(report);
        // Killed after another number of writes each time, in mid-flight.
        for _ in 0..(20 + round * 13) {
            acknowledged.insert(reports.recv().await.expect("the writers ended before the kill"));
        }
        server.kill();
        while let Some(name) = reports.recv().await {
            acknowledged.insert(name);
        }
        writers.join_all().await;
    }
    let server = Server::start(dir.path(), &token_file);
    check(&server, &token, &acknowledged).await;
    server.kill();
}

async fn check(server: &Server, token: &Secret, acknowledged: &BTreeSet<String>) {
    let answer = client(server, token).list_processes(v1::ListProcessesRequest::default()).await.unwrap().into_inner();
    let there: BTreeSet<String> = answer.processes.into_iter().map(|p| p.spec.unwrap().name).collect();
    let lost: Vec<&String> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged writes are lost: {lost:?}", lost.len(), acknowledged.len());
}

#[test]
fn a_registry_that_cannot_start_says_why_and_ends() {
    let dir = place::real_disk();
    let token_file = dir.path().join("token");
    Secret::generate().write_new(&token_file).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_registry-svc"))
            .args(["--ops-listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path().join("data"))
            .arg("--service-token-file")
            .arg(&token_file)
            .args(arguments)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (ok, text) = run(&["--listen", "0.0.0.0:0"]);
    assert!(!ok && text.contains("loopback"), "{text}");
    let (ok, text) = run(&["--listen", "127.0.0.1:0", "--lease", "1s"]);
    assert!(!ok && text.contains("three times"), "{text}");
    let listen = ["--listen", "127.0.0.1:0"];
    let three = ["--replicas", "3"];
    let peers = ["--peers", "http://127.0.0.1:1"];
    for (arguments, why) in [
        (&["--node-id", "0"][..], "1.."),
        (&three[..], "give --peers"),
        (&["--join"], "give --peers"),
        (&peers, "needs --advertise"),
        (&[peers, ["--advertise", "10.0.0.1:7481"]].concat(), "\"10.0.0.1:7481\" is no address"),
        (&["--election-timeout", "10ms"], "300ms to 60s"),
    ] {
        let (ok, text) = run(&[&listen, arguments].concat());
        assert!(!ok && text.contains(why), "{arguments:?}: {text}");
    }
}
