//! Who waits for whom, who is stopped first, what runs when; and the signals
//! and numbers that a node has to stand.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use process_model::spec::{CatchUp, Check, Condition, Dependency, Overlap, Probe, RestartMode, Schedule};
use process_model::{InstanceReport, ProcessSpec, event_type};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Node, is_alive, kill, lines_in, sh};

fn needs(spec: &mut ProcessSpec, process: &str, condition: Condition) {
    spec.depends_on.push(Dependency { process: process.parse().unwrap(), condition });
}

/// The next report of this event about this instance.
async fn event_of(node: &mut Node, instance: &str, event: &str) -> InstanceReport {
    loop {
        let report = node.event(event).await;
        if report.instance.to_string() == instance {
            return report;
        }
    }
}

/// A program that says when it begins and ends, and takes a moment to end.
fn told(node: &Node, name: &str) -> ProcessSpec {
    let line = format!(
        "trap 'echo {name} ends >> order; sleep 0.3; echo {name} ended >> order; exit 0' TERM; \
         echo {name} began >> order; while :; do sleep 0.05; done"
    );
    sh(node, name, &line)
}

/// Waits for this file before it counts as ready.
fn ready_when(node: &Node, spec: &mut ProcessSpec, file: &str) {
    let path = node.path(file).to_string_lossy().into_owned();
    spec.readiness = Some(Probe {
        interval: Duration::from_millis(100),
        ..Probe::new(Check::Exec {
            command: process_model::spec::Command::Argv(vec!["test".into(), "-e".into(), path]),
        })
    });
}

#[tokio::test]
async fn a_dependent_starts_when_what_it_needs_is_as_it_has_to_be() {
    let mut node = Node::new().await;
    let mut db = sh(
        &node,
        "db",
        "while ! [ -e speak ]; do sleep 0.05; done; echo now listening on 5432; while ! [ -e end ]; do sleep 0.05; done",
    );
    db.restart.mode = RestartMode::Never;
    ready_when(&node, &mut db, "ready");
    let mut specs = vec![(db, true, 1)];
    for (name, condition) in [
        ("started", Condition::Started),
        ("ready", Condition::Ready),
        ("log", Condition::Log("listening on [0-9]+$".into())),
        ("completed", Condition::Completed),
        ("well", Condition::CompletedOk),
        ("nobody", Condition::Started),
    ] {
        let mut spec = sh(&node, name, &format!("echo {name} >> order; exec sleep 1000"));
        needs(&mut spec, if name == "nobody" { "elsewhere" } else { "db" }, condition);
        specs.push((spec, true, 1));
    }
    node.start_runner();
    node.assign(&specs);

    let order = node.path("order");
    assert_eq!(lines_in(&order, 1).await, ["started"]);
    // Each step lets exactly one more go; had another not waited, it would be there before.
    for (file, so_far) in [("ready", &["started", "ready"][..]), ("speak", &["started", "ready", "log"])] {
        std::fs::write(node.path(file), "").unwrap();
        assert_eq!(lines_in(&order, so_far.len()).await, so_far);
    }
    std::fs::write(node.path("end"), "").unwrap();
    let mut lines = lines_in(&order, 5).await;
    lines[3..].sort();
    assert_eq!(lines, ["started", "ready", "log", "completed", "well"]);
    // Who waits for what is not here waits on.
    assert!(!lines.contains(&"nobody".to_owned()));
}

