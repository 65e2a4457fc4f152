//! The keeper is lost. With its runner alive, nobody notices: a new keeper takes
//! the programs over, with their outputs and their trees. With the runner lost
//! as well, whatever the programs did to hide, exactly one of each instance
//! lives afterwards.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use process_model::spec::{LogWatchdog, RestartMode};
use process_model::{ExitStatus, InstanceReport, event_type};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::threads::of_threads;
use support::{Node, is_alive, keepers, kill, lines_in, sh};

/// Living processes of these arguments.
fn copies(arguments: &str) -> BTreeSet<u32> {
    let arguments = format!("{}\0", arguments.replace(' ', "\0"));
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == arguments))
        .filter(|pid| is_alive(*pid))
        .collect()
}

/// Seconds to sleep for that nobody else on this machine uses: they name the
/// processes of one test.
fn nap(test: u32) -> String {
    format!("{}.{test}", 100_000 + std::process::id())
}

/// Ends what a test could not name otherwise.
struct Sweep(String);

impl Drop for Sweep {
    fn drop(&mut self) {
        copies(&self.0).into_iter().for_each(|pid| kill(pid, Signal::KILL));
    }
}

fn kill_keeper(node: &Node) -> u32 {
    let keeper = keepers(&node.path("state"));
    assert_eq!(keeper.len(), 1, "keepers of this node");
    kill(keeper[0], Signal::KILL);
    keeper[0]
}

/// Kills the keeper so that there is none until the lock is given back: whoever holds it keeps any other keeper from
/// starting. The runner, which would start one at once, stands still until it is held.
async fn kill_keeper_and_lock(node: &Node) -> File {
    let runner = node.runner.as_ref().unwrap().id();
    let stat = || std::fs::read_to_string(format!("/proc/{runner}/stat")).unwrap();
    let lock = File::open(node.path("state/keeper.lock")).unwrap();
    kill(runner, Signal::STOP);
    until(|| stat().contains(") T ")).await;
    kill_keeper(node);
    lock.lock().unwrap();
    kill(runner, Signal::CONT);
    lock
}

/// Kills the keeper in a moment in which it waits: what it has read of an output
/// at any other moment is lost with it, between two system calls.
async fn kill_idle_keeper(node: &Node) -> u32 {
    let keeper = keepers(&node.path("state"))[0];
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    // epoll_wait or epoll_pwait, of x86-64 and of the others.
    let waits = |call: &String| ["232 ", "281 ", "22 ", "441 "].iter().any(|number| call.starts_with(number));
    for _ in 0..10_000 {
        kill(keeper, Signal::STOP);
        // One of its threads may run on for a moment.
        until(|| of_threads(keeper, "stat").iter().all(|stat| stat.contains(") T "))).await;
        if of_threads(keeper, "syscall").iter().all(waits) {
            kill(keeper, Signal::KILL);
            return keeper;
        }
        kill(keeper, Signal::CONT);
        tick.tick().await;
    }
    panic!("the keeper never waited");
}

/// A keeper other than `before` has taken over this many runs.
async fn taken_over(node: &Node, before: u32, runs: usize) {
    let said = |node: &Node| {
        let words = std::fs::read_to_string(node.path("state/keeper.log")).unwrap_or_default();
        words.lines().filter(|line| line.contains("took over")).count()
    };
    until(|| {
        let now = keepers(&node.path("state"));
        !now.is_empty() && !now.contains(&before) && said(node) >= runs
    })
    .await;
}

/// The next start of an instance.
async fn started(node: &mut Node, instance: &str) -> InstanceReport {
    loop {
        let report = node.event(event_type::INSTANCE_STARTED).await;
        if report.instance.to_string() == instance {
            return report;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_was_asked_for_while_there_was_no_keeper_is_started_once() {
    let mut node = Node::new().await;
    let sleep = format!("sleep {}", nap(1));
    let _sweep = Sweep(sleep.clone());
    let (first, second) = (sh(&node, "first", "sleep 1000"), sh(&node, "second", &format!("echo x >> runs; {sleep}")));
    node.assign(&[(first.clone(), true, 0)]);
    node.start_runner();
    let before = started(&mut node, "first-1").await;
    let lock = kill_keeper_and_lock(&node).await;
    node.assign(&[(first, true, 0), (second, true, 0)]);
    // The runner tried in vain: the lock is held, and it says so in the keeper's log.
    lines_in(&node.path("state/keeper.log"), 1).await;
    // Taken in: the journal has it, and its start is on its way.
    until(|| is_in_a_file_of(&node.path("state"), b"second-1")).await;
    lock.unlock().unwrap();
    started(&mut node, "second-1").await;
    lines_in(&node.path("runs"), 1).await;
    until(|| copies(&sleep).len() == 1).await;
    assert_eq!(lines_in(&node.path("runs"), 1).await.len(), 1, "it was started more than once");
    assert!(is_alive(before.pid), "who ran already was ended");
}

fn is_in_a_file_of(dir: &Path, words: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
        std::fs::read(entry.path()).is_ok_and(|bytes| bytes.windows(words.len()).any(|window| window == words))
    })
}

/// Waits until something is so that nobody tells.
async fn until(mut is_so: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "it never came true");
        tick.tick().await;
    }
}

