//! Runner and keeper of different versions, and a keeper among people who mean
//! it no good: at the level of frames, with real processes.
//!
//! The bytes of version 1 are written out as that version wrote them, and its
//! messages are described here once more: no change of today's types can bend
//! them. A longer run against a real keeper:
//! `PM_FUZZ_CONNECTIONS=100000 cargo test -p runner-svc --test keeper_protocol garbage`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use process_model::spec::{Listen, Socket};
use process_model::{ExitStatus, event_type};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Node, is_alive, keepers, kill, lines_in, sh};

/// `Hello` of version 1, byte for byte.
const HELLO_1: &[u8] = b"\x11\0\0\0\x81\xa5Hello\x81\xa7version\x01";

/// `Welcome` of version 1 by process 77 with nothing, byte for byte.
const WELCOME_1: &[u8] = b"\x1e\0\0\0\x81\xa7Welcome\x83\xa7version\x01\xa3pid\x4d\xa4runs\x90";

/// What a keeper of version 1 can read.
#[derive(Debug, Deserialize, PartialEq)]
enum Request1 {
    Hello { version: u32 },
    Spawn(Box<Spawn1>),
    SignalTree { run: u64, signal: i32 },
    Forget { run: u64 },
    Shutdown,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Spawn1 {
    run: u64,
    instance: String,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    working_dir: String,
    identity: Option<()>,
    stdout: String,
    stderr: String,
}

/// What a runner of version 1 can read.
#[derive(Debug, Serialize, Deserialize)]
enum Event1 {
    Welcome { version: u32, pid: u32, runs: Vec<Record1> },
    Spawned { run: u64, pid: u32, start_time: u64, started_at: i64 },
    SpawnFailed { run: u64, stage: String, message: String },
    Exited { run: u64, ending: Ending1 },
    TreeEmptied { run: u64 },
    ShutdownRefused { alive: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
struct Record1 {
    run: u64,
    instance: String,
    pid: u32,
    start_time: u64,
    started_at: i64,
    age: u64,
    ending: Option<Ending1>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ending1 {
    status: ExitStatus,
    at: i64,
    tree_empty: bool,
}

/// Writes a message as version 1 does.
fn say(stream: &mut UnixStream, message: &impl Serialize) {
    let body = rmp_serde::to_vec_named(message).unwrap();
    stream.write_all(&u32::try_from(body.len()).unwrap().to_le_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

/// Reads a message as version 1 does: four bytes of length, and no descriptors,
/// for it would not know where they come from.
fn read<M: for<'de> Deserialize<'de>>(stream: &mut UnixStream) -> Option<M> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let length = u32::from_le_bytes(header) as usize;
    assert!(length <= 8 << 20, "version 1 takes this for a message of {length} bytes");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(rmp_serde::from_slice(&body).expect("version 1 cannot read this"))
}

/// When a process began.
fn start_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

/// A keeper of version 1 for one connection: starts what it is asked to, and
/// returns everything that it was asked.
fn keeper_of_version_1(listener: &UnixListener) -> Vec<Request1> {
    let (mut stream, _) = listener.accept().unwrap();
    let mut asked = Vec::new();
    let mut children: Vec<(u64, Child)> = Vec::new();
    while let Some(request) = read::<Request1>(&mut stream) {
        match &request {
            Request1::Hello { .. } => stream.write_all(WELCOME_1).unwrap(),
            Request1::Spawn(spawn) => {
                let mut child = Command::new(&spawn.argv[0]);
                child.args(&spawn.argv[1..]).envs(spawn.env.iter().cloned()).stdin(Stdio::null());
                let child = child.current_dir(&spawn.working_dir).process_group(0).spawn().unwrap();
                let (run, pid) = (spawn.run, child.id());
                say(&mut stream, &Event1::Spawned { run, pid, start_time: start_time(pid), started_at: 1 });
                children.push((run, child));
            }
            Request1::SignalTree { run, signal } => {
                let Some((_, child)) = children.iter_mut().find(|(id, _)| id == run) else { continue };
                kill(child.id(), Signal::from_named_raw(*signal).unwrap());
                child.wait().unwrap();
                let ending = Ending1 { status: ExitStatus::Signal(*signal), at: 2, tree_empty: true };
                say(&mut stream, &Event1::Exited { run: *run, ending });
            }
            Request1::Forget { .. } | Request1::Shutdown => {}
        }
        asked.push(request);
    }
    for (_, mut child) in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn s27_a_keeper_of_version_1_is_worked_with_and_asked_for_nothing_that_it_cannot_read() {
    let mut node = Node::new().await;
    std::fs::create_dir(node.path("state")).unwrap();
    std::fs::set_permissions(node.path("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(node.path("state/keeper.sock")).unwrap();
    let keeper = std::thread::spawn(move || keeper_of_version_1(&listener));
    let simple = sh(&node, "simple", "echo x >> runs; sleep 1000");
    let mut demanding = sh(&node, "demanding", "echo x >> demanding-runs; sleep 1000");
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    demanding.sockets.push(Socket { name: "http".into(), listen: Listen::Tcp(address), backlog: 1 });
    demanding.restart.mode = process_model::spec::RestartMode::Never;
    node.assign(&[(simple.clone(), true, 0), (demanding.clone(), true, 0)]);
    node.start_runner();
    let (mut started, mut refused) = (None, None);
    while started.is_none() || refused.is_none() {
        let report = node.any_report().await;
        match (report.instance.to_string().as_str(), report.event_type.as_str()) {
            ("simple-1", event_type::INSTANCE_STARTED) => started = Some(report.pid),
            ("demanding-1", _) if report.message.contains("older version") => refused = Some(report.message),
            _ => {}
        }
    }
    lines_in(&node.path("runs"), 1).await;
    assert!(refused.unwrap().contains("sockets"));
    assert!(!node.path("demanding-runs").exists());
    // A stop goes through it, too.
    node.assign(&[(simple, false, 0), (demanding, true, 0)]);
    while node.event(event_type::INSTANCE_STOPPED).await.instance.to_string() != "simple-1" {}
    assert!(!is_alive(started.unwrap()));
    node.kill_runner();
    let asked = keeper.join().unwrap();
    assert_eq!(asked[0], Request1::Hello { version: runner_keeper::protocol::VERSION });
    let starts = asked.iter().filter(|request| matches!(request, Request1::Spawn(_))).count();
    assert_eq!(starts, 1, "{asked:?}");
}

/// A keeper for `state_dir`, without a runner.
fn real_keeper(state_dir: &Path) -> Child {
    std::fs::create_dir_all(state_dir).unwrap();
    let mut keeper = Command::new(env!("CARGO_BIN_EXE_runner-svc"))
        .arg0("pm-keeper")
        .arg("__pm-keeper")
        .arg(state_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    keeper.stdout.take().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    keeper
}

fn connect(state_dir: &Path) -> UnixStream {
    let stream = UnixStream::connect(state_dir.join("keeper.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn spawn_1(dir: &Path, run: u64, line: &str) -> Spawn1 {
    let log = dir.join("log").to_string_lossy().into_owned();
    Spawn1 {
        run,
        instance: "web-1".into(),
        argv: ["/bin/sh", "-c", line].map(str::to_owned).to_vec(),
        env: vec![("TEST_DIR".into(), dir.to_string_lossy().into_owned())],
        working_dir: dir.to_string_lossy().into_owned(),
        identity: None,
        stdout: log.clone(),
        stderr: log,
    }
}

#[derive(Serialize)]
enum Ask1 {
    Spawn(Spawn1),
    SignalTree { run: u64, signal: i32 },
    Forget { run: u64 },
    Shutdown,
}

#[tokio::test(flavor = "multi_thread")]
async fn s27_a_runner_of_version_1_hears_nothing_that_it_cannot_read() {
    let node = Node::new().await;
    let state = node.path("state");
    let mut keeper = real_keeper(&state);
    let mut runner = connect(&state);
    runner.write_all(HELLO_1).unwrap();
    let Some(Event1::Welcome { version, runs, .. }) = read(&mut runner) else { panic!("no welcome") };
    assert!(version >= 2 && runs.is_empty());
    say(&mut runner, &Ask1::Spawn(spawn_1(node.dir.path(), 7, "echo up; sleep 1000")));
    let Some(Event1::Spawned { run: 7, pid, .. }) = read(&mut runner) else { panic!("not spawned") };
    lines_in(&node.path("log"), 1).await;
    // The next one of that version finds it.
    let mut runner = connect(&state);
    runner.write_all(HELLO_1).unwrap();
    let Some(Event1::Welcome { runs, .. }) = read(&mut runner) else { panic!("no welcome") };
    assert_eq!((runs.len(), runs[0].run, runs[0].pid), (1, 7, pid));
    say(&mut runner, &Ask1::SignalTree { run: 7, signal: 9 });
    assert_eq!(end_of_7(&mut runner), ExitStatus::Signal(9));
    say(&mut runner, &Ask1::Forget { run: 7 });
    say(&mut runner, &Ask1::Shutdown);
    assert!(keeper.wait().unwrap().success());
}

/// How run 7 ended, once nobody of it is left.
fn end_of_7(runner: &mut UnixStream) -> ExitStatus {
    let Some(Event1::Exited { run: 7, ending }) = read(runner) else { panic!("no end") };
    if !ending.tree_empty {
        let Some(Event1::TreeEmptied { run: 7 }) = read(runner) else { panic!("its tree did not end") };
    }
    ending.status
}

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % below
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_socket_harms_neither_the_keeper_nor_its_programs() {
    let node = Node::new().await;
    let state = node.path("state");
    let mut keeper = real_keeper(&state);
    let mut runner = connect(&state);
    runner.write_all(HELLO_1).unwrap();
    read::<Event1>(&mut runner).unwrap();
    say(&mut runner, &Ask1::Spawn(spawn_1(node.dir.path(), 7, "sleep 1000")));
    let Some(Event1::Spawned { pid, .. }) = read(&mut runner) else { panic!("not spawned") };
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", keeper.id())).unwrap().count();
    let before = descriptors();
    let connections =
        std::env::var("PM_FUZZ_CONNECTIONS").ok().and_then(|text| text.parse::<usize>().ok()).unwrap_or(300);
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let messages: [&[u8]; 5] = [
        HELLO_1,
        b"\x11\0\0\0\x81\xa5Hello\x81\xa7version\x02",
        b"\x19\0\0\0\x81\xa9Collected\x82\xa3run\x07\xa6status\x00",
        b"\xff\xff\xff\xff",
        b"\x0e\0\0\xfa\x81\xa6Forget\x81\xa3run\x07",
    ];
    for _ in 0..connections {
        let mut peer = connect(&state);
        for _ in 0..=dice.roll(4) {
            let mut bytes = messages[dice.roll(messages.len())].to_vec();
            if dice.roll(2) == 0 {
                let at = dice.roll(bytes.len());
                bytes[at] = u8::try_from(dice.roll(256)).unwrap();
            }
            bytes.truncate(1 + dice.roll(bytes.len()));
            let sets: Vec<_> = (0..dice.roll(3)).map(|_| std::os::fd::AsFd::as_fd(&runner)).collect();
            // It may have been cut off already, which is right.
            let _ = runner_keeper::passing::send(&peer, &bytes, &sets);
        }
        if dice.roll(2) == 0 {
            let _ = peer.set_read_timeout(Some(Duration::from_millis(1)));
            let _ = peer.read(&mut [0; 64]);
        }
    }
    let mut runner = connect(&state);
    runner.write_all(HELLO_1).unwrap();
    let Some(Event1::Welcome { runs, .. }) = read(&mut runner) else { panic!("no welcome") };
    assert_eq!((runs.len(), runs[0].pid), (1, pid), "it lost a run");
    assert!(is_alive(pid));
    // Who hung up is noticed a moment later.
    let deadline = Instant::now() + Duration::from_secs(30);
    while descriptors() > before + 8 {
        assert!(Instant::now() < deadline, "{} of {before} descriptors stay", descriptors());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(keepers(&state), [keeper.id()]);
    say(&mut runner, &Ask1::SignalTree { run: 7, signal: 9 });
    assert_eq!(end_of_7(&mut runner), ExitStatus::Signal(9));
    say(&mut runner, &Ask1::Forget { run: 7 });
    say(&mut runner, &Ask1::Shutdown);
    assert!(keeper.wait().unwrap().success());
}