#[tokio::test]
async fn what_is_waited_for_is_told_and_a_circle_by_name() {
    let mut node = Node::new().await;
    let plain = |name: &str| sh(&node, name, "exec sleep 1000");
    let (mut a, mut b, mut away, free) = (plain("a"), plain("b"), plain("away"), plain("free"));
    needs(&mut a, "b", Condition::Started);
    needs(&mut b, "a", Condition::Ready);
    needs(&mut away, "elsewhere", Condition::Ready);
    node.start_runner();
    node.assign(&[(a, true, 1), (b, true, 1), (away, true, 1), (free.clone(), true, 1)]);
    let mut expected = std::collections::BTreeMap::from([
        ("a-1", "b-1 to run; they wait for each other: a -> b -> a"),
        ("b-1", "a-1 to be ready; they wait for each other: b -> a -> b"),
        ("away-1", "elsewhere: no instance on this node"),
    ]);
    let mut has_started = false;
    // What is told first may be of a moment in which not all of them were here.
    while !expected.is_empty() || !has_started {
        let report = node.any_report().await;
        if report.event_type == event_type::INSTANCE_WAITING {
            expected
                .retain(|instance, words| *instance != report.instance.to_string() || !report.message.contains(*words));
        } else if report.event_type == event_type::INSTANCE_STARTED {
            assert_eq!(report.instance.to_string(), "free-1", "a circle does not start");
            has_started = true;
        }
    }
}

#[tokio::test]
async fn a_line_that_was_written_before_anybody_waited_counts() {
    let mut node = Node::new().await;
    let db = sh(&node, "db", "echo listening; exec sleep 1000");
    node.start_runner();
    node.assign(&[(db.clone(), true, 1)]);
    event_of(&mut node, "db-1", event_type::INSTANCE_STARTED).await;
    lines_in(&node.path("logs/db-1.stdout.log"), 1).await;
    node.kill_runner();
    node.start_runner();
    let mut web = sh(&node, "web", "exec sleep 1000");
    needs(&mut web, "db", Condition::Log("^listening$".into()));
    node.assign(&[(db, true, 1), (web, true, 1)]);
    event_of(&mut node, "web-1", event_type::INSTANCE_STARTED).await;
}

/// Three that need each other in a row.
fn row(node: &Node) -> [ProcessSpec; 3] {
    let (mut web, mut api, db) = (told(node, "web"), told(node, "api"), told(node, "db"));
    needs(&mut web, "api", Condition::Started);
    needs(&mut api, "db", Condition::Started);
    // Neither by name nor by the order of the assignment.
    [api, db, web]
}

const DOWN: [&str; 6] = ["web ends", "web ended", "api ends", "api ended", "db ends", "db ended"];

/// Waits until the three have been started in their order, and have begun:
/// who is started first may still be the last to say so.
async fn all_began(node: &mut Node, order: &Path) {
    for instance in ["db-1", "api-1", "web-1"] {
        event_of(node, instance, event_type::INSTANCE_STARTED).await;
    }
    let mut began = lines_in(order, 3).await;
    began.sort();
    assert_eq!(began, ["api began", "db began", "web began"]);
}

#[tokio::test]
async fn a_drain_stops_dependents_first() {
    let mut node = Node::new().await;
    let row = row(&node);
    let mut command = node.command();
    command.args(["--on-stop", "drain"]);
    node.runner = Some(command.spawn().unwrap());
    node.assign(&row.map(|spec| (spec, true, 1)));
    let order = node.path("order");
    all_began(&mut node, &order).await;
    kill(node.runner.as_ref().unwrap().id(), Signal::TERM);
    assert_eq!(lines_in(&order, 9).await[3..], DOWN);
    assert!(node.runner.take().unwrap().wait().unwrap().success());
}

#[tokio::test]
async fn several_that_are_stopped_at_once_are_stopped_in_order() {
    let mut node = Node::new().await;
    let row = row(&node);
    node.start_runner();
    node.assign(&row.clone().map(|spec| (spec, true, 1)));
    let order = node.path("order");
    all_began(&mut node, &order).await;
    for (action, instance) in [("s1", "api-1"), ("s2", "db-1"), ("s3", "web-1")] {
        node.order(action, pm_proto::v1::ActionVerb::Stop, instance, 1);
    }
    node.assign(&row.map(|spec| (spec, false, 1)));
    assert_eq!(lines_in(&order, 9).await[3..], DOWN);
    for action in ["s3", "s1", "s2"] {
        let (state, why) = node.action(action).await;
        assert_eq!(state, pm_proto::v1::ActionState::Done, "{action}: {why}");
    }
}

