//! The life of real programs: restarts and their limits, stops in every phase,
//! hooks that hang, codes, bounds of a run, reloads. Faults have the names of
//! reliability.md, section 5.1.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use pm_proto::v1::{ActionState, ActionVerb};
use process_model::spec::{Command, Hook, Hooks, RestartLimit, RestartMode};
use process_model::{ExitStatus, InstanceReport, Phase, ProcessSpec, event_type};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{Node, code, is_alive, kill, lines_in, sh};

/// Nothing that is expected takes so long; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn hook(line: &str, timeout: Duration) -> Option<Hook> {
    Some(Hook { command: Command::Shell(line.to_owned()), timeout })
}

/// A command that nothing but SIGKILL ends; says that it has begun.
fn hangs(name: &str) -> Option<Hook> {
    hook(
        &format!("trap '' TERM INT HUP; echo {name} >> hanging; while :; do sleep 0.1; done"),
        // Long enough for it to begin on a loaded machine.
        Duration::from_secs(5),
    )
}

/// Processes of this node's programs and hooks, by a variable that all have.
fn ours(dir: &Path) -> Vec<u32> {
    let mark = format!("TEST_DIR={}", dir.display());
    let of = |pid: &u32| std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    all.filter(|pid| is_alive(*pid) && of(pid).split(|b| *b == 0).any(|v| v == mark.as_bytes())).collect()
}

