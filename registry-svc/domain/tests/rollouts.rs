//! Instances come to a new spec some at a time, case by case.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod fleet;
mod world;

use fleet::*;
use process_model::spec::{Share, UpdatePolicy};
use process_model::{ActionVerb, Phase, RolloutState};
use registry_domain::*;
use std::time::Duration;
use world::*;

#[test]
fn a_change_goes_on_once_the_batch_before_serves() {
    let mut fleet = Fleet::of(5, policy(Share::Count(2), Share::Count(0)));
    let outcome = fleet.change("2");
    assert_eq!(kinds(&outcome.events)[..2], ["process.updated", "rollout.started"]);
    assert_eq!(fleet.generations(), [2, 2, 1, 1, 1]);
    fleet.serve("web-1");
    assert_eq!(fleet.generations(), [2, 2, 2, 1, 1]);
    // The third is on its way; the second is not there yet.
    fleet.begin("web-3");
    assert_eq!(fleet.generations(), [2, 2, 2, 1, 1]);
    fleet.serve_all();
    assert_eq!((fleet.generations(), fleet.rollout().state()), (vec![2; 5], RolloutState::Succeeded));
    assert_eq!(fleet.told().last().unwrap(), "rollout.succeeded");
}

#[test]
fn each_instance_is_given_the_spec_of_its_own_generation() {
    let mut fleet = Fleet::of(4, policy(Share::Count(1), Share::Count(0)));
    fleet.change("2");
    let given = |fleet: &Fleet| -> Vec<(u64, String)> {
        let assigned = fleet.world.state.assignments(&"alpha".parse().unwrap());
        assigned.iter().map(|one| (one.generation, one.spec.env["V"].clone())).collect()
    };
    let (old, new) = ((1, "1".to_owned()), (2, "2".to_owned()));
    assert_eq!(given(&fleet), [new.clone(), old.clone(), old.clone(), old]);
    // Nothing that an instance notices: those who were not changed yet keep theirs.
    fleet.scale(5);
    assert_eq!(given(&fleet)[1], (1, "1".to_owned()));
    fleet.serve_all();
    assert!(given(&fleet).iter().all(|(_, version)| version == "2"), "{:?}", given(&fleet));
}

#[test]
fn a_generation_that_an_instance_has_is_kept_whatever_came_after() {
    let mut fleet = Fleet::of(4, policy(Share::Count(1), Share::Count(0)));
    fleet.world.ok(configure(1000, Some(Retention { generations: 2, ..Retention::default() })));
    fleet.change("2");
    for version in 3..9 {
        fleet.change(&version.to_string());
    }
    let web = "web".parse().unwrap();
    assert!(fleet.world.state.generation(&web, 1).is_some());
    assert_eq!(fleet.rollout().from, 1, "the last that all had");
    fleet.serve_all();
    let kept: Vec<u64> = fleet.world.state.generations(&web).iter().map(|one| one.generation).collect();
    assert_eq!((kept, fleet.rollout().state()), (vec![7, 8], RolloutState::Succeeded));
}

#[test]
fn below_level_3_all_instances_change_at_once() {
    let mut world = World::new();
    world.ok(hello("alpha"));
    world.ok(apply(vec![version("1", 4, UpdatePolicy::default())]));
    world.ok(apply(vec![version("2", 4, UpdatePolicy::default())]));
    assert!(world.state.instances().values().all(|one| one.generation == 2));
    assert_eq!(world.state.processes()[&"web".parse().unwrap()].rollout, None);
}

#[test]
fn instances_that_do_not_serve_anyway_are_changed_first_and_cost_nothing() {
    let mut fleet = Fleet::of(4, policy(Share::Count(1), Share::Count(0)));
    fleet.fail("web-4");
    fleet.world.ok(switch(ActionVerb::Stop, "web-3"));
    fleet.change("2");
    // Two serve of three that should: no more may go.
    assert_eq!(fleet.generations(), [1, 1, 2, 2]);
    fleet.serve("web-4");
    assert_eq!(fleet.generations(), [2, 1, 2, 2]);
}

