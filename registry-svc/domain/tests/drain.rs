//! Nodes are emptied; daemons come and go with them.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::spec::{RestartMode, Share, UpdatePolicy};
use process_model::{ActionState, ActionVerb, NodeName, Phase};
use registry_domain::placement::explain;
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

fn why(world: &World, id: &str) -> String {
    let id: process_model::InstanceId = id.parse().unwrap();
    explain(&world.state, &id.process, Some(id.index)).unwrap().instances[0].why.clone()
}

/// Three on two nodes, all of which serve: web-1 and web-3 on a, web-2 on b.
fn three_on_two() -> World {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![spec("web", 3)]));
    world.all_run();
    assert_eq!(world.nodes_of("web"), ["a", "b", "a"]);
    world
}

#[test]
fn a_drain_moves_one_after_the_other_and_never_makes_a_second_copy() {
    let mut world = three_on_two();
    let outcome = world.ok(drain("a", None));
    assert_eq!(kinds(&outcome.events), ["node.draining", "instance.moving"]);
    assert!(world.instance("web-1").removing && !world.instance("web-3").removing, "one at a time");
    assert_eq!(world.nodes_of("web"), ["a", "b", "a"], "it is where it was until its node says that it ended");
    assert_eq!(
        why(&world, "web-1"),
        "it leaves a (the node is being drained), and goes to another node once it has ended"
    );
    assert_eq!(
        why(&world, "web-3"),
        "it is on a and stays for now: 1 of its process do not serve, and max_unavailable is 1"
    );
    world.has_gone("web-1");
    assert_eq!(world.nodes_of("web"), ["b", "b", "a"]);
    assert!(world.instance("web-1").wanted && !world.instance("web-3").removing, "the first does not serve yet");
    world.all_run();
    assert!(world.instance("web-3").removing);
    assert!(node(&world, "a").drain.as_ref().unwrap().done.is_none());
    world.has_gone("web-3");
    assert_eq!(world.nodes_of("web"), ["b", "b", "b"]);
    assert!(node(&world, "a").drain.as_ref().unwrap().done.is_some());
    assert!(world.state.events().values().any(|event| event.kind == "node.drained"));
    // Nothing comes back by itself, and everything may after an uncordon.
    world.ok(apply(vec![spec("web", 4)]));
    assert_eq!(world.nodes_of("web"), ["b", "b", "b", "b"]);
    world.ok(cordon("a", true));
    assert_eq!(node(&world, "a").drain, None);
    world.ok(apply(vec![spec("web", 5)]));
    assert_eq!(world.nodes_of("web"), ["b", "b", "b", "b", "a"]);
}

#[test]
fn a_drain_takes_as_many_at_a_time_as_the_process_can_do_without() {
    let mut world = nodes(&["a", "b"]);
    let policy = UpdatePolicy { max_unavailable: Share::Count(2), ..UpdatePolicy::default() };
    let spec = process_model::ProcessSpec { update: Some(Box::new(policy)), ..spec("web", 6) };
    world.ok(apply(vec![spec]));
    world.all_run();
    world.ok(drain("a", None));
    let moving = world.state.instances().values().filter(|one| one.moving.is_some()).count();
    assert_eq!(moving, 2);
}

#[test]
fn what_fits_nowhere_stays_until_the_deadline_and_waits_after_it() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![placed("web", 1, |ask| ask.constraints = vec!["node.name = a".parse().unwrap()])]));
    world.all_run();
    world.ok(drain("a", Some(60)));
    assert!(!world.instance("web-1").removing);
    assert_eq!(why(&world, "web-1"), "it is on a and stays for now: no other node can take it");
    let due = world.state.next_due().unwrap();
    assert_eq!(Some(due), node(&world, "a").drain.as_ref().unwrap().deadline);
    world.ok(Order::Tick);
    assert!(!world.instance("web-1").removing, "its time has not come");
    world.clock = due.0;
    let outcome = world.ok(Order::Tick);
    assert_eq!(kinds(&outcome.events), ["node.draining", "instance.moving"]);
    assert_eq!(world.state.next_due(), None, "it is looked at once");
    world.has_gone("web-1");
    assert_eq!(world.nodes_of("web"), ["-"]);
    assert!(node(&world, "a").drain.as_ref().unwrap().done.is_some());
    world.ok(cordon("a", true));
    assert_eq!(world.nodes_of("web"), ["a"]);
}

