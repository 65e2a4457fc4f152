//! Starting, restarting, watching and stopping real programs.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use pm_proto::v1::{ActionState, ActionVerb};
use process_model::spec::{Check, Command, HttpCheck, LogWatchdog, Probe, RestartMode};
use process_model::{ExitStatus, Phase, event_type};
use std::time::Duration;
use support::{Node, code, is_alive, lines_in, logs, port, sh};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_runs_with_its_environment_and_its_output_is_in_its_files() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "echo out $PM_INSTANCE $COLOUR; echo err >&2; sleep 1000");
    spec.env.insert("COLOUR".into(), "blue".into());
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!((started.phase, started.ready), (Phase::Running, true));
    assert!(is_alive(started.pid));
    assert_eq!(lines_in(&node.path("logs/web-1.stdout.log"), 1).await, ["out web-1 blue"]);
    assert_eq!(lines_in(&node.path("logs/web-1.stderr.log"), 1).await, ["err"]);
    // The shell itself has one more for the moment in which it says `err`.
    let fds = || std::fs::read_dir(format!("/proc/{}/fd", started.pid)).unwrap().count();
    logs::until("no descriptor leaked into the program", || fds() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_the_whole_tree_even_those_who_left_the_session() {
    let mut node = Node::new().await;
    let line = "setsid sh -c 'sleep 1001 & echo $! >> pids; wait' & echo $! >> pids; \
                (setsid sleep 1002 & echo $! >> pids); sleep 0.2; echo $$ >> pids; wait; sleep 1003";
    node.assign(&[(sh(&node, "web", line), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let pids: Vec<u32> = lines_in(&node.path("pids"), 4).await.iter().map(|l| l.parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    node.order("a", ActionVerb::Stop, "web-1", 0);
    node.assign(&[(sh(&node, "web", line), false, 0)]);
    assert_eq!(node.action("a").await.0, ActionState::Done);
    let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(left.is_empty(), "still alive: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ignores_the_stop_signal_is_killed_after_its_timeout() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "trap '' TERM; echo up; while true; do sleep 0.1; done");
    spec.stop.timeout = Duration::from_millis(300);
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&node.path("logs/web-1.stdout.log"), 1).await;
    node.assign(&[(spec, false, 0)]);
    let stopped = node.event(event_type::INSTANCE_STOPPED).await;
    assert_eq!(stopped.last_exit, Some(ExitStatus::Signal(9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_reported_with_its_code_and_restarted_with_growing_delays() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "exit 42");
    // Longer than what can lie between the plan and the report of it.
    (spec.restart.backoff.initial, spec.restart.backoff.max) = (Duration::from_secs(2), Duration::from_secs(4));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    for restarts in 0..3 {
        let exited = node.event(event_type::INSTANCE_EXITED).await;
        assert_eq!((code(&exited), exited.restarts), (Some(42), restarts));
        let backoff = node.event(event_type::INSTANCE_BACKOFF).await;
        assert!(backoff.next_restart > Some(backoff.time), "no delay");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_time_signal_is_an_ending_like_any_other() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "kill -36 $$");
    spec.restart.mode = RestartMode::Never;
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let exited = node.event(event_type::INSTANCE_EXITED).await;
    assert_eq!(exited.last_exit, Some(ExitStatus::Signal(36)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_program_is_restarted_and_a_talking_one_is_not() {
    let mut node = Node::new().await;
    let mut silent = sh(&node, "silent", "echo hi; sleep 1000");
    let mut watchdog = LogWatchdog::new(Some(node.path("new/folder/silent.log").to_string_lossy().into_owned()));
    // Many times as long as the pauses of the other one.
    watchdog.timeout = Duration::from_secs(6);
    watchdog.interval = Duration::from_secs(1);
    silent.log_watchdog = Some(watchdog.clone());
    let mut talking = sh(&node, "talking", "while true; do echo hi; sleep 0.1; done");
    watchdog.log_file = None;
    talking.log_watchdog = Some(watchdog);
    node.assign(&[(silent, true, 0), (talking, true, 0)]);
    node.start_runner();
    let timeout = node.event(event_type::INSTANCE_WATCHDOG).await;
    assert_eq!(timeout.instance.to_string(), "silent-1");
    assert!(timeout.message.contains("no log activity for "), "{}", timeout.message);
    let again = node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!((again.instance.to_string().as_str(), again.restarts), ("silent-1", 1));
    assert!(node.path("new/folder/silent.log").exists(), "the watched file was not made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_says_which_step_failed_and_why() {
    let mut node = Node::new().await;
    let mut missing = sh(&node, "missing", "true");
    missing.command = Command::Argv(vec!["/no/such/program".into()]);
    missing.runtime = process_model::spec::RuntimeType::exec();
    let mut nowhere = sh(&node, "nowhere", "true");
    nowhere.working_dir = Some("/no/such/folder".into());
    let mut nobody = sh(&node, "nobody", "true");
    nobody.user = Some("no-such-user".into());
    node.start_runner();
    for (spec, expected) in [
        (missing, "exec: /no/such/program: No such file or directory"),
        (nowhere, "chdir: /no/such/folder: No such file or directory"),
        (nobody, "user: there is no user \"no-such-user\""),
    ] {
        let id = format!("{}-1", spec.name);
        node.order(&id, ActionVerb::Start, &id, 0);
        node.assign(&[(spec, true, 0)]);
        let failed = node.event(event_type::INSTANCE_START_FAILED).await;
        assert!(failed.message.contains(expected), "{}", failed.message);
        let (state, message) = node.action(&id).await;
        assert_eq!(state, ActionState::Failed);
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_means_that_the_health_endpoint_answers() {
    let mut node = Node::new().await;
    let (_reserved, port) = port::reserved();
    let mut spec = sh(&node, "web", &format!("exec python3 -m http.server --bind 127.0.0.1 {port}"));
    spec.readiness = Some(Probe::new(Check::Http(HttpCheck::get(port, "/"))));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    assert!(!node.event(event_type::INSTANCE_STARTED).await.ready);
    assert!(node.event(event_type::INSTANCE_READY).await.ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_was_asked_for_is_one_restart() {
    let mut node = Node::new().await;
    let spec = sh(&node, "web", "sleep 1000");
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    let before = node.event(event_type::INSTANCE_STARTED).await;
    node.order("r", ActionVerb::Restart, "web-1", 1);
    node.assign(&[(spec.clone(), true, 1)]);
    let after = node.event(event_type::INSTANCE_STARTED).await;
    assert_ne!(before.pid, after.pid);
    assert_eq!(node.action("r").await.0, ActionState::Done);
    node.assign(&[(spec, true, 1)]);
    assert!(is_alive(after.pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_assigned_is_stopped_and_forgotten() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "sleep 1000"), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    node.assign(&[]);
    assert!(node.event(event_type::INSTANCE_REMOVED).await.gone);
    assert!(!is_alive(started.pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_not_slower_than_the_program() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "exec sleep 1000");
    // Longer than anything is waited for here.
    spec.stop.timeout = Duration::from_secs(600);
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    node.assign(&[(spec, false, 0)]);
    let stopped = node.event(event_type::INSTANCE_STOPPED).await;
    assert_eq!(stopped.last_exit, Some(ExitStatus::Signal(15)));
}
