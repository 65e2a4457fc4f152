//! What waits for its time: until then nothing happens, and then it does, once.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use process_model::{ActionState, ActionVerb, Phase, Timestamp};
use registry_domain::{Order, Reply, action_id};
use world::*;

const HOUR: i64 = 3_600_000_000_000;

/// A node, a process, and everybody knows of expiry.
fn world() -> World {
    let mut world = World::new();
    world.ok(Order::SetLevel { level: 3 });
    world.ok(hello("alpha"));
    world.ok(apply(vec![spec("web", 1)]));
    world
}

fn queue(world: &mut World, verb: ActionVerb, selector: &str) -> u64 {
    let Ok(Reply::Switched { actions, .. }) = world.ok(switch(verb, selector)).reply else { panic!("another reply") };
    actions[0]
}

fn state(world: &World, number: u64) -> ActionState {
    world.state.actions()[&number].state
}

#[test]
fn an_action_that_nobody_takes_up_expires_and_what_is_wanted_stands() {
    let mut world = world();
    let number = queue(&mut world, ActionVerb::Restart, "web");
    let due = world.state.next_due().unwrap();
    assert_eq!(due, Timestamp(world.clock + HOUR));

    assert!(world.ok(Order::Tick).events.is_empty(), "it is too early");
    assert_eq!(state(&world, number), ActionState::Queued);

    world.clock = due.0 - 1_000_000_000;
    let outcome = world.ok(Order::Tick);
    assert_eq!(kinds(&outcome.events), ["action.expired"]);
    let action = &world.state.actions()[&number];
    assert_eq!((action.state, action.message.as_str()), (ActionState::Expired, "node alpha has not taken it up"));
    assert_eq!(world.state.next_due(), None);
    assert_eq!(world.instance("web-1").restart_count, 1, "what is wanted stands");

    // Its node comes late and says that it did it: over is over.
    let late = world.ok(action_report("alpha", &action_id(number), ActionState::Done));
    assert!(late.events.is_empty());
    assert!(world.ok(Order::Tick).events.is_empty());
}

#[test]
fn one_that_was_delivered_expires_too_and_one_that_is_over_does_not() {
    let mut world = world();
    let first = queue(&mut world, ActionVerb::Reload, "web");
    world.ok(Order::ActionsDelivered { node: "alpha".parse().unwrap(), actions: vec![action_id(first)] });
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    let second = queue(&mut world, ActionVerb::Stop, "web");
    world.ok(action_report("alpha", &action_id(second), ActionState::Done));
    world.clock += 2 * HOUR;
    let outcome = world.ok(Order::Tick);
    assert_eq!(kinds(&outcome.events), ["action.expired"]);
    assert_eq!((state(&world, first), state(&world, second)), (ActionState::Expired, ActionState::Done));
    assert_eq!(world.state.actions()[&first].message, "node alpha has not said what became of it");
}

#[test]
fn while_a_replica_is_there_that_knows_nothing_of_expiry_nothing_expires() {
    let mut world = World::new();
    world.ok(hello("alpha"));
    world.ok(apply(vec![spec("web", 1)]));
    queue(&mut world, ActionVerb::Restart, "web");
    assert_eq!(world.state.next_due(), None);
}

#[test]
fn one_command_looks_at_a_thousand_and_the_next_at_the_rest() {
    let mut world = World::new();
    world.ok(Order::SetLevel { level: 3 });
    world.ok(apply(vec![spec("web", 1_500)]));
    queue(&mut world, ActionVerb::Restart, "web");
    world.clock += 2 * HOUR;
    assert_eq!(world.ok(Order::Tick).events.len(), 1_000);
    assert!(world.state.next_due().is_some());
    assert_eq!(world.ok(Order::Tick).events.len(), 500);
    assert_eq!(world.state.next_due(), None);
}
