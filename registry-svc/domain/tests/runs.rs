//! Runs of what runs to an end, and where a schedule goes on when its instance
//! comes to another node.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::spec::{Placement, RestartMode, Schedule};
use process_model::{
    ActionVerb, ExitStatus, InstanceReport, NodeName, Phase, Plan, ProcessSpec, Run, RunOutcome, RunReport, RunTrigger,
    Timestamp,
};
use proptest::prelude::*;
use registry_domain::*;
use std::time::Duration;
use world::*;

const AFTER: Duration = Duration::from_secs(10);

fn nodes(names: &[&str]) -> World {
    let mut world = World::new();
    world.ok(fleet());
    for name in names {
        world.ok(hello(name));
    }
    world
}

fn replaced(spec: ProcessSpec) -> ProcessSpec {
    ProcessSpec { placement: Some(Box::new(Placement { replace_after: Some(AFTER), ..Placement::default() })), ..spec }
}

fn cron(name: &str, expression: &str) -> ProcessSpec {
    let schedule = Schedule {
        cron: expression.into(),
        timezone: "UTC".into(),
        overlap: Default::default(),
        catch_up: Default::default(),
        jitter: Duration::ZERO,
    };
    let mut spec = replaced(spec(name, 1));
    spec.schedule = Some(Box::new(schedule));
    spec.restart.mode = RestartMode::Never;
    spec
}

fn one_shot(name: &str) -> ProcessSpec {
    let mut spec = replaced(spec(name, 1));
    spec.restart.mode = RestartMode::Never;
    spec
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

/// A run of `job-1` that began at its time; the next is due a minute later.
fn began(seq: u64, run: u64) -> RunReport {
    let due = at(60 * i64::try_from(run).unwrap());
    RunReport {
        instance: "job-1".parse().unwrap(),
        seq,
        generation: 1,
        run,
        due: Some(due),
        trigger: RunTrigger::Schedule,
        began: Some(due),
        ended: None,
        outcome: RunOutcome::Running,
        next_due: Some(due.plus(Duration::from_secs(60))),
    }
}

fn ended(seq: u64, run: u64) -> RunReport {
    let began = began(seq, run);
    let ended = began.began.map(|began| began.plus(Duration::from_secs(1)));
    RunReport { ended, outcome: RunOutcome::Ended(ExitStatus::Code(0)), ..began }
}

fn told(node: &str, runs: Vec<RunReport>) -> Order {
    Order::Runs(RunReports { node: node.parse().unwrap(), runs })
}

/// Its node says that it rests until then.
fn rests(id: &str, seq: u64, next: Option<Timestamp>) -> InstanceReport {
    InstanceReport { next_restart: next, ..seen(id, seq, Phase::Stopped) }
}

fn runs(world: &World) -> Vec<Run> {
    world.state.runs_of(&"job-1".parse().unwrap()).map(|runs| runs.runs.clone()).unwrap_or_default()
}

fn numbers(world: &World) -> Vec<u64> {
    runs(world).iter().map(|run| run.number).collect()
}

/// What the node of `job-1` is told of its schedule.
fn plan(world: &World) -> Option<Plan> {
    let node = world.instance("job-1").node.clone().unwrap();
    let all = world.state.assignments(&node);
    all.iter().find(|one| one.instance.to_string() == "job-1").unwrap().plan
}

fn node_of(world: &World, id: &str) -> String {
    world.instance(id).node.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// The node has been lost for longer than anything waits.
fn stays_lost(world: &mut World, node: &str) -> Outcome {
    world.ok(lost(node));
    let node: NodeName = node.parse().unwrap();
    let loss = world.state.nodes()[&node].losses;
    world.ok(Order::NodeSilent { node, silent: AFTER, loss })
}

fn next(world: &World, node: &str) -> Option<Duration> {
    replacement::next(&world.state, &node.parse().unwrap())
}

#[test]
fn a_run_is_one_from_its_beginning_to_its_end_and_the_newest_are_kept() {
    let mut world = nodes(&["a"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(1, 1)]));
    assert_eq!(runs(&world)[0].outcome, RunOutcome::Running);
    world.ok(told("a", vec![ended(2, 1)]));
    let first = &runs(&world)[0];
    assert_eq!((first.number, first.node.as_str(), first.due, first.ended), (1, "a", Some(at(60)), Some(at(61))));
    assert_eq!(first.outcome, RunOutcome::Ended(ExitStatus::Code(0)));
    for run in 2..=25 {
        world.ok(told("a", vec![began(2 * run, run), ended(2 * run + 1, run)]));
    }
    assert_eq!(numbers(&world), (6..=25).collect::<Vec<_>>());
    // Only its end reached us.
    world.ok(told("a", vec![ended(100, 26)]));
    assert_eq!((numbers(&world).last(), runs(&world)[19].began), (Some(&26), Some(at(26 * 60))));
    // Times that led to no run are two.
    let skipped = |seq| RunReport {
        began: None,
        outcome: RunOutcome::Skipped("the run before goes on".into()),
        run: 0,
        ..began(seq, 27)
    };
    world.ok(told("a", vec![skipped(101), skipped(102)]));
    assert_eq!(numbers(&world).last(), Some(&28));
}

#[test]
fn what_was_heard_before_or_from_a_node_that_does_not_have_it_changes_nothing() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(5, 1), ended(6, 1)]));
    let before = world.state.runs_of(&"job-1".parse().unwrap()).cloned();
    for order in [told("a", vec![began(5, 1)]), told("a", vec![ended(6, 1)]), told("b", vec![began(9, 9)])] {
        assert!(world.ok(order).touched.is_empty());
    }
    let mut stranger = began(10, 9);
    stranger.instance = "nobody-1".parse().unwrap();
    world.ok(told("a", vec![stranger]));
    assert_eq!(world.state.runs_of(&"job-1".parse().unwrap()).cloned(), before);
    assert!(matches!(world.refused(told("nowhere", vec![began(1, 1)])), Refusal::UnknownNode(_)));
}

