//! The program itself, with a stderr that nobody reads (R18, after etcd#22214).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::ListProcessesRequest;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use service_host::client::service_channel;
use service_host::secret::Secret;
use service_host::transport::Dial;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const TOKEN: &str = "a-token-of-the-administrator-0123456789";

/// No call may take longer: only one that waits for stderr would.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway whose stderr goes to `cat`, and so into a file.
struct Stage {
    gateway: Child,
    reader: Child,
    log: PathBuf,
    address: String,
    ops: String,
}

impl Stage {
    async fn set(name: &str) -> Self {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let (log, token) = (dir.join(format!("{name}.log")), dir.join(format!("{name}.token")));
        let _ = std::fs::remove_file(&token);
        Secret::new(TOKEN).unwrap().write_new(&token).unwrap();
        let file = std::fs::File::create(&log).unwrap();
        let mut reader = Command::new("cat").stdin(Stdio::piped()).stdout(file).spawn().unwrap();
        let mut gateway = Command::new(env!("CARGO_BIN_EXE_gateway"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PM_") || name.starts_with("OTEL_")) {
            gateway.env_remove(name);
        }
        gateway.args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-format", "json"]);
        // Nobody is there: each call is answered, and logged.
        gateway.args(["--registry", "http://127.0.0.1:9,http://127.0.0.1:10", "--log", "debug,h2=debug"]);
        gateway.arg("--service-token-file").arg(&token).arg("--admin-token-file").arg(&token);
        let gateway = gateway.stdin(Stdio::null()).stderr(reader.stdin.take().unwrap()).spawn().unwrap();
        let mut stage = Self { gateway, reader, log, address: String::new(), ops: String::new() };
        let serving = stage.logged("\"message\":\"serving\"").await;
        let fields: serde_json::Value = serde_json::from_str(&serving).unwrap();
        let field = |name: &str| fields["fields"][name].as_str().unwrap().to_owned();
        (stage.address, stage.ops) = (format!("http://{}", field("address")), field("ops_address"));
        stage
    }

    /// The first line with this text, once it is there.
    async fn logged(&self, text: &str) -> String {
        let look = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                tick.tick().await;
                let log = std::fs::read_to_string(&self.log).unwrap();
                let whole = log.rfind('\n').map_or("", |end| &log[..end]);
                if let Some(line) = whole.lines().find(|line| line.contains(text)) {
                    return line.to_owned();
                }
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{text} is not logged"))
    }

    fn signal(child: &Child, name: &str) {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    }

    fn dropped(&self) -> u64 {
        let mut ops = TcpStream::connect(&self.ops).unwrap();
        ops.set_read_timeout(Some(PATIENCE)).unwrap();
        ops.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        ops.read_to_string(&mut answer).unwrap();
        let line = answer.lines().find(|line| line.starts_with("pm_log_lines_dropped_total ")).expect("the metric");
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Stops the reader and calls until lines are left out; every call is answered.
    async fn drown(&self) {
        Self::signal(&self.reader, "-STOP");
        let channel = || service_channel(&Dial::Tcp(self.address.clone()), &Secret::new(TOKEN).unwrap()).unwrap();
        let (mut processes, mut health) = (ProcessServiceClient::new(channel()), HealthClient::new(channel()));
        let mut calls = 0;
        while self.dropped() == 0 {
            for _ in 0..50 {
                let answered =
                    tokio::time::timeout(PATIENCE, processes.list_processes(ListProcessesRequest::default()));
                assert_eq!(
                    answered.await.expect("a call waits for stderr").unwrap_err().code(),
                    tonic::Code::Unavailable
                );
                let healthy = tokio::time::timeout(PATIENCE, health.check(HealthCheckRequest::default()));
                healthy.await.expect("a call waits for stderr").unwrap();
                calls += 2;
            }
            assert!(calls < 50_000, "nothing is ever left out");
        }
        println!("{calls} calls were answered until {} lines were left out", self.dropped());
    }

    async fn ends(&mut self) {
        Self::signal(&self.gateway, "-TERM");
        let wait = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                tick.tick().await;
                if let Some(status) = self.gateway.try_wait().unwrap() {
                    return status;
                }
            }
        };
        let status = tokio::time::timeout(PATIENCE, wait).await.expect("it waits for stderr to end");
        assert!(status.success(), "{status:?}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in [&mut self.gateway, &mut self.reader] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[tokio::test]
async fn r18_a_stopped_reader_of_stderr_costs_lines_and_no_call_and_is_told_when_it_reads_again() {
    let mut stage = Stage::set("stopped-reader").await;
    assert_eq!(stage.dropped(), 0);
    stage.drown().await;
    Stage::signal(&stage.reader, "-CONT");
    let told = stage.logged("log lines were left out").await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["fields"]["lines"].as_u64().unwrap() > 0 && told["level"] == "WARN", "{told}");
    stage.ends().await;
    // The last line gets out, and the file is whole once nobody writes to it any more.
    stage.logged("\"message\":\"stopping\"").await;
    stage.reader.wait().unwrap();
    let log = std::fs::read_to_string(&stage.log).unwrap();
    for line in log.lines() {
        let line: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(line.is_ok(), "a line was torn: {line:?}");
    }
}

#[tokio::test]
async fn r18_a_program_whose_stderr_nobody_reads_ends_all_the_same() {
    let mut stage = Stage::set("never-reads").await;
    stage.drown().await;
    stage.ends().await;
}