#[test]
fn a_drain_waits_for_a_silent_node_and_goes_on_when_it_is_back() {
    let mut world = three_on_two();
    world.ok(drain("a", Some(30)));
    world.ok(lost("a"));
    world.clock = world.state.next_due().unwrap().0;
    world.ok(Order::Tick);
    assert!(world.instance("web-1").removing && !world.instance("web-3").removing, "a silent node is told nothing");
    assert!(why(&world, "web-3").ends_with("its node is silent"), "{}", why(&world, "web-3"));
    world.ok(arrived("a", &[], 4, 8));
    assert!(world.instance("web-3").removing, "the deadline is over");
    world.has_gone("web-1");
    world.has_gone("web-3");
    assert_eq!(world.nodes_of("web"), ["b", "b", "b"]);
    assert!(node(&world, "a").drain.as_ref().unwrap().done.is_some());
}

#[test]
fn what_runs_to_an_end_is_waited_for_and_what_has_ended_is_not_run_again() {
    let mut world = nodes(&["a", "b"]);
    let mut once = spec("once", 1);
    once.restart.mode = RestartMode::Never;
    world.ok(apply(vec![once]));
    world.all_run();
    assert_eq!(world.nodes_of("once"), ["a"]);
    world.ok(drain("a", Some(600)));
    assert!(why(&world, "once-1").ends_with("it runs to an end, which is waited for"));
    let seq = world.instance("once-1").seen.seq + 1;
    world.ok(report("a", vec![seen("once-1", seq, Phase::Exited)]));
    assert!(node(&world, "a").drain.as_ref().unwrap().done.is_some(), "nothing runs there any more");
    assert_eq!((world.nodes_of("once"), world.instance("once-1").removing), (vec!["a"], false));
}

#[test]
fn what_is_asked_of_an_instance_on_its_way_holds_where_it_goes() {
    for (verb, wanted, state) in [
        (ActionVerb::Stop, false, ActionState::Done),
        (ActionVerb::Start, true, ActionState::Queued),
        (ActionVerb::Restart, true, ActionState::Queued),
    ] {
        let mut world = three_on_two();
        world.ok(drain("a", None));
        world.ok(switch(verb, "web-1"));
        world.has_gone("web-1");
        assert_eq!((world.nodes_of("web"), world.instance("web-1").wanted), (vec!["b", "b", "a"], wanted), "{verb:?}");
        let action = world.state.actions().values().next().unwrap();
        assert_eq!(action.state, state, "{verb:?}");
    }
    // A stopped one stays stopped.
    let mut world = three_on_two();
    world.ok(switch(ActionVerb::Stop, "web-1"));
    world.ok(drain("a", None));
    world.has_gone("web-1");
    assert!(!world.instance("web-1").wanted && world.nodes_of("web")[0] == "b");
}

#[test]
fn a_drain_is_told_once_and_may_get_another_deadline() {
    let mut world = three_on_two();
    world.ok(drain("a", None));
    let begun = node(&world, "a").drain.as_ref().unwrap().begun;
    let outcome = world.ok(drain("a", Some(5)));
    assert!(outcome.events.is_empty());
    let drain_of_a = node(&world, "a").drain.clone().unwrap();
    assert_eq!((drain_of_a.begun, drain_of_a.deadline.is_some()), (begun, true));
    assert_eq!(world.entry().changes[0].field.after.as_deref(), Some("deadline 6 s after it began"));
    assert_eq!(world.refused(drain("nobody", None)), Refusal::UnknownNode("nobody".into()));
    assert_eq!(world.entry().command, "drain-node");
}

#[test]
fn a_new_placement_moves_what_no_longer_fits_and_nothing_else() {
    let mut world = nodes(&["a", "b", "c"]);
    world.ok(apply(vec![placed("web", 3, |_| {})]));
    world.all_run();
    assert_eq!(world.nodes_of("web"), ["a", "b", "c"]);
    let not_a = || placed("web", 3, |ask| ask.constraints = vec!["node.name != a".parse().unwrap()]);
    world.ok(apply(vec![not_a()]));
    let removing: Vec<bool> = world.state.instances().values().map(|one| one.removing).collect();
    assert_eq!(removing, [true, false, false]);
    world.has_gone("web-1");
    assert_eq!(world.nodes_of("web"), ["b", "b", "c"]);
    world.all_run();
    // More than one is out of place: they go one at a time, and one that fits again stays.
    world.ok(apply(vec![placed("web", 3, |ask| ask.constraints = vec!["node.name = a".parse().unwrap()])]));
    assert_eq!(world.state.instances().values().filter(|one| one.removing).count(), 1);
    world.ok(apply(vec![not_a()]));
    assert_eq!(world.state.instances().values().filter(|one| one.unfit).count(), 0);
    world.has_gone("web-1");
    assert!(world.nodes_of("web").iter().all(|node| *node != "a"));
}

