//! Nodes are labelled and removed; what leaves one has a place elsewhere.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::spec::{Share, UpdatePolicy};
use process_model::{NodeName, Phase, ProcessSpec};
use registry_domain::*;
use world::*;

fn nodes(names: &[&str]) -> World {
    let mut world = World::new();
    world.ok(fleet());
    names.iter().for_each(|name| drop(world.ok(arrived(name, &[], 4, 8))));
    world
}

fn node<'a>(world: &'a World, name: &str) -> &'a Node {
    &world.state.nodes()[&name.parse::<NodeName>().unwrap()]
}

/// Three on two nodes, all of which serve: web-1 and web-3 on a, web-2 on b.
fn three_on_two() -> World {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![spec("web", 3)]));
    world.all_run();
    world
}

#[test]
fn labels_of_an_operator_stand_over_those_of_the_runner() {
    let mut world = World::new();
    world.ok(fleet());
    world.ok(arrived("a", &["zone=eu", "rack=1"], 4, 8));
    let outcome = world.ok(label("a", &[("zone", "us"), ("rack", ""), ("gpu", "yes")]));
    assert_eq!(kinds(&outcome.events), ["node.labelled"]);
    assert_eq!(outcome.events[0].message, "node a is labelled gpu=yes, without rack, zone=us");
    let labels = |world: &World| -> Vec<String> {
        node(world, "a").labels().into_iter().map(|(key, value)| format!("{key}={value}")).collect()
    };
    assert_eq!(labels(&world), ["gpu=yes", "zone=us"]);
    let changes: Vec<_> =
        world.entry().changes.iter().map(|one| (one.field.path.as_str(), one.field.before.clone())).collect();
    assert_eq!(changes, [("label.gpu", None), ("label.rack", Some("1".into())), ("label.zone", Some("eu".into()))]);
    world.ok(lost("a"));
    world.ok(arrived("a", &["zone=ap", "rack=1"], 4, 8));
    assert_eq!(labels(&world), ["gpu=yes", "zone=us"], "a runner that comes back takes nothing back");
    world.ok(label("a", &[("gpu", "")]));
    assert_eq!(labels(&world), ["zone=us"]);
}

#[test]
fn a_node_is_removed_only_when_it_is_lost_and_empty_or_given_up() {
    let mut world = three_on_two();
    assert!(matches!(world.refused(remove_node("a", false)), Refusal::NodeInUse { why, .. } if why.contains("ready")));
    world.ok(lost("a"));
    assert!(
        matches!(world.refused(remove_node("a", false)), Refusal::NodeInUse { why, .. } if why.contains("2 instances"))
    );
    let outcome = world.ok(remove_node("a", true));
    assert!(kinds(&outcome.events).contains(&"node.removed"));
    assert_eq!(world.nodes_of("web"), ["b", "b", "b"]);
    assert!(world.instance("web-1").wanted && !world.state.nodes().contains_key(&"a".parse().unwrap()));
    assert_eq!(world.entry().command, "remove-node");
    // Should it come back, it is a new one, and has nothing.
    world.ok(label("b", &[("x", "1")]));
    world.ok(arrived("a", &[], 4, 8));
    assert!(world.state.assignments(&"a".parse().unwrap()).is_empty());
    world.ok(lost("a"));
    world.ok(remove_node("a", false));
}

#[test]
fn what_has_ended_on_a_node_that_is_given_up_does_not_run_again() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![spec("job", 1)]));
    world.ok(report("a", vec![seen("job-1", 1, Phase::Exited)]));
    world.ok(lost("a"));
    world.ok(remove_node("a", true));
    assert_eq!((world.nodes_of("job"), world.instance("job-1").wanted), (vec!["b"], false));
}

#[test]
fn an_order_to_a_node_that_is_repeated_has_one_effect() {
    let mut world = three_on_two();
    let header = || Header { actor: "admin".into(), request_id: "once".into(), ..Header::default() };
    let first = world.run(header(), drain("a", None));
    let second = world.run(header(), drain("a", None));
    assert_eq!(first.reply, second.reply);
    assert!(second.events.is_empty() && second.touched.is_empty());
}

#[test]
fn no_more_leave_a_node_than_there_are_places_for() {
    let mut world = nodes(&["a", "b"]);
    let policy = UpdatePolicy { max_unavailable: Share::Count(3), ..UpdatePolicy::default() };
    let web = placed("web", 3, |ask| ask.max_per_node = Some(2));
    world.ok(apply(vec![ProcessSpec { update: Some(Box::new(policy)), ..web }]));
    world.all_run();
    assert_eq!(world.nodes_of("web"), ["a", "b", "a"]);
    world.ok(drain("a", None));
    let moving = world.state.instances().values().filter(|one| one.moving.is_some()).count();
    assert_eq!(moving, 1, "b takes one more, and not two");
}
