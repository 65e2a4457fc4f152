//! N07: the registry is away. Programs run on, are restarted by their policies,
//! also by a runner that was started anew meanwhile; and when the registry is
//! back it hears everything that happened, in its order.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::Event;
use process_model::ProcessSpec;
use process_model::spec::{Backoff, Command as Program, RestartMode};
use rustix::process::Signal;
use std::process::Command;
use std::time::Duration;
use system_tests::{Fleet, Plan, Sandbox, proc, until};

/// Ends of the program while nobody hears of them.
const ENDS: usize = 12;

/// The pid of each run that was told of, and how many ends were.
fn told(events: &[Event]) -> (Vec<String>, usize) {
    let (mut runs, mut ends) = (Vec::<String>::new(), 0);
    for event in events.iter().filter(|event| event.instance_id == "restless-1") {
        if let Some(pid) = event.message.strip_prefix("started with pid ") {
            runs.push(pid.to_owned());
        } else if let Some(pid) = event.message.strip_prefix("taken over with pid ")
            && runs.last().is_none_or(|last| last != pid)
        {
            // Its start was not told: who began it was killed.
            runs.push(pid.to_owned());
        }
        ends += usize::from(event.r#type == "instance.exited");
    }
    (runs, ends)
}

#[test]
fn n07_what_happens_without_a_registry_is_told_afterwards_in_order() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 1).arguments(&["--heartbeat-interval", "300ms", "--lease", "2s"]).start();
    let mut fleet = Fleet::of(&sandbox, &replicas);
    let node = fleet.add();
    fleet.start(node);
    let starts = || std::fs::read_to_string(sandbox.file("starts")).unwrap_or_default().lines().count();
    let line = format!("echo $$ >>{}; sleep 0.3; exit 3", sandbox.file("starts"));
    let mut restless = ProcessSpec::new("restless".parse().unwrap(), Program::Shell(line));
    restless.restart.mode = RestartMode::Always;
    restless.restart.max_restarts = 0;
    restless.restart.backoff =
        Backoff { initial: Duration::from_millis(50), factor: 1.0, max: Duration::from_millis(50), jitter: 0.0 };
    let steady = ProcessSpec::new("steady".parse().unwrap(), Program::Shell("exec sleep 1000".to_owned()));
    replicas.client(0).apply(&[restless, steady]).unwrap();
    until("both run", || starts() > 0 && replicas.client(0).instances().unwrap().iter().any(|i| i.ready));
    let steady = || {
        let instances = replicas.client(0).instances().unwrap_or_default();
        instances.into_iter().find(|i| i.process == "steady").map(|i| i.pid)
    };
    until("the registry knows it", || steady().is_some_and(|pid| pid != 0));
    let pid = steady();

    let before = starts();
    replicas.kill(0);
    until("it is restarted without a registry", || starts() >= before + ENDS / 2);
    fleet.kill(node);
    let at_kill = starts();
    fleet.start(node);
    until("and by the next runner, too", || starts() >= before + ENDS);
    replicas.restart(0);
    let _ = replicas.wait_for_leader();
    let told = || told(&replicas.client(0).all_events().unwrap_or_default());
    until("everything is told", || told().0.len() >= (before + ENDS).max(at_kill + 2));
    // In the order in which they were started.
    let (heard, ends) = told();
    let text = std::fs::read_to_string(sandbox.file("starts")).unwrap();
    let words: Vec<&str> = text.lines().collect();
    let runs = heard.len();
    assert!((runs - 1..=runs).contains(&ends), "{ends} ends of {runs} runs were told");
    let known = heard.len().min(words.len());
    assert_eq!(heard[..known], words[..known], "none is missing, none is twice, none is out of order");
    let now = replicas.client(0).instances().unwrap().into_iter().find(|i| i.process == "steady").map(|i| i.pid);
    assert_eq!(now, pid, "what ran on is the same process");
}

/// Whether something lies in a socket of `pid` that it has not read.
fn unread(pid: u32) -> bool {
    let sockets = Command::new("ss").args(["-xnpH", "state", "connected"]).output().unwrap();
    assert!(sockets.status.success(), "{}", String::from_utf8_lossy(&sockets.stderr));
    let waiting = |line: &str| line.split_whitespace().nth(2).is_some_and(|bytes| bytes != "0");
    let text = String::from_utf8_lossy(&sockets.stdout);
    text.lines().any(|line| line.contains(&format!(",pid={pid},")) && waiting(line))
}

#[test]
fn n07_a_run_that_no_runner_saw_is_told_with_its_beginning_and_its_end() {
    let sandbox = Sandbox::new();
    let replicas = Plan::new(&sandbox, 1).start();
    let client = replicas.client(0);
    let mut fleet = Fleet::of(&sandbox, &replicas);
    let node = fleet.add();
    fleet.start(node);
    let keeper = fleet.keeper(node);
    proc::send(keeper, Signal::STOP);
    let ran = sandbox.file("ran");
    let mut once = ProcessSpec::new("once".parse().unwrap(), Program::Shell(format!("echo $$ >>{ran}; exit 3")));
    once.restart.mode = RestartMode::Never;
    client.apply(&[once]).unwrap();
    // As long as the keeper hears nothing, the request lies in its socket: when the runner is held, too, none but the keeper
    // sees what becomes of it.
    until("its runner has asked for it", || unread(keeper));
    fleet.pause(node);
    proc::send(keeper, Signal::CONT);
    let pid = || std::fs::read_to_string(&ran).ok()?.trim().parse::<u32>().ok();
    until("it has run", || pid().is_some_and(|pid| !proc::is_running(pid)));
    let events = || {
        let all = client.all_events().unwrap_or_default();
        all.into_iter().filter(|event| event.instance_id == "once-1").collect::<Vec<_>>()
    };
    assert!(!events().iter().any(|event| event.r#type == "instance.started"), "invalid: its runner saw it");
    fleet.kill(node);
    fleet.start(node);
    until("its end is told", || events().iter().any(|event| event.r#type == "instance.exited"));
    let told = events();
    let place = |kind: &str| told.iter().position(|event| event.r#type == kind);
    let began = place("instance.started").expect("its beginning is told");
    assert_eq!(told[began].message, format!("started with pid {}", pid().unwrap()));
    assert!(Some(began) < place("instance.exited"), "{told:?}");
}