#[test]
fn an_instance_beyond_the_number_comes_first_and_goes_last() {
    let mut fleet = Fleet::of(3, policy(Share::Count(0), Share::Count(1)));
    fleet.change("2");
    assert_eq!(fleet.generations(), [1, 1, 1, 2], "nobody ends before it serves");
    fleet.serve("web-4");
    for done in 1..=3 {
        assert_eq!(fleet.generations().iter().filter(|one| **one == 2).count(), done + 1);
        fleet.serve(&format!("web-{done}"));
    }
    assert!(fleet.world.instance("web-4").removing);
    assert_eq!(fleet.rollout().state(), RolloutState::Succeeded);
    fleet.let_go("web-4");
    assert!(!fleet.world.has("web-4"));
}

#[test]
fn an_instance_counts_once_it_has_been_ready_for_long_enough() {
    let update = UpdatePolicy { min_ready: Duration::from_secs(100), ..policy(Share::Count(1), Share::Count(0)) };
    let mut fleet = Fleet::of(2, update);
    fleet.change("2");
    fleet.serve("web-1");
    assert_eq!(fleet.generations(), [2, 1]);
    let due = fleet.world.state.next_due().unwrap();
    assert_eq!(due, fleet.world.instance("web-1").seen.ready_since.unwrap().plus(Duration::from_secs(100)));
    fleet.tick(99);
    assert_eq!(fleet.generations(), [2, 1]);
    fleet.tick(2);
    assert_eq!(fleet.generations(), [2, 2]);
    // Unready for a moment: it counts anew.
    fleet.serve("web-2");
    fleet.fall("web-2");
    fleet.serve("web-2");
    fleet.tick(50);
    assert_eq!(fleet.rollout().state(), RolloutState::Progressing);
    fleet.tick(60);
    assert_eq!(fleet.rollout().state(), RolloutState::Succeeded);
}

#[test]
fn an_instance_that_is_given_up_fails_the_rollout_at_once() {
    let mut fleet = Fleet::of(4, policy(Share::Count(1), Share::Count(0)));
    fleet.change("2");
    fleet.fail("web-1");
    assert_eq!((fleet.rollout().state(), fleet.generations()), (RolloutState::Failed, vec![2, 1, 1, 1]));
    assert_eq!(fleet.world.state.next_due(), None);
    // It stays as it is, whatever is seen later.
    fleet.serve("web-1");
    assert_eq!(fleet.generations(), [2, 1, 1, 1]);
}

#[test]
fn a_rollout_without_progress_fails_at_its_deadline_and_a_lost_node_does_not_hold_it_for_ever() {
    let update =
        UpdatePolicy { progress_deadline: Duration::from_secs(60), ..policy(Share::Count(1), Share::Count(0)) };
    let mut fleet = Fleet::on(&["alpha", "beta"], 4, update);
    fleet.world.ok(lost("beta"));
    fleet.change("2");
    assert_eq!(fleet.generations(), [1, 2, 1, 2], "what is lost is changed first, and counts as not serving");
    fleet.tick(30);
    assert_eq!(fleet.rollout().state(), RolloutState::Progressing);
    fleet.tick(31);
    assert_eq!(fleet.rollout().state(), RolloutState::Failed);
    assert!(fleet.rollout().why().contains("no progress"), "{}", fleet.rollout().why());
}

#[test]
fn a_failed_change_goes_back_by_itself_and_never_twice() {
    let update = UpdatePolicy { auto_revert: true, ..policy(Share::Count(1), Share::Count(0)) };
    let mut fleet = Fleet::of(3, update);
    fleet.change("2");
    let outcome = fleet.fail("web-1");
    let told: Vec<&str> = kinds(&outcome.events).into_iter().filter(|kind| !kind.starts_with("instance.")).collect();
    assert_eq!(told[..3], ["rollout.failed", "process.updated", "rollout.started"]);
    assert_eq!(fleet.rollout().state(), RolloutState::Reverting);
    assert_eq!(fleet.generations(), [3, 3, 3], "those that were not changed notice nothing");
    assert_eq!(fleet.version(), "1");
    let entry = fleet.world.entry();
    assert_eq!((entry.command.as_str(), entry.actor.as_str()), ("revert", "registry"));
    assert!(entry.reason.contains("generation 2 failed"), "{}", entry.reason);
    fleet.serve("web-1");
    assert_eq!(fleet.rollout().state(), RolloutState::Reverted);
    assert_eq!(fleet.told().last().unwrap(), "rollout.reverted");

    // The way back can fail too. Then somebody has to look.
    fleet.change("4");
    fleet.fail("web-1");
    assert_eq!(fleet.rollout().state(), RolloutState::Reverting);
    fleet.fail("web-1");
    assert_eq!(fleet.rollout().state(), RolloutState::Failed);
    assert_eq!(fleet.version(), "1");
}

