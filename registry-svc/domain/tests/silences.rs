//! What follows from the silence of nodes: suspicion, loss, damping, the
//! brake, replacement; and what of it nobody may ever see.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::spec::{Placement, Singleton};
use process_model::{ActionVerb, NodeName, Phase, ProcessSpec};
use proptest::prelude::*;
use registry_domain::*;
use std::time::Duration;
use world::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A registry all of whose replicas know silences, with these nodes.
fn nodes(names: &[&str]) -> World {
    let mut world = World::new();
    world.ok(Order::SetLevel { level: 3 });
    for name in names {
        world.ok(hello(name));
    }
    world
}

fn replaced_after(name: &str, instances: u32, after: u64) -> ProcessSpec {
    let placement = Placement { replace_after: Some(seconds(after)), ..Placement::default() };
    ProcessSpec { placement: Some(Box::new(placement)), ..spec(name, instances) }
}

fn singleton(name: &str, lease: u64, after: u64) -> ProcessSpec {
    let singleton = Singleton { lease: seconds(lease) };
    ProcessSpec { singleton: Some(Box::new(singleton)), ..replaced_after(name, 1, after) }
}

fn suspect(node: &str) -> Order {
    Order::NodeSuspect { node: node.parse().unwrap() }
}

/// What the leader says of a node that is lost by now.
fn silent(world: &World, node: &str, for_seconds: u64) -> Order {
    let node: NodeName = node.parse().unwrap();
    let loss = world.state.nodes()[&node].losses;
    Order::NodeSilent { node, silent: seconds(for_seconds), loss }
}

fn on(world: &World, instance: &str) -> Option<String> {
    world.instance(instance).node.as_ref().map(ToString::to_string)
}

fn state_of(world: &World, node: &str) -> NodeState {
    world.state.nodes()[&node.parse::<NodeName>().unwrap()].state
}

