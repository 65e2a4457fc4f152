//! What is seen of a running program: readiness, liveness, its own words.

use super::world::{Commanded, Run, S, World, hooks, running, spec};
use crate::{Input, Notification, Timer, Verdict};
use process_model::spec::{Check, HookKind, LogAction, Probe, RestartMode, Signal};
use process_model::{ActionVerb, Phase, ProcessSpec, event_type};

fn notifying() -> ProcessSpec {
    let mut spec = spec(RestartMode::Always);
    spec.readiness = Some(Probe::new(Check::Notify));
    spec
}

fn alive(threshold: u32) -> ProcessSpec {
    let mut spec = spec(RestartMode::Always);
    spec.liveness = Some(Probe { failure_threshold: threshold, ..Probe::new(Check::Tcp { port: 80 }) });
    spec
}

fn liveness_fails(world: &mut World) {
    let run = world.current();
    world.step(Input::LivenessFailed { run, why: "connection refused".into() });
}

#[test]
fn ready_takes_as_many_successes_in_a_row_as_the_probe_says() {
    let mut spec = spec(RestartMode::Always);
    spec.readiness = Some(Probe { success_threshold: 2, ..Probe::new(Check::Tcp { port: 80 }) });
    let mut world = running(spec);
    let run = world.current();
    for (answer, ready) in [(true, false), (false, false), (true, false), (true, true)] {
        world.step(if answer { Input::ProbeSucceeded { run } } else { Input::ProbeFailed { run, why: "no".into() } });
        assert_eq!(world.machine.view().ready, ready);
    }
}

#[test]
fn a_program_that_is_not_alive_is_restarted_after_its_failures_in_a_row() {
    let mut world = running(alive(2));
    liveness_fails(&mut world);
    let run = world.current();
    world.step(Input::LivenessSucceeded { run });
    liveness_fails(&mut world);
    assert_eq!(world.phase(), Phase::Running);
    liveness_fails(&mut world);
    assert_eq!(world.phase(), Phase::Stopping);
    let message = world.told(event_type::INSTANCE_UNHEALTHY).unwrap();
    assert_eq!(message, "not alive: connection refused (2 probes in a row failed); restarting");
    liveness_fails(&mut world);
    world.exits(0, true);
    assert_eq!(world.phase(), Phase::Backoff);
}

#[test]
fn a_start_that_is_not_ready_is_not_killed_for_it() {
    let mut world = running(notifying());
    world.now += S * 100_000;
    assert!(!world.next_timer_fires());
    assert_eq!((world.phase(), world.machine.view().ready), (Phase::Running, false));
    assert_eq!(world.order(ActionVerb::Start, 0), Verdict::Pending);
}

#[test]
fn ready_is_what_the_program_says_when_that_is_asked() {
    let mut world = running(notifying());
    world.says(Notification::Ready);
    assert!(world.machine.view().ready);
    let mut probed = alive(1);
    probed.readiness = probed.liveness.take();
    let mut world = running(probed);
    world.says(Notification::Ready);
    assert!(!world.machine.view().ready, "its probe is what counts");
}

#[test]
fn silence_of_the_watchdog_restarts_and_each_sign_of_life_arms_it_anew() {
    let mut spec = spec(RestartMode::Always);
    spec.notify_watchdog = Some(S * 10);
    let mut world = running(spec);
    assert_eq!(world.left(Timer::Watchdog), S * 10);
    world.now += S * 9;
    world.says(Notification::Alive);
    assert_eq!(world.left(Timer::Watchdog), S * 10);
    world.says(Notification::WatchdogInterval(S * 3));
    assert_eq!(world.left(Timer::Watchdog), S * 3);
    world.timer_fires(Timer::Watchdog);
    assert_eq!(world.told(event_type::INSTANCE_UNHEALTHY), Some("no WATCHDOG=1 for 3.0 s; restarting"));
    world.says(Notification::Alive);
    world.exits(0, true);
    world.timer_fires(Timer::Restart);
    world.spawned();
    assert_eq!(world.left(Timer::Watchdog), S * 10, "what a run asked for is over with it");
}

#[test]
fn a_program_that_says_that_it_is_dead_is_believed_at_once() {
    let mut world = running(spec(RestartMode::Always));
    world.says(Notification::Dead);
    assert_eq!(world.phase(), Phase::Stopping);
    assert!(world.reported(event_type::INSTANCE_UNHEALTHY));
}

