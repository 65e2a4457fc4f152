//! Invitations: a token lets in one node, once, in its time; and a certificate's name is that of one replica.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::audit::AuditOutcome;
use registry_domain::invitations::*;
use registry_domain::members::*;
use registry_domain::*;
use std::time::Duration;
use world::*;

const HOUR: Duration = Duration::from_secs(3600);

fn invite(hash: &str, node: Option<&str>, ttl: Duration) -> Order {
    Order::Invite(Invite { hash: hash.into(), role: RUNNER.into(), node: node.map(|node| node.parse().unwrap()), ttl })
}

fn admit(hash: &str, node: &str, key: &str) -> Order {
    admit_as(hash, RUNNER, node, key)
}

fn admit_as(hash: &str, role: &str, node: &str, key: &str) -> Order {
    Order::Admit(Admit { hash: hash.into(), role: role.into(), node: node.parse().unwrap(), key: key.into() })
}

#[test]
fn a_token_is_good_for_one_node_once() {
    let mut world = World::new();
    world.ok(invite("h1", None, HOUR));
    assert_eq!(world.refused(admit("h2", "node-a", "k")), Refusal::NotInvited, "a guess");
    assert_eq!(world.refused(admit_as("h1", "gateway", "node-a", "k")), Refusal::NotInvited, "another role");
    world.ok(admit("h1", "node-a", "k1"));
    // Whoever lost the answer asks again.
    world.ok(admit("h1", "node-a", "k1"));
    assert_eq!(world.refused(admit("h1", "node-a", "k2")), Refusal::NotInvited, "another key");
    assert_eq!(world.refused(admit("h1", "node-b", "k1")), Refusal::NotInvited, "another node");
}

#[test]
fn a_token_for_a_name_is_for_that_name_alone() {
    let mut world = World::new();
    world.ok(invite("h1", Some("node-a"), HOUR));
    assert_eq!(world.refused(admit("h1", "node-b", "k")), Refusal::NotInvited);
    world.ok(admit("h1", "node-a", "k"));
}

#[test]
fn a_token_without_a_name_takes_nobody_s_place() {
    let mut world = World::new();
    world.ok(booted("node-a", "boot"));
    world.ok(invite("h1", None, HOUR));
    world.ok(invite("h2", None, HOUR));
    world.ok(invite("h3", Some("node-a"), HOUR));
    assert_eq!(world.refused(admit("h1", "node-a", "k")), Refusal::NotInvited, "a node that is known");
    world.ok(admit("h1", "node-b", "k"));
    assert_eq!(world.refused(admit("h2", "node-b", "k2")), Refusal::NotInvited, "one that has just joined");
    // An operator who names it means it.
    world.ok(admit("h3", "node-a", "k3"));
}

#[test]
fn a_token_ends_at_its_time_and_leaves_nothing_behind() {
    let mut world = World::new();
    // Each order comes a second after the one before.
    world.ok(invite("h1", None, Duration::from_secs(3)));
    world.ok(invite("h2", None, Duration::from_secs(3)));
    world.ok(admit("h1", "node-a", "k"));
    world.ok(booted("node-z", "boot"));
    assert_eq!(world.refused(admit("h1", "node-a", "k")), Refusal::NotInvited, "nor for whoever has used it");
    assert_eq!(world.refused(admit("h2", "node-b", "k")), Refusal::NotInvited);
    world.ok(invite("h3", None, HOUR));
    assert_eq!(world.state.invitations().len(), 1);
}

#[test]
fn there_are_only_so_many_and_all_of_it_is_in_the_audit_log() {
    let mut world = World::new();
    for n in 0..limits::INVITATIONS {
        world.ok(invite(&format!("h{n}"), None, HOUR));
    }
    assert!(matches!(world.refused(invite("one-more", None, HOUR)), Refusal::TooMany { .. }));
    world.ok(admit("h1", "node-a", "k"));
    world.refused(admit("h1", "node-b", "k"));
    let audit = world.state.audit();
    let told = |command: &str, refused: bool| {
        audit
            .values()
            .any(|entry| entry.command == command && matches!(entry.outcome, AuditOutcome::Refused { .. }) == refused)
    };
    assert!(told("invite-node", false) && told("admit-node", false) && told("admit-node", true));
    let text = format!("{:?}", audit.values().collect::<Vec<_>>());
    assert!(!text.contains("h1\""), "not even the hash of a token is in it: {text}");
}

#[test]
fn a_certificate_is_that_of_one_replica_for_its_life() {
    let mut world = World::new();
    let certified = |id, name: &str| Order::MemberCertified(MemberCertified { id, name: name.into() });
    world.ok(up(1, "a", 1, 7));
    world.ok(up(2, "b", 1, 8));
    world.ok(certified(1, "registry-1"));
    world.ok(certified(1, "registry-1"));
    for (id, name) in [(1, "registry-9"), (2, "registry-1")] {
        assert!(matches!(world.refused(certified(id, name)), Refusal::MemberCertificate { .. }), "{id} {name}");
    }
    assert_eq!(world.refused(certified(3, "registry-3")), Refusal::MemberGone(3), "who is no member has none");
    // Started again, it has the same.
    world.ok(up(1, "a", 2, 9));
    assert_eq!(world.state.members()[&1].certificate, "registry-1");
    world.ok(Order::MemberGone(MemberGone { id: 1 }));
    assert!(matches!(world.refused(certified(2, "registry-1")), Refusal::MemberCertificate { .. }), "nor after that");
}
