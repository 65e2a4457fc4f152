//! Dependencies across nodes: how others stand, as a node is told, and whose
//! stop waits for whom.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use process_model::spec::{Condition, Dependency};
use process_model::{ActionVerb, Elsewhere, ExitStatus, InstanceReport, Phase, ProcessSpec, Timestamp};
use registry_domain::*;
use std::time::Duration;
use world::*;

const MARGIN: Duration = Duration::from_secs(5);

fn on(node: &str, spec: ProcessSpec) -> ProcessSpec {
    let constraints = vec![format!("node.name = {node}").parse().unwrap()];
    let placement = process_model::spec::Placement { constraints, ..process_model::spec::Placement::default() };
    ProcessSpec { placement: Some(Box::new(placement)), ..spec }
}

fn needing(mut spec: ProcessSpec, others: &[&str]) -> ProcessSpec {
    spec.depends_on = others.iter().map(|other| dependency(other, Condition::Ready)).collect();
    spec
}

fn dependency(process: &str, condition: Condition) -> Dependency {
    Dependency { process: process.parse().unwrap(), condition }
}

/// Nodes a, b and c, and these processes.
fn fleet_of(specs: Vec<ProcessSpec>) -> World {
    let mut world = World::new();
    world.ok(fleet());
    for node in ["a", "b", "c"] {
        world.ok(arrived(node, &[], 4, 8));
    }
    world.ok(apply(specs));
    world
}

/// How others stand to what `node` needs, when these lines were seen.
fn stands(world: &World, node: &str, condition: &Condition, lines: &[&str]) -> Elsewhere {
    let has_line = |_: &Instance, pattern: &str| lines.contains(&pattern);
    world.state.elsewhere(&node.parse().unwrap(), &dependency("db", condition.clone()), has_line)
}

/// Who is not as it has to be, with its node and phase.
fn missing(elsewhere: &Elsewhere) -> Option<(String, Option<String>, Phase)> {
    let unmet = elsewhere.unmet.as_ref()?;
    Some((unmet.instance.to_string(), unmet.node.as_ref().map(ToString::to_string), unmet.phase))
}

fn says(world: &mut World, node: &str, id: &str, change: impl FnOnce(&mut InstanceReport)) {
    let seq = world.instance(id).seen.seq + 1;
    let mut said = InstanceReport { generation: world.instance(id).generation, ..seen(id, seq, Phase::Running) };
    change(&mut said);
    world.ok(report(node, vec![said]));
}

#[test]
fn a_node_is_told_of_the_first_elsewhere_that_is_not_as_it_has_to_be() {
    let mut world = fleet_of(vec![on("a", spec("db", 1)), on("b", needing(spec("web", 1), &["db"]))]);
    assert_eq!(world.state.needs_of(&"b".parse().unwrap()), [dependency("db", Condition::Ready)].into());
    assert!(world.state.needs_of(&"a".parse().unwrap()).is_empty());
    let unmet = missing(&stands(&world, "b", &Condition::Ready, &[]));
    assert_eq!(unmet, Some(("db-1".into(), Some("a".into()), Phase::Pending)));

    says(&mut world, "a", "db-1", |said| said.ready = false);
    assert_eq!(missing(&stands(&world, "b", &Condition::Started, &[])), None);
    assert!(missing(&stands(&world, "b", &Condition::Ready, &[])).is_some());
    says(&mut world, "a", "db-1", |_| {});
    assert_eq!(stands(&world, "b", &Condition::Ready, &[]), Elsewhere { exists: true, unmet: None });
    let line = Condition::Log("up".into());
    assert!(missing(&stands(&world, "b", &line, &[])).is_some());
    assert_eq!(missing(&stands(&world, "b", &line, &["up"])), None);
    // Its own node knows better.
    assert_eq!(stands(&world, "a", &Condition::Completed, &[]), Elsewhere::default());

    says(&mut world, "a", "db-1", |said| (said.phase, said.last_exit) = (Phase::Exited, Some(ExitStatus::Code(3))));
    assert!(missing(&stands(&world, "b", &Condition::CompletedOk, &[])).is_some());
    assert_eq!(missing(&stands(&world, "b", &Condition::Completed, &[])), None);
    let nobody = world.state.elsewhere(&"b".parse().unwrap(), &dependency("nobody", Condition::Ready), |_, _| true);
    assert_eq!(nobody, Elsewhere::default());
}

