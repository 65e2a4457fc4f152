//! Runs, as they are told: each once, from its beginning to its end, with what
//! it was for.

use super::world::{S, World, assignment, depends, hooks, running, spec};
use crate::schedule::Timing;
use crate::{Input, Timer};
use process_model::spec::{CatchUp, HookKind, Overlap, RestartMode, Schedule};
use process_model::{ExitStatus, ProcessSpec, RunOutcome, RunReport, RunTrigger, Timestamp};
use std::time::Duration;

fn hourly(overlap: Overlap, mode: RestartMode) -> ProcessSpec {
    let mut spec = spec(mode);
    let (cron, timezone, catch_up) = ("@hourly".into(), "UTC".into(), CatchUp::None);
    spec.schedule = Some(Box::new(Schedule { cron, timezone, overlap, catch_up, jitter: Duration::ZERO }));
    spec
}

fn followed(overlap: Overlap) -> World {
    World::new(assignment(hourly(overlap, RestartMode::Never), true))
}

/// Time, trigger and outcome of each that was told, by whether it had a time.
fn told(world: &World) -> Vec<(bool, RunTrigger, RunOutcome)> {
    world.told_runs.iter().map(|run| (run.due.is_some(), run.trigger, run.outcome.clone())).collect()
}

fn last(world: &World) -> &RunReport {
    world.told_runs.last().unwrap()
}

const OK: RunOutcome = RunOutcome::Ended(ExitStatus::Code(0));

#[test]
fn a_run_is_told_when_it_begins_and_when_nobody_of_it_is_left() {
    let mut world = followed(Overlap::Skip);
    world.due();
    assert!(world.told_runs.is_empty(), "nothing was started yet");
    world.spawned();
    let next = last(&world).next_due;
    assert_eq!(told(&world), [(true, RunTrigger::Schedule, RunOutcome::Running)]);
    assert!(next > last(&world).due, "the next time is told with it");
    world.now += S * 5;
    world.exits(0, false);
    assert_eq!(world.told_runs.len(), 1, "somebody of its tree is left");
    world.now += S;
    world.tree_empties();
    let (began, ended) = (world.told_runs[0].clone(), last(&world).clone());
    assert_eq!((ended.run, ended.due, ended.began, ended.outcome.clone()), (began.run, began.due, began.began, OK));
    assert_eq!(ended.ended, began.began.map(|began| began.plus(S * 5)), "when its main process ended");
}

#[test]
fn what_runs_all_the_time_has_no_runs_and_what_runs_once_has() {
    let mut always = running(spec(RestartMode::Always));
    always.exits(1, true);
    assert!(always.told_runs.is_empty());
    let mut once = running(spec(RestartMode::Never));
    once.exits(3, true);
    assert_eq!(told(&once)[1], (false, RunTrigger::Request, RunOutcome::Ended(ExitStatus::Code(3))));
    assert_eq!(last(&once).next_due, None);
}

#[test]
fn a_time_that_led_to_no_run_is_told_with_the_reason() {
    let mut world = followed(Overlap::Skip);
    world.due();
    world.spawned();
    world.due();
    assert!(matches!(&last(&world).outcome, RunOutcome::Skipped(why) if why == "the run before goes on"));
    assert_eq!((last(&world).run, last(&world).due), (0, world.taken.last().copied()));
    world.comes(Timing::Missed);
    assert_eq!((last(&world).outcome.clone(), last(&world).trigger), (RunOutcome::Missed, RunTrigger::Schedule));
    assert_eq!(world.spawns, 1);
    world.exits(0, true);
    world.comes(Timing::CaughtUp);
    world.spawned();
    assert_eq!(told(&world).last(), Some(&(true, RunTrigger::CatchUp, RunOutcome::Running)));
}

