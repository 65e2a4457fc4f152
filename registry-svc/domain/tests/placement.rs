//! Which node an instance goes to, and why: case by case, and as properties of
//! any plan.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::spec::{PlacementStrategy, Reservation};
use process_model::{NodeName, ProcessName};
use proptest::prelude::*;
use registry_domain::placement::{Exclusion, explain, plan};
use registry_domain::*;
use std::collections::BTreeMap;
use world::*;

fn nodes(nodes: &[(&str, &[&str])]) -> World {
    let mut world = World::new();
    world.ok(fleet());
    for (name, labels) in nodes {
        world.ok(arrived(name, labels, 4, 8));
    }
    world
}

fn excluded(world: &World, process: &str) -> Vec<(String, u32)> {
    explain(&world.state, &process.parse().unwrap(), None).unwrap().excluded
}

#[test]
fn instances_go_where_every_constraint_holds_and_wait_where_none_does() {
    let mut world = nodes(&[("a", &["zone=eu", "disk=ssd"]), ("b", &["zone=eu"]), ("c", &["zone=us", "disk=ssd"])]);
    let both = |name: &str| {
        placed(name, 3, |ask| ask.constraints = vec!["zone = eu".parse().unwrap(), "disk = ssd".parse().unwrap()])
    };
    world.ok(apply(vec![both("web")]));
    assert_eq!(world.nodes_of("web"), ["a", "a", "a"]);
    world.ok(apply(vec![placed("gpu", 1, |ask| ask.constraints = vec!["gpu = yes".parse().unwrap()])]));
    assert_eq!(world.nodes_of("gpu"), ["-"]);
    assert_eq!(excluded(&world, "gpu"), [("constraint \"gpu = yes\"".to_owned(), 3)]);
    world.ok(label("b", &[("gpu", "yes")]));
    assert_eq!(world.nodes_of("gpu"), ["b"], "a label lets it go there");
}

#[test]
fn a_node_is_known_by_its_own_attributes_too() {
    let mut world = nodes(&[("a", &[]), ("b", &[])]);
    let ask = |text: &str| {
        let constraints = vec![text.parse().unwrap()];
        placed("web", 1, move |ask| ask.constraints = constraints)
    };
    for (text, expected) in [
        ("node.name = b", "b"),
        ("node.name regexp ^b", "b"),
        ("node.os = linux", "a"),
        ("node.kernel version >= 6, < 7", "a"),
        ("node.runner_version version > 2", "-"),
        ("node.arch != x86_64", "-"),
        ("node.cpus in 2, 4", "a"),
    ] {
        world.ok(apply(vec![ask(text)]));
        assert_eq!(world.nodes_of("web"), [expected], "{text}");
        world.ok(delete("web"));
        if expected != "-" {
            world.has_gone("web-1");
        }
    }
}

#[test]
fn instances_are_spread_by_process_and_not_by_load_alone() {
    let mut world = nodes(&[("a", &[]), ("b", &[]), ("c", &[])]);
    world.ok(apply(vec![placed("load", 4, |ask| ask.constraints = vec!["node.name in a, b".parse().unwrap()])]));
    world.ok(apply(vec![spec("web", 3)]));
    let mut nodes = world.nodes_of("web");
    nodes.sort_unstable();
    assert_eq!(nodes, ["a", "b", "c"], "c has the least to do, and yet gets one only");
}

#[test]
fn replicas_that_know_no_placement_spread_by_load_alone() {
    let mut world = World::new();
    ["a", "b"].iter().for_each(|node| drop(world.ok(hello(node))));
    world.ok(apply(vec![spec("load", 1)]));
    world.ok(lost("b"));
    world.ok(apply(vec![spec("more", 2)]));
    world.ok(hello("b"));
    world.ok(apply(vec![spec("web", 3)]));
    assert_eq!(world.nodes_of("web"), ["b", "b", "b"]);
}

#[test]
fn instances_are_spread_over_the_values_of_a_label_first() {
    let mut world =
        nodes(&[("a", &["zone=1"]), ("b", &["zone=1"]), ("c", &["zone=1"]), ("d", &["zone=2"]), ("e", &[])]);
    world.ok(apply(vec![placed("web", 4, |ask| ask.spread_by = Some("zone".into()))]));
    assert_eq!(world.nodes_of("web"), ["a", "d", "b", "d"]);
    let explained = explain(&world.state, &"web".parse().unwrap(), None).unwrap();
    let order: Vec<&str> = explained.nodes.iter().map(|one| one.node.as_str()).collect();
    assert_eq!(order, ["c", "a", "b", "d", "e"], "without the label comes last");
}

