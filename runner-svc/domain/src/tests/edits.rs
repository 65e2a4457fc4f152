//! Edits of a spec: which restart, and which are taken in in place.

use super::world::{S, World, hooks, running, spec};
use crate::Timer;
use process_model::Phase;
use process_model::spec::*;
use std::time::Duration;

/// What an edit does to an instance that runs.
fn after(change: impl FnOnce(&mut ProcessSpec)) -> World {
    let mut world = running(spec(RestartMode::Always));
    world.edit(change);
    world
}

use process_model::ProcessSpec;

#[test]
fn what_a_program_is_given_at_its_start_needs_a_restart() {
    let edits: [fn(&mut ProcessSpec); 9] = [
        |s| s.command = Command::Shell("false".into()),
        |s| {
            s.env.insert("A".into(), "b".into());
        },
        |s| s.execution = Some(Box::new(Execution { nice: Some(5), ..Execution::default() })),
        |s| s.limits = Some(Box::new(ResourceLimits { pids: Some(9), ..ResourceLimits::default() })),
        |s| s.notify_watchdog = Some(S),
        |s| s.readiness = Some(Probe::new(Check::Notify)),
        |s| s.logs = Some(Box::new(LogPolicy { merge: true, ..LogPolicy::default() })),
        |s| {
            s.ports.insert("http".into(), 80);
        },
        |s| {
            let listen = Listen::Tcp(([127, 0, 0, 1], 80).into());
            s.sockets = vec![Socket { name: "http".into(), listen, backlog: 1 }];
        },
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut world = after(edit);
        assert_eq!(world.phase(), Phase::Stopping, "edit {number}");
        world.exits(0, true);
        assert_eq!((world.spawns, world.machine.view().restarts), (2, 0), "edit {number}");
    }
}

#[test]
fn policies_are_taken_in_without_a_restart() {
    let edits: [fn(&mut ProcessSpec); 7] = [
        |s| s.restart.mode = RestartMode::Never,
        |s| s.restart.limit = Some(RestartLimit { restarts: 1, within: S }),
        |s| s.stop.steps = vec![StopStep::Wait(S)],
        |s| s.hooks = hooks(&[HookKind::PreStart, HookKind::PostStart, HookKind::Reload]),
        |s| s.liveness = Some(Probe::new(Check::Tcp { port: 1 })),
        |s| s.log_watchdog = Some(LogWatchdog::new(None)),
        |s| {
            s.labels.insert("a".into(), "b".into());
        },
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let world = after(edit);
        assert_eq!((world.phase(), world.spawns, world.log_changes), (Phase::Running, 1, 0), "edit {number}");
        assert!(world.machine.view().ready, "edit {number}");
    }
}

#[test]
fn a_restart_that_is_waited_for_follows_the_new_policy() {
    let waiting = |code| {
        let mut world = running(spec(RestartMode::Always));
        world.exits(code, true);
        assert_eq!(world.left(Timer::Restart), S);
        world.now += S / 4;
        world
    };
    for (code, mode, phase) in [
        (1, RestartMode::Never, Phase::Failed),
        (0, RestartMode::Never, Phase::Exited),
        (0, RestartMode::OnFailure, Phase::Exited),
        (1, RestartMode::OnFailure, Phase::Backoff),
    ] {
        let mut world = waiting(code);
        world.edit(|s| s.restart.mode = mode);
        assert_eq!((world.phase(), world.spawns), (phase, 1), "{mode:?} after {code}");
        // What the next runner knows is enough.
        let mut world = waiting(code);
        world.runner_dies();
        world.edit(|s| s.restart.mode = mode);
        assert_eq!((world.phase(), world.spawns), (phase, 1), "{mode:?} after {code}, by the next runner");
    }
    // Also while the hook after the run goes on.
    let mut spec = spec(RestartMode::Always);
    spec.hooks = hooks(&[HookKind::PostStop]);
    let mut world = running(spec);
    world.exits(1, true);
    world.edit(|s| s.restart.mode = RestartMode::Never);
    world.command_ends(Ok(()));
    assert_eq!((world.phase(), world.spawns), (Phase::Failed, 1));
    let mut world = waiting(1);
    world.edit(|s| s.restart.limit = Some(RestartLimit { restarts: 9, within: S }));
    assert_eq!(world.left(Timer::Restart), S * 3 / 4, "the wait is the same");
    world.edit(|s| s.restart.backoff.initial = S * 10);
    assert_eq!(world.left(Timer::Restart), S * 10);
    world.edit(|s| s.restart.backoff.initial = S / 10);
    assert_eq!(world.left(Timer::Restart), S / 10);
    world.edit(|s| s.restart.backoff = Backoff { initial: Duration::ZERO, max: Duration::ZERO, ..s.restart.backoff });
    assert_eq!((world.spawns, world.machine.view().restarts), (2, 1), "now");
}

#[test]
fn a_new_log_policy_is_told_to_the_run() {
    let world = after(|s| s.logs = Some(Box::new(LogPolicy { max_size: 4096, ..LogPolicy::default() })));
    assert_eq!((world.phase(), world.log_changes), (Phase::Running, 1));
}

#[test]
fn a_new_longest_time_counts_from_the_beginning_of_the_run() {
    let mut world = running(spec(RestartMode::Always));
    world.now += S * 40;
    world.edit(|s| s.restart.max_runtime = Some(S * 100));
    assert_eq!(world.left(Timer::MaxRuntime), S * 60);
    world.edit(|s| s.restart.max_runtime = None);
    assert!(!world.timers.contains_key(&Timer::MaxRuntime));
}

#[test]
fn a_new_restart_policy_is_the_next_endings() {
    let mut world = after(|s| s.restart.mode = RestartMode::Never);
    world.exits(1, true);
    assert!(world.has_failed());
}

#[test]
fn sockets_are_released_when_nothing_is_to_accept_from_them() {
    let mut spec = spec(RestartMode::Never);
    let listen = Listen::Tcp(([127, 0, 0, 1], 80).into());
    spec.sockets = vec![Socket { name: "http".into(), listen, backlog: 1 }];
    let mut world = running(spec.clone());
    world.exits(0, true);
    assert_eq!(world.releases, 1);
    spec.restart.mode = RestartMode::Always;
    let mut held = running(spec.clone());
    held.step(crate::Input::Held);
    held.exits(0, true);
    assert_eq!((held.phase(), held.releases), (Phase::Stopped, 0), "it comes back with the next runner");
    let mut world = running(spec);
    world.exits(0, true);
    assert_eq!(world.releases, 0, "a restart would drop connections");
    world.edit(|s| s.sockets.clear());
    assert_eq!(world.releases, 1);
}
