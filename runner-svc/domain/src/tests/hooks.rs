//! Hooks around a start and after an end.

use super::world::{Commanded, S, World, assignment, hooks, running, spec};
use crate::hooks::GRACE;
use crate::{Input, RunId, Timer};
use process_model::spec::{HookKind, RestartMode};
use process_model::{ExitStatus, Phase, ProcessSpec, event_type};
use std::time::Duration;

fn with(kinds: &[HookKind]) -> ProcessSpec {
    let mut spec = spec(RestartMode::Always);
    spec.hooks = hooks(kinds);
    spec
}

#[test]
fn pre_start_comes_before_each_start() {
    let mut world = World::new(assignment(with(&[HookKind::PreStart]), true));
    assert_eq!((world.spawns, world.phase()), (0, Phase::Starting));
    world.command_ends(Ok(()));
    world.spawned();
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
    assert_eq!((world.spawns, world.commands.len()), (1, 2));
}

#[test]
fn a_pre_start_that_fails_is_a_failed_start() {
    let mut world = World::new(assignment(with(&[HookKind::PreStart]), true));
    world.command_ends(Err("exit code 3"));
    assert_eq!((world.spawns, world.phase()), (0, Phase::Backoff));
    assert_eq!(world.told(event_type::INSTANCE_START_FAILED), Some("cannot start: pre_start hook: exit code 3"));
    assert!(world.reported(event_type::INSTANCE_HOOK_FAILED));
}

#[test]
fn a_stop_during_pre_start_cancels_it_and_starts_nothing() {
    let mut world = World::new(assignment(with(&[HookKind::PreStart]), true));
    let run = world.command.unwrap().0;
    world.assign(|a| a.wanted = false);
    assert_eq!((world.command, world.phase()), (None, Phase::Stopped));
    world.step(Input::HookEnded { run, hook: HookKind::PreStart, outcome: Ok(()) });
    assert_eq!(world.spawns, 0, "a late answer started it");
}

#[test]
fn it_is_not_ready_before_post_start_has_ended() {
    let mut world = running(with(&[HookKind::PostStart]));
    assert!(!world.machine.view().ready);
    assert!(!world.reported(event_type::INSTANCE_READY));
    world.command_ends(Ok(()));
    assert!(world.machine.view().ready && world.reported(event_type::INSTANCE_READY));
}

#[test]
fn a_post_start_that_fails_ends_the_run_as_failed() {
    let mut world = running(with(&[HookKind::PostStart]));
    world.command_ends(Err("exit code 4"));
    assert_eq!(world.phase(), Phase::Stopping);
    assert_eq!(world.told(event_type::INSTANCE_HOOK_FAILED), Some("post_start hook: exit code 4; restarting"));
    world.exits(0, true);
    assert_eq!(world.machine.view().message, "post_start hook: exit code 4");
}

#[test]
fn a_program_that_ends_takes_its_post_start_with_it() {
    let mut world = running(with(&[HookKind::PostStart]));
    world.exits(1, true);
    assert_eq!((world.command, world.phase()), (None, Phase::Backoff));
}

#[test]
fn post_stop_comes_after_the_tree_is_empty_however_it_ended_and_before_a_restart() {
    let mut world = running(with(&[HookKind::PostStop]));
    world.exits(1, false);
    assert_eq!(world.command, None, "somebody is left");
    world.tree_empties();
    assert_eq!(
        (world.command.map(|c| c.1), world.phase()),
        (Some(Commanded::Hook(HookKind::PostStop)), Phase::Stopping)
    );
    world.command_ends(Err("exit code 5"));
    assert_eq!(world.told(event_type::INSTANCE_HOOK_FAILED), Some("post_stop hook: exit code 5"));
    assert_eq!(world.phase(), Phase::Backoff);
    world.timer_fires(Timer::Restart);
    world.spawn_fails();
    assert_eq!(world.phase(), Phase::Stopping, "what could not be started is cleaned up after, too");
    world.command_ends(Ok(()));
    assert_eq!(world.phase(), Phase::Backoff);
}

#[test]
fn a_post_stop_that_hangs_is_bounded_and_can_be_hurried() {
    let mut world = running(with(&[HookKind::PostStop]));
    world.assign(|a| a.wanted = false);
    world.exits(0, true);
    assert_eq!(world.left(Timer::Stop), S * 10 + GRACE);
    world.step(Input::StopTimeoutGiven(Duration::ZERO));
    assert_eq!(world.left(Timer::Stop), Duration::ZERO);
    world.timer_fires(Timer::Stop);
    assert_eq!((world.command, world.phase()), (None, Phase::Stopped));
    assert!(world.reported(event_type::INSTANCE_HOOK_FAILED));
}

#[test]
fn a_start_that_is_asked_for_during_post_stop_waits_for_its_end() {
    let mut world = running(with(&[HookKind::PostStop]));
    world.assign(|a| a.wanted = false);
    world.exits(0, true);
    world.assign(|a| a.wanted = true);
    assert_eq!(world.spawns, 1);
    world.command_ends(Ok(()));
    assert_eq!(world.spawns, 2);
}

#[test]
fn the_next_runner_runs_the_hook_again_that_died_with_the_one_before() {
    for (kind, happens) in [
        (HookKind::PreStart, (|_| {}) as fn(&mut World)),
        (HookKind::PostStart, |world| world.spawned()),
        (HookKind::PostStop, |world| {
            world.spawned();
            world.exits(1, true);
        }),
        (HookKind::PreStop, |world| {
            world.spawned();
            world.assign(|a| a.restart_count = 1);
        }),
    ] {
        let mut world = World::new(assignment(with(&[kind]), true));
        happens(&mut world);
        assert_eq!(world.commands, [Commanded::Hook(kind)]);
        world.runner_dies();
        assert_eq!(world.commands, [Commanded::Hook(kind); 2]);
        world.command_ends(Ok(()));
        world.spawned();
        world.exits(1, true);
        assert!(world.spawns > 0 && !world.has_failed(), "{kind:?}");
    }
}

#[test]
fn a_boot_during_pre_start_is_no_ending_of_a_program() {
    let mut world = World::new(assignment(with(&[HookKind::PreStart]), true));
    let memo = crate::Memo::from(&world.machine);
    world.machine = crate::Machine::restore(world.machine.assignment().clone(), &memo);
    world.command = None;
    world.step(Input::RunLost { run: memo.run.unwrap(), rebooted: true });
    assert!(!world.reported(event_type::INSTANCE_EXITED));
    assert_eq!(world.command.map(|c| c.1), Some(Commanded::Hook(HookKind::PreStart)));
}

#[test]
fn a_late_answer_of_another_run_is_nobodys() {
    let mut world = running(with(&[HookKind::PostStart]));
    world.step(Input::HookEnded { run: RunId(9999), hook: HookKind::PostStart, outcome: Err("no".into()) });
    assert_eq!(world.phase(), Phase::Running);
    let run = world.current();
    world.ends(ExitStatus::Code(1), true, false);
    for hook in [HookKind::PreStart, HookKind::PostStart, HookKind::Reload, HookKind::PreStop, HookKind::PostStop] {
        world.step(Input::HookEnded { run, hook, outcome: Err("late".into()) });
    }
    assert_eq!(world.phase(), Phase::Backoff);
}
