//! Lives as a person would tell them.

use super::world::{Run, World, assignment, spec};
use crate::{Input, Memo, Rest, State, Timer, Verdict};
use process_model::spec::{Check, Probe, RestartMode, Signal};
use process_model::{ActionVerb, ExitStatus, Phase, Timestamp, event_type};
use std::sync::Arc;
use std::time::Duration;

fn running(mode: RestartMode) -> World {
    super::world::running(spec(mode))
}

#[test]
fn a_crash_backs_off_twice_as_long_each_time_and_a_stable_run_begins_anew() {
    let mut world = running(RestartMode::Always);
    let mut delays = Vec::new();
    for _ in 0..3 {
        world.exits(1, true);
        delays.push((world.timers[&Timer::Restart] - world.now).as_secs());
        world.timer_fires(Timer::Restart);
        world.spawned();
    }
    world.now += Duration::from_secs(61);
    world.exits(1, true);
    delays.push((world.timers[&Timer::Restart] - world.now).as_secs());
    assert_eq!(delays, [1, 2, 4, 1]);
    assert_eq!(world.machine.view().restarts, 3);
}

#[test]
fn stop_during_backoff_never_respawns() {
    let mut world = running(RestartMode::Always);
    world.exits(1, true);
    world.assign(|a| a.wanted = false);
    assert_eq!(world.machine.view().phase, Phase::Stopped);
    assert!(world.timers.is_empty(), "the restart timer is still armed");
    world.step(Input::TimerFired(Timer::Restart));
    assert_eq!(world.spawns, 1);
}

#[test]
fn stop_before_the_program_is_there_ends_it_as_soon_as_it_is() {
    let mut world = World::new(assignment(spec(RestartMode::Always), true));
    world.assign(|a| a.wanted = false);
    assert_eq!(world.machine.view().phase, Phase::Stopping);
    world.spawned();
    assert_eq!(world.signals.last().unwrap().1, Signal::TERM);
    world.exits(0, true);
    assert_eq!(world.machine.view().phase, Phase::Stopped);
}

#[test]
fn the_stop_sequence_escalates_and_ends_stuck_when_nobody_can_be_killed() {
    let mut world = running(RestartMode::Always);
    world.assign(|a| a.wanted = false);
    world.timer_fires(Timer::Stop);
    assert_eq!(world.signals.last().unwrap().1, Signal::KILL);
    world.timer_fires(Timer::Stop);
    assert_eq!(world.machine.view().phase, Phase::Failed);
    assert!(matches!(world.order(ActionVerb::Stop, 0), Verdict::Failed(_)));
    world.assign(|a| a.wanted = true);
    assert_eq!(world.spawns, 1, "started beside what could not be killed");
    world.exits(0, true);
    assert_eq!(world.spawns, 2);
}

#[test]
fn a_keeper_that_does_not_answer_cannot_make_a_stop_endless() {
    let mut world = World::new(assignment(spec(RestartMode::Always), true));
    world.assign(|a| a.wanted = false);
    world.timer_fires(Timer::Stop);
    assert!(matches!(world.order(ActionVerb::Stop, 0), Verdict::Failed(_)));
    world.spawned();
    assert_eq!(world.signals.last().unwrap().1, Signal::TERM, "what started after all is not stopped");
    world.exits(0, true);
    assert_eq!(world.machine.view().phase, Phase::Stopped);
}

#[test]
fn restarts_for_silence_are_in_a_row_only_when_no_run_lasted() {
    let mut spec = spec(RestartMode::Always);
    spec.restart.max_restarts = 2;
    let mut world = World::new(assignment(spec, true));
    for _ in 0..5 {
        world.spawned();
        world.now += Duration::from_secs(61);
        let run = world.run_in(&Run::Alive).unwrap();
        world.step(Input::WentSilent { run, silence: Duration::from_secs(60) });
        world.exits(0, true);
    }
    assert_eq!((world.spawns, world.machine.view().restarts), (6, 5));
}

#[test]
fn children_left_behind_are_ended_before_the_next_start() {
    let mut world = running(RestartMode::Always);
    world.exits(1, false);
    assert_eq!(world.machine.view().phase, Phase::Stopping);
    world.tree_empties();
    assert_eq!(world.machine.view().phase, Phase::Backoff);
}

#[test]
fn restart_counts_from_zero_and_a_repeated_assignment_is_no_request() {
    let mut world = running(RestartMode::Always);
    assert_eq!(world.order(ActionVerb::Restart, 1), Verdict::Pending, "done before it began");
    world.assign(|a| a.restart_count = 1);
    world.exits(0, true);
    assert_eq!(world.order(ActionVerb::Restart, 1), Verdict::Pending);
    world.spawned();
    assert_eq!(world.order(ActionVerb::Restart, 1), Verdict::Done);
    world.assign(|_| {});
    assert_eq!((world.spawns, world.machine.view().restarts), (2, 0));
}

#[test]
fn one_shots_that_succeeded_stay_exited_until_asked_for() {
    let mut world = running(RestartMode::OnFailure);
    world.exits(0, true);
    assert_eq!(world.machine.view().phase, Phase::Exited);
    world.assign(|_| {});
    assert_eq!(world.spawns, 1);
    world.assign(|a| a.restart_count = 1);
    assert_eq!(world.spawns, 2);
}