#[test]
fn what_a_program_says_of_itself_is_shown_while_it_runs() {
    let mut world = running(spec(RestartMode::Always));
    world.says(Notification::Status("loading 3 of 9".into()));
    world.says(Notification::MainPid(4711));
    let view = world.machine.view();
    assert_eq!((view.status.as_str(), view.pid), ("loading 3 of 9", 4711));
    world.exits(1, true);
    assert_eq!(world.machine.view().status, "");
    world.timer_fires(Timer::Restart);
    world.spawned();
    assert_eq!(world.machine.view().status, "");
}

#[test]
fn a_program_that_announces_its_end_is_not_ill_and_has_the_time_of_a_stop() {
    let mut spec = alive(1);
    spec.notify_watchdog = Some(S);
    let mut world = running(spec);
    world.says(Notification::Stopping);
    assert!(!world.machine.view().ready);
    liveness_fails(&mut world);
    let run = world.current();
    world.step(Input::WentSilent { run, silence: S });
    world.says(Notification::Alive);
    assert_eq!(world.phase(), Phase::Running);
    let mut leaves = world.machine.clone();
    world.timer_fires(Timer::Stop);
    assert_eq!(world.phase(), Phase::Stopping);
    assert!(world.told(event_type::INSTANCE_UNHEALTHY).unwrap().contains("did not end within 5.0 s"));
    // And one that keeps its word ends like any other.
    std::mem::swap(&mut world.machine, &mut leaves);
    world.observed = Some(run);
    world.exits(0, true);
    assert_eq!(world.phase(), Phase::Backoff);
}

#[test]
fn a_program_on_its_way_out_gets_the_time_that_it_asks_for_within_an_hour() {
    let mut world = running(spec(RestartMode::Always));
    world.says(Notification::ExtendTimeout(S * 30));
    assert!(!world.timers.contains_key(&Timer::Stop), "it has not said that it ends");
    world.says(Notification::Stopping);
    assert_eq!(world.left(Timer::Stop), S * 5);
    world.says(Notification::ExtendTimeout(S * 30));
    assert_eq!(world.left(Timer::Stop), S * 30);
    world.says(Notification::ExtendTimeout(S));
    assert_eq!(world.left(Timer::Stop), S * 30, "nothing is taken back");
    world.says(Notification::ExtendTimeout(S * 7200));
    assert_eq!(world.left(Timer::Stop), S * 3600, "it is to end");
    world.timer_fires(Timer::Stop);
    assert_eq!(world.phase(), Phase::Stopping);
    assert!(world.told(event_type::INSTANCE_UNHEALTHY).unwrap().contains("did not end within"));
}

#[test]
fn too_much_memory_restarts_gracefully() {
    let mut spec = spec(RestartMode::Always);
    spec.restart.max_memory = Some(256 << 20);
    let mut world = running(spec);
    let run = world.current();
    world.step(Input::MemoryExceeded { run, bytes: 256 << 20 });
    assert_eq!(world.phase(), Phase::Running, "as much as it may");
    world.step(Input::MemoryExceeded { run, bytes: 300 << 20 });
    assert_eq!(world.signals.last().unwrap().1, Signal::TERM);
    let message = world.told(event_type::INSTANCE_LIMIT).unwrap();
    assert_eq!(message, "uses 300.0 MiB of memory, more than 256.0 MiB; restarting");
}

#[test]
fn a_run_that_has_lasted_as_long_as_it_may_is_restarted() {
    let mut spec = spec(RestartMode::Always);
    spec.restart.max_runtime = Some(S * 3600);
    let mut world = running(spec);
    world.timer_fires(Timer::MaxRuntime);
    assert_eq!(world.phase(), Phase::Stopping);
    let message = world.told(event_type::INSTANCE_EXPIRED).unwrap();
    assert_eq!(message, "has run for 1h, which is as long as it may; restarting");
    world.exits(0, true);
    assert_eq!(world.phase(), Phase::Starting, "it had lasted");
}

#[test]
fn a_program_can_ask_for_a_longer_run() {
    let mut spec = spec(RestartMode::Always);
    spec.restart.max_runtime = Some(S * 100);
    let mut world = running(spec);
    world.says(Notification::ExtendTimeout(S * 10));
    assert_eq!(world.left(Timer::MaxRuntime), S * 100, "it has longer than that");
    world.now += S * 95;
    world.says(Notification::ExtendTimeout(S * 10));
    assert_eq!(world.left(Timer::MaxRuntime), S * 10);
}

