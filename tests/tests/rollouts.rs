//! Instances come to a new version some at a time, through the built programs:
//! real processes behind a client that counts what fails.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use system_tests::{DEADLINE, Outcome, Sandbox, Up, free_ports, http};

/// An HTTP program that says its version. Asked to end, it serves on for a
/// while, as whoever is on the way to it does not know yet.
const SERVER: &str = r#"
import http.server, os, signal, socket, sys, threading

version = os.environ["V"]
if version == "crash":
    sys.exit("this version does not work")

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = version.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

port = int(os.environ["BASE"]) + int(os.environ["PM_INSTANCE_INDEX"])
server = Server(("127.0.0.1", port), Answer)
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(3.0, os._exit, [0]).start())
threading.Thread(target=server.serve_forever, daemon=True).start()
if version != "silent":
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
        where = os.environ["NOTIFY_SOCKET"]
        said.sendto(b"READY=1", "\0" + where[1:] if where.startswith("@") else where)
threading.Event().wait()
"#;

/// What a client was told so long ago is of no use: who was ready then may have gone since, and has served on for less.
const OLD: Duration = Duration::from_millis(2_500);

const OTHER: &str = "processes:\n  other:\n    command: [sleep, '1000']\n";

struct Web<'s> {
    sandbox: &'s Sandbox,
    base: u16,
    program: String,
}

impl<'s> Web<'s> {
    fn new(sandbox: &'s Sandbox) -> Self {
        // Five, and some beyond the number; none is of index 0.
        Self { sandbox, base: free_ports(8) - 1, program: sandbox.write("server.py", SERVER) }
    }

    fn file(&self, version: &str, instances: u32, update: &str) -> String {
        let Self { base, program, .. } = self;
        self.sandbox.write(
            &format!("web-{version}.yaml"),
            &format!(
                "processes:\n  web:\n    command: [python3, '{program}']\n    type: exec\n    instances: {instances}\n    \
                 env: {{ V: '{version}', BASE: '{base}' }}\n    readiness: {{ notify: true }}\n    \
                 restart: {{ max_restarts: 1, backoff: {{ initial: 100ms }} }}\n    update: {update}\n"
            ),
        )
    }

    fn apply(&self, up: &Up<'_>, version: &str, update: &str, more: &[&str]) -> Outcome {
        let file = self.file(version, 5, update);
        let args: Vec<&str> = ["apply", "-f", &file].into_iter().chain(more.iter().copied()).collect();
        up.pmctl(&args)
    }

    /// What the instances that are ready answer, each once.
    fn answers(&self, up: &Up<'_>) -> Vec<String> {
        ready(up.credentials.authority(), &up.credentials.token)
            .iter()
            .map(|index| http::get(&format!("127.0.0.1:{}", u32::from(self.base) + index), "/", None).body)
            .collect()
    }
}

/// Indexes of the instances that the API says are ready.
fn ready(authority: &str, token: &str) -> Vec<u32> {
    let list = http::get(authority, "/api/v1/instances?selectors=web", Some(token)).json();
    let ready = list["instances"].as_array().into_iter().flatten().filter(|one| one["ready"] == true);
    ready.map(|one| one["index"].as_u64().unwrap() as u32).collect()
}

/// What comes back; an error when nobody listens.
fn tried(authority: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET / HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
    let mut said = String::new();
    // A reset is an end as well.
    let _ = stream.read_to_string(&mut said);
    Ok(said)
}

/// A client that goes round over whoever is ready.
struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u32, Vec<String>)>,
}