fn every(cron: &str, overlap: Overlap, catch_up: CatchUp) -> Option<Box<Schedule>> {
    Some(Box::new(Schedule {
        cron: cron.to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        overlap,
        catch_up,
        jitter: Duration::ZERO,
    }))
}

/// What a run says of itself: a word and the time in milliseconds.
async fn runs(path: &Path, at_least: usize) -> Vec<(String, u64)> {
    let lines = lines_in(path, at_least).await;
    let read = |line: &String| line.split_once(' ').map(|(word, at)| (word.to_owned(), at.parse().unwrap()));
    lines.iter().filter_map(read).collect()
}

/// Runs for so long; says when it begins, when it ends and that it is stopped
/// (without a program of its own: that would be told to stop, too).
fn timed(node: &Node, name: &str, seconds: &str) -> (ProcessSpec, PathBuf) {
    let line = format!(
        "say() {{ echo $1 $(date +%s%3N) >> runs.{name}; }}; trap 'echo stopped 0 >> runs.{name}; exit 3' TERM; \
         say begin; sleep {seconds} & wait $!; say end"
    );
    let mut spec = sh(node, name, &line);
    spec.restart.mode = RestartMode::Never;
    (spec, node.path(&format!("runs.{name}")))
}

#[tokio::test]
async fn a_time_that_comes_during_a_run_is_skipped_queued_or_replaces_it() {
    let mut node = Node::new().await;
    let mut specs = Vec::new();
    let mut files = Vec::new();
    // What is to be replaced does not end by itself; the others run for longer than until the next time.
    for (name, overlap, seconds) in
        [("skip", Overlap::Skip, "4.2"), ("queue", Overlap::Queue, "4.2"), ("replace", Overlap::Replace, "1000")]
    {
        let (mut spec, file) = timed(&node, name, seconds);
        spec.schedule = every("*/3 * * * * *", overlap, CatchUp::None);
        specs.push((spec, true, 1));
        files.push(file);
    }
    node.start_runner();
    node.assign(&specs);
    let words = |runs: &[(String, u64)]| runs.iter().map(|(word, _)| word.clone()).collect::<Vec<_>>();
    let (skip, queue, replace) = (runs(&files[0], 5).await, runs(&files[1], 5).await, runs(&files[2], 5).await);
    node.runner.as_ref().inspect(|runner| assert!(is_alive(runner.id())));
    assert_eq!(words(&skip)[..5], ["begin", "end", "begin", "end", "begin"]);
    assert_eq!(words(&queue)[..5], ["begin", "end", "begin", "end", "begin"]);
    assert_eq!(words(&replace)[..5], ["begin", "stopped", "begin", "stopped", "begin"]);
    // The gap after a run of 4.2 s: until the next time, which is 1.8 s, or none.
    let gaps = |runs: &[(String, u64)]| runs[1].1.abs_diff(runs[2].1) + runs[3].1.abs_diff(runs[4].1);
    assert!(gaps(&queue) < gaps(&skip), "{queue:?} {skip:?}");
}