#[test]
fn a_suspect_node_gets_nothing_new_and_keeps_what_it_has() {
    let mut world = nodes(&["alpha", "beta"]);
    world.ok(apply(vec![spec("web", 2)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    assert_eq!(kinds(&world.ok(suspect("alpha")).events), ["node.suspect"]);
    assert!(world.ok(suspect("alpha")).events.is_empty(), "said twice");
    world.ok(apply(vec![spec("api", 3)]));
    assert!((1..=3).all(|n| on(&world, &format!("api-{n}")).as_deref() == Some("beta")));
    assert_eq!((on(&world, "web-1").as_deref(), world.instance("web-1").phase()), (Some("alpha"), Phase::Running));

    assert_eq!(kinds(&world.ok(hello("alpha")).events), ["node.ready"]);
    world.ok(apply(vec![spec("job", 1)]));
    assert_eq!(on(&world, "job-1").as_deref(), Some("alpha"), "it has the least to do");
    world.ok(suspect("alpha"));
    let outcome = world.ok(lost("alpha"));
    assert_eq!(kinds(&outcome.events), ["node.lost", "instance.lost", "instance.lost"]);
    assert!(world.ok(suspect("alpha")).events.is_empty(), "lost is more than suspect");
    assert_eq!(state_of(&world, "alpha"), NodeState::Lost);
}

#[test]
fn what_waits_for_a_node_goes_to_a_suspect_one_once_it_is_heard_again() {
    let mut world = nodes(&["alpha"]);
    world.ok(suspect("alpha"));
    world.ok(apply(vec![spec("web", 1)]));
    assert_eq!(on(&world, "web-1"), None);
    world.ok(hello("alpha"));
    assert_eq!(on(&world, "web-1").as_deref(), Some("alpha"));
}

#[test]
fn n02_an_instance_is_placed_elsewhere_when_its_time_is_over_and_the_newer_copy_counts_after_the_heal() {
    let mut world = nodes(&["alpha", "beta"]);
    world.ok(apply(vec![replaced_after("web", 1, 10)]));
    world.ok(apply(vec![spec("kept", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    let token = world.instance("web-1").token;
    assert!(token > 0);
    world.ok(lost("alpha"));
    assert_eq!(replacement::next(&world.state, &"alpha".parse().unwrap()), Some(seconds(10)));
    let early = silent(&world, "alpha", 9);
    assert!(world.ok(early).events.is_empty(), "its time is not over");
    let over = silent(&world, "alpha", 10);
    let outcome = world.ok(over);
    assert_eq!(kinds(&outcome.events), ["instance.replaced", "instance.assigned"]);
    assert!(outcome.events[0].message.contains("node alpha has been lost for 10 s"), "{}", outcome.events[0].message);
    assert_eq!((on(&world, "web-1").as_deref(), on(&world, "kept-1").as_deref()), (Some("beta"), Some("beta")));
    assert_eq!(world.instance("web-1").phase(), Phase::Pending);
    assert!(world.instance("web-1").token > token, "the token grows");
    world.ok(report("beta", vec![seen("web-1", 1, Phase::Running)]));

    // The node is back and tells what happened meanwhile: history, and nothing of the instance as it is.
    world.ok(hello("alpha"));
    assert!(world.state.assignments(&"alpha".parse().unwrap()).is_empty(), "the newer copy counts");
    let outcome = world.ok(report("alpha", vec![seen("web-1", 2, Phase::Failed), gone("web-1", 3)]));
    assert_eq!(kinds(&outcome.events), ["instance.started", "instance.left_ended"]);
    assert!(
        outcome.events.iter().all(|event| event.node.as_ref().unwrap().as_str() == "alpha" && event.detail.is_none())
    );
    assert_eq!((on(&world, "web-1").as_deref(), world.instance("web-1").phase()), (Some("beta"), Phase::Running));
    let again = world.ok(report("alpha", vec![seen("web-1", 2, Phase::Failed), gone("web-1", 3)]));
    assert!(again.events.is_empty() && world.instance("web-1").left.is_empty());
}

#[test]
fn a_node_that_returns_in_time_keeps_its_own_whatever_was_on_its_way() {
    let mut world = nodes(&["alpha", "beta"]);
    world.ok(apply(vec![replaced_after("web", 1, 10)]));
    world.ok(lost("alpha"));
    let late = silent(&world, "alpha", 60);
    world.ok(hello("alpha"));
    assert!(world.ok(late.clone()).events.is_empty(), "it is back");
    world.ok(lost("alpha"));
    assert!(world.ok(late).events.is_empty(), "of the loss before");
    assert_eq!(on(&world, "web-1").as_deref(), Some("alpha"));
}

#[test]
fn without_a_policy_everything_stays_where_it_is_for_ever() {
    let mut world = nodes(&["alpha", "beta"]);
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(lost("alpha"));
    assert_eq!(replacement::next(&world.state, &"alpha".parse().unwrap()), None);
    let long = silent(&world, "alpha", 1_000_000);
    assert!(world.ok(long).events.is_empty());
    assert_eq!(on(&world, "web-1").as_deref(), Some("alpha"));
}

#[test]
fn nothing_else_is_ready_so_it_waits_and_goes_to_whoever_comes_first() {
    let mut world = nodes(&["alpha"]);
    world.ok(apply(vec![replaced_after("web", 1, 0)]));
    world.ok(report("alpha", vec![seen("web-1", 4, Phase::Running)]));
    world.ok(switch(ActionVerb::Restart, "web"));
    world.ok(lost("alpha"));
    let now = silent(&world, "alpha", 0);
    assert_eq!(kinds(&world.ok(now).events), ["instance.replaced"]);
    assert_eq!((on(&world, "web-1"), world.instance("web-1").phase()), (None, Phase::Pending));
    // The one that had it has it still, and what it said holds: it says nothing twice.
    world.ok(hello("alpha"));
    assert_eq!((on(&world, "web-1").as_deref(), world.instance("web-1").phase()), (Some("alpha"), Phase::Running));
    assert_eq!((world.instance("web-1").seen.seq, world.instance("web-1").left.len()), (4, 0));
}

#[test]
fn a_singleton_waits_for_its_lease_its_stop_and_the_margin_however_short_its_policy_is() {
    let mut world = nodes(&["alpha", "beta"]);
    let mut mail = singleton("mail", 30, 0);
    mail.stop.timeout = seconds(8);
    mail.stop.kill_timeout = seconds(4);
    world.ok(apply(vec![mail.clone()]));
    world.ok(lost("alpha"));
    // 30 of lease, 8 and 4 to stop, 3 of margin.
    assert_eq!(replacement::next(&world.state, &"alpha".parse().unwrap()), Some(seconds(45)));
    let early = silent(&world, "alpha", 44);
    assert!(world.ok(early).events.is_empty());
    // A shorter spec that the node cannot have heard of makes nothing shorter.
    mail.stop.timeout = seconds(1);
    mail.singleton = Some(Box::new(Singleton { lease: seconds(5) }));
    world.ok(apply(vec![mail.clone()]));
    mail.singleton = None;
    world.ok(apply(vec![mail]));
    let early = silent(&world, "alpha", 44);
    assert!(world.ok(early).events.is_empty());
    let over = silent(&world, "alpha", 45);
    assert_eq!(kinds(&world.ok(over).events), ["instance.replaced", "instance.assigned"]);
}

#[test]
fn the_margin_of_a_short_lease_is_a_whole_second() {
    let mut world = nodes(&["alpha"]);
    let mut mail = singleton("mail", 5, 0);
    mail.stop.timeout = seconds(1);
    mail.stop.kill_timeout = seconds(1);
    world.ok(apply(vec![mail]));
    world.ok(lost("alpha"));
    assert_eq!(replacement::next(&world.state, &"alpha".parse().unwrap()), Some(seconds(8)));
}

#[test]
fn a_singleton_on_a_runner_that_does_not_end_it_is_never_placed_elsewhere() {
    let mut world = nodes(&["beta"]);
    let Order::NodeConnected(hello) = hello("alpha") else { panic!() };
    world.ok(Order::NodeConnected(NodeHello { fences: false, ..hello }));
    world.ok(apply(vec![singleton("mail", 5, 0), replaced_after("web", 1, 0)]));
    assert_eq!(on(&world, "mail-1").as_deref(), Some("alpha"));
    world.ok(lost("alpha"));
    let long = silent(&world, "alpha", 1_000_000);
    world.ok(long);
    assert_eq!(on(&world, "mail-1").as_deref(), Some("alpha"));
}

fn ten() -> World {
    let names: Vec<String> = (0..10).map(|n| format!("n{n}")).collect();
    let mut world = nodes(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.ok(apply(vec![replaced_after("web", 10, 0)]));
    world
}

#[test]
fn n04_many_nodes_lost_at_once_engage_the_brake_and_nothing_is_replaced() {
    let mut world = ten();
    for n in 0..3 {
        assert!(
            !kinds(&world.ok(lost(&format!("n{n}"))).events).contains(&"cluster.brake_engaged"),
            "{n}: 30 % is not more"
        );
    }
    let outcome = world.ok(lost("n3"));
    assert!(kinds(&outcome.events).contains(&"cluster.brake_engaged"));
    let brake = world.state.meta().brake.clone().unwrap();
    assert_eq!((brake.lost, brake.nodes), (4, 10));
    for n in 0..4 {
        let long = silent(&world, &format!("n{n}"), 3_600);
        assert!(world.ok(long).events.is_empty(), "not while the brake is on");
        assert_eq!(replacement::next(&world.state, &format!("n{n}").parse().unwrap()), None);
    }
    // One comes back: three of ten are not too many.
    assert!(kinds(&world.ok(hello("n3")).events).contains(&"cluster.brake_released"));
    let now = silent(&world, "n0", 3_600);
    assert_eq!(kinds(&world.ok(now).events), ["instance.replaced", "instance.assigned"]);
}

#[test]
fn somebody_can_release_the_brake_and_it_takes_as_many_new_losses_to_engage_it_again() {
    let mut world = ten();
    (0..5).for_each(|n| drop(world.ok(lost(&format!("n{n}")))));
    let outcome = world.ok(Order::ReleaseBrake);
    assert_eq!(kinds(&outcome.events), ["cluster.brake_released"]);
    assert_eq!(world.entry().command, "release-brake");
    assert!(world.ok(Order::ReleaseBrake).events.is_empty(), "it was released already");
    let now = silent(&world, "n0", 1);
    assert_eq!(kinds(&world.ok(now).events), ["instance.replaced", "instance.assigned"]);
    (5..8).for_each(|n| drop(world.ok(lost(&format!("n{n}")))));
    assert!(world.state.meta().brake.is_none(), "three of ten since it was released");
    world.ok(lost("n8"));
    assert!(world.state.meta().brake.is_some());
}

#[test]
fn losses_that_are_far_apart_engage_no_brake_and_two_of_three_nodes_are_few() {
    let mut world = ten();
    for n in 0..9 {
        world.ok(lost(&format!("n{n}")));
        world.clock += 150 * 1_000_000_000;
    }
    assert!(world.state.meta().brake.is_none());
    let mut world = nodes(&["a", "b", "c"]);
    world.ok(lost("a"));
    world.ok(lost("b"));
    assert!(world.state.meta().brake.is_none());
    world.ok(lost("c"));
    assert!(world.state.meta().brake.is_some());
}

#[test]
fn a_node_that_was_lost_three_times_in_ten_minutes_gets_nothing_before_it_was_steady_for_two() {
    let mut world = nodes(&["alpha", "beta"]);
    for _ in 0..2 {
        world.ok(lost("alpha"));
        world.ok(hello("alpha"));
    }
    world.ok(apply(vec![spec("web", 1)]));
    assert_eq!(on(&world, "web-1").as_deref(), Some("alpha"), "twice is no flapping");
    world.ok(lost("alpha"));
    let outcome = world.ok(hello("alpha"));
    assert!(outcome.events[0].message.contains("3 times in 10 minutes"), "{}", outcome.events[0].message);
    assert_eq!(on(&world, "web-1").as_deref(), Some("alpha"), "it keeps what it has");
    world.ok(apply(vec![spec("api", 4)]));
    assert!((1..=4).all(|n| on(&world, &format!("api-{n}")).as_deref() == Some("beta")));
    let due = world.state.next_due().unwrap();
    world.clock = due.0 - 2_000_000_000;
    assert!(world.ok(Order::Tick).events.is_empty(), "not yet");
    world.clock = due.0;
    assert_eq!(kinds(&world.ok(Order::Tick).events), ["node.ready"]);
    assert_eq!(world.state.next_due(), None);
    world.ok(apply(vec![spec("job", 1)]));
    assert_eq!(on(&world, "job-1").as_deref(), Some("alpha"));
}

#[test]
fn a_replica_of_the_version_before_decides_the_same_at_its_level() {
    let mut world = World::new();
    world.ok(hello("alpha"));
    world.ok(apply(vec![replaced_after("web", 1, 0)]));
    assert_eq!(world.instance("web-1").token, 0);
    (0..4).for_each(|_| {
        world.ok(lost("alpha"));
        world.ok(hello("alpha"));
    });
    let node = &world.state.nodes()[&"alpha".parse::<NodeName>().unwrap()];
    assert_eq!((node.losses, node.lost_at.len(), node.held_until), (0, 0, None));
}

fn an_order() -> impl Strategy<Value = (u8, usize, u64)> {
    (0..8_u8, 0..4_usize, 0..40_u64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever order of silences, returns, releases and reports: invariants hold (`World::run`), nothing wanted is
    /// forgotten, no singleton leaves a node before its bound, tokens only grow, and nothing leaves while the brake is on.
    #[test]
    fn whatever_falls_silent_nothing_wanted_is_forgotten(orders in prop::collection::vec(an_order(), 0..80)) {
        const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
        let mut world = nodes(&NAMES);
        let mut mail = singleton("mail", 10, 0);
        mail.stop.timeout = seconds(3);
        mail.stop.kill_timeout = seconds(2);
        world.ok(apply(vec![mail, replaced_after("web", 4, 5), spec("kept", 2)]));
        let mut tokens = std::collections::BTreeMap::new();
        for (seq, (what, which, time)) in orders.into_iter().enumerate() {
            let name = NAMES[which];
            let (before, braked) = (world.state.clone(), world.state.meta().brake.is_some());
            let order = match what {
                0 | 1 => lost(name),
                2 => suspect(name),
                3 => hello(name),
                4 | 5 => silent(&world, name, time),
                6 => Order::ReleaseBrake,
                _ => report(name, vec![seen(&format!("web-{}", which + 1), seq as u64 + 1, Phase::Running)]),
            };
            let was_silence = matches!(order, Order::NodeSilent { .. });
            world.ok(order);
            prop_assert_eq!(world.state.instances().len(), 7, "nothing wanted is forgotten");
            for (id, instance) in world.state.instances() {
                let token = tokens.insert(id.clone(), instance.token).unwrap_or(0);
                prop_assert!(instance.token >= token, "{} went from {} to {}", id, token, instance.token);
                let left = before.instances()[id].node.is_some() && instance.node != before.instances()[id].node;
                if left {
                    prop_assert!(was_silence && !braked, "{} left its node by something else", id);
                    prop_assert!(id.process.as_str() != "kept");
                    prop_assert!(id.process.as_str() != "mail" || time >= 16, "the singleton left after {} s", time);
                }
            }
        }
    }
}
