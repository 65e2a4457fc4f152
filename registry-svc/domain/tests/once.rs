//! Orders that leave nothing that is wanted.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use process_model::spec::Signal;
use process_model::{ActionState, ActionTarget, ActionVerb, Phase};
use registry_domain::{ControlUnits, Order, Refusal, Reply, SendSignal, action_id};
use world::*;

fn signal(selector: &str) -> Order {
    Order::Signal(SendSignal { selectors: vec![selector.into()], signal: Signal::HUP, traceparent: String::new() })
}

fn restart_unit(node: &str) -> Order {
    Order::ControlUnits(ControlUnits {
        nodes: vec![node.into()],
        unit: "nginx.service".into(),
        verb: ActionVerb::Restart,
        traceparent: String::new(),
    })
}

fn world() -> World {
    let mut world = World::new();
    world.ok(Order::SetLevel { level: 3 });
    world.ok(hello("alpha"));
    world.ok(hello("beta"));
    world.ok(apply(vec![spec("web", 2)]));
    world
}

fn actions(reply: Result<Reply, Refusal>) -> Vec<u64> {
    let Ok(Reply::Switched { actions, .. }) = reply else { panic!("{reply:?}") };
    actions
}

#[test]
fn a_signal_is_an_action_and_changes_nothing_that_is_wanted() {
    let mut world = world();
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    let before = (world.instance("web-1").clone(), world.instance("web-2").clone());
    let queued = actions(world.ok(signal("web")).reply);
    assert_eq!(queued.len(), 2);
    assert_eq!((world.instance("web-1").clone(), world.instance("web-2").clone()), before);
    let action = &world.state.actions()[&queued[0]];
    assert_eq!((action.verb, action.signal), (ActionVerb::Signal, Some(Signal::HUP)));
    assert_eq!(world.entry().command, "signal SIGHUP");
    // Two are two; what is to start or to stop anyway needs none.
    assert_eq!(actions(world.ok(signal("web-1")).reply).len(), 1);
    assert_eq!(world.state.actions()[&queued[0]].state, ActionState::Queued);
    world.ok(switch(ActionVerb::Restart, "web-1"));
    assert_eq!(world.state.actions()[&queued[0]].state, ActionState::Failed);
    assert_eq!(world.state.actions()[&queued[1]].state, ActionState::Queued);
}

#[test]
fn a_unit_is_an_action_of_each_node_that_is_meant() {
    let mut world = world();
    let queued = actions(world.ok(restart_unit("*")).reply);
    let nodes: Vec<&str> =
        queued.iter().map(|number| world.state.actions()[number].node.as_ref().unwrap().as_str()).collect();
    assert_eq!(nodes, ["alpha", "beta"]);
    assert_eq!(world.state.actions()[&queued[0]].target, ActionTarget::Unit("nginx.service".into()));
    assert_eq!(
        (world.entry().command.as_str(), world.entry().targets[0].as_str()),
        ("unit-restart", "nginx.service on alpha")
    );
    // Somebody else's word about it does not count.
    world.ok(action_report("beta", &action_id(queued[0]), ActionState::Done));
    assert_eq!(world.state.actions()[&queued[0]].state, ActionState::Queued);
    let done = world.ok(action_report("alpha", &action_id(queued[0]), ActionState::Done));
    assert_eq!(kinds(&done.events), ["action.done"]);
    assert!(matches!(world.refused(restart_unit("gamma")), Refusal::NotFound(_)));
    assert_eq!(world.refused(restart_unit("alphq")).to_string(), "nothing matches \"alphq\"; did you mean \"alpha\"?");
}

#[test]
fn nobody_does_it_half_an_hour_late() {
    let mut world = world();
    let unit = actions(world.ok(restart_unit("alpha")).reply)[0];
    let start = actions(world.ok(switch(ActionVerb::Start, "web-1")).reply)[0];
    world.clock += 30 * 60 * 1_000_000_000;
    world.ok(Order::Tick);
    assert_eq!(world.state.actions()[&unit].state, ActionState::Expired);
    assert_eq!(world.state.actions()[&start].state, ActionState::Queued, "it is wanted still");
    assert_eq!(world.state.open_actions(&"alpha".parse().unwrap()).filter(|(number, _)| *number == unit).count(), 0);
}
