//! What a new runner makes of what the one before left.

use super::world::{S, hooks, running, spec};
use crate::{Input, Machine, Memo, Recent, Timer};
use process_model::spec::{Check, HookKind, Probe, RestartMode, Scope, Signal, StopStep};
use process_model::{Phase, Timestamp, event_type};
use std::time::Duration;

#[test]
fn a_stop_goes_on_where_it_was() {
    let mut spec = spec(RestartMode::Always);
    spec.hooks = hooks(&[HookKind::PreStop]);
    spec.stop.steps = vec![
        StopStep::Signal { signal: Signal::INT, to: Scope::Tree, wait: S },
        StopStep::Signal { signal: Signal::TERM, to: Scope::Tree, wait: S },
    ];
    let mut world = running(spec);
    world.assign(|a| a.wanted = false);
    world.command_ends(Ok(()));
    world.timer_fires(Timer::Stop);
    for _ in 0..3 {
        world.runner_dies();
        assert_eq!((world.signals.last().unwrap().1, world.command), (Signal::TERM, None));
    }
    world.timer_fires(Timer::Stop);
    world.runner_dies();
    assert_eq!(world.signals.last().unwrap().1, Signal::KILL);
    world.exits(0, true);
    assert_eq!(world.phase(), Phase::Stopped);
}

#[test]
fn what_was_ready_is_ready_and_a_line_need_not_be_written_again() {
    let mut spec = spec(RestartMode::Always);
    spec.readiness = Some(Probe::new(Check::Log { pattern: "up".into() }));
    let mut world = running(spec);
    world.runner_dies();
    assert!(!world.machine.view().ready);
    let run = world.current();
    world.step(Input::ProbeSucceeded { run });
    world.runner_dies();
    assert!(world.machine.view().ready);
}

#[test]
fn the_longest_time_of_a_run_counts_from_its_beginning() {
    let mut spec = spec(RestartMode::Always);
    spec.restart.max_runtime = Some(S * 100);
    let mut world = running(spec);
    world.now += S * 60;
    // A clock of its own: the new runner has just begun to count.
    let memo = Memo::from(&world.machine);
    let run = world.current();
    world.machine = Machine::restore(world.machine.assignment().clone(), &memo);
    world.timers.clear();
    world.now = S;
    world.step(Input::Adopted { run, pid: 5, started: Timestamp(0), age: S * 60 });
    assert_eq!(world.left(Timer::MaxRuntime), S * 40);
    world.timer_fires(Timer::MaxRuntime);
    assert!(world.reported(event_type::INSTANCE_EXPIRED));
    world.exits(0, true);
    assert_eq!(world.phase(), Phase::Starting, "its age did not count");
}

#[test]
fn an_age_that_is_beyond_the_clock_of_the_new_runner_counts_as_stable() {
    let mut world = running(spec(RestartMode::Always));
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
    world.spawned();
    let memo = Memo::from(&world.machine);
    let run = world.current();
    world.machine = Machine::restore(world.machine.assignment().clone(), &memo);
    world.now = S;
    world.step(Input::Adopted { run, pid: 5, started: Timestamp(0), age: S * 3600 });
    world.exits(1, true);
    assert_eq!(world.left(Timer::Restart), S, "the series begins anew");
}

#[test]
fn a_memo_of_the_first_version_is_understood() {
    let mut world = running(spec(RestartMode::Always));
    world.assign(|a| a.restart_count = 1);
    let old = Memo { stop_stage: None, recent: Recent::default(), ..Memo::from(&world.machine) };
    let run = world.current();
    world.machine = Machine::restore(world.machine.assignment().clone(), &old);
    world.timers.clear();
    world.step(Input::Adopted { run, pid: 5, started: Timestamp(0), age: Duration::ZERO });
    assert_eq!((world.phase(), world.signals.last().unwrap().1), (Phase::Stopping, Signal::TERM));
    world.exits(0, true);
    assert_eq!(world.spawns, 2);
}

#[test]
fn a_stop_goes_on_where_it_was_for_what_the_program_left_behind() {
    let mut spec = spec(RestartMode::Always);
    spec.stop.steps =
        [Signal::INT, Signal::TERM].map(|signal| StopStep::Signal { signal, to: Scope::Tree, wait: S }).into();
    let mut world = running(spec);
    world.assign(|a| a.wanted = false);
    world.timer_fires(Timer::Stop);
    let run = world.current();
    world.runs.insert(run, super::world::Run::Orphaned);
    let signals = world.signals.len();
    world.runner_dies();
    assert_eq!(world.signals[signals..], [(run, Signal::TERM)]);
}

#[test]
fn a_run_that_nobody_saw_has_its_beginning_told_before_its_end_and_its_own_age() {
    let mut world = running(spec(RestartMode::Always));
    world.now += S * 3600;
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
    let run = world.current();
    let memo = Memo::from(&world.machine);
    world.machine = Machine::restore(world.machine.assignment().clone(), &memo);
    world.timers.clear();
    world.reports.clear();
    let started = Timestamp(0).plus(world.now);
    for _ in 0..2 {
        world.step(Input::Unseen { run, pid: 7, started });
    }
    world.now += S;
    world.runs.insert(run, super::world::Run::Alive);
    world.exits(1, true);
    let events: Vec<_> = world.reports.iter().map(|(event, message)| (*event, message.as_str())).collect();
    assert_eq!(events[0], (event_type::INSTANCE_STARTED, "started with pid 7"));
    assert_eq!(events[1].0, event_type::INSTANCE_EXITED);
    assert_eq!(world.left(Timer::Restart), S * 2, "it ran for a second, not since the run before it began");
}

#[test]
fn a_beginning_that_was_told_is_not_told_again_by_the_next_runner() {
    let mut world = running(spec(RestartMode::Always));
    let memo = Memo::from(&world.machine);
    let run = world.current();
    world.machine = Machine::restore(world.machine.assignment().clone(), &memo);
    (world.observed, world.timers, world.reports) = Default::default();
    world.step(Input::Unseen { run, pid: 7, started: memo.started.unwrap() });
    assert!(world.reports.is_empty(), "{:?}", world.reports);
}