#[test]
fn the_report_of_a_state_writes_no_runs_and_that_of_a_run_no_state() {
    let mut world = nodes(&["a"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(1, 1)]));
    let outcome = world.ok(report("a", vec![seen("job-1", 2, Phase::Running)]));
    assert!(!outcome.touched.iter().any(|key| matches!(key, RowKey::Runs(_))), "{:?}", outcome.touched);
    let outcome = world.ok(told("a", vec![ended(3, 1)]));
    assert_eq!(outcome.touched, [RowKey::Runs("job-1".parse().unwrap())]);
    assert!(outcome.orders.is_empty(), "its node has its own plan");
}

#[test]
fn a_schedule_that_is_moved_goes_on_exactly_where_it_stood_with_its_history() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    assert_eq!(plan(&world), None, "nobody has followed it");
    world.ok(told("a", vec![began(1, 1), ended(2, 1)]));
    world.ok(report("a", vec![rests("job-1", 3, Some(at(120)))]));
    world.ok(drain("a", None));
    assert!(world.instance("job-1").removing);
    // Its time came before its node heard of it.
    world.ok(told("a", vec![began(4, 2), ended(5, 2)]));
    world.has_gone("job-1");
    assert_eq!(node_of(&world, "job-1"), "b");
    assert_eq!(plan(&world), Some(Plan { due: at(180), certain: true }));
    assert_eq!(numbers(&world), [1, 2]);
    world.ok(told("a", vec![began(4, 2)]));
    assert_eq!(numbers(&world), [1, 2], "repeated by the node that had it");
    world.ok(told("b", vec![began(1, 3)]));
    assert_eq!((numbers(&world), runs(&world)[2].node.as_str()), (vec![1, 2, 3], "b"));
    world.ok(report("b", vec![seen("job-1", 2, Phase::Running)]));
    assert_eq!(plan(&world), Some(Plan { due: at(240), certain: false }), "for a node that has lost its memory");
}

#[test]
fn a_move_without_a_run_in_between_keeps_what_was_planned() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(report("a", vec![rests("job-1", 1, Some(at(60)))]));
    world.ok(drain("a", None));
    world.has_gone("job-1");
    assert_eq!(plan(&world), Some(Plan { due: at(60), certain: true }));
}

#[test]
fn what_a_lost_node_had_planned_is_not_certain_and_its_open_run_is_lost_until_it_tells() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(1, 1), ended(2, 1), began(3, 2)]));
    world.ok(report("a", vec![seen("job-1", 4, Phase::Running)]));
    stays_lost(&mut world, "a");
    assert_eq!(node_of(&world, "job-1"), "b");
    assert_eq!(plan(&world), Some(Plan { due: at(180), certain: false }));
    assert_eq!(runs(&world)[1].outcome, RunOutcome::Lost);
    world.ok(told("b", vec![began(1, 9)]));
    // It was cut off, and comes back: it has run on by itself.
    world.ok(hello("a"));
    world.ok(told("a", vec![ended(5, 2), ended(7, 77)]));
    let all = runs(&world);
    assert_eq!(all[1].outcome, RunOutcome::Ended(ExitStatus::Code(0)));
    assert_eq!(
        all.iter().map(|run| (run.number, run.node.as_str())).collect::<Vec<_>>(),
        [(1, "a"), (2, "a"), (3, "b"), (4, "a")]
    );
    assert_eq!(plan(&world).map(|plan| plan.due), Some(at(600)), "what an older copy plans is nobody's");
}

