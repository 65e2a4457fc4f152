//! Stops: their steps, their bounds, and what cuts them short.

use super::world::{Commanded, Run, S, World, assignment, hook, hooks, running, spec};
use crate::hooks::GRACE;
use crate::{Input, Notification, Timer, Verdict};
use process_model::spec::{HookKind, RestartMode, Scope, Signal, StopStep};
use process_model::{ActionVerb, Phase, ProcessSpec, event_type};
use std::time::Duration;

fn stop(world: &mut World) {
    world.assign(|a| a.wanted = false);
}

/// SIGINT to the main process for 1 s, a command of 2 s, 3 s of waiting,
/// SIGTERM to the tree for 4 s.
fn in_steps() -> ProcessSpec {
    let mut spec = spec(RestartMode::Always);
    spec.stop.steps = vec![
        StopStep::Signal { signal: Signal::INT, to: Scope::Main, wait: S },
        StopStep::Hook(hook(2)),
        StopStep::Wait(S * 3),
        StopStep::Signal { signal: Signal::TERM, to: Scope::Tree, wait: S * 4 },
    ];
    spec
}

#[test]
fn the_steps_of_a_stop_are_taken_in_order_and_then_it_kills() {
    let mut world = running(in_steps());
    stop(&mut world);
    assert_eq!((world.main_signals.as_slice(), world.left(Timer::Stop)), ([Signal::INT].as_slice(), S));
    world.timer_fires(Timer::Stop);
    assert_eq!((world.command.map(|c| c.1), world.left(Timer::Stop)), (Some(Commanded::Step(1)), S * 2 + GRACE));
    world.command_ends(Err("exit code 1"));
    assert_eq!(world.told(event_type::INSTANCE_HOOK_FAILED), Some("step 2 of the stop: exit code 1"));
    assert_eq!(world.left(Timer::Stop), S * 3);
    world.timer_fires(Timer::Stop);
    assert_eq!((world.signals.last().unwrap().1, world.left(Timer::Stop)), (Signal::TERM, S * 4));
    world.timer_fires(Timer::Stop);
    assert_eq!(world.signals.last().unwrap().1, Signal::KILL);
    world.exits(0, true);
    assert_eq!(world.phase(), Phase::Stopped);
}

#[test]
fn the_end_of_the_tree_ends_the_steps() {
    let mut world = running(in_steps());
    stop(&mut world);
    world.timer_fires(Timer::Stop);
    world.exits(0, true);
    assert_eq!((world.phase(), world.command), (Phase::Stopped, None));
    assert!(world.signals.is_empty());
}

#[test]
fn without_a_main_process_only_signals_to_the_tree_are_left_of_the_steps() {
    let mut world = running(in_steps());
    world.exits(1, false);
    assert_eq!((world.phase(), world.signals.last().unwrap().1), (Phase::Stopping, Signal::TERM));
    assert!(world.commands.is_empty() && world.main_signals.is_empty());
}

#[test]
fn a_command_of_a_stop_that_hangs_is_given_up() {
    let mut world = running(in_steps());
    stop(&mut world);
    world.timer_fires(Timer::Stop);
    world.timer_fires(Timer::Stop);
    assert_eq!((world.command, world.left(Timer::Stop)), (None, S * 3));
    assert!(world.reported(event_type::INSTANCE_HOOK_FAILED));
}

#[test]
fn the_answer_of_another_step_is_not_this_steps() {
    let mut world = running(in_steps());
    stop(&mut world);
    let run = world.current();
    world.step(Input::StopHookEnded { run, step: 1, outcome: Ok(()) });
    assert_eq!(world.left(Timer::Stop), S, "still at its first step");
    world.timer_fires(Timer::Stop);
    world.step(Input::StopHookEnded { run, step: 0, outcome: Ok(()) });
    world.step(Input::StopHookEnded { run: crate::RunId(9999), step: 1, outcome: Ok(()) });
    assert_eq!(world.command.map(|c| c.1), Some(Commanded::Step(1)));
}

#[test]
fn a_timeout_of_its_own_is_the_time_until_sigkill() {
    let mut world = running(in_steps());
    stop(&mut world);
    world.step(Input::StopTimeoutGiven(S * 2));
    assert_eq!(world.left(Timer::Stop), S);
    world.timer_fires(Timer::Stop);
    assert_eq!(world.left(Timer::Stop), S, "the command has what is left");
    world.timer_fires(Timer::Stop);
    assert_eq!((world.signals.last().unwrap().1, world.command), (Signal::KILL, None));
    assert_eq!(world.left(Timer::Stop), S * 2, "the killed have their time all the same");
}

#[test]
fn a_longer_timeout_of_its_own_is_for_the_last_step() {
    let mut world = running(spec(RestartMode::Always));
    stop(&mut world);
    assert_eq!(world.left(Timer::Stop), S * 5);
    world.step(Input::StopTimeoutGiven(S * 60));
    assert_eq!(world.left(Timer::Stop), S * 60);
    world.step(Input::StopTimeoutGiven(Duration::ZERO));
    world.timer_fires(Timer::Stop);
    assert_eq!(world.signals.last().unwrap().1, Signal::KILL);
    let left = world.left(Timer::Stop);
    world.step(Input::StopTimeoutGiven(S * 60));
    assert_eq!(world.left(Timer::Stop), left, "nobody waits longer for the killed");
}