impl Client {
    fn of(web: &Web<'_>, up: &Up<'_>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ends, base) = (stop.clone(), u32::from(web.base));
        let (authority, token) = (up.credentials.authority().to_owned(), up.credentials.token.clone());
        let thread = std::thread::spawn(move || {
            let (mut asked, mut failures) = (0_u32, Vec::new());
            while !ends.load(Ordering::Relaxed) {
                let told = Instant::now();
                let ready = ready(&authority, &token);
                let Some(index) = (!ready.is_empty()).then(|| ready[asked as usize % ready.len()]) else {
                    failures.push("nobody is ready".to_owned());
                    continue;
                };
                let answer = tried(&format!("127.0.0.1:{}", base + index));
                let is_served = answer.as_ref().is_ok_and(|said| said.starts_with("HTTP/1.0 200 "));
                // Else it may be this machine that was slow.
                if !is_served && told.elapsed() < OLD {
                    failures.push(format!("web-{index}: {answer:?}"));
                }
                asked += 1;
            }
            (asked, failures)
        });
        Self { stop, thread }
    }

    fn end(self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn json(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.succeeded()).expect("it is JSON")
}

fn rollout(up: &Up<'_>) -> Value {
    json(up.pmctl(&["rollout", "status", "web", "-o", "json"]))["items"][0].clone()
}

fn kinds(up: &Up<'_>) -> Vec<String> {
    let events = up.pmctl(&["events", "web", "--tail", "500", "-o", "jsonl"]).succeeded();
    let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned();
    events.lines().map(kind).filter(|kind| kind.starts_with("rollout.")).collect()
}

const GENTLE: &str = "{ max_unavailable: 0, max_surge: 1, min_ready: 200ms }";

#[test]
fn no_request_fails_while_five_instances_come_to_a_new_version_or_are_restarted() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(OTHER);
    let web = Web::new(&sandbox);
    let _ = web.apply(&up, "one", GENTLE, &["--wait"]).succeeded();
    let client = Client::of(&web, &up);

    let plan = web.apply(&up, "two", GENTLE, &["--dry-run"]).succeeded();
    assert!(plan.contains("web-5 is restarted") && plan.contains("web-6 comes for the time"), "{plan}");
    let told = web.apply(&up, "two", GENTLE, &["--wait", "--timeout", "55s"]).succeeded();
    assert!(told.contains("4 of 5 instances of process web serve"), "{told}");
    assert_eq!(web.answers(&up).iter().filter(|body| *body == "two").count(), 5);
    let before: Vec<u32> = up.api().instances().iter().filter(|one| one.process == "web").map(|one| one.pid).collect();
    let _ = up.pmctl(&["rollout", "restart", "web", "--wait", "--timeout", "55s"]).succeeded();
    let after: Vec<u32> = up.api().instances().iter().filter(|one| one.process == "web").map(|one| one.pid).collect();
    assert!(after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");

    let (asked, failures) = client.end();
    assert!(asked > 20, "only {asked} requests were made");
    assert!(failures.is_empty(), "{} of {asked} failed: {failures:?}", failures.len());
}

#[test]
fn a_version_that_ends_at_once_and_one_that_never_gets_ready_go_back_by_themselves() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(OTHER);
    let web = Web::new(&sandbox);
    let update = "{ max_unavailable: 0, max_surge: 1, auto_revert: true, progress_deadline: 8s }";
    let _ = web.apply(&up, "one", update, &["--wait"]).succeeded();
    let client = Client::of(&web, &up);
    for (bad, generation) in [("crash", 2), ("silent", 4)] {
        web.apply(&up, bad, update, &["--wait", "--timeout", "55s"])
            .failed(11, &[&format!("generation {generation} of process web failed, and was taken back")]);
        assert_eq!(rollout(&up)["state"], "ROLLOUT_STATE_REVERTED");
        assert!(web.answers(&up).iter().all(|body| body == "one"), "{:?}", web.answers(&up));
    }
    let (asked, failures) = client.end();
    assert!(failures.is_empty(), "{} of {asked} failed: {failures:?}", failures.len());

    let kinds = kinds(&up);
    let story: Vec<&str> = kinds.iter().map(String::as_str).filter(|kind| *kind != "rollout.progressed").collect();
    let once = ["rollout.started", "rollout.failed", "rollout.started", "rollout.reverted"];
    assert_eq!(story, [once, once].concat());
    let audit = up.pmctl(&["audit", "--process", "web", "-o", "json"]).succeeded();
    assert!(audit.contains("\"revert\"") && audit.contains("generation 2 failed"), "{audit}");
    assert!(up.pmctl(&["history", "web"]).succeeded().contains("registry"), "who made the generation is told");
}