#[test]
fn bin_pack_fills_one_node_after_the_other() {
    let mut world = nodes(&[("a", &[]), ("b", &[]), ("c", &[])]);
    let ask = |name: &str, instances| {
        placed(name, instances, |ask| {
            ask.strategy = PlacementStrategy::BinPack;
            ask.reserve = Reservation { cpu_millis: 1_500, memory: 1 << 30 };
        })
    };
    world.ok(apply(vec![ask("one", 3)]));
    assert_eq!(world.nodes_of("one"), ["a", "a", "b"]);
    world.ok(apply(vec![ask("two", 3)]));
    assert_eq!(world.nodes_of("two"), ["b", "c", "c"]);
    world.ok(apply(vec![ask("three", 1)]));
    assert_eq!(world.nodes_of("three"), ["-"]);
    let explained = explain(&world.state, &"three".parse().unwrap(), None).unwrap();
    assert_eq!(explained.excluded, [("no room: cpu".to_owned(), 3)]);
    assert_eq!(explained.nodes[0].exclusion, Some(Exclusion::NoCpu { needs: 1_500, has: 1_000 }));
    assert_eq!(explained.nodes[0].exclusion.as_ref().unwrap().to_string(), "no room: needs 1.5 CPU, has 1");
    assert_eq!(explained.instances[0].why, "it waits: no node can take it");
    // Room that is given back is used.
    world.ok(delete("one"));
    world.has_gone("one-3");
    assert_eq!(world.nodes_of("three"), ["b"]);
}

#[test]
fn at_most_so_many_go_to_one_node() {
    let mut world = nodes(&[("a", &[]), ("b", &[])]);
    world.ok(apply(vec![placed("web", 5, |ask| ask.max_per_node = Some(2))]));
    assert_eq!(world.nodes_of("web"), ["a", "b", "a", "b", "-"]);
    assert_eq!(excluded(&world, "web"), [("max_per_node 2".to_owned(), 2)]);
    world.ok(arrived("c", &[], 4, 8));
    assert_eq!(world.nodes_of("web"), ["a", "b", "a", "b", "c"]);
}

#[test]
fn processes_that_are_apart_never_share_a_node_whichever_of_them_says_so() {
    let mut world = nodes(&[("a", &[]), ("b", &[])]);
    world.ok(apply(vec![spec("db", 1)]));
    assert_eq!(world.nodes_of("db"), ["a"]);
    world.ok(apply(vec![placed("cache", 2, |ask| ask.apart_from = vec!["db".parse().unwrap()])]));
    assert_eq!(world.nodes_of("cache"), ["b", "b"]);
    // The other way round: db says nothing.
    world.ok(apply(vec![spec("db", 3)]));
    assert_eq!(world.nodes_of("db"), ["a", "a", "a"]);
    world.ok(cordon("a", false));
    world.ok(apply(vec![spec("db", 4)]));
    assert_eq!(world.nodes_of("db"), ["a", "a", "a", "-"]);
    assert_eq!(excluded(&world, "db"), [("apart_from cache".to_owned(), 1), ("cordoned".to_owned(), 1)]);
    world.ok(delete("cache"));
    assert_eq!(world.nodes_of("db"), ["a", "a", "a", "b"], "nobody says any more that they are apart");
}

#[test]
fn a_cordoned_node_keeps_what_it_has_and_gets_nothing_new() {
    let mut world = nodes(&[("a", &[]), ("b", &[])]);
    world.ok(apply(vec![spec("web", 2)]));
    let outcome = world.ok(cordon("a", false));
    assert_eq!(kinds(&outcome.events), ["node.cordoned"]);
    assert_eq!(world.entry().command, "cordon-node");
    let change = &world.entry().changes[0];
    assert_eq!((change.process.as_str(), change.field.path.as_str()), ("a", "cordoned"));
    world.ok(apply(vec![spec("web", 4)]));
    assert_eq!(world.nodes_of("web"), ["a", "b", "b", "b"]);
    assert!(world.ok(cordon("a", false)).events.is_empty(), "it is so already");
    // A runner that connects anew takes nothing back.
    world.ok(lost("a"));
    world.ok(arrived("a", &[], 4, 8));
    assert!(world.state.nodes()[&"a".parse().unwrap()].cordoned);
    world.ok(cordon("a", true));
    world.ok(apply(vec![spec("web", 5)]));
    assert_eq!(world.nodes_of("web"), ["a", "b", "b", "b", "a"]);
}