#[test]
fn what_had_to_leave_and_had_no_place_stays_when_its_node_fits_again() {
    let mut world = World::new();
    world.ok(fleet());
    world.ok(arrived("a", &["zone=eu"], 4, 8));
    let ask = |zone: &str| {
        let constraints = vec![format!("zone = {zone}").parse().unwrap()];
        placed("web", 1, move |ask| ask.constraints = constraints)
    };
    world.ok(apply(vec![ask("eu")]));
    world.all_run();
    world.ok(apply(vec![ask("us")]));
    assert!(world.instance("web-1").unfit && !world.instance("web-1").removing);
    assert!(why(&world, "web-1").ends_with("no other node can take it"));
    world.ok(label("a", &[("zone", "us")]));
    assert!(!world.instance("web-1").unfit && !world.instance("web-1").removing);
}

#[test]
fn what_is_on_its_way_to_another_node_goes_for_good_when_its_process_becomes_a_daemon() {
    let mut world = three_on_two();
    world.ok(drain("a", None));
    world.ok(switch(ActionVerb::Start, "web-1"));
    world.ok(apply(vec![placed("web", 1, |ask| ask.daemon = true)]));
    assert_eq!(world.instance("web-1").moving, None);
    world.has_gone("web-1");
    assert!(!world.has("web-1"));
}

#[test]
fn a_reservation_that_grows_beyond_its_node_moves_what_is_too_much() {
    let mut world = nodes(&["a", "b", "c"]);
    let ask = |millis: u32| {
        placed("web", 2, move |ask| {
            ask.constraints = vec!["node.name != c".parse().unwrap()];
            ask.reserve.cpu_millis = millis;
        })
    };
    world.ok(cordon("b", false));
    world.ok(apply(vec![ask(1_000)]));
    world.all_run();
    world.ok(cordon("b", true));
    assert_eq!(world.nodes_of("web"), ["a", "a"]);
    world.ok(apply(vec![ask(3_000)]));
    assert!(!world.instance("web-1").removing && world.instance("web-2").removing);
    world.has_gone("web-2");
    assert_eq!(world.nodes_of("web"), ["a", "b"]);
}

#[test]
fn a_daemon_is_on_every_node_that_matches_and_follows_their_labels() {
    let mut world = World::new();
    world.ok(fleet());
    world.ok(arrived("a", &["zone=eu"], 4, 8));
    world.ok(arrived("b", &["zone=us"], 4, 8));
    let daemon = || {
        placed("logd", 1, |ask| {
            ask.daemon = true;
            ask.constraints = vec!["zone = eu".parse().unwrap()];
        })
    };
    world.ok(apply(vec![daemon()]));
    assert_eq!(world.nodes_of("logd"), ["a"]);
    world.ok(arrived("c", &["zone=eu"], 4, 8));
    assert_eq!(world.nodes_of("logd"), ["a", "c"], "it comes with its node");
    world.ok(label("b", &[("zone", "eu")]));
    assert_eq!(world.nodes_of("logd"), ["a", "c", "b"]);
    world.all_run();
    world.ok(label("a", &[("zone", "us")]));
    assert!(world.instance("logd-1").removing);
    world.has_gone("logd-1");
    assert!(!world.has("logd-1"));
    world.ok(arrived("d", &["zone=eu"], 4, 8));
    assert_eq!(world.instance("logd-1").node.as_ref().unwrap().as_str(), "d", "the lowest number that is free");
    // It stays through a drain, which is over with nothing else there.
    world.ok(drain("d", None));
    assert!(!world.instance("logd-1").removing && node(&world, "d").drain.as_ref().unwrap().done.is_some());
    assert_eq!(why(&world, "logd-1"), "it is on d and stays for now: a daemon stays with its node");
    // A cordoned node gets none.
    world.ok(delete("logd"));
    ["logd-1", "logd-2", "logd-3"].iter().for_each(|id| world.has_gone(id));
    world.ok(cordon("c", false));
    world.ok(apply(vec![daemon()]));
    assert_eq!(world.nodes_of("logd"), ["b"]);
}

#[test]
fn a_process_that_becomes_a_daemon_keeps_one_on_each_node() {
    let mut world = nodes(&["a", "b"]);
    world.ok(apply(vec![spec("web", 3)]));
    world.all_run();
    world.ok(apply(vec![placed("web", 1, |ask| ask.daemon = true)]));
    let removing: Vec<bool> = world.state.instances().values().map(|one| one.removing).collect();
    assert_eq!(removing, [false, false, true]);
    world.has_gone("web-3");
    world.ok(apply(vec![spec("web", 1)]));
    let removing: Vec<bool> = world.state.instances().values().map(|one| one.removing).collect();
    assert_eq!(removing, [false, true]);
}

#[test]
fn a_process_that_is_taken_away_while_it_moves_is_gone_for_good() {
    let mut world = three_on_two();
    world.ok(drain("a", None));
    world.ok(apply(vec![spec("web", 0)]));
    assert_eq!(world.instance("web-1").moving, None);
    world.has_gone("web-1");
    assert!(!world.has("web-1"));
}
