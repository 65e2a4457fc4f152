//! Probes, sd_notify, watchdogs, log rules and memory of real programs.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use process_model::event_type;
use process_model::spec::{
    Check, Command, Execution, HttpCheck, LogAction, LogFormat, LogPolicy, LogRule, Probe, RestartMode,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Node, is_alive, kill, lines_in, port, sh};
use tokio::time::Instant;
use tonic_health::ServingStatus;

const MS: Duration = Duration::from_millis(1);

fn quick(check: Check) -> Probe {
    Probe { timeout: 200 * MS, interval: 50 * MS, failure_threshold: 3, ..Probe::new(check) }
}

/// A server that does the same to everybody who connects, and counts: those
/// who came, and those who came while somebody before them was still there.
struct Counting {
    port: u16,
    came: Arc<AtomicUsize>,
    together: Arc<AtomicUsize>,
}

fn counting(act: impl Fn(usize, &mut TcpStream) + Send + 'static) -> Counting {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (came, together) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counters = (came.clone(), together.clone());
    std::thread::spawn(move || {
        let mut before: Vec<TcpStream> = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            // Whoever has gone has said so before the next could connect.
            before.retain_mut(|stream| {
                stream.set_nonblocking(true).unwrap();
                let mut rest = [0; 4096];
                loop {
                    match stream.read(&mut rest) {
                        Ok(0) => return false,
                        Ok(_) => {}
                        Err(e) => return e.kind() == std::io::ErrorKind::WouldBlock,
                    }
                }
            });
            counters.1.fetch_add(before.len(), Ordering::SeqCst);
            act(counters.0.fetch_add(1, Ordering::SeqCst), &mut stream);
            before.push(stream);
        }
    });
    Counting { port, came, together }
}

/// Reads a request's head; false when it does not come.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return false;
        }
        head.push(byte[0]);
    }
    true
}