#[test]
fn explain_says_where_each_is_and_why_the_others_are_nowhere() {
    let mut world = nodes(&[("a", &["zone=eu"]), ("b", &["zone=us"]), ("c", &["zone=eu"]), ("d", &["zone=eu"])]);
    world.ok(apply(vec![placed("web", 2, |ask| {
        ask.constraints = vec!["zone = eu".parse().unwrap()];
        ask.max_per_node = Some(1);
    })]));
    world.ok(lost("c"));
    world.ok(cordon("d", false));
    world.ok(apply(vec![placed("web", 3, |ask| {
        ask.constraints = vec!["zone = eu".parse().unwrap()];
        ask.max_per_node = Some(1);
    })]));
    let explained = explain(&world.state, &"web".parse().unwrap(), None).unwrap();
    let standing: Vec<(String, &str)> =
        explained.instances.iter().map(|one| (one.instance.to_string(), one.why.as_str())).collect();
    assert_eq!(
        standing,
        [
            ("web-1".to_owned(), "it is on a, and stays where it is"),
            ("web-2".to_owned(), "it is on c, which is lost"),
            ("web-3".to_owned(), "it waits: no node can take it"),
        ]
    );
    let nodes: Vec<(&str, String)> =
        (explained.nodes.iter()).map(|one| (one.node.as_str(), one.exclusion.as_ref().unwrap().to_string())).collect();
    assert_eq!(
        nodes,
        [
            ("a", "max_per_node 1: as many are there".to_owned()),
            ("b", "constraint \"zone = eu\": it has us".to_owned()),
            ("c", "it is lost".to_owned()),
            ("d", "it is cordoned".to_owned()),
        ]
    );
    let one = explain(&world.state, &"web".parse().unwrap(), Some(3)).unwrap();
    assert_eq!(one.instances.len(), 1);
    assert_eq!(explain(&world.state, &"nobody".parse().unwrap(), None), None);
}

/// A cluster and processes, as numbers.
#[derive(Debug, Clone)]
struct Asks {
    instances: u32,
    zone: Option<u8>,
    most: Option<u32>,
    apart: Option<u8>,
    reserve: Reservation,
    strategy: PlacementStrategy,
    spread: bool,
}

fn asks() -> impl Strategy<Value = Asks> {
    let reserve = (prop::sample::select(vec![0, 700, 2_000]), prop::sample::select(vec![0, 1 << 30, 3 << 30]));
    let reserve = reserve.prop_map(|(cpu_millis, memory)| Reservation { cpu_millis, memory });
    let strategy = prop::sample::select(PlacementStrategy::ALL.to_vec());
    let choices = (0..8u32, prop::option::of(0..3u8), prop::option::of(1..3u32), prop::option::weighted(0.3, 0..6u8));
    (choices, reserve, strategy, any::<bool>()).prop_map(
        |((instances, zone, most, apart), reserve, strategy, spread)| Asks {
            instances,
            zone,
            most,
            apart,
            reserve,
            strategy,
            spread,
        },
    )
}

fn to_spec(number: usize, asks: &Asks) -> process_model::ProcessSpec {
    placed(&format!("p{number}"), asks.instances, |ask| {
        ask.constraints.extend(asks.zone.map(|zone| format!("zone = z{zone}").parse().unwrap()));
        ask.max_per_node = asks.most;
        ask.apart_from = asks
            .apart
            .filter(|n| usize::from(*n) != number)
            .map(|n| format!("p{n}").parse().unwrap())
            .into_iter()
            .collect();
        ask.reserve = asks.reserve;
        ask.strategy = asks.strategy;
        ask.spread_by = asks.spread.then(|| "zone".to_owned());
    })
}

