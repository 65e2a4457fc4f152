//! Singletons: nothing starts without a lease, and what runs ends with it.

use super::world::{World, assignment, depends, hooks, running, spec};
use crate::{Input, Machine, Memo, State, Timer};
use process_model::spec::{HookKind, RestartMode, Signal};
use process_model::{Phase, ProcessSpec, Timestamp, event_type};

fn singleton(mode: RestartMode) -> ProcessSpec {
    ProcessSpec { singleton: Some(Box::default()), ..spec(mode) }
}

/// One that runs.
fn confirmed(spec: ProcessSpec) -> World {
    let mut world = World::new(assignment(spec, true));
    assert_eq!((world.phase(), world.spawns), (Phase::Pending, 0), "nobody has confirmed it");
    world.step(Input::Lease { valid: true });
    world.spawned();
    assert_eq!(world.phase(), Phase::Running);
    world
}

#[test]
fn it_waits_until_it_is_confirmed_and_says_so() {
    let mut world = World::new(assignment(singleton(RestartMode::Always), true));
    assert!(world.told(event_type::INSTANCE_WAITING).unwrap().contains("registry to confirm"));
    world.step(Input::Lease { valid: false });
    assert_eq!((world.phase(), world.spawns), (Phase::Pending, 0));
    world.step(Input::Lease { valid: true });
    assert_eq!(world.spawns, 1);
}

#[test]
fn it_waits_for_what_it_depends_on_and_for_its_lease_in_any_order() {
    let mut spec = singleton(RestartMode::Always);
    spec.depends_on = depends();
    for lease_first in [true, false] {
        let mut world = World::new(assignment(spec.clone(), true));
        let steps = [Input::Lease { valid: true }, Input::Dependencies { waiting_for: None }];
        let [one, other] = if lease_first {
            steps
        } else {
            let [a, b] = steps;
            [b, a]
        };
        world.step(one);
        assert_eq!(world.spawns, 0);
        world.step(other);
        assert_eq!(world.spawns, 1);
    }
}

#[test]
fn when_its_lease_is_over_it_is_stopped_in_its_steps_and_starts_again_once_it_is_confirmed() {
    // Whatever its policy says of ends: this is none of its own.
    for mode in RestartMode::ALL {
        let mut world = confirmed(singleton(mode));
        world.step(Input::Lease { valid: false });
        assert_eq!(world.signals.last().unwrap().1, Signal::TERM);
        assert!(world.reported(event_type::INSTANCE_FENCED));
        world.exits(0, true);
        assert_eq!((world.phase(), world.spawns), (Phase::Pending, 1));
        world.step(Input::Lease { valid: true });
        assert_eq!((world.spawns, world.machine.view().restarts), (2, 0));
    }
}

#[test]
fn a_lease_that_comes_back_during_the_stop_lets_the_stop_end_first() {
    let mut world = confirmed(singleton(RestartMode::Always));
    world.step(Input::Lease { valid: false });
    world.step(Input::Lease { valid: true });
    assert_eq!((world.phase(), world.spawns), (Phase::Stopping, 1));
    world.exits(0, true);
    assert_eq!(world.spawns, 2);
}

#[test]
fn what_is_stopped_for_good_stays_so_whatever_becomes_of_the_lease() {
    let mut world = confirmed(singleton(RestartMode::Always));
    world.assign(|a| a.wanted = false);
    world.step(Input::Lease { valid: false });
    world.exits(0, true);
    world.step(Input::Lease { valid: true });
    assert_eq!((world.phase(), world.spawns), (Phase::Stopped, 1));
}

#[test]
fn a_restart_that_is_due_without_a_lease_waits_for_it() {
    let mut world = confirmed(singleton(RestartMode::Always));
    world.exits(1, true);
    assert_eq!(world.phase(), Phase::Backoff);
    world.step(Input::Lease { valid: false });
    assert_eq!((world.phase(), world.spawns), (Phase::Pending, 1));
    assert!(world.timers.is_empty());
    world.step(Input::Lease { valid: true });
    assert_eq!(world.spawns, 2);
}

#[test]
fn a_start_that_is_being_prepared_is_broken_off() {
    let mut spec = singleton(RestartMode::Always);
    spec.hooks = hooks(&[HookKind::PreStart]);
    let mut world = World::new(assignment(spec, true));
    world.step(Input::Lease { valid: true });
    assert!(world.command.is_some());
    world.step(Input::Lease { valid: false });
    assert!(world.command.is_none() && world.runs.is_empty());
    assert_eq!(world.phase(), Phase::Pending);
}

#[test]
fn one_that_its_keeper_had_to_kill_is_told_as_that_and_starts_again_once_it_is_confirmed() {
    for mode in RestartMode::ALL {
        let mut world = confirmed(singleton(mode));
        let run = world.current();
        world.step(Input::Fenced { run });
        assert!(world.told(event_type::INSTANCE_FENCED).unwrap().contains("keeper"));
        world.exits(9, true);
        assert_eq!((world.phase(), world.spawns), (Phase::Pending, 1), "{mode:?}");
        world.step(Input::Lease { valid: true });
        assert_eq!(world.spawns, 2);
    }
}

#[test]
fn a_runner_that_finds_it_killed_by_the_keeper_takes_it_for_no_end_of_its_own() {
    let mut world = confirmed(singleton(RestartMode::Never));
    let (memo, run) = (Memo::from(&world.machine), world.current());
    world.machine = Machine::restore(world.machine.assignment().clone(), &memo);
    (world.observed, world.lease) = (None, None);
    world.timers.clear();
    world.step(Input::Fenced { run });
    let status = process_model::ExitStatus::Signal(9);
    world.runs.clear();
    world.step(Input::Exited { run, status, at: Timestamp(1), tree_empty: true, out_of_memory: false });
    assert_eq!(world.phase(), Phase::Pending, "not given up");
    world.step(Input::Lease { valid: true });
    assert_eq!(world.spawns, 2);
}

#[test]
fn a_runner_that_takes_it_over_leaves_it_alone_until_it_is_told() {
    let mut world = confirmed(singleton(RestartMode::Always));
    world.runner_dies();
    assert_eq!((world.phase(), world.signals.len()), (Phase::Running, 0));
    world.step(Input::Lease { valid: false });
    assert_eq!(world.phase(), Phase::Stopping);
}

#[test]
fn a_start_that_nobody_answered_is_not_asked_for_again_without_a_lease() {
    let mut world = World::new(assignment(singleton(RestartMode::Never), true));
    world.step(Input::Lease { valid: true });
    assert!(matches!(world.machine.state(), State::Starting { .. }));
    let memo = Memo::from(&world.machine);
    let mut after = Machine::restore(world.machine.assignment().clone(), &memo);
    assert!(after.redo().is_empty());
    assert!(matches!(after.state(), State::Waiting { .. }));
}

#[test]
fn what_runs_and_becomes_a_singleton_runs_on() {
    let mut world = running(spec(RestartMode::Always));
    world.edit(|spec| spec.singleton = Some(Box::default()));
    assert_eq!((world.phase(), world.signals.len()), (Phase::Running, 0));
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
    assert_eq!((world.phase(), world.spawns), (Phase::Pending, 1), "its next start needs a lease");
    world.edit(|spec| spec.singleton = None);
    assert_eq!(world.spawns, 2);
}