#[test]
fn a_time_that_waits_for_the_run_before_is_that_of_the_next_run_also_after_the_runner_s_death() {
    let mut world = followed(Overlap::Queue);
    world.due();
    world.spawned();
    world.due();
    world.due();
    assert!(matches!(&last(&world).outcome, RunOutcome::Skipped(why) if why.contains("waits for its end already")));
    world.runner_dies();
    world.exits(0, true);
    world.spawned();
    assert_eq!((last(&world).due, last(&world).trigger), (Some(world.taken[1]), RunTrigger::Schedule));
    world.due();
    world.assign(|a| a.wanted = false);
    world.let_everything_end();
    let left_out = world.runs_of(world.taken[3]);
    assert!(matches!(&left_out[0].outcome, RunOutcome::Skipped(why) if why == "stopped before its turn"));
}

#[test]
fn a_time_that_replaces_a_run_is_told_of_the_new_one_or_of_none() {
    let mut world = followed(Overlap::Replace);
    world.due();
    world.spawned();
    world.due();
    world.due();
    assert!(matches!(&world.runs_of(world.taken[1])[0].outcome, RunOutcome::Skipped(_)), "replaced before it began");
    world.ends(ExitStatus::Signal(15), true, false);
    assert_eq!(world.runs_of(world.taken[0])[0].outcome, RunOutcome::Ended(ExitStatus::Signal(15)));
    world.spawned();
    assert_eq!(last(&world).due, Some(world.taken[2]));
}

#[test]
fn another_try_is_a_run_of_its_own_for_the_same_time() {
    let mut world = World::new(assignment(hourly(Overlap::Skip, RestartMode::OnFailure), true));
    world.due();
    world.spawned();
    world.exits(1, true);
    world.runner_dies();
    world.timer_fires(Timer::Restart);
    world.spawned();
    let (first, second) = (world.told_runs[0].clone(), last(&world).clone());
    assert_eq!((second.due, second.trigger), (first.due, RunTrigger::Restart));
    assert_ne!(second.run, first.run);
    world.exits(1, true);
    world.assign(|a| a.restart_count = 1);
    world.spawned();
    assert_eq!((last(&world).due, last(&world).trigger), (None, RunTrigger::Request), "somebody asked for it");
}

#[test]
fn what_could_not_be_started_says_why() {
    let mut world = followed(Overlap::Skip);
    world.due();
    world.spawn_fails();
    assert!(matches!(&last(&world).outcome, RunOutcome::NotStarted(why) if why.contains("No such file")));
    let mut spec = hourly(Overlap::Skip, RestartMode::Never);
    spec.hooks = hooks(&[HookKind::PreStart]);
    let mut world = World::new(assignment(spec, true));
    world.due();
    world.assign(|a| a.wanted = false);
    assert!(matches!(&last(&world).outcome, RunOutcome::NotStarted(why) if why == "stopped before it was started"));
}

#[test]
fn a_time_that_nobody_takes_in_is_left_where_it_is() {
    let mut world = followed(Overlap::Skip);
    world.step(Input::NextDue(Some(Timestamp(7_200_000_000_000))));
    world.assign(|a| a.wanted = false);
    world.due();
    assert!(world.told_runs.is_empty() && world.spawns == 0);
    assert_eq!(crate::Memo::from(&world.machine).next_due, Some(Timestamp(7_200_000_000_000)));
}

#[test]
fn a_start_that_waits_keeps_what_it_is_for() {
    let mut spec = hourly(Overlap::Skip, RestartMode::Never);
    spec.depends_on = depends();
    let mut world = World::new(assignment(spec, true));
    world.step(Input::Dependencies { waiting_for: Some("db to be ready".into()) });
    world.due();
    world.due();
    assert!(matches!(&last(&world).outcome, RunOutcome::Skipped(why) if why == "the run before has yet to start"));
    world.runner_dies();
    world.step(Input::Dependencies { waiting_for: None });
    world.spawned();
    assert_eq!((last(&world).due, last(&world).trigger), (Some(world.taken[0]), RunTrigger::Schedule));
}

#[test]
fn an_ending_that_nobody_saw_ends_the_run_all_the_same_and_a_boot_begins_it_once_more() {
    let mut world = running(spec(RestartMode::Never));
    let run = world.current();
    world.runs.clear();
    world.step(Input::RunLost { run, rebooted: true });
    assert!(matches!(&last(&world).outcome, RunOutcome::Ended(ExitStatus::Unknown(_))));
    world.spawned();
    assert_eq!(last(&world).trigger, RunTrigger::Restart);
}