#[test]
fn all_count_but_those_of_a_silent_node_while_there_is_another() {
    let mut world = fleet_of(vec![spec("db", 3)]);
    assert_eq!(world.nodes_of("db"), ["a", "b", "c"]);
    for (node, id) in [("a", "db-1"), ("b", "db-2")] {
        says(&mut world, node, id, |_| {});
    }
    let unmet = missing(&stands(&world, "a", &Condition::Ready, &[]));
    assert_eq!(unmet, Some(("db-3".into(), Some("c".into()), Phase::Pending)), "all of them");
    world.ok(lost("c"));
    assert_eq!(missing(&stands(&world, "a", &Condition::Ready, &[])), None, "nobody knows of db-3");
    world.ok(lost("b"));
    assert_eq!(stands(&world, "a", &Condition::Ready, &[]), Elsewhere::default(), "there is one here");
    world.ok(lost("a"));
    let node = "d".parse().unwrap();
    let all_lost = world.state.elsewhere(&node, &dependency("db", Condition::Ready), |_, _| false);
    assert_eq!(missing(&all_lost), Some(("db-1".into(), Some("a".into()), Phase::Lost)));
    assert!(all_lost.is_silent());
}

#[test]
fn of_a_daemon_the_one_on_the_same_node_counts() {
    let mut world = fleet_of(vec![placed("db", 1, |placement| {
        placement.daemon = true;
        placement.constraints = vec!["node.name != c".parse().unwrap()];
    })]);
    assert_eq!(world.nodes_of("db"), ["a", "b"]);
    assert_eq!(stands(&world, "a", &Condition::Ready, &[]), Elsewhere::default());
    says(&mut world, "a", "db-1", |_| {});
    let unmet = missing(&stands(&world, "c", &Condition::Ready, &[]));
    assert_eq!(unmet, Some(("db-2".into(), Some("b".into()), Phase::Pending)), "it has none");
}

#[test]
fn what_was_seen_before_a_restart_by_a_rollout_says_nothing() {
    let job = |version: &str| {
        let mut job = on("a", spec("db", 1));
        job.env.insert("V".into(), version.into());
        job
    };
    let mut world = fleet_of(vec![job("1")]);
    let ended = |said: &mut InstanceReport| (said.phase, said.last_exit) = (Phase::Exited, Some(ExitStatus::Code(0)));
    says(&mut world, "a", "db-1", ended);
    assert_eq!(missing(&stands(&world, "b", &Condition::CompletedOk, &[])), None);
    world.ok(apply(vec![job("2")]));
    assert!(missing(&stands(&world, "b", &Condition::CompletedOk, &[])).is_some(), "it runs once more");
    says(&mut world, "a", "db-1", |said| {
        ended(said);
        said.started = Some(Timestamp(99));
    });
    assert_eq!(missing(&stands(&world, "b", &Condition::CompletedOk, &[])), None);
}

fn held(world: &World, node: &str) -> Vec<(String, Duration)> {
    world.state.held_stops(&node.parse().unwrap()).map(|(id, longest)| (id.to_string(), longest)).collect()
}

/// For whom the stop of an instance waits, and where that is.
fn waits(world: &World, id: &str) -> Option<(String, String)> {
    let instance = &world.state.instances()[&id.parse().unwrap()];
    world.state.stop_waits_for(instance).map(|(other, node)| (other.to_string(), node.to_string()))
}

/// web needs api needs db, each on a node of its own; all run.
fn row() -> World {
    let mut world = fleet_of(vec![
        on("a", spec("db", 1)),
        on("b", needing(spec("api", 1), &["db"])),
        on("c", needing(spec("web", 1), &["api"])),
    ]);
    world.all_run();
    world
}

fn stop(processes: &[&str]) -> Order {
    let selectors = processes.iter().map(|name| (*name).to_owned()).collect();
    Order::Switch(Switch { verb: ActionVerb::Stop, selectors, stop_timeout: None, traceparent: String::new() })
}

fn stopped(world: &mut World, node: &str, id: &str) {
    says(world, node, id, |said| (said.phase, said.ready) = (Phase::Stopped, false));
}

#[test]
fn what_is_stopped_at_once_is_stopped_in_reverse_over_nodes() {
    let mut world = row();
    world.ok(stop(&["db", "web", "api"]));
    let bound = spec("x", 1).stop_bound();
    assert_eq!(held(&world, "a"), [("db-1".to_owned(), (bound + MARGIN) * 2)]);
    assert_eq!(held(&world, "b"), [("api-1".to_owned(), bound + MARGIN)]);
    assert_eq!(held(&world, "c"), []);
    assert_eq!(waits(&world, "api-1"), Some(("web-1".into(), "c".into())));
    assert_eq!(waits(&world, "web-1"), None);
    assert_eq!(world.state.stops_wait_for(&"a".parse().unwrap()), ["api".parse().unwrap()].into());
    stopped(&mut world, "c", "web-1");
    assert_eq!((held(&world, "a").len(), held(&world, "b").len()), (1, 0));
    stopped(&mut world, "b", "api-1");
    assert_eq!(held(&world, "a"), []);
}

