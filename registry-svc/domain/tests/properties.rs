//! Random commands in random order: whatever is asked, the invariants hold
//! (checked by `World::run` after each), and a replica that runs the same
//! commands comes to the same state.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::{ActionState, ActionVerb, Phase};
use proptest::prelude::*;
use registry_domain::*;
use world::*;

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["web", "web-1", "worker", "db"])
}

fn node() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["alpha", "beta", "gamma"])
}

fn selector() -> impl Strategy<Value = String> {
    let patterns = vec!["*", "w*", "web-?", "nothing", "db"];
    prop_oneof![
        prop::sample::select(patterns).prop_map(str::to_owned),
        (name(), 1..4u32).prop_map(|(name, index)| format!("{name}-{index}")),
        name().prop_map(str::to_owned),
    ]
}

fn a_spec() -> impl Strategy<Value = process_model::ProcessSpec> {
    (name(), 0..4u32, any::<bool>(), 0..2u8).prop_map(|(name, instances, autostart, version)| {
        let mut spec = spec(name, instances);
        spec.autostart = autostart;
        spec.env.insert("V".into(), version.to_string());
        spec
    })
}

fn an_apply() -> impl Strategy<Value = Order> {
    let etags = prop::option::weighted(0.1, Just(("web".to_owned(), "1-1".to_owned())));
    (prop::collection::vec(a_spec(), 0..3), prop::sample::select(vec!["", "a", "b"]), any::<bool>(), etags).prop_map(
        |(specs, source, prune, etag)| {
            Order::Apply(Apply {
                specs: specs.into_iter().map(Into::into).collect(),
                source: source.into(),
                prune,
                etags: etag.into_iter().collect(),
                traceparent: String::new(),
            })
        },
    )
}

fn an_instance_report() -> impl Strategy<Value = process_model::InstanceReport> {
    (name(), 1..4u32, 1..60u64, prop::sample::select(Phase::ALL.to_vec()), prop::bool::weighted(0.4)).prop_map(
        |(name, index, seq, phase, is_gone)| {
            let id = format!("{name}-{index}");
            if is_gone { gone(&id, seq) } else { seen(&id, seq, phase) }
        },
    )
}

fn an_order() -> impl Strategy<Value = Order> {
    let verb = prop::sample::select(vec![ActionVerb::Start, ActionVerb::Stop, ActionVerb::Restart, ActionVerb::Reload]);
    let states = vec![ActionState::Delivered, ActionState::Done, ActionState::Failed];
    prop_oneof![
        4 => an_apply(),
        2 => selector().prop_map(|s| delete(&s)),
        4 => (verb, selector()).prop_map(|(verb, s)| switch(verb, &s)),
        3 => (node(), 1..3u8).prop_map(|(node, boot)| booted(node, &boot.to_string())),
        2 => node().prop_map(lost),
        6 => (node(), prop::collection::vec(an_instance_report(), 0..5)).prop_map(|(n, r)| report(n, r)),
        2 => (node(), 1..80u64).prop_map(|(node, number)| Order::ActionsDelivered {
            node: node.parse().unwrap(),
            actions: vec![action_id(number), "nonsense".into()],
        }),
        3 => (node(), 1..80u64, prop::sample::select(states))
            .prop_map(|(node, number, state)| action_report(node, &action_id(number), state)),
        1 => (100..130u64).prop_map(|event_retention| Order::Configure(Configure {
            cluster_id: event_retention.to_string(),
            event_retention,
        })),
    ]
}

fn a_header() -> impl Strategy<Value = Header> {
    let id = prop::option::weighted(0.3, 0..5u8);
    (id, 0..2u64).prop_map(|(id, fingerprint)| Header {
        actor: "admin".into(),
        request_id: id.map(|n| format!("r{n}")).unwrap_or_default(),
        fingerprint,
        ..Header::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_the_invariants_hold_and_a_replica_agrees(
        commands in prop::collection::vec((a_header(), an_order()), 1..60)
    ) {
        let mut world = World::new();
        let mut outcomes = Vec::new();
        for (header, order) in commands {
            outcomes.push(world.run(header, order));
        }
        let mut replica = State::default();
        for (command, outcome) in world.log.iter().zip(&outcomes) {
            prop_assert_eq!(&step(&mut replica, command.clone()), outcome);
        }
        prop_assert_eq!(&replica, &world.state);
        let copied: State = world.state.rows().collect();
        prop_assert_eq!(&copied, &world.state, "a snapshot is not the state");
    }

    #[test]
    fn a_repeated_request_id_never_has_a_second_effect(
        before in prop::collection::vec(an_order(), 0..20),
        order in an_order(),
    ) {
        let mut world = World::new();
        for order in before {
            world.admin(order);
        }
        let header = Header { actor: "admin".into(), request_id: "once".into(), ..Header::default() };
        let user = matches!(order, Order::Apply(_) | Order::Delete { .. } | Order::Switch(_));
        let first = world.run(header.clone(), order.clone());
        let second = world.run(header, order);
        if user && first.reply.is_ok() {
            prop_assert_eq!(first.reply, second.reply);
            prop_assert!(second.touched.is_empty());
        }
    }
}