#[tokio::test]
async fn what_was_missed_while_the_runner_was_away_is_made_up_for_once_or_left_out() {
    const PERIOD: u64 = 6000;
    let now = || u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let next_time = |after: u64| (after / PERIOD + 1) * PERIOD;
    let mut node = Node::new().await;
    let mut specs = Vec::new();
    let mut files = Vec::new();
    for (name, catch_up) in [("once", CatchUp::Once), ("none", CatchUp::None)] {
        let (mut spec, file) = timed(&node, name, "0");
        spec.schedule = every("*/6 * * * * *", Overlap::Skip, catch_up);
        specs.push((spec, true, 1));
        files.push(file);
    }
    node.start_runner();
    let assigned = now();
    node.assign(&specs);
    for file in &files {
        let runs = runs(file, 2).await;
        assert!(runs[0].1 >= next_time(assigned), "before its time: {runs:?}, assigned at {assigned}");
    }
    node.kill_runner();
    let before = [runs(&files[0], 0).await.len(), runs(&files[1], 0).await.len()];
    // Two of its times pass; back well after the second of them, well before the next.
    let back = next_time(now()) + PERIOD + 1800;
    tokio::time::sleep(Duration::from_millis(back - now())).await;
    for (file, before) in files.iter().zip(before) {
        assert_eq!(runs(file, 0).await.len(), before, "invalid: it ran without a runner");
    }
    node.start_runner();
    let once = runs(&files[0], before[0] + 1).await[before[0]].1;
    let none = runs(&files[1], before[1] + 1).await[before[1]].1;
    assert!((back..next_time(back)).contains(&once), "{once} is not between {back} and the next time");
    assert!(none >= next_time(back), "{none} is not one of its times");
}

#[tokio::test]
async fn a_one_shot_that_succeeded_is_never_run_again() {
    let mut node = Node::new().await;
    let mut once = sh(&node, "once", "echo ran >> runs");
    once.restart.mode = RestartMode::OnFailure;
    node.start_runner();
    node.assign(&[(once.clone(), true, 1)]);
    event_of(&mut node, "once-1", event_type::INSTANCE_EXITED).await;
    for _ in 0..2 {
        node.kill_runner();
        node.start_runner();
        node.assign(&[(once.clone(), true, 1), (sh(&node, "after", "exec sleep 1000"), true, 1)]);
        lines_in(&node.path("runs"), 1).await;
    }
    event_of(&mut node, "after-1", event_type::INSTANCE_STARTED).await;
    assert_eq!(lines_in(&node.path("runs"), 1).await, ["ran"]);
}

/// A runner whose log can be read.
fn start_logged(node: &mut Node, arguments: &[&str]) -> PathBuf {
    let log = node.path("runner.log");
    let file = std::fs::File::create(&log).unwrap();
    let mut command: Command = node.command();
    command.args(arguments).stderr(Stdio::from(file));
    node.runner = Some(command.spawn().unwrap());
    log
}

async fn log_has(log: &Path, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while !std::fs::read_to_string(log).unwrap_or_default().contains(text) {
        assert!(Instant::now() < deadline, "no {text:?} in {}", std::fs::read_to_string(log).unwrap_or_default());
        tick.tick().await;
    }
}

