//! What is silence and what only looks like it: rotation, clocks that are set,
//! a node that was asleep.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use process_model::spec::{Check, Command as ProgramCommand, HttpCheck, LogWatchdog, Probe};
use process_model::{InstanceReport, ProcessSpec, Timestamp, event_type};
use rustix::process::Signal;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use support::{Node, cannot_run_here, is_alive, keepers, kill, lines_in, logs, port, sh};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

fn watchdog(file: Option<&Path>, timeout: Duration) -> LogWatchdog {
    let mut watchdog = LogWatchdog::new(file.map(|file| file.to_string_lossy().into_owned()));
    (watchdog.timeout, watchdog.interval) = (timeout, 1000 * MS);
    watchdog
}

/// Waits until a file has this many more lines than now.
async fn more_lines(path: &Path, more: usize) {
    let now = std::fs::read_to_string(path).unwrap_or_default().lines().count();
    lines_in(path, now + more).await;
}

/// The next report of this event about this instance.
async fn event_of(node: &mut Node, name: &str, event: &str) -> InstanceReport {
    loop {
        let report = node.event(event).await;
        if report.instance.to_string() == name {
            return report;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l10_a_log_that_is_rotated_in_any_way_is_not_silent_and_one_that_is_silent_is_found_in_time() {
    // At ten a second, of more seconds than the watchdog's; those are longer than a pause of a loaded machine.
    const MORE: usize = 55;
    let mut node = Node::new().await;
    let (log, count) = (node.path("app.log"), node.path("count"));
    let line = "while [ ! -e stop ]; do echo line >> app.log; echo x >> count; sleep 0.1; done; exec sleep 1000";
    let mut spec = sh(&node, "web", line);
    spec.log_watchdog = Some(watchdog(Some(&log), 5000 * MS));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    let inode = || std::fs::metadata(&log).map(|metadata| metadata.ino());
    let replaces = |fault: &dyn Fn()| {
        let before = inode().unwrap();
        // Held, or its number could be given to the next one.
        let _held = std::fs::File::open(&log).unwrap();
        fault();
        assert!(inode().ok() != Some(before), "the fault did not happen");
    };
    more_lines(&count, MORE).await;
    replaces(&|| std::fs::rename(&log, node.path("app.log.1")).unwrap());
    more_lines(&count, MORE).await;
    std::fs::copy(&log, node.path("app.log.2")).unwrap();
    let before = std::fs::metadata(&log).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    assert!(std::fs::metadata(&log).unwrap().len() < before, "the fault did not happen");
    more_lines(&count, MORE).await;
    replaces(&|| {
        std::fs::remove_file(&log).unwrap();
        std::fs::write(&log, "").unwrap();
    });
    more_lines(&count, MORE).await;
    for target in ["target-a", "target-b"] {
        replaces(&|| {
            std::fs::write(node.path(target), "").unwrap();
            symlink(node.path(target), node.path("link")).unwrap();
            std::fs::rename(node.path("link"), &log).unwrap();
        });
        more_lines(&count, MORE).await;
    }
    let future = SystemTime::now() + Duration::from_secs(24 * 3600);
    std::fs::File::options().append(true).open(&log).unwrap().set_modified(future).unwrap();
    more_lines(&count, MORE).await;
    assert!(is_alive(started.pid), "it was taken for silent: {:?}", node.reported());
    // And now it is, with a time of change that lies before it.
    std::fs::write(node.path("stop"), "").unwrap();
    let lines = std::fs::read_to_string(&count).unwrap().lines().count();
    std::fs::File::options().append(true).open(&log).unwrap().set_modified(future).unwrap();
    let silent_since = Instant::now();
    let found = node.event(event_type::INSTANCE_WATCHDOG).await;
    let took = silent_since.elapsed();
    assert!(lines_in(&count, lines).await.len() <= lines + 2, "it was not silent");
    assert!(found.message.contains("no log activity for"), "{}", found.message);
    // Its time and an interval, and what a loaded machine adds.
    assert!((1000 * MS..=20_000 * MS).contains(&took), "after {took:?}");
}

/// Adds the seconds in a file to what a process is told of the wall clock.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static const volatile long long *ahead;
__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) ahead = map;
    close(fd);
}
int clock_gettime(clockid_t id, struct timespec *time) {
    int outcome = syscall(SYS_clock_gettime, id, time);
    if (!outcome && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) time->tv_sec += *ahead;
    return outcome;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A wall clock that can be set, for the runner and its keeper alone: setting
/// the machine's would be felt by everybody on it.
struct WallClock {
    ahead: std::fs::File,
    file: PathBuf,
    shim: PathBuf,
}

impl WallClock {
    /// `None` without a C compiler.
    fn new(dir: &Path) -> Option<Self> {
        let (source, shim, file) = (dir.join("clock.c"), dir.join("clock.so"), dir.join("clock"));
        std::fs::write(&source, SHIM).unwrap();
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(&source).status();
        if built.is_err() {
            return None;
        }
        assert!(built.unwrap().success(), "the clock was not built");
        let ahead = std::fs::File::options().read(true).write(true).create_new(true).open(&file).unwrap();
        ahead.set_len(8).unwrap();
        Some(Self { ahead, file, shim })
    }

    fn set_ahead(&self, seconds: i64) {
        self.ahead.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    fn start_runner(&self, node: &mut Node) {
        let runner = node.command().env("LD_PRELOAD", &self.shim).env("TEST_CLOCK", &self.file).spawn();
        node.runner = Some(runner.unwrap());
    }
}

/// Whether a report was written by a clock that is `ahead` seconds ahead.
fn is_ahead(report: &InstanceReport, ahead: i64) -> bool {
    let now = Timestamp::from(SystemTime::now()).0;
    (report.time.0 - now - ahead * 1_000_000_000).abs() < 20_000_000_000
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_l11_a_clock_that_is_set_moves_no_delay_and_makes_nobody_silent() {
    let mut node = Node::new().await;
    let Some(clock) = WallClock::new(node.dir.path()) else { return cannot_run_here("a C compiler") };
    let mut talking = sh(&node, "talking", "while true; do echo x; sleep 0.2; done");
    talking.log_watchdog = Some(watchdog(None, 8000 * MS));
    let check = Check::Exec { command: ProgramCommand::Shell("true".into()) };
    talking.liveness = Some(Probe { interval: 300 * MS, timeout: 10_000 * MS, ..Probe::new(check) });
    // By a clock that nobody sets.
    let mut crashing = sh(&node, "crashing", "cut -d' ' -f1 /proc/uptime >> starts; exit 1");
    let backoff = &mut crashing.restart.backoff;
    (backoff.initial, backoff.max, backoff.factor, backoff.jitter) = (4000 * MS, 4000 * MS, 1.0, 0.0);
    let mut stubborn = sh(&node, "stubborn", "trap '' TERM; while true; do sleep 0.1; done");
    stubborn.stop.timeout = 4000 * MS;
    let specs = |wanted: bool| [(talking.clone(), true, 0), (crashing.clone(), true, 0), (stubborn.clone(), wanted, 0)];
    node.assign(&specs(true));
    clock.start_runner(&mut node);
    let started = event_of(&mut node, "talking-1", event_type::INSTANCE_STARTED).await;
    let hour = 3600;
    for ahead in [hour, -hour, 24 * hour, -24 * hour] {
        event_of(&mut node, "crashing-1", event_type::INSTANCE_BACKOFF).await;
        clock.set_ahead(ahead);
        // Too long by an hour, it is not waited for.
        let again = event_of(&mut node, "crashing-1", event_type::INSTANCE_STARTED).await;
        assert!(is_ahead(&again, ahead), "the clock was not set: {:?}", again.time);
    }
    let starts: Vec<f64> =
        lines_in(&node.path("starts"), 5).await.iter().map(|seconds| seconds.parse().unwrap()).collect();
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] > 3.9), "a delay was cut short: {starts:?}");
    let begun = Instant::now();
    node.assign(&specs(false));
    event_of(&mut node, "stubborn-1", event_type::INSTANCE_STOPPING).await;
    clock.set_ahead(hour);
    let stopped = event_of(&mut node, "stubborn-1", event_type::INSTANCE_STOPPED).await;
    let took = begun.elapsed();
    assert!(is_ahead(&stopped, hour), "the clock was not set");
    // What it takes at most is what an event is waited for.
    assert!(took > 3900 * MS, "the stop took {took:?}");
    // Longer than its watchdog's time, after the last step.
    more_lines(&node.path("logs/talking-1.stdout.log"), 45).await;
    assert!(is_alive(started.pid), "it was restarted");
}

/// Beats, writes and answers, all the time.
fn lively(node: &Node, port: u16) -> ProcessSpec {
    let line = format!(
        "exec python3 -c '
import http.server, os, socket, threading, time
to = os.environ[\"NOTIFY_SOCKET\"]
to = \"\\0\" + to[1:] if to[0] == \"@\" else to
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def beat():
    while True:
        s.sendto(b\"WATCHDOG=1\", to)
        print(\"x\", flush=True)
        time.sleep(0.1)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.HTTPServer((\"127.0.0.1\", {port}), Handler)
threading.Thread(target=beat, daemon=True).start()
server.serve_forever()
'"
    );
    let mut spec = sh(node, "web", &line);
    spec.log_watchdog = Some(watchdog(None, 5000 * MS));
    spec.notify_watchdog = Some(5000 * MS);
    let probe = Probe::new(Check::Http(HttpCheck::get(port, "/")));
    let initial_delay = 2000 * MS;
    spec.liveness =
        Some(Probe { initial_delay, interval: 200 * MS, timeout: 5000 * MS, failure_threshold: 1, ..probe });
    spec
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
}

#[tokio::test(flavor = "multi_thread")]
async fn s20_l11_a_node_that_was_asleep_kills_nobody_when_it_wakes() {
    let mut node = Node::new().await;
    let (_reserved, port) = port::reserved();
    node.assign(&[(lively(&node, port), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    let log = node.path("logs/web-1.stdout.log");
    // Everybody who watches has begun to.
    more_lines(&log, 30).await;
    let everybody: Vec<u32> =
        [started.pid, node.runner.as_ref().unwrap().id()].into_iter().chain(keepers(&node.path("state"))).collect();
    assert_eq!(everybody.len(), 3);
    for pid in &everybody {
        kill(*pid, Signal::STOP);
    }
    logs::until("everybody is asleep", || everybody.iter().all(|pid| is_stopped(*pid))).await;
    let asleep = Instant::now() + 9000 * MS;
    let written = std::fs::metadata(&log).unwrap().len();
    while Instant::now() < asleep {
        tokio::time::sleep(500 * MS).await;
        assert!(everybody.iter().all(|pid| is_stopped(*pid)), "somebody was awake");
    }
    assert!(std::fs::metadata(&log).unwrap().len() <= written + 64, "somebody wrote");
    for pid in &everybody {
        kill(*pid, Signal::CONT);
    }
    // Longer than any grace.
    more_lines(&log, 90).await;
    assert!(is_alive(started.pid), "it was killed for having slept: {:?}", node.reported());
    assert!(!node.reported().iter().any(|event| event == event_type::INSTANCE_STOPPING), "it is being stopped");
    // And the watch goes on: asleep alone, it is dead.
    kill(started.pid, Signal::STOP);
    assert!(node.event(event_type::INSTANCE_STOPPING).await.pid == started.pid);
}