#[test]
fn a_revert_keeps_the_number_that_was_asked_for_meanwhile() {
    let update = UpdatePolicy { auto_revert: true, ..policy(Share::Count(1), Share::Count(0)) };
    let mut fleet = Fleet::of(3, update);
    fleet.change("2");
    fleet.scale(4);
    fleet.fail("web-1");
    assert_eq!((fleet.rollout().state(), fleet.version().as_str()), (RolloutState::Reverting, "1"));
    assert_eq!(fleet.generations().len(), 4);
}

#[test]
fn canaries_go_first_and_the_others_wait_for_a_word() {
    let update = UpdatePolicy { canary: 1, ..policy(Share::Count(2), Share::Count(0)) };
    let mut fleet = Fleet::of(4, update.clone());
    fleet.change("2");
    assert_eq!(fleet.generations(), [2, 1, 1, 1]);
    fleet.serve("web-1");
    assert_eq!((fleet.generations(), fleet.rollout().state()), (vec![2, 1, 1, 1], RolloutState::AwaitingPromotion));
    fleet.tick(1_000_000);
    assert_eq!(fleet.rollout().state(), RolloutState::AwaitingPromotion, "nobody is hurried");
    // Who comes meanwhile is not on trial.
    fleet.scale(5);
    assert_eq!(fleet.generations(), [2, 1, 1, 1, 1]);
    fleet.serve("web-5");
    fleet.world.ok(promote());
    assert_eq!(fleet.generations(), [2, 3, 3, 1, 1], "the number is of generation 3");
    fleet.serve_all();
    assert_eq!(fleet.rollout().state(), RolloutState::Succeeded);

    let mut fleet = Fleet::of(4, UpdatePolicy { auto_promote: true, ..update });
    fleet.change("2");
    fleet.serve_all();
    assert_eq!(fleet.rollout().state(), RolloutState::Succeeded);
    assert!(fleet.told().contains(&"rollout.promoted".to_owned()));
}

#[test]
fn undoing_a_canary_restarts_nobody_else() {
    let update = UpdatePolicy { canary: 1, ..policy(Share::Count(1), Share::Count(0)) };
    let mut fleet = Fleet::of(4, update);
    fleet.change("2");
    fleet.serve("web-1");
    let from = fleet.rollout().from;
    fleet.world.ok(rollback("web", Some(from)));
    assert_eq!(fleet.generations(), [3, 3, 3, 3]);
    assert!(fleet.world.instance("web-2").handover.as_ref().is_some_and(|one| !one.restarts));
    fleet.serve("web-1");
    assert_eq!(fleet.rollout().state(), RolloutState::Succeeded);
}

#[test]
fn a_paused_rollout_hands_nothing_out_until_it_is_resumed() {
    let mut fleet = Fleet::of(4, policy(Share::Count(1), Share::Count(0)));
    fleet.change("2");
    fleet.world.ok(pause());
    fleet.serve("web-1");
    fleet.tick(1_000_000);
    assert_eq!((fleet.generations(), fleet.rollout().state()), (vec![2, 1, 1, 1], RolloutState::Paused));
    assert!(matches!(fleet.world.refused(promote()), Refusal::RolloutUnfit { .. }));
    fleet.world.ok(resume());
    assert_eq!(fleet.generations(), [2, 2, 1, 1]);
    fleet.serve_all();
    assert_eq!(fleet.rollout().state(), RolloutState::Succeeded);
    assert_eq!(fleet.world.refused(pause()), Refusal::NoRollout("web".into()));
}

#[test]
fn a_later_change_goes_on_from_what_is() {
    let mut fleet = Fleet::of(4, policy(Share::Count(1), Share::Count(0)));
    fleet.change("2");
    fleet.serve("web-1");
    let outcome = fleet.change("3");
    assert!(kinds(&outcome.events).contains(&"rollout.superseded"));
    // The second was on its way, and costs nothing more.
    assert_eq!((fleet.generations(), fleet.rollout().from), (vec![2, 3, 1, 1], 1));
    fleet.serve_all();
    assert_eq!((fleet.generations(), fleet.rollout().state()), (vec![3; 4], RolloutState::Succeeded));
}