#[tokio::test]
async fn s29_a_storm_of_signals_stops_nothing_and_a_bad_file_keeps_the_old() {
    let mut node = Node::new().await;
    let (types, policy) = (node.path("types.d"), node.path("node-policy.yaml"));
    std::fs::create_dir(&types).unwrap();
    let own = "name: own\ndescription: Own\nrun:\n  - command: [sh, -c, \"exec sleep 1000 # {{line}}\"]\n";
    std::fs::write(types.join("own.yaml"), own).unwrap();
    std::fs::write(&policy, "version: 1\n").unwrap();
    let (types_dir, policy_file) = (types.to_str().unwrap().to_owned(), policy.to_str().unwrap().to_owned());
    let log = start_logged(&mut node, &["--types-dir", &types_dir, "--policy-file", &policy_file]);
    let steady = sh(&node, "steady", "exec sleep 1000");
    node.assign(&[(steady.clone(), true, 1)]);
    let pid = event_of(&mut node, "steady-1", event_type::INSTANCE_STARTED).await.pid;
    let runner = node.runner.as_ref().unwrap().id();

    // Both files are bad now; the signals come faster than they can be read.
    std::fs::write(types.join("own.yaml"), "name: [").unwrap();
    std::fs::write(&policy, "version: 1\nusers: 7\n").unwrap();
    for _ in 0..300 {
        for signal in [Signal::HUP, Signal::PIPE, Signal::USR1] {
            kill(runner, signal);
        }
    }
    log_has(&log, "types stay as they were").await;
    log_has(&log, "the policy stays as it was").await;
    kill(runner, Signal::USR1);
    log_has(&log, "reload: at").await;
    log_has(&log, "steady-1: phase=running").await;
    assert!(is_alive(runner) && is_alive(pid));

    // What held before holds still: the type is known, the policy forbids nothing.
    let mut typed = sh(&node, "typed", "ignored");
    typed.runtime = "own".parse().unwrap();
    node.assign(&[(steady.clone(), true, 1), (typed.clone(), true, 1)]);
    event_of(&mut node, "typed-1", event_type::INSTANCE_STARTED).await;

    // Good files hold at once.
    std::fs::write(types.join("own.yaml"), own.replace("1000", "2000")).unwrap();
    std::fs::write(&policy, "version: 1\nshell: false\n").unwrap();
    kill(runner, Signal::HUP);
    log_has(&log, "types and policy were read anew").await;
    node.assign(&[
        (steady.clone(), true, 1),
        (typed.clone(), true, 1),
        (sh(&node, "shell", "exec sleep 1000"), true, 1),
    ]);
    let refused = event_of(&mut node, "shell-1", event_type::INSTANCE_START_FAILED).await;
    assert!(refused.message.contains("shell"), "{}", refused.message);

    // SIGINT detaches as SIGTERM does.
    kill(runner, Signal::INT);
    assert!(node.runner.take().unwrap().wait().unwrap().success());
    assert!(is_alive(pid), "detached");
}

#[tokio::test]
async fn s29_the_second_sigterm_is_faster() {
    let mut node = Node::new().await;
    let log = start_logged(&mut node, &["--on-stop", "drain"]);
    let mut deaf = sh(&node, "deaf", "trap '' TERM; echo deaf > deaf; while :; do sleep 1000; done");
    deaf.stop.timeout = Duration::from_secs(600);
    node.assign(&[(deaf, true, 1)]);
    let pid = event_of(&mut node, "deaf-1", event_type::INSTANCE_STARTED).await.pid;
    lines_in(&node.path("deaf"), 1).await;
    let runner = node.runner.as_ref().unwrap().id();
    kill(runner, Signal::TERM);
    event_of(&mut node, "deaf-1", event_type::INSTANCE_STOPPING).await;
    assert!(is_alive(pid), "invalid: it was not deaf");
    let asked = Instant::now();
    kill(runner, Signal::TERM);
    log_has(&log, "stops wait no longer").await;
    assert!(node.runner.take().unwrap().wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(20), "took {:?}", asked.elapsed());
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn s30_hundreds_of_processes_start_within_their_time() {
    // The row says 1,000; that many need minutes on a busy machine with debug assertions.
    let processes: usize = std::env::var("S30_PROCESSES").map_or(300, |number| number.parse().unwrap());
    let mut node = Node::new().await;
    let spec = |n: usize| {
        let mut spec = sh(&node, &format!("p{n}"), "");
        spec.command = process_model::spec::Command::Argv(vec!["sleep".into(), "1000".into()]);
        spec.runtime = process_model::spec::RuntimeType::exec();
        spec
    };
    let specs: Vec<_> = (0..processes).map(|n| (spec(n), true, 1)).collect();
    node.start_runner();
    node.assign(&[]);
    let begun = Instant::now();
    node.assign(&specs);
    let mut pids = std::collections::BTreeSet::new();
    while pids.len() < processes {
        pids.insert(node.event(event_type::INSTANCE_STARTED).await.pid);
    }
    let took = begun.elapsed();
    println!("{processes} processes were started within {took:?}");
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    assert!(took < Duration::from_secs(60), "took {took:?}");
}
