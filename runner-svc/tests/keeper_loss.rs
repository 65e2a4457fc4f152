//! The keeper is lost: whatever its programs did to hide, and whatever was
//! asked for meanwhile, exactly one of each instance lives afterwards.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use process_model::spec::LogWatchdog;
use process_model::{InstanceReport, event_type};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
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

fn kill_keeper(node: &Node) {
    let keeper = keepers(&node.path("state"));
    assert_eq!(keeper.len(), 1, "keepers of this node");
    kill(keeper[0], Signal::KILL);
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
    started(&mut node, "first-1").await;
    // Whoever holds the lock keeps any other keeper from starting.
    let lock = File::open(node.path("state/keeper.lock")).unwrap();
    kill_keeper(&node);
    lock.lock().unwrap();
    node.assign(&[(first, true, 0), (second, true, 0)]);
    // The runner tried in vain: the lock is held, and it says so in the keeper's log.
    lines_in(&node.path("state/keeper.log"), 1).await;
    // Taken in: the journal has it, and its start is on its way.
    until(|| is_in_a_file_of(&node.path("state"), b"second-1")).await;
    lock.unlock().unwrap();
    let mut waited_for = BTreeSet::from(["first-1".to_owned(), "second-1".to_owned()]);
    while !waited_for.is_empty() {
        waited_for.remove(&node.event(event_type::INSTANCE_STARTED).await.instance.to_string());
    }
    lines_in(&node.path("runs"), 1).await;
    assert_eq!(copies(&sleep).len(), 1, "copies of one instance");
    assert_eq!(lines_in(&node.path("runs"), 1).await.len(), 1, "it was started more than once");
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

/// Kills the keeper under a program and says how many of it live afterwards.
async fn copies_after_loss(line: &str, sleep: &str) -> usize {
    let _sweep = Sweep(sleep.to_owned());
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "hider", line), true, 0)]);
    node.start_runner();
    started(&mut node, "hider-1").await;
    until(|| copies(sleep).len() == 1).await;
    let before = copies(sleep);
    kill_keeper(&node);
    started(&mut node, "hider-1").await;
    // The new one is there once it is another.
    until(|| !copies(sleep).is_subset(&before)).await;
    copies(sleep).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_in_a_session_of_its_own_does_not_survive_a_lost_keeper() {
    let sleep = format!("sleep {}", nap(2));
    assert_eq!(copies_after_loss(&format!("setsid {sleep} & wait"), &sleep).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_without_its_environment_does_not_survive_a_lost_keeper() {
    let sleep = format!("sleep {}", nap(3));
    assert_eq!(copies_after_loss(&format!("exec env -i {sleep}"), &sleep).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_session_environment_or_parent_does_not_survive_a_lost_keeper() {
    let sleep = format!("sleep {}", nap(4));
    let line = format!("env -i setsid sh -c '{sleep} &'; sleep 1000");
    assert_eq!(copies_after_loss(&line, &sleep).await, 1);
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
    kill_keeper(&node);
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
    kill_keeper(&node);
    started(&mut node, "web-1").await;
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
    started(&mut node, "web-1").await;
    lines_in(&node.path("limits"), 1).await;
    kill_keeper(&node);
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