#[test]
fn too_many_restarts_in_a_row_end_in_a_visible_failure() {
    let mut spec = spec(RestartMode::Always);
    spec.restart.max_restarts = 2;
    let mut world = World::new(assignment(spec, true));
    for _ in 0..3 {
        world.spawned();
        world.exits(7, true);
        world.timer_fires(Timer::Restart);
    }
    assert_eq!(world.machine.view().phase, Phase::Failed);
    assert!(world.machine.view().message.contains("exit code 7; gave up after 2 restarts"));
}

#[test]
fn a_program_that_cannot_be_started_fails_its_order_with_the_reason() {
    let mut world = World::new(assignment(spec(RestartMode::Always), true));
    world.spawn_fails();
    let Verdict::Failed(why) = world.order(ActionVerb::Start, 0) else { panic!("not failed") };
    assert!(why.contains("exec: /no"), "{why}");
}

#[test]
fn silence_restarts_through_the_whole_stop_sequence() {
    let mut world = running(RestartMode::Always);
    let run = world.run_in(&Run::Alive).unwrap();
    world.step(Input::WentSilent { run, silence: Duration::from_secs(3) });
    assert!(world.reported(event_type::INSTANCE_WATCHDOG));
    world.timer_fires(Timer::Stop);
    world.exits(0, true);
    world.timer_fires(Timer::Restart);
    world.spawned();
    assert_eq!((world.spawns, world.machine.view().restarts), (2, 1));
}

#[test]
fn readiness_comes_with_the_probe_and_goes_after_its_failures() {
    let mut spec = spec(RestartMode::Always);
    spec.readiness = Some(Probe::new(Check::Tcp { port: 80 }));
    let mut world = World::new(assignment(spec, true));
    world.spawned();
    let run = world.run_in(&Run::Alive).unwrap();
    assert!(!world.machine.view().ready);
    world.step(Input::ProbeSucceeded { run });
    assert!(world.machine.view().ready);
    for _ in 0..3 {
        assert!(world.machine.view().ready);
        world.step(Input::ProbeFailed { run, why: "connection refused".into() });
    }
    assert!(!world.machine.view().ready);
}

#[test]
fn policy_edits_do_not_restart_and_program_edits_do() {
    let mut world = running(RestartMode::Always);
    world.assign(|a| Arc::make_mut(&mut a.spec).restart.mode = RestartMode::Never);
    assert_eq!(world.machine.view().phase, Phase::Running);
    world.assign(|a| {
        Arc::make_mut(&mut a.spec).env.insert("A".into(), "b".into());
    });
    assert_eq!(world.machine.view().phase, Phase::Stopping);
}

#[test]
fn a_restored_machine_goes_on_where_the_memo_was_written() {
    let mut world = running(RestartMode::Always);
    world.exits(1, true);
    world.timer_fires(Timer::Restart);
    world.spawned();
    let run = world.run_in(&Run::Alive).unwrap();
    let memo = Memo::from(&world.machine);
    world.machine = crate::Machine::restore(world.machine.assignment().clone(), &memo);
    world.step(Input::Adopted { run, pid: 7, started: Timestamp(1), age: Duration::from_secs(5) });
    let view = world.machine.view();
    assert_eq!((view.phase, view.pid, view.restarts), (Phase::Running, 7, 1));
    assert_eq!(world.spawns, 2);
}

#[test]
fn a_restart_that_the_runner_did_not_live_to_finish_is_finished_by_the_next() {
    let mut world = running(RestartMode::Always);
    world.assign(|a| a.restart_count = 1);
    let run = world.run_in(&Run::Alive).unwrap();
    let memo = Memo::from(&world.machine);
    world.machine = crate::Machine::restore(world.machine.assignment().clone(), &memo);
    world.step(Input::Adopted { run, pid: 7, started: Timestamp(1), age: Duration::ZERO });
    assert_eq!(world.machine.view().phase, Phase::Stopping);
    world.exits(0, true);
    assert_eq!(world.spawns, 2);
}

#[test]
fn a_lost_run_is_never_called_a_success() {
    let mut world = running(RestartMode::OnFailure);
    let memo = Memo::from(&world.machine);
    let run = world.run_in(&Run::Alive).unwrap();
    world.runs.clear();
    world.machine = crate::Machine::restore(world.machine.assignment().clone(), &memo);
    world.step(Input::RunLost { run, rebooted: false });
    assert!(matches!(world.machine.view().last_exit, Some(ExitStatus::Unknown(_))));
    assert_eq!(world.machine.view().phase, Phase::Backoff);
}

#[test]
fn a_held_instance_stays_wanted_and_starts_with_the_next_runner() {
    let mut world = running(RestartMode::Always);
    world.step(Input::Held);
    world.exits(0, true);
    assert_eq!(world.machine.state(), &State::AtRest(Rest::Held));
    let memo = Memo::from(&world.machine);
    world.machine = crate::Machine::restore(world.machine.assignment().clone(), &memo);
    world.assign(|_| {});
    assert_eq!(world.spawns, 2);
}