#[test]
fn a_log_rule_restarts_through_the_whole_stop() {
    let mut world = running(spec(RestartMode::Always));
    let run = world.current();
    let line = |action| Input::LogMatched { run, rule: "oops".into(), action, line: "panic!".into(), suppressed: 2 };
    world.step(line(LogAction::Event));
    world.step(line(LogAction::Alert));
    assert_eq!(world.phase(), Phase::Running);
    assert_eq!(world.told(event_type::INSTANCE_LOG_ALERT), Some("rule oops: panic! (2 more since the last time)"));
    world.step(line(LogAction::Restart));
    assert_eq!(world.signals.last().unwrap().1, Signal::TERM);
    assert!(world.told(event_type::INSTANCE_LOG_MATCH).unwrap().ends_with("; restarting"));
}

#[test]
fn reload_without_a_hook_is_sighup_to_the_main_process() {
    let mut world = running(spec(RestartMode::Always));
    world.step(Input::ReloadAsked);
    assert_eq!(world.main_signals, [Signal::HUP]);
    assert!(world.reported(event_type::INSTANCE_RELOADED));
    assert_eq!(world.order(ActionVerb::Reload, 0), Verdict::Done);
    world.exits(1, true);
    world.step(Input::ReloadAsked);
    assert_eq!(world.order(ActionVerb::Reload, 0), Verdict::Failed("it does not run".into()));
}

#[test]
fn a_program_that_speaks_says_itself_when_it_has_reloaded() {
    let mut world = running(notifying());
    world.says(Notification::Ready);
    world.step(Input::ReloadAsked);
    assert_eq!(world.order(ActionVerb::Reload, 0), Verdict::Pending);
    world.says(Notification::Reloading);
    world.says(Notification::ExtendTimeout(S * 90));
    assert_eq!(world.left(Timer::Reload), S * 90);
    world.says(Notification::Ready);
    assert_eq!(world.order(ActionVerb::Reload, 0), Verdict::Done);
    assert!(!world.timers.contains_key(&Timer::Reload));
    world.step(Input::ReloadAsked);
    world.timer_fires(Timer::Reload);
    assert_eq!(world.order(ActionVerb::Reload, 0), Verdict::Done, "not every program says it");
    world.says(Notification::Reloading);
    world.timer_fires(Timer::Reload);
    assert!(matches!(world.order(ActionVerb::Reload, 0), Verdict::Failed(_)), "it said that it would");
    assert_eq!((world.phase(), world.machine.view().ready), (Phase::Running, true));
}

#[test]
fn a_reload_hook_decides_and_one_that_is_asked_for_meanwhile_comes_after_it() {
    let mut spec = spec(RestartMode::Always);
    spec.hooks = hooks(&[HookKind::Reload]);
    let mut world = running(spec);
    world.step(Input::ReloadAsked);
    world.step(Input::ReloadAsked);
    assert_eq!((world.commands.len(), world.main_signals.len()), (1, 0));
    world.command_ends(Ok(()));
    assert_eq!(world.commands, [Commanded::Hook(HookKind::Reload); 2], "it read what was there before");
    assert_eq!(world.order(ActionVerb::Reload, 0), Verdict::Pending);
    world.command_ends(Err("exit code 1"));
    assert_eq!(world.order(ActionVerb::Reload, 0), Verdict::Failed("reload hook: exit code 1".into()));
    assert_eq!(world.phase(), Phase::Running, "a reload that fails ends nothing");
    world.step(Input::ReloadAsked);
    world.assign(|a| a.wanted = false);
    assert_eq!((world.command, world.run_in(&Run::Alive).is_some()), (None, true));
}

#[test]
fn a_reload_that_the_program_announced_is_over_with_what_is_asked_for_instead() {
    let mut spec = spec(RestartMode::Always);
    spec.hooks = hooks(&[HookKind::Reload]);
    let mut world = running(spec);
    world.says(Notification::Reloading);
    world.step(Input::ReloadAsked);
    assert!(!world.timers.contains_key(&Timer::Reload), "nobody waits for its word");
    world.says(Notification::Stopping);
    world.step(Input::ReloadAsked);
    world.exits(0, true);
    assert_eq!(world.command, None, "the hook goes on");
}