impl Counting {
    async fn until(&self, came: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut tick = tokio::time::interval(10 * MS);
        while self.came.load(Ordering::SeqCst) < came {
            assert!(Instant::now() < deadline, "only {} came", self.came.load(Ordering::SeqCst));
            tick.tick().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s25_a_probe_that_hangs_is_one_at_a_time_and_its_threshold_holds() {
    let server = counting(|_, _| {});
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "exec sleep 1000");
    let probe = quick(Check::Http(HttpCheck::get(server.port, "/")));
    spec.liveness = Some(Probe { interval: 1000 * MS, ..probe });
    // The next run, which is asked as well, does not begin before they are counted.
    (spec.restart.backoff.initial, spec.restart.backoff.max) = (8000 * MS, 8000 * MS);
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let dead = node.event(event_type::INSTANCE_UNHEALTHY).await;
    // Whoever came may have to be let in yet.
    server.until(3).await;
    let came = server.came.load(Ordering::SeqCst);
    assert!(dead.message.contains("no answer within 200ms") && dead.message.contains('3'), "{}", dead.message);
    assert_eq!((came, server.together.load(Ordering::SeqCst)), (3, 0), "asked too often, or twice at once");
    assert_eq!(node.event(event_type::INSTANCE_STARTED).await.restarts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s25_a_peer_that_drips_is_no_longer_waited_for_than_one_that_is_silent() {
    let server = counting(|_, stream| {
        let mut stream = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            // An answer before the question would be another fault.
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(20 * MS);
            }
            #[allow(unreachable_code)]
            std::io::Result::Ok(())
        });
    });
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "exec sleep 1000");
    let check = HttpCheck { body: Some("never".into()), ..HttpCheck::get(server.port, "/") };
    spec.liveness = Some(quick(Check::Http(check)));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let dead = node.event(event_type::INSTANCE_UNHEALTHY).await;
    assert!(dead.message.contains("no answer within 200ms"), "{}", dead.message);
    assert_eq!(server.together.load(Ordering::SeqCst), 0, "twice at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn s25_a_probe_that_flaps_below_its_threshold_changes_nothing() {
    let server = counting(|n, stream| {
        if !read_head(stream) {
            return;
        }
        let status = if n % 2 == 0 { "500 No" } else { "200 OK" };
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    });
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "exec sleep 1000");
    let probe =
        Probe { failure_threshold: 2, timeout: 10_000 * MS, ..quick(Check::Http(HttpCheck::get(server.port, "/"))) };
    spec.liveness = Some(probe);
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    server.until(40).await;
    let reported = node.reported();
    assert!(!reported.iter().any(|event| event == event_type::INSTANCE_UNHEALTHY), "never two in a row: {reported:?}");
    assert!(is_alive(started.pid));
    assert_eq!(server.together.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s25_a_command_that_hangs_is_killed_with_its_children_before_the_next_begins() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "exec sleep 1000");
    let line = "echo $$ >> probes; sleep 1000 & echo $! >> probes; wait";
    let probe = quick(Check::Exec { command: Command::Shell(line.into()) });
    // Each has the time to say who it is; a third is not due before these were looked at, nor is the next run.
    spec.liveness = Some(Probe { interval: 8000 * MS, timeout: 4000 * MS, failure_threshold: 2, ..probe });
    (spec.restart.backoff.initial, spec.restart.backoff.max) = (60_000 * MS, 60_000 * MS);
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let dead = node.event(event_type::INSTANCE_UNHEALTHY).await;
    assert!(dead.message.contains("not done within 4s"), "{}", dead.message);
    let probes = lines_in(&node.path("probes"), 4).await;
    let alive = probes.iter().filter(|pid| is_alive(pid.parse().unwrap())).count();
    assert_eq!(alive, 0, "of {probes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_probe_finds_out_when_its_program_is_ready() {
    let mut node = Node::new().await;
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("web", ServingStatus::NotServing).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let grpc_port = listener.local_addr().unwrap().port();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let ((_http, http_port), (_tcp, tcp_port)) = (port::reserved(), port::reserved());
    let server =
        |port| format!("while [ ! -e go ]; do sleep 0.05; done; exec python3 -m http.server --bind 127.0.0.1 {port}");
    let waiting = "exec sleep 1000".to_owned();
    let http = HttpCheck { body: Some("go</a>".into()), status: vec![(200, 200)], ..HttpCheck::get(http_port, "/") };
    let mut specs = Vec::new();
    for (name, line, check) in [
        ("http", server(http_port), Check::Http(http)),
        ("tcp", server(tcp_port), Check::Tcp { port: tcp_port }),
        (
            "exec",
            waiting.clone(),
            Check::Exec { command: Command::Shell("test -e go && test $PM_INSTANCE = exec-1".into()) },
        ),
        ("grpc", waiting.clone(), Check::Grpc { port: grpc_port, service: "web".into() }),
        (
            "log",
            "while [ ! -e go ]; do sleep 0.05; done; echo 'listening on 7'; exec sleep 1000".into(),
            Check::Log { pattern: "^listening on [0-9]+$".into() },
        ),
    ] {
        let mut spec = sh(&node, name, &line);
        spec.readiness = Some(Probe::new(check));
        specs.push((spec, true, 0));
    }
    node.assign(&specs);
    node.start_runner();
    for _ in &specs {
        assert!(!node.event(event_type::INSTANCE_STARTED).await.ready, "ready before it was asked");
    }
    std::fs::write(node.path("go"), "").unwrap();
    reporter.set_service_status("web", ServingStatus::Serving).await;
    let mut ready: Vec<String> = Vec::new();
    for _ in &specs {
        ready.push(node.event(event_type::INSTANCE_READY).await.instance.to_string());
    }
    ready.sort();
    assert_eq!(ready, ["exec-1", "grpc-1", "http-1", "log-1", "tcp-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_run_before_makes_nobody_ready() {
    let mut node = Node::new().await;
    let line = "if [ ! -e once ]; then touch once; echo listening; until [ -e seen ]; do sleep 0.05; done; exit 1; fi; \
                echo other; exec sleep 1000";
    let mut spec = sh(&node, "web", line);
    spec.readiness = Some(Probe::new(Check::Log { pattern: "listening".into() }));
    spec.log_rules = vec![rule("other", "other", LogAction::Event)];
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_READY).await;
    std::fs::write(node.path("seen"), "").unwrap();
    assert!(!node.event(event_type::INSTANCE_STARTED).await.ready);
    // Whoever reads has come to a line that is later than all old ones.
    let other = node.event(event_type::INSTANCE_LOG_MATCH).await;
    assert!(!other.ready, "it was made ready by an old line");
}

/// Says what it is told on standard input of nobody: words for the socket,
/// with pauses.
fn notifying(words: &str) -> String {
    format!(
        "exec python3 -c '
import os, socket, time
to = os.environ[\"NOTIFY_SOCKET\"]
to = \"\\0\" + to[1:] if to[0] == \"@\" else to
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
say = lambda text: s.sendto(text.encode(), to)
{words}
time.sleep(1000)
'"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_says_ready_is_ready_and_not_before() {
    let mut node = Node::new().await;
    let words = "
while not os.path.exists(\"go\"): time.sleep(0.05)
say(\"STATUS=warm\\nREADY=1\")";
    let mut spec = sh(&node, "web", &notifying(words));
    spec.readiness = Some(Probe::new(Check::Notify));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    assert!(!node.event(event_type::INSTANCE_STARTED).await.ready);
    std::fs::write(node.path("go"), "").unwrap();
    let ready = node.event(event_type::INSTANCE_READY).await;
    assert!(ready.ready);
    assert_eq!(ready.status, "warm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_stops_saying_that_it_is_alive_is_restarted() {
    let mut node = Node::new().await;
    let words = "
assert os.environ[\"WATCHDOG_USEC\"] == \"5000000\"
for _ in range(30):
    say(\"WATCHDOG=1\")
    time.sleep(0.3)
open(\"silent\", \"w\").close()";
    let mut spec = sh(&node, "web", &notifying(words));
    // Much shorter than it says so, much longer than the pauses in between.
    spec.notify_watchdog = Some(Duration::from_secs(5));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let dead = node.event(event_type::INSTANCE_UNHEALTHY).await;
    assert!(dead.message.contains("no WATCHDOG=1"), "{}", dead.message);
    assert!(node.path("silent").exists(), "it was killed while it was alive");
    assert_eq!(node.event(event_type::INSTANCE_STARTED).await.restarts, 1);
}

fn rule(name: &str, pattern: &str, action: LogAction) -> LogRule {
    LogRule { name: name.into(), pattern: pattern.into(), action, cooldown: Duration::from_secs(60) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_leads_to_a_restart_and_the_last_words_of_a_program_to_an_alert() {
    let mut node = Node::new().await;
    let mut stuck = sh(&node, "stuck", "echo fine; echo 'FATAL: deadlock' >&2; exec sleep 1000");
    stuck.log_rules = vec![rule("deadlock", "^FATAL", LogAction::Restart)];
    node.assign(&[(stuck, true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let matched = node.event(event_type::INSTANCE_LOG_MATCH).await;
    assert!(matched.message.contains("deadlock: FATAL: deadlock"), "{}", matched.message);
    assert_eq!(node.event(event_type::INSTANCE_STARTED).await.restarts, 1);
    // It says so again, but the rule is quiet now. The pattern is about what a program says, however it is kept.
    let mut brief = sh(&node, "brief", "echo 'panic: out of luck'; exit 1");
    brief.restart.mode = RestartMode::Never;
    brief.log_rules = vec![rule("panic", "^panic", LogAction::Alert)];
    brief.logs = Some(Box::new(LogPolicy { format: LogFormat::Ecs, ..LogPolicy::default() }));
    node.assign(&[(brief, true, 0)]);
    let alert = node.event(event_type::INSTANCE_LOG_ALERT).await;
    assert!(alert.message.contains("panic: out of luck") && !alert.message.contains('{'), "{}", alert.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_is_too_heavy_is_stopped_gracefully_and_started_again() {
    let mut node = Node::new().await;
    let line = "trap 'echo bye >> bye; exit 0' TERM; \
                if [ ! -e once ]; then touch once; python3 -c 'x = bytearray(80 << 20); input()' < /dev/zero & fi; \
                while true; do sleep 0.1; done";
    // Zeros have no line end: input() would read for ever, and weigh more and more.
    let line = line.replace("input()' < /dev/zero", "import time; time.sleep(1000)'");
    let mut spec = sh(&node, "web", &line);
    spec.restart.max_memory = Some(60 << 20);
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let heavy = node.event(event_type::INSTANCE_LIMIT).await;
    assert!(heavy.message.contains("of memory, more than"), "{}", heavy.message);
    assert_eq!(node.event(event_type::INSTANCE_STARTED).await.restarts, 1);
    assert_eq!(lines_in(&node.path("bye"), 1).await, ["bye"], "it was not asked to end");
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_comes_from_files_of_the_node_and_a_broken_one_is_told_with_its_place() {
    let mut node = Node::new().await;
    let file = node.path("app.env");
    std::fs::write(&file, "# ours\nexport COLOUR='dark blue'\nSHAPE=round\n").unwrap();
    let mut spec = sh(&node, "web", "echo \"$COLOUR $SHAPE\"; exec sleep 1000");
    spec.env.insert("SHAPE".into(), "square".into());
    let env_files = vec![file.to_string_lossy().into_owned(), "-/no/such/file".into()];
    spec.execution = Some(Box::new(Execution { env_files, ..Execution::default() }));
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!(lines_in(&node.path("logs/web-1.stdout.log"), 1).await, ["dark blue square"]);
    std::fs::write(&file, "A=1\nTOKEN='hunter2\n").unwrap();
    node.assign(&[(spec, true, 1)]);
    let failed = node.event(event_type::INSTANCE_START_FAILED).await;
    let expected = format!("env_files: {}:2:7: this quote is not closed", file.display());
    assert!(failed.message.contains(&expected) && !failed.message.contains("hunter2"), "{}", failed.message);
}

/// Waits until a file has this in it.
async fn says(path: &std::path::Path, words: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut tick = tokio::time::interval(20 * MS);
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.contains(words) {
            return;
        }
        assert!(Instant::now() < deadline, "no {words:?} in {text}");
        tick.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_forbids_is_a_failed_start_and_a_broken_policy_changes_nothing() {
    let mut node = Node::new().await;
    let (policy, log) = (node.path("policy.yaml"), node.path("runner.log"));
    std::fs::write(&policy, "version: 1\nshell: false\n").unwrap();
    let out = std::fs::File::create(&log).unwrap();
    let err = out.try_clone().unwrap();
    let runner = node.command().arg("--policy-file").arg(&policy).stdout(out).stderr(err).spawn().unwrap();
    let hang_up = || kill(runner.id(), rustix::process::Signal::HUP);
    let spec = sh(&node, "web", "exec sleep 1000");
    let mut restarts = 0;
    let mut assign = |node: &Node| {
        node.assign(&[(spec.clone(), true, restarts)]);
        restarts += 1;
    };
    assign(&node);
    let refused = node.event(event_type::INSTANCE_START_FAILED).await;
    assert!(refused.message.contains("policy: ") && refused.message.contains("rule shell of"), "{}", refused.message);
    std::fs::write(&policy, "version: 1\nshell: perhaps\n").unwrap();
    hang_up();
    says(&log, "policy.yaml:2:8").await;
    assign(&node);
    node.event(event_type::INSTANCE_START_FAILED).await;
    std::fs::write(&policy, "version: 1\n").unwrap();
    hang_up();
    says(&log, "were read anew").await;
    assign(&node);
    node.event(event_type::INSTANCE_STARTED).await;
    node.runner = Some(runner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_ask_kills_nobody() {
    let mut node = Node::new().await;
    let (file, log, asked) = (node.path("app.env"), node.path("runner.log"), node.path("asked"));
    std::fs::write(&file, "A=1\n").unwrap();
    let out = std::fs::File::create(&log).unwrap();
    let err = out.try_clone().unwrap();
    let mut spec = sh(&node, "web", "exec sleep 1000");
    let env_files = vec![file.to_string_lossy().into_owned()];
    spec.execution = Some(Box::new(Execution { env_files, ..Execution::default() }));
    let probe = quick(Check::Exec { command: Command::Shell("echo x >> asked".into()) });
    spec.liveness = Some(Probe { failure_threshold: 1, timeout: 10_000 * MS, ..probe });
    node.assign(&[(spec, true, 0)]);
    node.runner = Some(node.command().stdout(out).stderr(err).spawn().unwrap());
    let started = node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&asked, 2).await;
    std::fs::write(&file, "broken\n").unwrap();
    says(&log, "app.env:1:7: there is no =").await;
    std::fs::write(&file, "A=1\n").unwrap();
    let so_far = lines_in(&asked, 0).await.len();
    lines_in(&asked, so_far + 2).await;
    assert!(is_alive(started.pid), "killed for what the node could not do: {:?}", node.reported());
}