#[test]
fn a_rolling_restart_keeps_the_generation_and_to_the_same_bounds() {
    let mut fleet = Fleet::of(3, policy(Share::Count(1), Share::Count(0)));
    fleet.world.ok(rolling_restart("web"));
    let counts = |fleet: &Fleet| [1, 2, 3].map(|n| fleet.world.instance(&format!("web-{n}")).restart_count);
    assert_eq!(counts(&fleet), [1, 0, 0]);
    // The run of before serves on for a moment: it is not the new one.
    fleet.repeat("web-1");
    assert_eq!(counts(&fleet), [1, 0, 0]);
    fleet.serve("web-1");
    assert_eq!(counts(&fleet), [1, 1, 0]);
    fleet.serve_all();
    assert_eq!((counts(&fleet), fleet.generations()), ([1, 1, 1], vec![1, 1, 1]));
    assert_eq!(
        (fleet.rollout().state(), fleet.world.entry().command.as_str()),
        (RolloutState::Succeeded, "rolling-restart")
    );
    fleet.change("2");
    assert!(matches!(fleet.world.refused(rolling_restart("web")), Refusal::RolloutUnfit { .. }));
}

#[test]
fn a_scale_acts_at_once_is_a_generation_and_may_be_expected() {
    let mut fleet = Fleet::of(3, UpdatePolicy::default());
    fleet.scale(5);
    assert_eq!((fleet.generations(), fleet.world.entry().command.as_str()), (vec![1, 1, 1, 2, 2], "scale"));
    assert_eq!(fleet.world.entry().changes[0].field.path, "instances");
    let expecting =
        Scale { process: "web".parse().unwrap(), instances: 1, expected: Some(1), traceparent: String::new() };
    assert!(matches!(fleet.world.refused(Order::Scale(expecting)), Refusal::GenerationMismatch { actual: 2, .. }));
    fleet.scale(2);
    assert!(["web-3", "web-4", "web-5"].iter().all(|id| fleet.world.instance(id).removing));
}

#[test]
fn a_change_that_is_taken_in_restarts_nothing_and_is_over_at_once() {
    let mut fleet = Fleet::of(4, UpdatePolicy::default());
    let mut spec = version("1", 4, UpdatePolicy::default());
    spec.restart.max_restarts = 99;
    fleet.world.ok(apply(vec![spec]));
    assert_eq!((fleet.generations(), fleet.rollout().state()), (vec![2; 4], RolloutState::Succeeded));
}

#[test]
fn what_runs_once_is_done_with_when_it_has_ended_well() {
    let mut fleet = Fleet::of(2, policy(Share::Count(1), Share::Count(0)));
    fleet.exit("web-1");
    fleet.exit("web-2");
    fleet.change("2");
    assert_eq!(fleet.generations(), [2, 2], "neither serves");
    fleet.begin("web-1");
    fleet.exit("web-1");
    assert_eq!(fleet.rollout().state(), RolloutState::Progressing);
    fleet.begin("web-2");
    fleet.exit("web-2");
    assert_eq!(fleet.rollout().state(), RolloutState::Succeeded);
    assert_eq!(fleet.world.instance("web-1").phase(), Phase::Exited);
}

#[test]
fn a_plan_says_what_applying_does() {
    let mut fleet = Fleet::of(3, policy(Share::Count(0), Share::Count(1)));
    let steps = |fleet: &Fleet, spec: &process_model::ProcessSpec| -> Vec<Step> {
        preview(&fleet.world.state, &spec.name, Some(spec)).iter().map(|one| one.step).collect()
    };
    let mut spec = version("2", 4, policy(Share::Count(0), Share::Count(1)));
    assert_eq!(steps(&fleet, &spec), [Step::Restart, Step::Restart, Step::Restart, Step::Create, Step::Surge]);
    (spec.env, spec.instances) = (version("1", 1, UpdatePolicy::default()).env, 2);
    assert_eq!(steps(&fleet, &spec), [Step::None, Step::None, Step::Remove]);
    spec.restart.max_restarts = 99;
    assert_eq!(steps(&fleet, &spec), [Step::InPlace, Step::InPlace, Step::Remove]);
    fleet.world.ok(switch(ActionVerb::Stop, "web-1"));
    assert_eq!(preview(&fleet.world.state, &spec.name, None).len(), 3);
}