/// What is wrong with one more of a process on a node, found by looking
/// through everything and without a word from the planner.
fn wrong_with(state: &State, process: &ProcessName, node: &NodeName, more: u32) -> Option<&'static str> {
    let (row, ask) = (&state.nodes()[node], state.processes()[process].spec.placement.clone().unwrap_or_default());
    if more > 0 && (row.state != NodeState::Ready || row.cordoned || row.drain.is_some()) {
        return Some("it takes nothing new");
    }
    let label = |name: &str| row.labels().get(name).map(|value| (*value).to_owned());
    if !ask.constraints.iter().all(|one| one.matcher().unwrap().holds(label(&one.attribute).as_deref())) {
        return Some("a constraint does not hold");
    }
    let on = |name: &ProcessName| state.instances_on(node).filter(|one| one.id.process == *name).count();
    if ask.max_per_node.is_some_and(|most| on(process) + more as usize > most as usize) {
        return Some("as many are there");
    }
    for other in state.processes().values() {
        let theirs = other.spec.placement.clone().unwrap_or_default();
        let apart = ask.apart_from.contains(&other.spec.name) || theirs.apart_from.contains(process);
        if apart && on(&other.spec.name) > 0 {
            return Some("one is there that it is apart from");
        }
    }
    let mut used: (u64, u64) =
        (u64::from(ask.reserve.cpu_millis) * u64::from(more), ask.reserve.memory * u64::from(more));
    for one in state.instances_on(node) {
        let theirs = state.processes().get(&one.id.process).and_then(|p| p.spec.placement.clone()).unwrap_or_default();
        used = (used.0 + u64::from(theirs.reserve.cpu_millis), used.1 + theirs.reserve.memory);
    }
    let asks_something = ask.reserve != Reservation::default();
    (asks_something && (used.0 > u64::from(row.cpus) * 1_000 || used.1 > row.memory_bytes)).then_some("no room")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    /// `World::run` has checked that planning again decides nothing.
    #[test]
    fn a_plan_breaks_no_rule_and_leaves_nothing_out_that_has_a_place(
        cluster in prop::collection::vec((prop::option::of(0..3u8), 1..5u32, 1..6u64), 1..7),
        waves in prop::collection::vec(prop::collection::vec(asks(), 1..4), 1..3),
        cordoned in prop::collection::vec(any::<bool>(), 7),
    ) {
        let mut world = World::new();
        world.ok(fleet());
        for (number, (zone, cpus, gib)) in cluster.iter().enumerate() {
            let zone: Vec<String> = zone.iter().map(|zone| format!("zone=z{zone}")).collect();
            let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
            world.ok(arrived(&format!("n{number}"), &zone, *cpus, *gib));
            if cordoned[number] {
                world.ok(cordon(&format!("n{number}"), false));
            }
        }
        let mut number = 0;
        for wave in waves {
            let specs = wave.iter().map(|asks| { number += 1; to_spec(number - 1, asks) }).collect();
            let before = world.state.clone();
            world.ok(apply(specs));
            for one in world.state.instances().values() {
                let Some(node) = &one.node else { continue };
                // What was there before says nothing of whom others are apart from since.
                let is_new = before.instances().get(&one.id).is_none_or(|one| one.node.is_none());
                if is_new {
                    prop_assert_eq!(wrong_with(&world.state, &one.id.process, node, 0), None, "{} on {}", one.id, node);
                    let row = &world.state.nodes()[node];
                    prop_assert!(row.takes_new());
                }
            }
            for one in world.state.instances().values().filter(|one| one.node.is_none()) {
                for node in world.state.nodes().keys() {
                    let wrong = wrong_with(&world.state, &one.id.process, node, 1);
                    prop_assert!(wrong.is_some(), "{} waits, and {} could take it", one.id, node);
                }
                let explained = explain(&world.state, &one.id.process, None).unwrap();
                prop_assert!(explained.nodes.iter().all(|node| node.exclusion.is_some()));
            }
            prop_assert_eq!(plan(&world.state), vec![]);
        }
    }

    #[test]
    fn equal_nodes_get_equal_shares(count in 1..9usize, instances in 0..40u32) {
        let mut world = World::new();
        world.ok(fleet());
        (0..count).for_each(|n| drop(world.ok(arrived(&format!("n{n}"), &[], 4, 8))));
        world.ok(apply(vec![placed("web", instances, |_| {})]));
        let mut shares: BTreeMap<&str, u32> = (0..count).map(|n| (["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"][n], 0)).collect();
        for node in world.nodes_of("web") {
            *shares.get_mut(node).unwrap() += 1;
        }
        let (least, most) = (shares.values().min().unwrap(), shares.values().max().unwrap());
        prop_assert!(most - least <= 1, "{:?}", shares);
    }
}