#[test]
fn a_timeout_of_its_own_counts_when_there_is_something_to_stop() {
    let mut world = World::new(assignment(spec(RestartMode::Always), true));
    stop(&mut world);
    world.step(Input::StopTimeoutGiven(S * 60));
    world.spawned();
    assert_eq!(world.left(Timer::Stop), S * 60);
}

#[test]
fn a_timeout_that_nobody_is_being_stopped_with_is_not_the_next_stops() {
    let mut world = running(spec(RestartMode::Always));
    world.step(Input::StopTimeoutGiven(S * 60));
    stop(&mut world);
    assert_eq!(world.left(Timer::Stop), S * 5);
}

#[test]
fn pre_stop_comes_first_and_its_failure_holds_nothing_up() {
    let mut spec = spec(RestartMode::Always);
    spec.hooks = hooks(&[HookKind::PreStop]);
    let mut world = running(spec);
    stop(&mut world);
    assert_eq!(world.commands, [Commanded::Hook(HookKind::PreStop)]);
    assert!(world.signals.is_empty());
    world.command_ends(Err("exit code 1"));
    assert_eq!(world.told(event_type::INSTANCE_HOOK_FAILED), Some("pre_stop hook: exit code 1"));
    assert_eq!(world.signals.last().unwrap().1, Signal::TERM);
}

#[test]
fn a_pre_stop_that_hangs_is_bounded() {
    let mut spec = spec(RestartMode::Always);
    spec.hooks = hooks(&[HookKind::PreStop]);
    let mut world = running(spec);
    stop(&mut world);
    assert_eq!(world.left(Timer::Stop), S * 10 + GRACE);
    world.timer_fires(Timer::Stop);
    assert_eq!((world.command, world.signals.last().unwrap().1), (None, Signal::TERM));
}

#[test]
fn a_program_that_asks_for_more_time_gets_it_within_bounds() {
    let mut world = running(spec(RestartMode::Always));
    stop(&mut world);
    world.says(Notification::ExtendTimeout(S * 30));
    assert_eq!(world.left(Timer::Stop), S * 30);
    world.says(Notification::ExtendTimeout(S));
    assert_eq!(world.left(Timer::Stop), S * 30, "more time is not less");
    world.says(Notification::ExtendTimeout(S * 100_000));
    assert_eq!(world.left(Timer::Stop), S * 3600, "for ever");
    world.step(Input::StopTimeoutGiven(S * 2));
    world.says(Notification::ExtendTimeout(S * 30));
    assert_eq!(world.left(Timer::Stop), S * 2, "the operator's word is the last");
}

#[test]
fn who_cannot_be_killed_is_never_started_twice() {
    let mut world = running(spec(RestartMode::Always));
    world.assign(|a| a.restart_count = 1);
    world.timer_fires(Timer::Stop);
    world.timer_fires(Timer::Stop);
    assert!(world.reported(event_type::INSTANCE_STOP_FAILED));
    assert!(matches!(world.order(ActionVerb::Restart, 1), Verdict::Failed(_)));
    world.assign(|a| a.restart_count = 2);
    assert_eq!(world.spawns, 1);
    world.exits(0, false);
    assert_eq!(world.spawns, 1, "its children are still there");
    world.tree_empties();
    assert_eq!(world.spawns, 2);
}

#[test]
fn s12_a_stop_in_every_phase_ends_and_nothing_comes_back() {
    let all = [HookKind::PreStart, HookKind::PostStart, HookKind::PreStop, HookKind::PostStop, HookKind::Reload];
    // How many of these have happened when the stop comes.
    let lives: [fn(&mut World); 9] = [
        |world| world.command_ends(Ok(())),
        |world| world.spawned(),
        |world| world.command_ends(Ok(())),
        |world| world.step(Input::ReloadAsked),
        |world| world.exits(1, false),
        |world| world.tree_empties(),
        |world| world.command_ends(Ok(())),
        |world| world.timer_fires(Timer::Restart),
        |world| world.command_ends(Ok(())),
    ];
    let mut phases = Vec::new();
    for length in 0..=lives.len() {
        let mut spec = spec(RestartMode::Always);
        spec.hooks = hooks(&all);
        let mut world = World::new(assignment(spec, true));
        lives.iter().take(length).for_each(|happens| happens(&mut world));
        phases.push(world.phase());
        stop(&mut world);
        let spawns = world.spawns;
        world.let_everything_end();
        assert_eq!((world.phase(), world.spawns), (Phase::Stopped, spawns), "after {length}");
        assert!(world.was_stopped() && world.run_in(&Run::Alive).is_none());
        assert_eq!(world.order(ActionVerb::Stop, 0), Verdict::Done);
        while world.next_timer_fires() {}
        assert_eq!(world.spawns, spawns, "came back after {length}");
    }
    for phase in [Phase::Starting, Phase::Running, Phase::Stopping, Phase::Backoff] {
        assert!(phases.contains(&phase), "no stop in {phase}: {phases:?}");
    }
}