/// Kills the keeper under a program, which goes on, and then stops the program
/// through the keeper that took it over.
async fn outlives_its_keeper_and_is_stopped_by_the_next(line: &str, sleep: &str) {
    let _sweep = Sweep(sleep.to_owned());
    let mut node = Node::new().await;
    let spec = sh(&node, "hider", line);
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    started(&mut node, "hider-1").await;
    until(|| copies(sleep).len() == 1).await;
    let before = copies(sleep);
    let keeper = kill_keeper(&node);
    taken_over(&node, keeper, 1).await;
    assert_eq!(copies(sleep), before, "it did not survive its keeper");
    node.assign(&[(spec, false, 0)]);
    node.event(event_type::INSTANCE_STOPPED).await;
    assert!(copies(sleep).is_empty(), "stopped, and somebody is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_in_a_session_of_its_own_is_of_the_tree_after_a_lost_keeper() {
    let sleep = format!("sleep {}", nap(2));
    outlives_its_keeper_and_is_stopped_by_the_next(&format!("setsid {sleep} & wait"), &sleep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_without_its_environment_is_known_after_a_lost_keeper() {
    let sleep = format!("sleep {}", nap(3));
    outlives_its_keeper_and_is_stopped_by_the_next(&format!("exec env -i {sleep}"), &sleep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_session_environment_or_parent_is_of_the_tree_after_a_lost_keeper() {
    let sleep = format!("sleep {}", nap(4));
    let line = format!("env -i setsid sh -c '{sleep} &'; sleep 1000");
    outlives_its_keeper_and_is_stopped_by_the_next(&line, &sleep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s28_a_keeper_killed_again_and_again_restarts_nothing_and_loses_no_line_and_no_exit_code() {
    const PROGRAMS: u32 = 20;
    const KILLS: usize = 5;
    let mut node = Node::new().await;
    let line = "i=0; until [ -e go ]; do echo $i; i=$((i+1)); sleep 0.02; done; echo end; exit $CODE";
    let specs: Vec<_> = (0..PROGRAMS)
        .map(|i| {
            let mut spec = sh(&node, &format!("p{i}"), line);
            spec.env.insert("CODE".into(), (i + 1).to_string());
            spec.restart.mode = RestartMode::Never;
            (spec, true, 0)
        })
        .collect();
    node.assign(&specs);
    node.start_runner();
    let mut pids = BTreeMap::new();
    while pids.len() < PROGRAMS as usize {
        let report = node.event(event_type::INSTANCE_STARTED).await;
        pids.insert(report.instance.to_string(), report.pid);
    }
    for round in 1..=KILLS {
        let keeper = kill_idle_keeper(&node).await;
        taken_over(&node, keeper, round * PROGRAMS as usize).await;
        assert!(pids.values().all(|pid| is_alive(*pid)), "somebody did not survive");
    }
    std::fs::write(node.path("go"), "").unwrap();
    let mut ended = BTreeMap::new();
    while ended.len() < PROGRAMS as usize {
        let report = node.any_report().await;
        // Nothing else happened to anybody.
        assert_ne!(report.event_type, event_type::INSTANCE_STARTED, "{report:?}");
        if report.event_type == event_type::INSTANCE_EXITED {
            assert_eq!(report.restarts, 0);
            ended.insert(report.instance.to_string(), report.last_exit);
        }
    }
    for i in 0..PROGRAMS {
        let code = i32::try_from(i + 1).unwrap();
        assert_eq!(ended[&format!("p{i}-1")], Some(ExitStatus::Code(code)), "the exit code of p{i}");
        let lines = std::fs::read_to_string(node.path(&format!("logs/p{i}-1.stdout.log"))).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        let (last, numbers) = lines.split_last().unwrap();
        assert_eq!(*last, "end");
        assert!(numbers.len() > 10, "it said nothing meanwhile");
        for (expected, line) in numbers.iter().enumerate() {
            assert_eq!(*line, expected.to_string(), "a line of p{i} is missing");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_while_there_is_no_keeper_is_told_with_its_exact_status() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "until [ -e go ]; do sleep 0.02; done; exit 42");
    spec.restart.mode = RestartMode::Never;
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let before = started(&mut node, "web-1").await;
    let lock = kill_keeper_and_lock(&node).await;
    std::fs::write(node.path("go"), "").unwrap();
    until(|| !Path::new(&format!("/proc/{}", before.pid)).exists()).await;
    lock.unlock().unwrap();
    let exited = node.event(event_type::INSTANCE_EXITED).await;
    assert_eq!(exited.last_exit, Some(ExitStatus::Code(42)));
}

#[tokio::test(flavor = "multi_thread")]
async fn s28_a_keeper_killed_under_another_runner_than_started_it_restarts_nothing() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "until [ -e go ]; do echo x; sleep 0.02; done; exit 42");
    spec.restart.mode = RestartMode::Never;
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let before = started(&mut node, "web-1").await;
    node.kill_runner();
    node.start_runner();
    node.event(event_type::INSTANCE_ADOPTED).await;
    let keeper = kill_idle_keeper(&node).await;
    taken_over(&node, keeper, 1).await;
    assert!(is_alive(before.pid));
    std::fs::write(node.path("go"), "").unwrap();
    let exited = node.event(event_type::INSTANCE_EXITED).await;
    // Its parent is init now. Linux tells everybody who has a descriptor how it ended since 6.15; before, nobody can.
    assert!(
        matches!(&exited.last_exit, Some(ExitStatus::Code(42)))
            || matches!(&exited.last_exit, Some(ExitStatus::Unknown(why)) if why.contains("keeper and runner were lost")),
        "{:?}",
        exited.last_exit
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_finds_its_keeper_dead_leaves_no_second_copy() {
    for (test, line) in [(5, "setsid SLEEP & wait"), (6, "exec env -i SLEEP")] {
        let sleep = format!("sleep {}", nap(test));
        let _sweep = Sweep(sleep.clone());
        let mut node = Node::new().await;
        node.assign(&[(sh(&node, "hider", &line.replace("SLEEP", &sleep)), true, 0)]);
        node.start_runner();
        started(&mut node, "hider-1").await;
        until(|| copies(&sleep).len() == 1).await;
        let before = copies(&sleep);
        node.kill_runner();
        kill_keeper(&node);
        node.start_runner();
        started(&mut node, "hider-1").await;
        until(|| !copies(&sleep).is_subset(&before)).await;
        assert_eq!(copies(&sleep).len(), 1, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_runners_instance_of_the_same_name_is_left_alone() {
    let (mine, other) = (format!("sleep {}", nap(7)), format!("sleep {}", nap(8)));
    let (_mine, _other) = (Sweep(mine.clone()), Sweep(other.clone()));
    let (mut node, mut neighbour) = (Node::new().await, Node::new().await);
    node.assign(&[(sh(&node, "web", &mine), true, 0)]);
    node.start_runner();
    started(&mut node, "web-1").await;
    neighbour.assign(&[(sh(&neighbour, "web", &format!("setsid {other} & wait")), true, 0)]);
    neighbour.start_runner();
    let neighbours = started(&mut neighbour, "web-1").await;
    until(|| copies(&other).len() == 1).await;
    let before = copies(&other);
    node.kill_runner();
    kill_keeper(&node);
    node.start_runner();
    started(&mut node, "web-1").await;
    assert!(is_alive(neighbours.pid), "the neighbour's was killed");
    assert_eq!(copies(&other), before, "the neighbour's was killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_keeper_left_is_collected() {
    let sleep = format!("sleep {}", nap(9));
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", &sleep), true, 0)]);
    node.start_runner();
    let before = started(&mut node, "web-1").await;
    let keeper = kill_keeper(&node);
    taken_over(&node, keeper, 1).await;
    kill(before.pid, Signal::KILL);
    let after = started(&mut node, "web-1").await;
    assert_eq!(after.last_exit, Some(ExitStatus::Signal(9)));
    until(|| !Path::new(&format!("/proc/{}", before.pid)).exists()).await;
}

/// A container begun without a session of its own: there is no number for ours.
#[test]
fn what_a_lost_keeper_left_is_collected_where_our_session_is_of_another_pid_namespace() {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let run = unshare
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_lost_keeper_left_is_collected"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(output.contains("1 passed"), "{output}{}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_the_open_file_limit_that_pm_was_started_with_also_from_a_second_keeper() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "ulimit -Sn >> limits; sleep 1000"), true, 0)]);
    let runner = node.command();
    let limited = Command::new("sh")
        .args(["-c", "ulimit -Sn 512; exec \"$@\"", "sh"])
        .arg(runner.get_program())
        .args(runner.get_args())
        .stdin(Stdio::null())
        .spawn();
    node.runner = Some(limited.unwrap());
    let before = started(&mut node, "web-1").await;
    lines_in(&node.path("limits"), 1).await;
    let keeper = kill_keeper(&node);
    taken_over(&node, keeper, 1).await;
    kill(before.pid, Signal::KILL);
    assert_eq!(lines_in(&node.path("limits"), 2).await, ["512", "512"]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.runner.as_ref().unwrap().id())).unwrap();
    let open_files: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(open_files[3], open_files[4], "the runner did not raise its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_rotated_away_is_not_made_anew_by_the_watchdog() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "quiet", "echo up; sleep 1000");
    let mut watchdog = LogWatchdog::new(None);
    watchdog.timeout = Duration::from_secs(2);
    watchdog.interval = Duration::from_secs(1);
    spec.log_watchdog = Some(watchdog);
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    started(&mut node, "quiet-1").await;
    lines_in(&node.path("logs/quiet-1.stdout.log"), 1).await;
    std::fs::rename(node.path("logs/quiet-1.stdout.log"), node.path("logs/quiet-1.stdout.log.1")).unwrap();
    // It is found silent all the same, a look at the missing file included.
    node.event(event_type::INSTANCE_WATCHDOG).await;
}
