//! Random commands in random order: whatever is asked, the invariants hold
//! (checked by `World::run` after each), and a replica that runs the same
//! commands comes to the same state.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::spec::{Placement, PlacementStrategy, Reservation};
use process_model::{ActionState, ActionVerb, Phase};
use proptest::prelude::*;
use registry_domain::invitations::{Admit, Invite, RUNNER};
use registry_domain::*;
use std::collections::BTreeMap;
use std::time::Duration;
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

fn a_placement() -> impl Strategy<Value = Option<Box<Placement>>> {
    let constraint = prop::sample::select(vec!["zone = eu", "zone != eu", "node.name in alpha, beta", "node.cpus = 2"]);
    let constraints = prop::collection::vec(constraint.prop_map(|text| text.parse().unwrap()), 0..2);
    let strategy = prop::sample::select(PlacementStrategy::ALL.to_vec());
    let apart = prop::collection::btree_set(name().prop_map(|name| name.parse().unwrap()), 0..2);
    let reserve = (prop::sample::select(vec![0, 500, 1500]), prop::sample::select(vec![0, 1 << 28]));
    let fields = (constraints, strategy, any::<bool>(), prop::option::of(1..3u32), apart, prop::bool::weighted(0.2));
    prop::option::weighted(0.6, (fields, reserve)).prop_map(|placement| {
        placement.map(|((constraints, strategy, spread, max_per_node, apart, daemon), (cpu_millis, memory))| {
            Box::new(Placement {
                constraints,
                strategy,
                spread_by: spread.then(|| "zone".to_owned()),
                max_per_node: max_per_node.filter(|_| !daemon),
                apart_from: apart.into_iter().collect(),
                daemon,
                reserve: Reservation { cpu_millis, memory },
                replace_after: None,
            })
        })
    })
}

fn a_node_order() -> impl Strategy<Value = Order> {
    let zone = || prop::sample::select(vec!["eu", "us"]);
    prop_oneof![
        3 => (node(), zone(), 1..4u32).prop_map(|(node, zone, cpus)| arrived(node, &[&format!("zone={zone}")], cpus, 1)),
        1 => (node(), any::<bool>()).prop_map(|(node, schedulable)| cordon(node, schedulable)),
        2 => (node(), prop::option::of(0..20u64)).prop_map(|(node, deadline)| drain(node, deadline)),
        1 => (node(), prop::sample::select(vec!["", "eu", "us"])).prop_map(|(node, zone)| label(node, &[("zone", zone)])),
        1 => (node(), any::<bool>()).prop_map(|(node, force)| remove_node(node, force)),
        1 => Just(Order::Tick),
        1 => Just(fleet()),
    ]
}

fn a_spec() -> impl Strategy<Value = process_model::ProcessSpec> {
    (name(), 0..4u32, any::<bool>(), 0..2u8, a_placement()).prop_map(|(name, instances, autostart, version, place)| {
        let mut spec = spec(name, instances);
        spec.placement = place.map(|mut place| {
            place.apart_from.retain(|other| *other != spec.name);
            place
        });
        spec.autostart = autostart;
        spec.env.insert("V".into(), version.to_string());
        spec
    })
}

fn an_apply() -> impl Strategy<Value = Order> {
    let etags = prop::option::weighted(0.1, Just(("web".to_owned(), "1-1".to_owned())));
    let expected = prop::option::weighted(0.2, (name(), 0..6u64).prop_map(|(name, at)| (name.to_owned(), at)));
    (prop::collection::vec(a_spec(), 0..3), prop::sample::select(vec!["", "a", "b"]), any::<bool>(), etags, expected)
        .prop_map(|(specs, source, prune, etag, expected)| {
            Order::Apply(Apply {
                specs: specs.into_iter().map(Into::into).collect(),
                source: source.into(),
                prune,
                etags: etag.into_iter().collect(),
                generations: expected.into_iter().collect(),
                traceparent: String::new(),
            })
        })
}

fn a_retention() -> impl Strategy<Value = Retention> {
    // Few of everything, so that it is dropped within one case.
    (100..130u64, prop::option::weighted(0.5, 5..40u64), 2..5u64).prop_map(|(audit_entries, age, generations)| {
        Retention { audit_entries, audit_age: age.map(Duration::from_secs), generations }
    })
}

