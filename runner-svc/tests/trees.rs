//! Real keepers and real programs that try to get away: whole trees end, what
//! a program wrote is where it belongs, and nothing ends the keeper.

#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod support;

use pm_proto::v1::{ActionState, ActionVerb};
use process_model::event_type;
use runner_keeper::frame;
use runner_keeper::protocol::{Event, Request, VERSION};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::threads::of_threads;
use support::{Node, is_alive, kill, lines_in, sh};

/// Longest wait for anything; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that keeps nothing of where it comes from: no environment, no
/// session, no parent.
const DAEMON: &str = "env -i setsid sh -c 'sleep 500 & echo $! >> pids'";

/// A keeper without a runner.
struct Keeper {
    dir: tempfile::TempDir,
    process: Child,
}

/// The test as its runner.
struct Connection {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Keeper {
    fn start() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let log = std::fs::File::create(dir.path().join("keeper.log")).unwrap();
        Self::start_in(dir, log.into())
    }

    /// With something open that nobody meant to hand over.
    fn start_in(dir: tempfile::TempDir, log: Stdio) -> Self {
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" __pm-keeper \"$1\" 9> \"$1/not-for-keepers\"", env!("CARGO_BIN_EXE_runner-svc")])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Self { dir, process }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    fn connect(&self) -> Connection {
        let stream = UnixStream::connect(runner_keeper::socket_path(self.dir.path())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { stream, buffer: Vec::new() }
    }

    fn greet(&self) -> Connection {
        let mut connection = self.connect();
        // As a runner of the first version, which is handed no descriptors.
        connection.ask(&Request::Hello { version: 1 });
        assert!(matches!(connection.event(), Event::Welcome { .. }));
        connection
    }

    fn request(&self, run: u64, argv: &[&str]) -> Request {
        Request::Spawn(Box::new(support::request::spawn_request(self.dir.path(), run, argv)))
    }

    fn living_children(&self) -> Vec<u32> {
        let list = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid())).unwrap();
        list.split_ascii_whitespace().map(|pid| pid.parse().unwrap()).filter(|pid| is_alive(*pid)).collect()
    }

    /// Waits until it has done what there was to do: it sleeps, and nobody who has ended is left to collect.
    fn rests(&self) {
        let is_asleep = |stat: &String| stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('S'));
        let has_ended =
            |children: &String| children.split_ascii_whitespace().any(|pid| !is_alive(pid.parse().unwrap()));
        let deadline = Instant::now() + PATIENCE;
        let read = |file| of_threads(self.pid(), file);
        while !read("stat").iter().all(is_asleep) || read("children").iter().any(has_ended) {
            assert!(Instant::now() < deadline, "it does not rest");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How often its threads have gone to sleep.
    fn wakeups(&self) -> u64 {
        let of = |status: &String| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse().unwrap()
        };
        of_threads(self.pid(), "status").iter().map(of).sum()
    }

    fn limit_open_files(&self, limit: u64) -> Rlimit {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap());
        let hard = std::fs::read_to_string(format!("/proc/{}/limits", self.pid())).unwrap();
        let hard = hard.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let maximum = hard.split_ascii_whitespace().nth(1).unwrap().parse().ok();
        prlimit(pid, Resource::Nofile, Rlimit { current: Some(limit), maximum }).unwrap()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        for pid in self.living_children() {
            kill(pid, rustix::process::Signal::KILL);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = Command::new("umount").arg("-l").arg(self.path("small")).stderr(Stdio::null()).status();
    }
}

