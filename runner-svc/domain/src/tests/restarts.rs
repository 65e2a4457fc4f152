//! What the restart policy makes of an ending.

use super::world::{S, World, assignment, running, spec};
use crate::{Input, Rest, State, Timer};
use process_model::spec::{LimitMode, ResourceLimits, RestartLimit, RestartMode};
use process_model::{ExitStatus, Phase, ProcessSpec, event_type};

/// Where a run of `spec` leads that ends with `code`.
fn after(spec: &ProcessSpec, code: i32) -> Phase {
    let mut world = running(spec.clone());
    world.exits(code, true);
    world.phase()
}

#[test]
fn each_policy_restarts_after_what_it_says() {
    let phases = |mode| [after(&spec(mode), 0), after(&spec(mode), 1)];
    assert_eq!(phases(RestartMode::Always), [Phase::Backoff, Phase::Backoff]);
    assert_eq!(phases(RestartMode::UnlessStopped), [Phase::Backoff, Phase::Backoff]);
    assert_eq!(phases(RestartMode::OnFailure), [Phase::Exited, Phase::Backoff]);
    assert_eq!(phases(RestartMode::Never), [Phase::Exited, Phase::Failed]);
}

#[test]
fn codes_of_success_are_success_like_zero() {
    let mut spec = spec(RestartMode::OnFailure);
    spec.restart.codes.success = vec![3];
    assert_eq!((after(&spec, 3), after(&spec, 4)), (Phase::Exited, Phase::Backoff));
    spec.restart.mode = RestartMode::Always;
    assert_eq!(after(&spec, 3), Phase::Backoff);
}

#[test]
fn some_codes_are_never_restarted_whatever_the_policy_says() {
    let mut spec = spec(RestartMode::Always);
    spec.restart.codes.never_restart = vec![0, 78];
    assert_eq!((after(&spec, 78), after(&spec, 0), after(&spec, 1)), (Phase::Failed, Phase::Exited, Phase::Backoff));
}

#[test]
fn some_codes_are_always_restarted_whatever_the_policy_says() {
    let mut spec = spec(RestartMode::Never);
    spec.restart.codes.always_restart = vec![75];
    assert_eq!((after(&spec, 75), after(&spec, 1)), (Phase::Backoff, Phase::Failed));
    spec.restart.max_restarts = 1;
    let mut world = running(spec);
    for _ in 0..2 {
        world.exits(75, true);
        world.timer_fires(Timer::Restart);
        world.spawned();
    }
    assert!(world.has_failed(), "a limit holds for every restart");
}

#[test]
fn a_signal_is_no_exit_code() {
    let mut spec = spec(RestartMode::OnFailure);
    spec.restart.codes.success = vec![15];
    let mut world = running(spec);
    world.ends(ExitStatus::Signal(15), true, false);
    assert_eq!(world.phase(), Phase::Backoff);
}

fn limited(restarts: u32, within: u32) -> ProcessSpec {
    let mut spec = spec(RestartMode::Always);
    spec.restart.limit = Some(RestartLimit { restarts, within: S * within });
    spec.restart.backoff.max = S;
    spec
}

fn crash(world: &mut World) {
    world.spawned();
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
}

#[test]
fn more_restarts_than_the_limit_within_its_window_are_given_up_on() {
    let mut world = World::new(assignment(limited(3, 60), true));
    for _ in 0..4 {
        assert!(!world.has_failed());
        crash(&mut world);
    }
    assert!(world.has_failed());
    assert_eq!(world.spawns, 4);
    let message = world.told(event_type::INSTANCE_FAILED).unwrap();
    assert_eq!(message, "ended with exit code 1; gave up after 3 restarts within 1m");
    world.assign(|_| {});
    assert_eq!(world.spawns, 4, "it was not asked for");
    world.assign(|a| a.restart_count = 1);
    crash(&mut world);
    assert!(!world.has_failed(), "whoever asks for it has all its restarts");
}