fn a_denial() -> impl Strategy<Value = Denial> {
    (prop::sample::select(vec!["viewer", "admin", "mallory"]), name(), 0..4u64).prop_map(|(actor, target, count)| {
        Denial {
            actor: actor.into(),
            source: "10.0.0.7:1".into(),
            method: "pm.v1.ProcessService/StopProcesses".into(),
            targets: vec![target.into()],
            reason: "PERMISSION_DENIED".into(),
            request_id: String::new(),
            count,
        }
    })
}

fn an_instance_report() -> impl Strategy<Value = process_model::InstanceReport> {
    (name(), 1..4u32, 1..60u64, prop::sample::select(Phase::ALL.to_vec()), prop::bool::weighted(0.4)).prop_map(
        |(name, index, seq, phase, is_gone)| {
            let id = format!("{name}-{index}");
            if is_gone { gone(&id, seq) } else { seen(&id, seq, phase) }
        },
    )
}

fn a_member_order() -> impl Strategy<Value = Order> {
    let store = || (0..5u8).prop_map(|n| format!("store-{n}"));
    prop_oneof![
        (0..6u64, store(), 0..4u64, 0..2u64).prop_map(|(id, store, boot, start)| up(id, &store, boot, start)),
        (store(), any::<bool>(), prop::sample::select(vec![0, 3, u64::MAX]))
            .prop_map(|(store, votes, above)| enroll(&store, votes, above)),
        (0..6u64).prop_map(|id| Order::MemberGone(members::MemberGone { id })),
        Just(Order::MemberNote(members::MemberNote {
            command: "join-member".into(),
            targets: vec!["4".into()],
            above: 4
        })),
    ]
}

fn an_invitation_order() -> impl Strategy<Value = Order> {
    let hash = || (0..3u8).prop_map(|n| format!("hash-{n}"));
    prop_oneof![
        (hash(), prop::option::of(node()), 0..20u64).prop_map(|(hash, node, seconds)| Order::Invite(Invite {
            hash,
            role: RUNNER.into(),
            node: node.map(|node| node.parse().unwrap()),
            ttl: Duration::from_secs(seconds),
        })),
        (hash(), node(), 0..2u8).prop_map(|(hash, node, key)| Order::Admit(Admit {
            hash,
            role: RUNNER.into(),
            node: node.parse().unwrap(),
            key: format!("key-{key}"),
        })),
        (0..4u64, 0..3u8)
            .prop_map(|(id, n)| Order::MemberCertified(members::MemberCertified { id, name: format!("registry-{n}") })),
    ]
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
        1 => (100..130u64, prop::option::of(a_retention())).prop_map(|(event_retention, retention)| {
            Order::Configure(Configure { cluster_id: event_retention.to_string(), event_retention, retention })
        }),
        2 => (name(), prop::option::of(0..8u64), prop::option::weighted(0.2, 0..6u64)).prop_map(|(name, to, expected)| {
            Order::Rollback(Rollback { process: name.parse().unwrap(), to, expected, traceparent: String::new() })
        }),
        1 => prop::collection::vec(a_denial(), 0..4).prop_map(Order::RecordRefusals),
        3 => a_member_order(),
        3 => an_invitation_order(),
        6 => a_node_order(),
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
    fn a_generation_number_never_comes_twice_for_one_name(
        commands in prop::collection::vec((a_header(), an_order()), 1..80)
    ) {
        let mut world = World::new();
        let mut specs: BTreeMap<(String, u64), (u64, process_model::ProcessSpec)> = BTreeMap::new();
        for (header, order) in commands {
            world.run(header, order);
            for (name, process) in world.state.processes() {
                let now = (process.changed, process_model::ProcessSpec::clone(&process.spec));
                let before = specs.entry((name.to_string(), process.generation)).or_insert_with(|| now.clone());
                prop_assert_eq!(&*before, &now, "generation {} of {}", process.generation, name);
            }
        }
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
        let user =
            matches!(order, Order::Apply(_) | Order::Delete { .. } | Order::Switch(_) | Order::Rollback(_)
                | Order::SetSchedulable(_) | Order::Drain(_) | Order::LabelNode(_) | Order::RemoveNode(_));
        let first = world.run(header.clone(), order.clone());
        let second = world.run(header, order);
        if user && first.reply.is_ok() {
            let entries = world.state.audit().values().filter(|entry| entry.request_id == "once").count();
            prop_assert_eq!(entries, 1, "audited twice");
            prop_assert_eq!(first.reply, second.reply);
            prop_assert!(second.touched.is_empty());
        }
    }
}
