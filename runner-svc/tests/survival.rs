//! The runner dies, the keeper dies, the registry is away: programs go on, and
//! nothing that happened is lost.
//!
//! How fast many are taken over, and what one more of them costs, is measured by
//! `PM_MEASURE=1000 PM_MEASURE_PROGRAM=$PWD/target/release/runner-svc
//! cargo test -p runner-svc --test survival taken_over_at_once -- --nocapture`.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use process_model::spec::{Command as ProgramCommand, Hook, Hooks};
use process_model::{ExitStatus, event_type};
use runner_keeper::protocol::{Event, Request};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::threads::of_threads;
use support::{Node, code, is_alive, keepers, kill, lines_in, logs, sh};

#[tokio::test(flavor = "multi_thread")]
async fn s01_kill_9_of_the_runner_leaves_programs_and_their_output_whole() {
    let mut node = Node::new().await;
    let line = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; echo done > finished; sleep 1000";
    node.assign(&[(sh(&node, "web", line), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&node.path("logs/web-1.stdout.log"), 10).await;
    node.kill_runner();
    lines_in(&node.path("finished"), 1).await;
    assert!(is_alive(started.pid), "the program died with the runner");
    node.start_runner();
    let adopted = node.event(event_type::INSTANCE_ADOPTED).await;
    assert_eq!((adopted.pid, adopted.restarts), (started.pid, 0));
    assert_eq!(adopted.started, started.started, "the start time changed");
    let lines = lines_in(&node.path("logs/web-1.stdout.log"), 3000).await;
    let expected: Vec<String> = (0..3000).map(|i| i.to_string()).collect();
    assert_eq!(lines, expected, "a log byte was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn s08_an_exit_while_no_runner_was_there_is_reported_with_its_exact_status() {
    for (ending, expected) in [("exit 42", ExitStatus::Code(42)), ("kill -36 $$", ExitStatus::Signal(36))] {
        let mut node = Node::new().await;
        let line = format!("until [ -e go ]; do sleep 0.02; done; echo over > over; {ending}");
        let mut spec = sh(&node, "web", &line);
        spec.restart.mode = process_model::spec::RestartMode::Never;
        node.assign(&[(spec, true, 0)]);
        node.start_runner();
        let started = node.event(event_type::INSTANCE_STARTED).await;
        node.kill_runner();
        std::fs::write(node.path("go"), "").unwrap();
        lines_in(&node.path("over"), 1).await;
        node.start_runner();
        let exited = node.event(event_type::INSTANCE_EXITED).await;
        assert_eq!(exited.last_exit, Some(expected));
        assert!(!is_alive(started.pid));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_go_on_while_the_registry_is_away_and_are_reported_afterwards() {
    let mut node = Node::new().await;
    let line = "echo x >> runs; until [ -e go-$(wc -l < runs) ]; do sleep 0.02; done; exit 3";
    node.assign(&[(sh(&node, "web", line), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    node.close_registry();
    std::fs::write(node.path("go-1"), "").unwrap();
    lines_in(&node.path("runs"), 2).await;
    node.open_registry().await;
    let exited = node.event(event_type::INSTANCE_EXITED).await;
    assert_eq!(code(&exited), Some(3));
    let started = node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!(started.restarts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_finds_no_registry_starts_what_it_had() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "echo x >> runs; sleep 1000"), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&node.path("runs"), 1).await;
    node.close_registry();
    node.kill_runner();
    // As after a boot: nothing of it is left.
    for pid in keepers(&node.path("state")).into_iter().chain([started.pid]) {
        kill(pid, Signal::KILL);
    }
    node.start_runner();
    lines_in(&node.path("runs"), 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeper_and_runner_lost_at_once_never_lead_to_two_of_an_instance() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "trap '' PIPE; while true; do sleep 0.1; done"), true, 0)]);
    node.start_runner();
    let before = node.event(event_type::INSTANCE_STARTED).await;
    let keeper = keepers(&node.path("state"));
    assert_eq!(keeper.len(), 1);
    node.kill_runner();
    kill(keeper[0], Signal::KILL);
    node.start_runner();
    let exited = node.event(event_type::INSTANCE_EXITED).await;
    assert!(matches!(exited.last_exit, Some(ExitStatus::Unknown(_))), "{:?}", exited.last_exit);
    let after = node.event(event_type::INSTANCE_STARTED).await;
    assert!(is_alive(after.pid));
    assert!(!is_alive(before.pid), "two of one instance");
}

/// A spec that writes numbers until the file `go` is there, then ends with 7.
fn counter(node: &Node, name: &str) -> process_model::ProcessSpec {
    let line = "i=0; until [ -e go ]; do echo $i; i=$((i+1)); sleep 0.1; done; echo end; exit 7";
    let mut spec = sh(node, name, line);
    spec.restart.mode = process_model::spec::RestartMode::Never;
    spec
}

/// The pids of this many instances, from their next reports of an event, none
/// of which was restarted.
async fn pids_of(node: &mut Node, event: &str, count: usize) -> BTreeMap<String, u32> {
    let mut pids = BTreeMap::new();
    while pids.len() < count {
        let report = node.event(event).await;
        assert_eq!(report.restarts, 0, "{report:?}");
        pids.insert(report.instance.to_string(), report.pid);
    }
    pids
}

/// Every number from 0 on, then the end.
fn assert_continuous(node: &Node, name: &str) {
    let text = std::fs::read_to_string(node.path(&format!("logs/{name}-1.stdout.log"))).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (last, numbers) = lines.split_last().unwrap();
    assert_eq!(*last, "end", "{name}");
    for (expected, line) in numbers.iter().enumerate() {
        assert_eq!(*line, expected.to_string(), "a line of {name} is missing or there twice");
    }
}

/// Lets counters end and looks at every exit code and every line.
async fn finish(node: &mut Node, names: impl Iterator<Item = String>) {
    let mut left: BTreeSet<String> = names.map(|name| format!("{name}-1")).collect();
    let all = left.clone();
    std::fs::write(node.path("go"), "").unwrap();
    while !left.is_empty() {
        let report = node.event(event_type::INSTANCE_EXITED).await;
        assert_eq!(code(&report), Some(7), "{report:?}");
        left.remove(&report.instance.to_string());
    }
    all.iter().for_each(|instance| assert_continuous(node, instance.strip_suffix("-1").unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn s01_a_runner_killed_20_times_over_50_programs_changes_nothing_and_is_back_within_2_s() {
    const PROGRAMS: usize = 50;
    let mut node = Node::new().await;
    let specs: Vec<_> = (0..PROGRAMS).map(|i| (counter(&node, &format!("p{i}")), true, 0)).collect();
    node.assign(&specs);
    node.start_runner();
    let pids = pids_of(&mut node, event_type::INSTANCE_STARTED, PROGRAMS).await;
    let keeper = keepers(&node.path("state"))[0];
    let mut times = Vec::new();
    for round in 0..20 {
        node.kill_runner();
        let (begun, waited) = (Instant::now(), waited_for_a_processor(keeper));
        node.start_runner();
        let adopted = pids_of(&mut node, event_type::INSTANCE_ADOPTED, PROGRAMS).await;
        let runner = node.runner.as_ref().unwrap().id();
        let waited = waited_for_a_processor(keeper).saturating_sub(waited) + waited_for_a_processor(runner);
        // What others on this machine take from both is not theirs to answer for.
        times.push(begun.elapsed().saturating_sub(waited));
        assert_eq!(adopted, pids, "round {round}");
    }
    times.sort();
    eprintln!("adopted {PROGRAMS} after {:?} (median), {:?} (worst)", times[10], times[19]);
    assert!(times[10] <= Duration::from_secs(2), "too slow: {times:?}");
    finish(&mut node, (0..PROGRAMS).map(|i| format!("p{i}"))).await;
}

/// How long the threads of a process could have run and did not.
fn waited_for_a_processor(pid: u32) -> Duration {
    let waited = |text: &String| text.split_whitespace().nth(1)?.parse::<u64>().ok();
    Duration::from_nanos(of_threads(pid, "schedstat").iter().filter_map(waited).sum())
}

/// Kibibytes of anonymous memory of a process.
fn anonymous(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_instances_are_taken_over_at_once() {
    let many = std::env::var("PM_MEASURE").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let program = std::env::var_os("PM_MEASURE_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_runner-svc").into());
    let mut node = Node::new().await;
    let mut memory = Vec::new();
    start_program(&mut node, Path::new(&program));
    for count in [many / 10, many] {
        let specs: Vec<_> = (0..count).map(|i| (sh(&node, &format!("p{i}"), "exec sleep 1000"), true, 0)).collect();
        let begun = Instant::now();
        let fresh = count - memory.last().map_or(0, |(before, _, _)| *before);
        node.assign(&specs);
        pids_of(&mut node, event_type::INSTANCE_STARTED, fresh).await;
        eprintln!("started {fresh} more in {:?}", begun.elapsed());
        let (runner, keeper) = (node.runner.as_ref().unwrap().id(), keepers(&node.path("state"))[0]);
        memory.push((count, anonymous(runner), anonymous(keeper)));
    }
    node.kill_runner();
    let begun = Instant::now();
    start_program(&mut node, Path::new(&program));
    pids_of(&mut node, event_type::INSTANCE_ADOPTED, many).await;
    eprintln!("adopted {many} after {:?}", begun.elapsed());
    let keeper = keepers(&node.path("state"))[0];
    memory.push((many, anonymous(node.runner.as_ref().unwrap().id()), anonymous(keeper)));
    for (count, runner, keeper) in &memory {
        eprintln!("{count}: runner {runner} KiB, keeper {keeper} KiB");
    }
    let per_instance = |of: fn(&(usize, u64, u64)) -> u64| {
        (of(&memory[1]).saturating_sub(of(&memory[0]))) as f64 / (memory[1].0 - memory[0].0) as f64
    };
    let (runner, keeper) = (per_instance(|m| m.1), per_instance(|m| m.2));
    eprintln!("one more instance: runner {runner:.2} KiB, keeper {keeper:.2} KiB");
    // With room for an unoptimised build on a loaded machine.
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(runner + keeper < 40.0, "{memory:?}");
    // All that stay are stopped quickly: the keeper and its programs go with the node.
    node.kill_runner();
}

/// Runs this test again in namespaces of its own, as root there and with a
/// process 1 that collects whoever lost its parent; false in there.
fn runs_within(namespaces: &[&str], test: &str) -> bool {
    const INSIDE: &str = "PM_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let run = unshare
        .args(namespaces)
        .args(["sh", "-c", "\"$0\" --exact \"$1\" --nocapture & wait $!"])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(output.contains("1 passed"), "{output}{}", String::from_utf8_lossy(&run.stderr));
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn s03_a_stranger_with_the_number_of_a_program_is_never_signalled() {
    if runs_within(
        &["--pid", "--fork", "--mount-proc", "--kill-child"],
        "s03_a_stranger_with_the_number_of_a_program_is_never_signalled",
    ) {
        return;
    }
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "echo x >> runs; exec sleep 1000"), true, 0)]);
    node.start_runner();
    let before = node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&node.path("runs"), 1).await;
    // Nobody is left who could know that it ended.
    node.kill_runner();
    for pid in keepers(&node.path("state")).into_iter().chain([before.pid]) {
        kill(pid, Signal::KILL);
    }
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while Path::new(&format!("/proc/{}", before.pid)).exists() {
        tick.tick().await;
    }
    let mut stranger = None;
    for _ in 0..1000 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (before.pid - 1).to_string()).unwrap();
        // It survives whatever can be survived, and tells of it.
        let line =
            "trap 'echo hit >> hits' HUP INT QUIT TERM USR1 USR2 CONT; echo up >> up; while true; do sleep 0.1; done";
        let mut child = Command::new("setsid")
            .args(["sh", "-c", line])
            .env("PM_INSTANCE", "other-1")
            .current_dir(node.dir.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        if child.id() == before.pid {
            stranger = Some(child);
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut stranger = stranger.expect("invalid: nobody got the number again");
    lines_in(&node.path("up"), 1).await;
    node.start_runner();
    // What was not confirmed of the first start is told again.
    while node.event(event_type::INSTANCE_STARTED).await.pid == before.pid {}
    lines_in(&node.path("runs"), 2).await;
    assert!(is_alive(stranger.id()), "the stranger was killed");
    assert!(!node.path("hits").exists(), "the stranger was signalled");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn s04_thousands_of_short_lived_children_leave_no_zombies_and_no_descriptors() {
    let mut node = Node::new().await;
    // Orphans, which the keeper collects, and restarts.
    let orphans = "i=0; while [ $i -lt 2000 ]; do (true &); i=$((i+1)); done; echo x > done; sleep 1000";
    let mut brief = sh(&node, "brief", "echo x >> runs; exit 1");
    brief.restart.backoff.initial = Duration::from_millis(1);
    brief.restart.backoff.max = Duration::from_millis(1);
    node.assign(&[(sh(&node, "forks", orphans), true, 0), (brief, true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let keeper = keepers(&node.path("state"))[0];
    lines_in(&node.path("runs"), 5).await;
    let descriptors = || std::fs::read_dir(format!("/proc/{keeper}/fd")).unwrap().count();
    let (mut most_descriptors, before) = (0, descriptors());
    // Since when each is there. How many there are at one time is the scheduler's to say on a loaded machine; how long is
    // not.
    let mut since: BTreeMap<u32, Instant> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let deadline = Instant::now() + Duration::from_secs(240);
    while !node.path("done").exists() || lines_in(&node.path("runs"), 1).await.len() < 200 {
        assert!(Instant::now() < deadline, "not done: {} runs", lines_in(&node.path("runs"), 1).await.len());
        let now = zombies_of(keeper);
        since.retain(|pid, _| now.contains(pid));
        now.into_iter().for_each(|pid| _ = since.entry(pid).or_insert_with(Instant::now));
        longest = since.values().map(Instant::elapsed).chain([longest]).max().unwrap_or_default();
        most_descriptors = most_descriptors.max(descriptors());
        tick.tick().await;
    }
    assert!(longest <= Duration::from_secs(10), "a zombie stayed for {longest:?}");
    // What is open for a moment is the scheduler's to say as well; one kept of each restart or orphan would be hundreds.
    assert!(most_descriptors <= before + 64, "{before} descriptors grew to {most_descriptors}");
    node.assign(&[]);
    node.event(event_type::INSTANCE_REMOVED).await;
    node.event(event_type::INSTANCE_REMOVED).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !zombies_of(keeper).is_empty() || descriptors() > before {
        assert!(
            Instant::now() < deadline,
            "stays: zombies {:?}, {} of {before} descriptors",
            zombies_of(keeper),
            descriptors()
        );
        tick.tick().await;
    }
}

/// Children of a process that ended and were not collected.
fn zombies_of(parent: u32) -> BTreeSet<u32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let is_zombie = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| s.contains(") Z "));
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(is_zombie).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s16_a_state_directory_that_takes_nothing_harms_no_program() {
    if runs_within(&["--mount"], "s16_a_state_directory_that_takes_nothing_harms_no_program") {
        return;
    }
    let mut node = Node::new().await;
    let state = node.path("state");
    std::fs::create_dir(&state).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"], &state);
    node.assign(&[(counter(&node, "web"), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    let log = node.path("logs/web-1.stdout.log");
    lines_in(&log, 5).await;
    // Full, while there is something to remember.
    assert!(std::fs::write(state.join("filler"), vec![0; 4 << 20]).is_err(), "invalid: it took everything");
    node.assign(&[(counter(&node, "web"), true, 0), (counter(&node, "more"), true, 0)]);
    goes_on(&log, started.pid).await;
    std::fs::remove_file(state.join("filler")).unwrap();
    // A runner that cannot remember ends rather than forget; whoever supervises it starts it again.
    if node.runner.as_mut().unwrap().try_wait().unwrap().is_none() {
        node.kill_runner();
    }
    node.start_runner();
    adopted(&mut node, &started).await;
    // Read-only, when a runner begins.
    node.kill_runner();
    mount(&["-t", "tmpfs", "-o", "ro", "tmpfs"], &state);
    assert!(!node.command().output().unwrap().status.success(), "a runner began that cannot remember anything");
    goes_on(&log, started.pid).await;
    assert!(Command::new("umount").arg(&state).status().unwrap().success());
    node.start_runner();
    adopted(&mut node, &started).await;
    finish(&mut node, ["web".to_owned()].into_iter()).await;
}

/// The program is there, and writes.
async fn goes_on(log: &Path, pid: u32) {
    let seen = lines_in(log, 1).await.len();
    lines_in(log, seen + 50).await;
    assert!(is_alive(pid), "the program ended with the disk");
}

/// An instance is taken over as it was.
async fn adopted(node: &mut Node, started: &process_model::InstanceReport) {
    loop {
        let report = node.event(event_type::INSTANCE_ADOPTED).await;
        if report.instance == started.instance {
            assert_eq!((report.pid, report.restarts), (started.pid, 0));
            return;
        }
    }
}

fn mount(arguments: &[&str], target: &Path) {
    let done = Command::new("mount").args(arguments).arg(target).status().unwrap();
    assert!(done.success(), "invalid: mount {arguments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_boot_everything_wanted_starts_without_a_registry() {
    if runs_within(&["--mount"], "after_a_boot_everything_wanted_starts_without_a_registry") {
        return;
    }
    let mut node = Node::new().await;
    let unwanted = sh(&node, "off", "echo x >> off-runs; sleep 1000");
    let mut singleton = sh(&node, "mail", "echo x >> mail-runs; sleep 1000");
    singleton.singleton = Some(Box::default());
    node.assign(&[
        (sh(&node, "web", "echo x >> runs; sleep 1000"), true, 0),
        (unwanted, false, 0),
        (singleton, true, 0),
    ]);
    node.start_runner();
    let started = [node.event(event_type::INSTANCE_STARTED).await, node.event(event_type::INSTANCE_STARTED).await];
    lines_in(&node.path("runs"), 1).await;
    lines_in(&node.path("mail-runs"), 1).await;
    node.close_registry();
    node.kill_runner();
    for pid in keepers(&node.path("state")).into_iter().chain(started.map(|started| started.pid)) {
        kill(pid, Signal::KILL);
    }
    // Numbers of the time before mean nothing now: its main process is somebody else's.
    let boot_id = node.path("boot_id");
    std::fs::write(&boot_id, "11111111-2222-3333-4444-555555555555\n").unwrap();
    mount(&["--bind", boot_id.to_str().unwrap()], Path::new("/proc/sys/kernel/random/boot_id"));
    node.start_runner();
    lines_in(&node.path("runs"), 2).await;
    assert!(!node.path("off-runs").exists(), "what is not wanted was started");
    let mail = std::fs::read_to_string(node.path("mail-runs")).unwrap();
    assert_eq!(mail.lines().count(), 1, "a singleton waits for the registry");
    node.open_registry().await;
    let exited = node.event(event_type::INSTANCE_EXITED).await;
    assert!(exited.message.contains("boot"), "{exited:?}");
    lines_in(&node.path("mail-runs"), 2).await;
}

/// The program with another build id: another build, for all that can be seen.
fn another_build(node: &Node, name: &str) -> std::path::PathBuf {
    let mut bytes = std::fs::read(env!("CARGO_BIN_EXE_runner-svc")).unwrap();
    let note = [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0];
    match bytes.windows(note.len()).position(|window| window == note) {
        Some(at) => bytes[at + note.len()] ^= 0xff,
        // Linked without one: told apart by size.
        None => bytes.push(0),
    }
    let (path, draft) = (node.path(name), node.path("draft"));
    std::fs::write(&draft, bytes).unwrap();
    std::fs::set_permissions(&draft, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    copy(&draft, &path);
    path
}

/// A copy of a program. Written by another process: neither this one may have it open when it is run, nor whatever
/// another test starts meanwhile.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").args([from, to]).status().unwrap().success());
}

fn start_program(node: &mut Node, program: &Path) {
    node.runner = Some(Command::new(program).args(node.command().get_args()).stdin(Stdio::null()).spawn().unwrap());
}

/// Waits until the keeper runs this file.
async fn runs_program(keeper: u32, program: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while std::fs::read_link(format!("/proc/{keeper}/exe")).unwrap() != program {
        assert!(Instant::now() < deadline, "the keeper was not upgraded");
        tick.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s27_an_upgrade_under_load_restarts_nothing_and_loses_no_line_and_no_exit_code() {
    const PROGRAMS: usize = 50;
    let mut node = Node::new().await;
    let installed = node.path("runner-svc");
    copy(Path::new(env!("CARGO_BIN_EXE_runner-svc")), &installed);
    let mut specs: Vec<_> = (0..PROGRAMS).map(|i| (counter(&node, &format!("p{i}")), true, 0)).collect();
    let mut brief = sh(&node, "brief", "echo x >> runs; until [ -e end-brief ]; do sleep 0.01; done; exit 5");
    brief.restart.mode = process_model::spec::RestartMode::Never;
    specs.push((brief, true, 0));
    node.assign(&specs);
    start_program(&mut node, &installed);
    let pids = pids_of(&mut node, event_type::INSTANCE_STARTED, PROGRAMS + 1).await;
    lines_in(&node.path("runs"), 1).await;
    let keeper = keepers(&node.path("state"));
    // The package is replaced, and the runner dies and is started anew.
    let next = another_build(&node, "next");
    std::fs::rename(&next, &installed).unwrap();
    node.kill_runner();
    std::fs::write(node.path("end-brief"), "").unwrap();
    start_program(&mut node, &installed);
    let mut adopted = BTreeMap::new();
    let mut ended = None;
    while adopted.len() < PROGRAMS || ended.is_none() {
        let report = node.any_report().await;
        assert_eq!(report.restarts, 0, "{report:?}");
        if report.event_type == event_type::INSTANCE_ADOPTED {
            adopted.insert(report.instance.to_string(), report.pid);
        } else if report.event_type == event_type::INSTANCE_EXITED {
            ended = code(&report);
        }
    }
    assert_eq!(ended, Some(5), "an exit in between");
    assert!(adopted.iter().all(|(name, pid)| pids[name] == *pid));
    runs_program(keeper[0], &installed).await;
    assert_eq!(keepers(&node.path("state")), keeper, "the keeper is another process");
    // And the first one once more: a build is replaced by whatever the runner is of.
    copy(Path::new(env!("CARGO_BIN_EXE_runner-svc")), &next);
    std::fs::rename(&next, &installed).unwrap();
    node.kill_runner();
    start_program(&mut node, &installed);
    let adopted = pids_of(&mut node, event_type::INSTANCE_ADOPTED, PROGRAMS).await;
    assert!(adopted.iter().all(|(name, pid)| pids[name] == *pid));
    runs_program(keeper[0], &installed).await;
    finish(&mut node, (0..PROGRAMS).map(|i| format!("p{i}"))).await;
    assert_eq!(lines_in(&node.path("runs"), 1).await.len(), 1, "it was started again");
}

#[tokio::test(flavor = "multi_thread")]
async fn s27_a_program_that_cannot_go_on_gives_the_keeper_back() {
    let mut node = Node::new().await;
    node.assign(&[(counter(&node, "web"), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    let keeper = keepers(&node.path("state"))[0];
    node.kill_runner();
    // A file that is no program, said by somebody who speaks for a runner.
    let mut runner = Peer::greet(&node.path("state"));
    runner.ask(&Request::Upgrade { program: node.path("token").to_string_lossy().into_owned() });
    let why = runner.hear(|event| if let Event::UpgradeFailed { message } = event { Some(message) } else { None });
    assert!(why.contains("token"), "{why}");
    drop(runner);
    node.start_runner();
    let adopted = node.event(event_type::INSTANCE_ADOPTED).await;
    assert_eq!((adopted.pid, adopted.restarts), (started.pid, 0));
    assert!(keepers(&node.path("state")).contains(&keeper));
    finish(&mut node, ["web".to_owned()].into_iter()).await;
}

/// Speaks to a keeper as a runner does.
struct Peer {
    stream: std::os::unix::net::UnixStream,
    buffer: Vec<u8>,
    sets: runner_keeper::passing::Sets,
}

impl Peer {
    fn greet(state_dir: &Path) -> Self {
        let stream = std::os::unix::net::UnixStream::connect(runner_keeper::socket_path(state_dir)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut peer = Self { stream, buffer: Vec::new(), sets: runner_keeper::passing::Sets::default() };
        peer.ask(&Request::Hello { version: runner_keeper::protocol::VERSION });
        peer
    }

    fn ask(&mut self, request: &Request) {
        let mut bytes = Vec::new();
        runner_keeper::frame::encode(request, &mut bytes).unwrap();
        std::io::Write::write_all(&mut self.stream, &bytes).unwrap();
    }

    fn hear<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> T {
        loop {
            while let Some((event, _)) = runner_keeper::frame::decode_with(&mut self.buffer, &mut self.sets).unwrap() {
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            let mut chunk = [0; 4096];
            let n = runner_keeper::passing::receive(&self.stream, &mut chunk, &mut self.sets).unwrap();
            assert!(n > 0, "the keeper hung up");
            self.buffer.extend_from_slice(&chunk[..n]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_of_a_dead_runner_is_ended_by_the_next() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "echo x >> runs; sleep 1000");
    let hook = Hook::new(ProgramCommand::Shell("echo $$ >> hooks; until [ -e go ]; do sleep 0.02; done".to_owned()));
    spec.hooks = Some(Box::new(Hooks { pre_start: Some(hook), ..Hooks::default() }));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let first: u32 = lines_in(&node.path("hooks"), 1).await[0].parse().unwrap();
    node.kill_runner();
    assert!(is_alive(first), "invalid: it ended with its runner");
    node.start_runner();
    let hooks = lines_in(&node.path("hooks"), 2).await;
    assert!(!is_alive(first), "two of one hook");
    std::fs::write(node.path("go"), "").unwrap();
    lines_in(&node.path("runs"), 1).await;
    assert_eq!((hooks.len(), lines_in(&node.path("runs"), 1).await.len()), (2, 1));
    // The end of the first one is not taken for a failure of the second.
    assert_eq!(node.event(event_type::INSTANCE_STARTED).await.restarts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s02_a_second_runner_on_the_same_directory_refuses() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "sleep 1000"), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let second = node.command().output().unwrap();
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(words.contains("another runner serves"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_detaches_by_default_and_drains_when_told_so() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "sleep 1000"), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    let mut runner = node.runner.take().unwrap();
    kill(runner.id(), Signal::TERM);
    assert!(runner.wait().unwrap().success());
    assert!(is_alive(started.pid), "detached, but the program ended");

    let mut runner = node.command().args(["--on-stop", "drain"]).spawn().unwrap();
    node.event(event_type::INSTANCE_ADOPTED).await;
    kill(runner.id(), Signal::TERM);
    node.event(event_type::INSTANCE_STOPPED).await;
    assert!(runner.wait().unwrap().success());
    assert!(!is_alive(started.pid));
    logs::until("the keeper has ended", || keepers(&node.path("state")).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_with_nothing_to_keep_ends_with_its_runner() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "sleep 1000"), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    node.assign(&[]);
    node.event(event_type::INSTANCE_REMOVED).await;
    let keeper = keepers(&node.path("state"));
    assert_eq!(keeper.len(), 1);
    let gone = rustix::process::Pid::from_raw(i32::try_from(keeper[0]).unwrap()).unwrap();
    let gone = rustix::process::pidfd_open(gone, rustix::process::PidfdFlags::empty()).unwrap();
    // Forgotten, when the keeper has no descriptor of the program any more.
    let holds_a_program = || {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", keeper[0])).unwrap().flatten();
        descriptors.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|link| link.ends_with("anon_inode:[pidfd]"))
    };
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while holds_a_program() {
        tick.tick().await;
    }
    node.kill_runner();
    let mut ended = [rustix::event::PollFd::new(&gone, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut ended, Some(&patience)).unwrap(), 1, "the keeper stayed for nothing");
}