impl Connection {
    fn ask(&mut self, request: &Request) {
        let mut bytes = Vec::new();
        frame::encode(request, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn event(&mut self) -> Event {
        loop {
            if let Some(event) = frame::decode(&mut self.buffer).unwrap() {
                return event;
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).unwrap();
            assert!(read > 0, "the keeper closed the connection");
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }
}

fn pids_in(path: &Path) -> Vec<u32> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_without_environment_and_session_are_ended_before_a_restart_and_on_stop() {
    let mut node = Node::new().await;
    let line = format!("{DAEMON}; echo x >> runs; until [ -e go-$(wc -l < runs) ]; do sleep 0.02; done; exit 1");
    // With a second instance, nobody is known for lack of others.
    let others = (sh(&node, "other", "sleep 1000"), true, 0);
    let web = sh(&node, "web", &line);
    node.assign(&[others.clone(), (web.clone(), true, 0)]);
    node.start_runner();
    for run in 1..=3 {
        lines_in(&node.path("runs"), run).await;
        let pids = pids_in(&node.path("pids"));
        assert_eq!(pids.len(), run);
        let alive: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        assert_eq!(alive, [&pids[run - 1]], "a daemon of an earlier run is still there");
        if run < 3 {
            std::fs::write(node.path(&format!("go-{run}")), "").unwrap();
        }
    }
    node.order("a", ActionVerb::Stop, "web-1", 0);
    node.assign(&[others, (web, false, 0)]);
    assert_eq!(node.action("a").await.0, ActionState::Done);
    let left: Vec<_> = pids_in(&node.path("pids")).into_iter().filter(|pid| is_alive(*pid)).collect();
    assert!(left.is_empty(), "still alive: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_after_a_rotation_by_renaming_is_in_the_new_file() {
    let mut node = Node::new().await;
    let line = "i=0; while true; do echo $i; i=$((i+1)); sleep 0.02; done";
    node.assign(&[(sh(&node, "web", line), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let (log, old) = (node.path("logs/web-1.stdout.log"), node.path("logs/web-1.stdout.log.1"));
    lines_in(&log, 5).await;
    std::fs::rename(&log, &old).unwrap();
    let new = lines_in(&log, 5).await;
    let mut lines = lines_in(&old, 5).await;
    lines.extend(new);
    let expected: Vec<String> = (0..lines.len()).map(|i| i.to_string()).collect();
    assert_eq!(lines, expected, "a line was lost or is in the wrong file");
}

#[test]
fn programs_that_fork_twice_and_end_at_once_leave_nobody_in_hundreds_of_runs() {
    const RUNS: u64 = 300;
    const AT_ONCE: u64 = 10;
    let keeper = Keeper::start();
    let mut runner = keeper.greet();
    let races = [
        "(env -i setsid sleep 500 &) & exit 0",
        "env -i setsid sh -c '(setsid sleep 500 &) & exit' & exit 0",
        "((env -i setsid sleep 500 & env -i setsid sh -c 'sleep 500 & sleep 500' &) &)",
    ];
    let mut over = 0;
    for run in 1..=AT_ONCE {
        runner.ask(&keeper.request(run, &["sh", "-c", races[run as usize % races.len()]]));
    }
    let mut next = AT_ONCE;
    while over < RUNS {
        let ended = match runner.event() {
            Event::Exited { run, ending } if !ending.tree_empty => {
                runner.ask(&Request::SignalTree { run, signal: 9 });
                None
            }
            Event::Exited { run, .. } | Event::TreeEmptied { run } => Some(run),
            Event::Spawned { .. } => None,
            other => panic!("{other:?}"),
        };
        let Some(run) = ended else { continue };
        over += 1;
        runner.ask(&Request::Forget { run });
        if next < RUNS {
            next += 1;
            runner.ask(&keeper.request(next, &["sh", "-c", races[next as usize % races.len()]]));
        }
    }
    // Everybody descends from it, so nobody is left when it has no children.
    assert_eq!(keeper.living_children(), Vec::<u32>::new());
    // And nothing wakes a keeper that has nothing to do, once it is asleep.
    runner.ask(&Request::Hello { version: 1 });
    assert!(matches!(runner.event(), Event::Welcome { .. }), "it had something to tell");
    keeper.rests();
    // Longer than a second, after which the loop looks for the last time whether the thread that writes gets on.
    runner.stream.set_read_timeout(Some(Duration::from_millis(1_500))).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let wakeups = keeper.wakeups();
        assert!(runner.stream.read(&mut [0]).is_err(), "it had something to tell");
        if keeper.wakeups() == wakeups {
            break;
        }
        assert!(Instant::now() < deadline, "it is woken again and again");
    }
    assert_eq!(std::fs::read_to_string(keeper.path("keeper.log")).unwrap(), "", "the keeper had something to say");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_exactly_the_bytes_that_the_gap_line_tells() {
    for last_words in ["end", ""] {
        let keeper = Keeper::start();
        let small = keeper.path("small");
        std::fs::create_dir(&small).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "small"]).arg(&small).status();
        if !mounted.is_ok_and(|status| status.success()) {
            return support::cannot_run_here("mounting a small file system");
        }
        std::fs::write(small.join("ballast"), vec![0; 40_000]).unwrap();
        let line = format!(
            "head -c 200000 /dev/zero | tr '\\0' a; echo > written; until [ -e go ]; do sleep 0.01; done; printf '{last_words}'"
        );
        let Request::Spawn(mut spawn) = keeper.request(1, &["sh", "-c", &line]) else { unreachable!() };
        let log = small.join("out.log");
        (spawn.stdout, spawn.stderr) = (log.to_string_lossy().into_owned(), log.to_string_lossy().into_owned());
        let mut runner = keeper.greet();
        runner.ask(&Request::Spawn(spawn));
        assert!(matches!(runner.event(), Event::Spawned { .. }));
        lines_in(&keeper.path("written"), 1).await;
        // It has read all of it, and had no place for it.
        keeper.rests();
        std::fs::remove_file(small.join("ballast")).unwrap();
        // The disk is tried again by the clock: what comes after that is there, behind what is missing.
        lines_in(&log, 2).await;
        std::fs::write(keeper.path("go"), "").unwrap();
        assert!(matches!(runner.event(), Event::Exited { .. }));
        let text = std::fs::read_to_string(&log).unwrap();
        let (mut there, mut missing) = (0, 0);
        for line in text.split('\n') {
            match line.strip_prefix("[pm: ") {
                Some(gap) => {
                    let (number, rest) = gap.split_once(' ').unwrap();
                    assert_eq!(rest, "bytes are missing here: No space left on device (os error 28)]");
                    missing += number.parse::<usize>().unwrap();
                }
                None => there += line.len(),
            }
        }
        assert!(missing > 0, "nothing was missing");
        assert_eq!(there + missing, 200_000 + last_words.len());
        assert!(text.ends_with(if last_words.is_empty() { "]\n" } else { "]\nend" }), "not told where it belongs");
    }
}

#[test]
fn a_keeper_that_cannot_write_its_own_log_goes_on() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let keeper = Keeper::start_in(dir, full.into());
    for run in 1..4 {
        // It says of each runner that it is gone.
        let mut runner = keeper.greet();
        runner.ask(&keeper.request(run, &["sleep", "500"]));
        assert!(matches!(runner.event(), Event::Spawned { .. }));
    }
    assert_eq!(keeper.living_children().len(), 3);
}

#[test]
fn what_a_runner_asked_for_with_its_last_breath_is_done() {
    let keeper = Keeper::start();
    for run in 1..200 {
        let mut dying = keeper.connect();
        dying.ask(&Request::Hello { version: VERSION });
        dying.ask(&keeper.request(run, &["true"]));
        drop(dying);
        let mut next = keeper.connect();
        next.ask(&Request::Hello { version: VERSION });
        let Event::Welcome { runs, .. } = next.event() else { panic!("no welcome") };
        assert!(runs.iter().any(|record| record.run == run), "run {run} was not started");
    }
}

#[test]
fn out_of_descriptors_a_keeper_rests_and_lets_the_runner_in_later() {
    let keeper = Keeper::start();
    let _old = keeper.greet();
    // Fewer than it has: none that it is about to close makes room.
    let before = keeper.limit_open_files(1);
    let mut waiting = keeper.connect();
    waiting.ask(&Request::Hello { version: VERSION });
    let words = || std::fs::read_to_string(keeper.path("keeper.log")).unwrap();
    let asked = Instant::now();
    while !words().contains("cannot accept a runner: Too many open files") {
        assert!(asked.elapsed() < PATIENCE, "{}", words());
        std::thread::sleep(Duration::from_millis(5));
    }
    waiting.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(waiting.stream.read(&mut [0]).is_err(), "let in without a descriptor");
    // It tries again each second, and says so.
    let (lines, seconds) = (words().lines().count(), asked.elapsed().as_secs());
    assert!(lines as u64 <= 3 + seconds, "it spins: {lines} lines in {seconds} s");
    keeper.limit_open_files(before.current.unwrap());
    waiting.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(waiting.event(), Event::Welcome { .. }));
}

#[test]
fn a_keeper_holds_nothing_that_its_starter_had_open() {
    let keeper = Keeper::start();
    let held: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", keeper.pid()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    assert!(keeper.path("not-for-keepers").exists());
    assert!(!held.iter().any(|path| path.contains("not-for-keepers")), "{held:?}");
    assert!(held.iter().any(|path| path.ends_with("keeper.log")), "its standard error is gone: {held:?}");
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    let keeper = Keeper::start();
    // Written by another process: who writes it must not have it open when it is run.
    let made = Command::new("sh")
        .args(["-c", "printf 'echo \"$1\" \"$#\"' > script; chmod +x script"])
        .current_dir(keeper.dir.path())
        .status();
    assert!(made.unwrap().success());
    let mut runner = keeper.greet();
    runner.ask(&keeper.request(1, &[&keeper.path("script").to_string_lossy(), "a b", "c"]));
    assert!(matches!(runner.event(), Event::Spawned { .. }));
    assert!(matches!(runner.event(), Event::Exited { .. }));
    assert_eq!(std::fs::read_to_string(keeper.path("out.log")).unwrap(), "a b 2\n");
}
