//! Starts that others, or the clock, decide.

use super::world::{World, assignment, depends, running, spec};
use crate::{Input, Rest, State, Timer, Verdict};
use process_model::spec::{CatchUp, Overlap, RestartMode, Schedule};
use process_model::{ActionVerb, Phase, ProcessSpec, Timestamp, event_type};
use std::time::Duration;

fn scheduled(overlap: Overlap, mode: RestartMode) -> ProcessSpec {
    let mut spec = spec(mode);
    spec.schedule = Some(Box::new(Schedule {
        cron: "@hourly".into(),
        timezone: "UTC".into(),
        overlap,
        catch_up: CatchUp::None,
        jitter: Duration::ZERO,
    }));
    spec
}

fn due(spec: ProcessSpec) -> World {
    let mut world = World::new(assignment(spec, true));
    world.due();
    world.spawned();
    world
}

#[test]
fn a_schedule_is_followed_and_nothing_runs_before_its_time() {
    let mut world = World::new(assignment(scheduled(Overlap::Skip, RestartMode::Always), true));
    assert_eq!(world.machine.state(), &State::AtRest(Rest::Scheduled));
    world.step(Input::NextDue(Some(Timestamp(7_200_000_000_000))));
    let view = world.machine.view();
    assert_eq!((view.phase, view.message.as_str()), (Phase::Stopped, "next run at 1970-01-01T02:00:00Z"));
    assert_eq!(view.next_restart, Some(Timestamp(7_200_000_000_000)));
    assert_eq!(world.order(ActionVerb::Start, 0), Verdict::Done);
    world.assign(|_| {});
    world.runner_dies();
    assert_eq!((world.spawns, world.machine.view().next_restart), (0, Some(Timestamp(7_200_000_000_000))));
    world.due();
    assert_eq!(world.spawns, 1);
}

#[test]
fn the_end_of_a_scheduled_run_is_no_restart_unless_it_failed_and_the_policy_says_so() {
    for (mode, code, phase) in [
        (RestartMode::Always, 0, Phase::Exited),
        (RestartMode::Always, 1, Phase::Failed),
        (RestartMode::OnFailure, 0, Phase::Exited),
        (RestartMode::OnFailure, 1, Phase::Backoff),
        (RestartMode::Never, 1, Phase::Failed),
    ] {
        let mut world = due(scheduled(Overlap::Skip, mode));
        world.step(Input::NextDue(Some(Timestamp(0))));
        world.exits(code, true);
        assert_eq!(world.phase(), phase, "{mode:?} {code}");
        if phase != Phase::Backoff {
            assert!(world.machine.view().message.ends_with("next run at 1970-01-01T00:00:00Z"));
        }
        world.due();
        assert_eq!((world.spawns, world.machine.view().restarts), (2, 0));
        assert!(!world.timers.contains_key(&Timer::Restart));
    }
}

#[test]
fn a_time_that_comes_while_it_runs_is_left_out_queued_or_replaces() {
    let mut skips = due(scheduled(Overlap::Skip, RestartMode::Always));
    skips.due();
    skips.exits(0, true);
    assert_eq!((skips.spawns, skips.phase()), (1, Phase::Exited));
    let mut queues = due(scheduled(Overlap::Queue, RestartMode::Always));
    queues.due();
    queues.due();
    assert_eq!(queues.spawns, 1);
    queues.runner_dies();
    queues.exits(1, true);
    assert_eq!(queues.spawns, 2, "also after a runner's death");
    queues.spawned();
    queues.exits(0, true);
    assert_eq!(queues.spawns, 2, "once");
    queues.due();
    queues.spawned();
    queues.due();
    queues.assign(|a| a.wanted = false);
    queues.let_everything_end();
    let spawns = queues.spawns;
    queues.assign(|a| a.wanted = true);
    queues.spawned();
    queues.exits(0, true);
    assert_eq!(queues.spawns, spawns + 1, "what was queued before a stop is over with it");
    let mut replaces = due(scheduled(Overlap::Replace, RestartMode::Always));
    replaces.due();
    assert_eq!(replaces.phase(), Phase::Stopping);
    replaces.exits(0, true);
    assert_eq!((replaces.spawns, replaces.phase()), (2, Phase::Starting));
}