#[test]
fn restarts_that_are_far_apart_are_not_too_many() {
    let mut world = World::new(assignment(limited(3, 60), true));
    for _ in 0..20 {
        world.spawned();
        world.now += S * 20;
        world.exits(1, true);
        world.timer_fires(Timer::Restart);
    }
    assert_eq!(world.spawns, 21);
}

#[test]
fn the_limit_counts_on_when_the_runner_dies() {
    let mut world = World::new(assignment(limited(3, 60), true));
    for _ in 0..3 {
        crash(&mut world);
        world.runner_dies();
    }
    crash(&mut world);
    assert!(world.has_failed());
}

#[test]
fn a_stop_that_we_began_counts_like_every_other_restart() {
    let mut world = World::new(assignment(limited(2, 3600), true));
    for _ in 0..3 {
        world.spawned();
        world.now += S * 61;
        let run = world.current();
        world.step(Input::WentSilent { run, silence: S * 60 });
        world.exits(0, true);
    }
    assert!(world.has_failed());
    assert!(world.told(event_type::INSTANCE_FAILED).unwrap().starts_with("no log activity for 60 s; gave up after 2"));
}

#[test]
fn what_is_ill_after_a_long_life_is_restarted_at_once_and_what_is_ill_at_once_waits() {
    let mut world = running(spec(RestartMode::Always));
    for (lasted, restarted) in [(61, true), (1, false)] {
        world.now += S * lasted;
        let run = world.current();
        world.step(Input::WentSilent { run, silence: S });
        world.exits(0, true);
        assert_eq!(world.phase() == Phase::Starting, restarted);
        world.spawned();
    }
}

#[test]
fn one_that_is_never_restarted_is_not_restarted_when_it_is_ill_either() {
    let mut world = running(spec(RestartMode::Never));
    let run = world.current();
    world.step(Input::WentSilent { run, silence: S });
    world.exits(0, true);
    assert_eq!(world.machine.state(), &State::AtRest(Rest::Failed("no log activity for 1 s".into())));
}

#[test]
fn killed_for_want_of_memory_is_told_from_killed_by_hand() {
    let mut spec = spec(RestartMode::Never);
    let mut by_hand = running(spec.clone());
    by_hand.ends(ExitStatus::Signal(9), true, false);
    assert_eq!(by_hand.machine.view().message, "ended with signal SIGKILL");
    let mut machines = running(spec.clone());
    machines.ends(ExitStatus::Signal(9), true, true);
    assert_eq!(
        machines.machine.view().message,
        "killed by the kernel: out of memory (no limit of its own is in force)"
    );
    spec.limits = Some(Box::new(ResourceLimits { memory: Some(64 << 20), ..ResourceLimits::default() }));
    let mut limited = running(spec.clone());
    limited.ends(ExitStatus::Signal(9), true, true);
    assert_eq!(limited.machine.view().message, "killed by the kernel: out of memory (its limit is 64.0 MiB)");
    spec.limits =
        Some(Box::new(ResourceLimits { mode: LimitMode::Observe, memory: Some(1), ..ResourceLimits::default() }));
    let mut observed = running(spec);
    observed.ends(ExitStatus::Signal(9), true, true);
    assert!(observed.machine.view().message.contains("no limit of its own"), "nobody enforced the limit");
}

#[test]
fn s09_a_one_shot_that_succeeded_is_not_run_again_by_five_runners() {
    let mut world = running(spec(RestartMode::OnFailure));
    world.exits(0, true);
    for _ in 0..5 {
        world.runner_dies();
    }
    assert_eq!((world.spawns, world.phase()), (1, Phase::Exited));
}

#[test]
fn what_was_counted_before_a_limit_was_lifted_is_forgotten() {
    let mut world = World::new(assignment(limited(2, 3600), true));
    let limit = world.spec().restart.limit;
    crash(&mut world);
    crash(&mut world);
    world.edit(|s| s.restart.limit = None);
    crash(&mut world);
    world.edit(|s| s.restart.limit = limit);
    crash(&mut world);
    assert!(!world.has_failed());
}