#[test]
fn a_canary_waits_for_a_word_and_can_be_undone_scaled_and_held() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(OTHER);
    let web = Web::new(&sandbox);
    let update = "{ max_unavailable: 2, canary: 1 }";
    let _ = web.apply(&up, "one", update, &["--wait"]).succeeded();
    let mut events = up.api().events_from(up.api().revision() + 1);
    let _ = web.apply(&up, "two", update, &[]).succeeded();
    let _ = events.wait_for("the canary", |event| event.r#type == "rollout.awaiting_promotion");
    web.apply(&up, "two", update, &["--wait", "--timeout", "6s"]).failed(6, &["rollout promote web"]);
    assert_eq!(web.answers(&up).iter().filter(|body| *body == "two").count(), 1);

    let _ = up.pmctl(&["rollout", "undo", "web", "--wait", "--reason", "slow"]).succeeded();
    assert!(web.answers(&up).iter().all(|body| body == "one"));

    let _ = web.apply(&up, "three", update, &[]).succeeded();
    let _ = events.wait_for("the canary", |event| event.r#type == "rollout.awaiting_promotion");
    let _ = up.pmctl(&["rollout", "pause", "web"]).succeeded();
    up.pmctl(&["rollout", "promote", "web"]).failed(1, &["ROLLOUT_STATE", "resume it first"]);
    let _ = up.pmctl(&["rollout", "resume", "web"]).succeeded();
    let _ = up.pmctl(&["rollout", "promote", "web", "--wait"]).succeeded();
    let _ = up.pmctl(&["wait", "web", "--for=rollout"]).succeeded();
    assert_eq!(web.answers(&up), ["three"; 5]);
    up.pmctl(&["rollout", "pause", "web"]).failed(1, &["no rollout under way"]);

    let _ = up.pmctl(&["scale", "web=6", "--wait", "--reason", "busy"]).succeeded();
    assert_eq!(web.answers(&up), ["three"; 6]);
    up.pmctl(&["scale", "web=2", "--if-version", "1"]).failed(5, &["GENERATION_MISMATCH"]);
    let _ = up.pmctl(&["scale", "web=2"]).succeeded();
    let _ = up.pmctl(&["wait", "web", "--for=ready"]).succeeded();
    let file = web.file("three", 2, update);
    let _ = up.pmctl(&["diff", "-f", &file]).succeeded();
    let file = web.file("four", 2, update);
    let differs = up.pmctl(&["diff", "-f", &file]);
    assert_eq!(differs.code, 1, "{differs}");
    assert!(differs.stdout.contains("web-2 is restarted"), "{differs}");
    let _ = up.pmctl(&["delete", "web", "-y", "--no-wait"]).succeeded();
    let _ = up.pmctl(&["wait", "web", "--for=deleted"]).succeeded();
}

#[test]
fn a_rollout_goes_on_after_everything_that_runs_it_was_killed() {
    let sandbox = Sandbox::new();
    let mut up = sandbox.up(OTHER);
    let web = Web::new(&sandbox);
    let update = "{ max_unavailable: 1, min_ready: 1s }";
    let _ = web.apply(&up, "one", update, &["--wait"]).succeeded();
    let mut events = up.api().events_from(up.api().revision() + 1);
    let _ = web.apply(&up, "two", update, &[]).succeeded();
    let _ = events.wait_for("the first", |event| event.r#type == "rollout.progressed");
    up.kill_9();
    drop(up);
    let up = sandbox.up(OTHER);
    let _ = up.pmctl(&["wait", "web", "--for=rollout", "--timeout", "55s"]).succeeded();
    assert_eq!(web.answers(&up), ["two"; 5]);
}