/// Waits until something holds that no event tells of.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tick.tick().await;
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The reports of one instance until this event, that one included.
async fn reports_until(node: &mut Node, event: &str) -> Vec<InstanceReport> {
    let mut reports = Vec::new();
    loop {
        reports.push(node.any_report().await);
        if reports.last().unwrap().event_type == event {
            return reports;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s08_what_ends_while_the_runner_is_away_is_reported_once_and_exactly() {
    let mut node = Node::new().await;
    let endings = [("code", "exit 42"), ("signal", "kill -SEGV $$"), ("success", "exit 0")];
    let specs: Vec<_> = endings
        .iter()
        .map(|(name, ending)| {
            let mut spec = sh(&node, name, &format!("while [ ! -e go ]; do sleep 0.02; done; {ending}"));
            spec.restart.mode = RestartMode::Never;
            (spec, true, 0)
        })
        .collect();
    node.assign(&specs);
    node.start_runner();
    let mut pids = Vec::new();
    for _ in 0..endings.len() {
        pids.push(node.event(event_type::INSTANCE_STARTED).await.pid);
    }
    node.kill_runner();
    std::fs::write(node.path("go"), "").unwrap();
    until("ended without a runner", || pids.iter().all(|pid| !is_alive(*pid))).await;
    node.start_runner();
    let mut exits: BTreeMap<String, Vec<ExitStatus>> = BTreeMap::new();
    let mut at_rest = 0;
    while at_rest < endings.len() {
        let report = node.any_report().await;
        let name = report.instance.process.to_string();
        if report.event_type == event_type::INSTANCE_EXITED {
            exits.entry(name).or_default().push(report.last_exit.clone().unwrap());
        }
        at_rest += usize::from(report.phase.is_at_rest() && report.event_type != event_type::INSTANCE_EXITED);
    }
    let expected =
        [("code", ExitStatus::Code(42)), ("signal", ExitStatus::Signal(11)), ("success", ExitStatus::Code(0))];
    assert_eq!(exits, expected.map(|(name, status)| (name.to_owned(), vec![status])).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn s09_a_one_shot_that_is_done_is_not_run_again_by_five_runners() {
    let mut node = Node::new().await;
    let mut once = sh(&node, "once", "echo ran >> runs; exit 0");
    once.restart.mode = RestartMode::OnFailure;
    let beacon = sh(&node, "beacon", "echo up >> up; sleep 1000");
    node.assign(&[(once, true, 0), (beacon.clone(), true, 0)]);
    node.start_runner();
    // It is there to be taken over.
    lines_in(&node.path("up"), 1).await;
    // As soon as it has ended, and perhaps before anybody was told.
    lines_in(&node.path("runs"), 1).await;
    for _ in 0..5 {
        node.kill_runner();
        node.start_runner();
        while node.event(event_type::INSTANCE_ADOPTED).await.instance.process.as_str() != "beacon" {}
    }
    // What is assigned anew is handled after what was assigned before it.
    let extra = sh(&node, "extra", "sleep 1000");
    let mut all: Vec<_> = vec![(extra, true, 0)];
    let mut once = sh(&node, "once", "echo ran >> runs; exit 0");
    once.restart.mode = RestartMode::OnFailure;
    all.push((once, true, 0));
    all.push((beacon, true, 0));
    node.assign(&all);
    while node.event(event_type::INSTANCE_STARTED).await.instance.process.as_str() != "extra" {}
    assert_eq!(lines(&node.path("runs")), ["ran"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_crash_loop_keeps_to_its_delays_and_ends_in_a_failure_that_shows_why() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "date +%s%N >> starts; echo no database; echo really >&2; exit 1");
    spec.restart.backoff.initial = Duration::from_millis(200);
    spec.restart.backoff.max = Duration::from_secs(2);
    spec.restart.backoff.jitter = 0.2;
    spec.restart.limit = Some(RestartLimit { restarts: 4, within: Duration::from_secs(60) });
    let policy = spec.restart.clone();
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let reports = reports_until(&mut node, event_type::INSTANCE_FAILED).await;
    let planned: Vec<Duration> = reports
        .iter()
        .filter(|report| report.event_type == event_type::INSTANCE_BACKOFF)
        .map(|report| Duration::from_nanos((report.next_restart.unwrap().0 - report.time.0).unsigned_abs()))
        .collect();
    assert_eq!(planned.len(), 4);
    for (streak, planned) in (0..).zip(&planned) {
        // The report is a moment younger than the plan: what it is at least is seen by the starts.
        let (_, most) = policy.backoff.bounds(streak);
        assert!(*planned <= most, "{streak}: {planned:?} is more than {most:?}");
    }
    let starts: Vec<u128> = lines(&node.path("starts")).iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(starts.len(), 5, "a start too many, or one too few");
    for (streak, pair) in (0..).zip(starts.windows(2)) {
        let nominal = policy.nominal_delay(streak);
        let delay = Duration::from_nanos(u64::try_from(pair[1] - pair[0]).unwrap());
        // Upwards, a loaded machine adds the time of a start and of an end; that no more was planned is shown above.
        let most = nominal.mul_f64(1.2) + Duration::from_secs(15);
        assert!(delay >= nominal.mul_f64(0.8) && delay <= most, "{streak}: {delay:?}, not {nominal:?} ± 20 %");
    }
    let failed = reports.last().unwrap();
    assert_eq!(failed.message, "ended with exit code 1; gave up after 4 restarts within 1m");
    assert_eq!(failed.log_lines.iter().filter(|line| *line == "no database").count(), 5, "{:?}", failed.log_lines);
    assert!(failed.log_lines.contains(&"really".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_fifty_starts_and_restarts_at_once_never_run_it_twice() {
    let mut node = Node::new().await;
    // Held by everybody of the tree until the last of it is gone. Whoever asks may be ended while it does: that is not 1.
    let line = "exec 9>lock; flock -n 9; [ $? -ne 1 ] || echo twice >> violations; \
                echo run >> runs; while :; do sleep 0.02; done";
    let spec = sh(&node, "web", line);
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&node.path("runs"), 1).await;
    for round in 1..=25 {
        node.order(&format!("start-{round}"), ActionVerb::Start, "web-1", 0);
        node.order(&format!("restart-{round}"), ActionVerb::Restart, "web-1", round);
        node.assign(&[(spec.clone(), true, round)]);
        // Some meet a stop that goes on, some a start, some a program that runs.
        tokio::time::sleep(Duration::from_millis(round * 7 % 40)).await;
    }
    assert_eq!(node.action("restart-25").await.0, ActionState::Done);
    let runs = lines_in(&node.path("runs"), 2).await.len();
    assert!((2..=26).contains(&runs), "{runs} runs of 1 start and 25 restarts");
    assert_eq!(lines(&node.path("violations")), Vec::<String>::new());
    let mains: Vec<u32> =
        ours(node.dir.path()).into_iter().filter(|pid| parent_is_ours(node.dir.path(), *pid)).collect();
    assert_eq!(mains.len(), 1, "{mains:?}");
}

/// Whether a process is a main process: its own parent is none of ours.
fn parent_is_ours(dir: &Path, pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
    parent.is_some_and(|parent| !ours(dir).contains(&parent))
}

/// What happens before the stop, once the file is there that shows the phase.
enum Before {
    Nothing,
    /// This is reported.
    Report(&'static str),
    /// The runner dies, and its successor takes over what it has to stop.
    Death,
}

/// Brings an instance to a phase, stops it there, and shows that it stays
/// stopped and that nothing of it is left.
async fn stopped_during(what: &str, spec: impl FnOnce(&Node) -> ProcessSpec, mark: &str, before: Before) {
    let mut node = Node::new().await;
    let spec = spec(&node);
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    lines_in(&node.path(mark), 1).await;
    match before {
        Before::Nothing => {}
        Before::Report(event) => drop(node.event(event).await),
        Before::Death => {
            node.kill_runner();
            node.assign(&[(spec.clone(), false, 0)]);
            node.start_runner();
            node.event(event_type::INSTANCE_ADOPTED).await;
        }
    }
    node.order("stop", ActionVerb::Stop, "web-1", 0);
    node.assign(&[(spec.clone(), false, 0)]);
    let (state, why) = node.action("stop").await;
    assert_eq!(state, ActionState::Done, "{what}: {why}");
    // What was killed for it is gone in a moment; nothing comes back in many times the longest delay.
    until(what, || ours(node.dir.path()).is_empty()).await;
    let runs = lines(&node.path("runs"));
    tokio::time::sleep(spec.restart.backoff.max * 3).await;
    assert_eq!((lines(&node.path("runs")), ours(node.dir.path())), (runs, Vec::new()), "{what}: it came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_a_stop_in_every_phase_ends_it_for_good() {
    let with = |hooks: Hooks, line: &'static str| {
        move |node: &Node| {
            let mut spec = sh(node, "web", line);
            spec.hooks = Some(Box::new(hooks));
            spec.stop.timeout = Duration::from_millis(300);
            spec
        }
    };
    let sleeper = "echo run >> runs; sleep 1000";
    let crash = "echo run >> runs; exit 1";
    let long = Duration::from_secs(60);
    let slow = |name: &str| hook(&format!("echo {name} >> {name}; sleep 1000"), long);
    let brief = |name: &str| hook(&format!("echo {name} >> {name}; sleep 0.5"), long);
    let pre_start = Hooks { pre_start: slow("pre_start"), ..Hooks::default() };
    let post_start = Hooks { post_start: slow("post_start"), ..Hooks::default() };
    let pre_stop = Hooks { pre_stop: brief("pre_stop"), ..Hooks::default() };
    let post_stop = Hooks { post_stop: brief("post_stop"), ..Hooks::default() };
    stopped_during("pre_start", with(pre_start, sleeper), "pre_start", Before::Nothing).await;
    stopped_during("post_start", with(post_start, sleeper), "post_start", Before::Nothing).await;
    stopped_during("running", with(Hooks::default(), sleeper), "runs", Before::Nothing).await;
    let waits = |node: &Node| {
        let mut spec = with(Hooks::default(), crash)(node);
        (spec.restart.backoff.initial, spec.restart.backoff.max) = (Duration::from_secs(1), Duration::from_secs(1));
        spec
    };
    stopped_during("backoff", waits, "runs", Before::Report(event_type::INSTANCE_BACKOFF)).await;
    stopped_during("clean-up after a crash", with(post_stop, crash), "post_stop", Before::Nothing).await;
    stopped_during("adopting", with(pre_stop.clone(), sleeper), "runs", Before::Death).await;
    let leaves = |node: &Node| {
        let mut spec = with(pre_stop, "echo run >> runs; sleep 1000 & exit 1")(node);
        spec.restart.backoff.initial = Duration::ZERO;
        spec
    };
    stopped_during("children left behind, restart at once", leaves, "runs", Before::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_a_stop_during_the_stop_of_a_restart_wins() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "trap '' TERM; echo run >> runs; until [ -e end ]; do sleep 0.02; done");
    spec.stop.timeout = Duration::from_secs(600);
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    lines_in(&node.path("runs"), 1).await;
    node.assign(&[(spec.clone(), true, 1)]);
    node.event(event_type::INSTANCE_STOPPING).await;
    node.order("stop", ActionVerb::Stop, "web-1", 1);
    node.assign(&[(spec, false, 1)]);
    // Taken in, with the assignment before it, while the stop goes on.
    node.delivered("stop").await;
    std::fs::write(node.path("end"), "").unwrap();
    assert_eq!(node.action("stop").await.0, ActionState::Done);
    assert_eq!((lines(&node.path("runs")).len(), ours(node.dir.path())), (1, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn s21_hooks_that_hang_and_ignore_signals_hold_nothing_up() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "echo run >> runs; sleep 1000");
    spec.stop.timeout = Duration::from_millis(500);
    spec.hooks =
        Some(Box::new(Hooks { pre_stop: hangs("pre_stop"), post_stop: hangs("post_stop"), ..Hooks::default() }));
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    lines_in(&node.path("runs"), 1).await;
    let begun = Instant::now();
    node.order("stop", ActionVerb::Stop, "web-1", 0);
    node.assign(&[(spec.clone(), false, 0)]);
    let reports = reports_until(&mut node, event_type::INSTANCE_STOPPED).await;
    let took = begun.elapsed();
    assert_eq!(node.action("stop").await.0, ActionState::Done);
    assert_eq!(lines(&node.path("hanging")), ["pre_stop", "post_stop"], "the fault did not happen");
    let failed: Vec<&str> = reports
        .iter()
        .filter(|report| report.event_type == event_type::INSTANCE_HOOK_FAILED)
        .map(|report| report.message.split(' ').next().unwrap())
        .collect();
    assert_eq!(failed, ["pre_stop", "post_stop"]);
    // Beside the hooks' own time no more than was allowed when they were shorter.
    assert!(took < Duration::from_secs(10 + 7), "{took:?} for two hooks of 5 s");
    until("no hook goes on", || ours(node.dir.path()).is_empty()).await;
    // And one that hangs before a start is a start that failed.
    spec.hooks = Some(Box::new(Hooks { pre_start: hangs("pre_start"), ..Hooks::default() }));
    node.assign(&[(spec, true, 1)]);
    let failed = node.event(event_type::INSTANCE_START_FAILED).await;
    assert!(failed.message.starts_with("cannot start: pre_start hook: "), "{}", failed.message);
    assert_eq!(lines(&node.path("runs")).len(), 1, "started all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_around_a_life_in_their_order_and_know_how_it_ended() {
    let mut node = Node::new().await;
    let tells =
        |name: &str| hook(&format!("echo {name} $PM_HOOK $PM_INSTANCE $PM_EXIT_CODE >> told"), Duration::from_secs(30));
    let mut spec = sh(&node, "web", "echo program >> told; while [ ! -e go ]; do sleep 0.02; done; exit 7");
    spec.restart.mode = RestartMode::Never;
    spec.hooks = Some(Box::new(Hooks {
        pre_start: tells("1"),
        post_start: tells("2"),
        post_stop: tells("3"),
        ..Hooks::default()
    }));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    assert!(!node.event(event_type::INSTANCE_STARTED).await.ready, "ready before it was set up");
    assert!(node.event(event_type::INSTANCE_READY).await.ready);
    std::fs::write(node.path("go"), "").unwrap();
    assert_eq!(code(&node.event(event_type::INSTANCE_FAILED).await), Some(7));
    let mut told = lines(&node.path("told"));
    // The program and its `post_start` run side by side.
    told.retain(|line| line != "program");
    assert_eq!(told, ["1 pre_start web-1", "2 post_start web-1", "3 post_stop web-1 7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_decide_over_the_policy() {
    let mut node = Node::new().await;
    let ends = |name: &str, exit: u8, mode: RestartMode, node: &Node| {
        let mut spec = sh(node, name, &format!("exit {exit}"));
        spec.restart.mode = mode;
        spec.restart.codes.success = vec![3];
        spec.restart.codes.never_restart = vec![78];
        spec.restart.codes.always_restart = vec![75];
        (spec, true, 0)
    };
    let all = [
        ends("success", 3, RestartMode::OnFailure, &node),
        ends("never", 78, RestartMode::Always, &node),
        ends("always", 75, RestartMode::Never, &node),
    ];
    node.assign(&all);
    node.start_runner();
    let mut phases = BTreeMap::new();
    while phases.len() < 3 {
        let report = node.any_report().await;
        if matches!(report.phase, Phase::Exited | Phase::Failed | Phase::Backoff) {
            phases.entry(report.instance.process.to_string()).or_insert(report.phase);
        }
    }
    let expected = [("always", Phase::Backoff), ("never", Phase::Failed), ("success", Phase::Exited)];
    assert_eq!(phases, expected.map(|(name, phase)| (name.to_owned(), phase)).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_lasts_as_long_as_it_may_also_when_its_runner_dies() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "echo run >> runs; exec sleep 1000");
    spec.restart.max_runtime = Some(Duration::from_secs(8));
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    node.kill_runner();
    node.start_runner();
    node.event(event_type::INSTANCE_ADOPTED).await;
    let expired = node.event(event_type::INSTANCE_EXPIRED).await;
    let lasted = Duration::from_nanos((expired.time.0 - started.time.0).unsigned_abs());
    // Counted anew by the second runner, it would be fourteen.
    assert!(lasted >= Duration::from_millis(7900) && lasted < Duration::from_secs(13), "{lasted:?}");
    let again = node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!(again.last_exit, Some(ExitStatus::Signal(15)), "not stopped gracefully");
    assert_eq!(again.restarts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_grows_too_large_is_restarted_gracefully() {
    let mut node = Node::new().await;
    let line = "trap 'echo asked >> asked; exit 0' TERM; [ -e fed ] || x=$(head -c 64000000 /dev/zero | tr '\\0' a); \
                echo up >> fed; while :; do sleep 0.05; done";
    let mut spec = sh(&node, "web", line);
    spec.restart.max_memory = Some(32 << 20);
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let limit = node.event(event_type::INSTANCE_LIMIT).await;
    assert!(limit.message.ends_with("more than 32.0 MiB; restarting"), "{}", limit.message);
    let again = node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!((again.restarts, lines(&node.path("asked")).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_by_hand_is_not_out_of_memory() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "exec sleep 1000");
    spec.restart.mode = RestartMode::Never;
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    kill(started.pid, rustix::process::Signal::KILL);
    assert_eq!(node.event(event_type::INSTANCE_FAILED).await.message, "ended with signal SIGKILL");
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_is_sighup_or_a_hook_and_no_end() {
    let mut node = Node::new().await;
    let mut spec = sh(&node, "web", "trap 'echo hup >> told' HUP; echo up >> told; while :; do sleep 0.02; done");
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&node.path("told"), 1).await;
    node.order("one", ActionVerb::Reload, "web-1", 0);
    node.assign(&[(spec.clone(), true, 0)]);
    assert_eq!(node.event(event_type::INSTANCE_RELOADED).await.pid, started.pid);
    assert_eq!(node.action("one").await.0, ActionState::Done);
    assert_eq!(lines_in(&node.path("told"), 2).await, ["up", "hup"]);
    // Taken in without a restart: from now on by a hook.
    spec.hooks = Some(Box::new(Hooks {
        reload: hook("echo hook $PM_HOOK >> told; exit $(cat outcome)", Duration::from_secs(5)),
        ..Hooks::default()
    }));
    for (action, outcome, expected) in [("two", "0", ActionState::Done), ("three", "4", ActionState::Failed)] {
        std::fs::write(node.path("outcome"), outcome).unwrap();
        node.order(action, ActionVerb::Reload, "web-1", 0);
        node.assign(&[(spec.clone(), true, 0)]);
        let (state, why) = node.action(action).await;
        assert_eq!(state, expected, "{why}");
        assert_eq!(why, if outcome == "0" { "" } else { "reload hook: exit code 4" });
    }
    assert_eq!(lines(&node.path("told")), ["up", "hup", "hook reload", "hook reload"]);
    assert!(is_alive(started.pid), "a reload ended it");
    node.order("four", ActionVerb::Reload, "web-1", 0);
    node.assign(&[(spec, false, 0)]);
    assert_eq!(node.action("four").await.0, ActionState::Failed);
}