#[test]
fn start_runs_a_scheduled_process_once_now_and_stop_ends_the_schedule() {
    let mut world = World::new(assignment(scheduled(Overlap::Skip, RestartMode::Always), true));
    world.assign(|a| a.restart_count = 1);
    world.spawned();
    assert_eq!(world.order(ActionVerb::Start, 1), Verdict::Done);
    world.exits(0, true);
    assert_eq!((world.spawns, world.phase()), (1, Phase::Exited));
    world.assign(|a| a.wanted = false);
    world.due();
    assert_eq!((world.spawns, world.phase()), (1, Phase::Stopped));
    world.assign(|a| a.wanted = true);
    assert_eq!(world.spawns, 2, "who starts it wants to see it run");
}

#[test]
fn an_edit_ends_no_scheduled_run_and_without_a_schedule_it_runs_all_the_time() {
    let mut world = due(scheduled(Overlap::Skip, RestartMode::Always));
    world.edit(|s| {
        s.env.insert("A".into(), "b".into());
    });
    assert_eq!(world.phase(), Phase::Running);
    world.exits(0, true);
    assert_eq!(world.phase(), Phase::Exited);
    world.edit(|s| s.schedule = None);
    assert_eq!(world.spawns, 2);
}

fn dependent() -> World {
    let mut spec = spec(RestartMode::Always);
    spec.depends_on = depends();
    World::new(assignment(spec, true))
}

fn told(world: &mut World, waiting_for: Option<&str>) {
    world.step(Input::Dependencies { waiting_for: waiting_for.map(str::to_owned) });
}

#[test]
fn what_depends_on_something_waits_until_it_is_told_and_says_for_what() {
    let mut world = dependent();
    assert_eq!((world.phase(), world.spawns), (Phase::Pending, 0));
    told(&mut world, Some("db to be ready"));
    assert_eq!(world.machine.view().message, "waits for db to be ready");
    assert_eq!(world.order(ActionVerb::Start, 0), Verdict::Pending);
    let reports = world.reports.len();
    told(&mut world, Some("db to be ready"));
    assert_eq!(world.reports.len(), reports, "said twice");
    told(&mut world, None);
    assert_eq!((world.phase(), world.spawns), (Phase::Starting, 1));
}

#[test]
fn what_was_told_before_the_start_is_enough() {
    let mut spec = spec(RestartMode::Always);
    spec.depends_on = depends();
    let mut world = World::new(assignment(spec, false));
    told(&mut world, None);
    world.assign(|a| a.wanted = true);
    assert_eq!(world.spawns, 1);
}

#[test]
fn a_restart_waits_again_and_what_runs_is_left_alone() {
    let mut world = dependent();
    told(&mut world, None);
    world.spawned();
    told(&mut world, Some("db to be ready"));
    assert_eq!(world.phase(), Phase::Running);
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
    assert_eq!((world.phase(), world.spawns), (Phase::Pending, 1));
    world.runner_dies();
    assert_eq!((world.phase(), world.machine.view().restarts), (Phase::Pending, 1));
    told(&mut world, None);
    assert_eq!((world.spawns, world.machine.view().restarts), (2, 1));
}

#[test]
fn stop_and_removal_end_the_waiting() {
    let mut world = dependent();
    world.assign(|a| a.wanted = false);
    assert_eq!(world.phase(), Phase::Stopped);
    told(&mut world, None);
    assert_eq!(world.spawns, 0);
    let mut world = dependent();
    world.step(Input::Unassigned);
    assert!(world.gone && world.reported(event_type::INSTANCE_STOPPED));
}

#[test]
fn an_edit_can_take_the_dependencies_away_and_bring_them() {
    let mut world = dependent();
    world.edit(|s| s.depends_on.clear());
    assert_eq!(world.spawns, 1);
    let mut world = running(spec(RestartMode::Always));
    world.edit(|s| s.depends_on = depends());
    world.waiting_for = Some(String::new());
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
    assert_eq!((world.phase(), world.spawns), (Phase::Pending, 1));
}
