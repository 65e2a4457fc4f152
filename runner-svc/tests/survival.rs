//! The runner dies, the keeper dies, the registry is away: programs go on, and
//! nothing that happened is lost.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use process_model::{ExitStatus, event_type};
use rustix::process::Signal;
use support::{Node, code, is_alive, keepers, kill, lines_in, sh};

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
async fn a_lost_keeper_never_leads_to_two_of_an_instance() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "trap '' PIPE; while true; do sleep 0.1; done"), true, 0)]);
    node.start_runner();
    let before = node.event(event_type::INSTANCE_STARTED).await;
    let keeper = keepers(&node.path("state"));
    assert_eq!(keeper.len(), 1);
    kill(keeper[0], Signal::KILL);
    let exited = node.event(event_type::INSTANCE_EXITED).await;
    assert!(matches!(exited.last_exit, Some(ExitStatus::Unknown(_))), "{:?}", exited.last_exit);
    let after = node.event(event_type::INSTANCE_STARTED).await;
    assert!(is_alive(after.pid));
    assert!(!is_alive(before.pid), "two of one instance");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_runner_on_the_same_directory_refuses() {
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
    assert!(keepers(&node.path("state")).is_empty(), "the keeper stayed");
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
    node.kill_runner();
    let mut ended = [rustix::event::PollFd::new(&gone, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut ended, Some(&patience)).unwrap(), 1, "the keeper stayed for nothing");
}