#[test]
fn a_stop_passes_through_what_is_not_stopped_and_waits_for_nobody_alone() {
    let mut world = row();
    world.ok(stop(&["db"]));
    assert_eq!(held(&world, "a"), [], "nobody else is stopped");
    let mut world = row();
    world.ok(stop(&["db", "web"]));
    assert_eq!(held(&world, "a").len(), 1);
    // It is wanted again: then nobody waits for its end.
    world.ok(switch(ActionVerb::Start, "web"));
    assert_eq!(held(&world, "a"), []);
}

#[test]
fn no_stop_waits_for_a_lost_node_or_for_what_has_ended() {
    let mut world = row();
    world.ok(stop(&["db", "api"]));
    assert_eq!(held(&world, "a").len(), 1);
    world.ok(lost("b"));
    assert_eq!(held(&world, "a"), []);

    let mut world = row();
    says(&mut world, "b", "api-1", |said| said.phase = Phase::Failed);
    world.ok(stop(&["db", "api"]));
    assert_eq!(held(&world, "a"), []);
}

#[test]
fn what_is_deleted_or_pruned_at_once_is_ended_in_reverse_though_its_spec_is_gone() {
    let mut world = row();
    world.ok(Order::Delete { selectors: vec!["db".into(), "api".into(), "web".into()] });
    assert!(world.state.processes().is_empty());
    assert_eq!((held(&world, "a").len(), held(&world, "b").len(), held(&world, "c").len()), (1, 1, 0));
    world.has_gone("web-1");
    assert_eq!((held(&world, "a").len(), held(&world, "b").len()), (1, 0));
    world.has_gone("api-1");
    assert_eq!(held(&world, "a"), []);

    let mut world = row();
    let from = |specs: Vec<ProcessSpec>, prune| {
        let specs = specs.into_iter().map(Into::into).collect();
        Order::Apply(Apply { specs, source: "shop".into(), prune, ..Apply::default() })
    };
    let specs = world.state.processes().values().map(|process| ProcessSpec::clone(&process.spec)).collect();
    world.ok(from(specs, false));
    world.ok(from(vec![spec("other", 1)], true));
    assert_eq!((held(&world, "a").len(), held(&world, "b").len(), held(&world, "c").len()), (1, 1, 0));
}

#[test]
fn a_drain_and_a_rollout_hold_nothing_back() {
    let mut world = fleet_of(vec![spec("db", 1), needing(spec("api", 1), &["db"])]);
    assert_eq!((world.nodes_of("db"), world.nodes_of("api")), (vec!["b"], vec!["a"]));
    world.all_run();
    // As they were stopped once is nothing for what comes later.
    world.ok(stop(&["db", "api"]));
    assert_eq!(held(&world, "b").len(), 1);
    world.ok(switch(ActionVerb::Start, "*"));
    world.ok(drain("b", None));
    world.ok(drain("a", None));
    assert!(["db-1", "api-1"].iter().all(|id| world.instance(id).moving.is_some()), "invalid: they stay");
    assert_eq!((held(&world, "a"), held(&world, "b")), (vec![], vec![]));
    let mut world = row();
    let mut changed = on("a", spec("db", 1));
    changed.env.insert("V".into(), "2".into());
    world.ok(apply(vec![changed]));
    assert_eq!(held(&world, "a"), []);
}

#[test]
fn replicas_that_do_not_all_know_of_it_write_nothing_down() {
    let mut world = World::new();
    world.ok(hello("a"));
    world.ok(apply(vec![spec("db", 1), needing(spec("web", 1), &["db"])]));
    world.all_run();
    world.ok(stop(&["db", "web"]));
    assert!(world.state.instances().values().all(|instance| instance.stops_after.is_none()));
}

#[test]
fn a_stop_that_nobody_can_carry_out_or_that_is_over_is_not_said_to_wait() {
    let mut world = row();
    world.ok(stop(&["db", "web", "api"]));
    world.ok(lost("b"));
    assert_eq!(waits(&world, "api-1"), None, "its node is silent");
    stopped(&mut world, "a", "db-1");
    assert_eq!(waits(&world, "db-1"), None, "it has ended");
}