#[test]
fn a_removed_node_leaves_its_schedule_and_history_to_the_next() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(1, 1)]));
    world.ok(remove_node("a", true));
    assert_eq!(node_of(&world, "job-1"), "b");
    assert_eq!(plan(&world), Some(Plan { due: at(120), certain: false }));
    assert_eq!(runs(&world)[0].outcome, RunOutcome::Lost);
}

#[test]
fn a_changed_schedule_begins_anew_and_a_stopped_one_has_no_plan() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(1, 1), ended(2, 1)]));
    world.ok(report("a", vec![rests("job-1", 3, Some(at(120)))]));
    assert_eq!(plan(&world).map(|plan| plan.due), Some(at(120)));
    world.ok(switch(ActionVerb::Stop, "job"));
    assert_eq!(plan(&world), None);
    world.ok(switch(ActionVerb::Start, "job"));
    world.ok(apply(vec![cron("job", "30 2 * * *")]));
    assert_eq!(plan(&world), None);
    assert_eq!(numbers(&world), [1], "its history is its history");
}

#[test]
fn runs_go_with_the_instance() {
    let mut world = nodes(&["a"]);
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(1, 1)]));
    world.ok(delete("job"));
    assert_eq!(numbers(&world), [1], "until nothing of it is left");
    world.has_gone("job-1");
    assert!(runs(&world).is_empty());
    // What the node repeats is of the one before.
    world.ok(apply(vec![cron("job", "* * * * *")]));
    world.ok(told("a", vec![began(1, 1)]));
    assert!(runs(&world).is_empty());
}

#[test]
fn what_ran_once_and_ended_is_not_run_again_because_its_node_is_lost() {
    for (phase, again) in
        [(Phase::Exited, false), (Phase::Failed, false), (Phase::Running, true), (Phase::Pending, true)]
    {
        let mut world = nodes(&["a", "b"]);
        world.ok(apply(vec![one_shot("job")]));
        if phase != Phase::Pending {
            world.ok(report("a", vec![seen("job-1", 1, phase)]));
        }
        world.ok(lost("a"));
        assert_eq!(next(&world, "a"), again.then_some(AFTER), "{phase}");
        let loss = world.state.nodes()[&"a".parse::<NodeName>().unwrap()].losses;
        world.ok(Order::NodeSilent { node: "a".parse().unwrap(), silent: AFTER, loss });
        assert_eq!(node_of(&world, "job-1"), if again { "b" } else { "a" }, "{phase}");
    }
}

#[test]
fn what_has_ended_is_placed_elsewhere_when_it_was_asked_for_once_more() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![one_shot("job")]));
    world.ok(report("a", vec![seen("job-1", 1, Phase::Exited)]));
    world.ok(lost("a"));
    assert_eq!(next(&world, "a"), None);
    world.ok(switch(ActionVerb::Restart, "job"));
    assert_eq!(next(&world, "a"), Some(AFTER), "somebody waits for it");

    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![one_shot("job")]));
    world.ok(report("a", vec![seen("job-1", 1, Phase::Exited)]));
    world.ok(lost("a"));
    let mut changed = one_shot("job");
    changed.env.insert("V".into(), "2".into());
    world.ok(apply(vec![changed]));
    let instance = world.instance("job-1");
    let is_told = instance.generation > instance.seen.generation;
    assert_eq!(next(&world, "a").is_some(), is_told, "a new version has not run yet");
}

proptest! {
    /// However often a node repeats itself, and however many nodes there were:
    /// each run is kept once, in the order of its first news.
    #[test]
    fn each_run_is_kept_once(steps in prop::collection::vec((0..3_usize, 1..4_u64), 1..60)) {
        let names = ["a", "b", "c"];
        let mut world = nodes(&names);
        world.ok(apply(vec![cron("job", "* * * * *")]));
        let mut sent: Vec<Vec<RunReport>> = vec![Vec::new(); 3];
        for (what, repeat) in steps {
            let here = names.iter().position(|name| *name == node_of(&world, "job-1"));
            match (what, here) {
                (0, Some(here)) => {
                    // Begun, ended, begun, ended …
                    let said = sent[here].len() as u64;
                    let (seq, run) = (said + 1, said / 2 + 1);
                    sent[here].push(if said.is_multiple_of(2) { began(seq, run) } else { ended(seq, run) });
                }
                (1, Some(here)) => {
                    stays_lost(&mut world, names[here]);
                    world.ok(hello(names[here]));
                }
                _ => {}
            }
            // Every node says the last of what it has said once more.
            for (node, sent) in names.iter().zip(&sent) {
                let from = sent.len().saturating_sub(usize::try_from(repeat).unwrap());
                world.ok(told(node, sent[from..].to_vec()));
            }
        }
        let kept: Vec<(NodeName, u64)> = runs(&world).iter().map(|run| (run.node.clone(), run.run)).collect();
        let mut once = kept.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), kept.len(), "{:?}", kept);
    }
}
