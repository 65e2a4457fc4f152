//! Replicas: a number is never given twice, a directory has one, and who is
//! gone stays gone.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use registry_domain::members::*;
use registry_domain::*;
use world::*;

fn number(outcome: &Outcome) -> u64 {
    match outcome.reply {
        Ok(Reply::Enrolled { id, .. }) => id,
        ref other => panic!("{other:?}"),
    }
}

fn gone(id: u64) -> Order {
    Order::MemberGone(MemberGone { id })
}

#[test]
fn a_number_is_given_once_and_a_directory_gets_the_same_one_each_time() {
    let mut world = World::new();
    // Three founders, of whom one has never said who he is.
    world.ok(up(1, "a", 1, 7));
    world.ok(up(2, "b", 1, 8));
    assert_eq!(number(&world.ok(enroll("d", false, 3))), 4);
    assert_eq!(number(&world.ok(enroll("d", false, 3))), 4);
    assert_eq!(number(&world.ok(enroll("e", true, 4))), 5);
    world.ok(gone(5));
    world.ok(gone(4));
    // Neither their numbers nor their directories come back.
    assert_eq!(number(&world.ok(enroll("f", false, 3))), 6);
    assert_eq!(world.refused(enroll("e", false, 3)), Refusal::MemberGone(5));
    assert_eq!(world.refused(up(5, "e", 1, 9)), Refusal::MemberGone(5));
    world.ok(up(3, "c", 1, 9));
    assert_eq!(world.state.members().keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn who_was_removed_before_he_said_a_word_stays_gone() {
    let mut world = World::new();
    world.ok(gone(3));
    assert_eq!(world.refused(up(3, "c", 1, 1)), Refusal::MemberGone(3));
    assert_eq!(number(&world.ok(enroll("d", false, 2))), 4);
    let entry = world.entry().clone();
    world.ok(gone(3));
    assert_eq!(*world.entry(), entry, "it is so already");
}

#[test]
fn a_replica_is_known_by_its_directory_and_its_starts() {
    let mut world = World::new();
    world.ok(up(1, "a", 4, 7));
    world.ok(up(1, "a", 4, 7));
    assert_eq!(world.refused(up(1, "b", 5, 8)), Refusal::MemberStore(1));
    assert_eq!(world.refused(up(2, "a", 1, 8)), Refusal::MemberStore(2));
    assert_eq!(world.refused(up(1, "a", 3, 7)), Refusal::MemberBoot { id: 1, boot: 3, known: 4 });
    // Two starts with one count: one of them began from an older copy.
    assert_eq!(world.refused(up(1, "a", 4, 8)), Refusal::MemberBoot { id: 1, boot: 4, known: 4 });
    world.ok(up(1, "a", 5, 8));
    assert_eq!((world.state.members()[&1].boot, world.state.members()[&1].start), (5, 8));
}

#[test]
fn an_address_is_data_and_a_start_no_request() {
    let mut world = World::new();
    world.ok(up(1, "a", 1, 7));
    assert!(world.state.audit().is_empty());
    let Order::MemberUp(order) = up(1, "a", 2, 8) else { panic!() };
    world.ok(Order::MemberUp(MemberUp { address: "http://new:1".into(), ..order }));
    assert_eq!(world.state.members()[&1].address, "http://new:1");
    world.ok(enroll("d", false, 1));
    assert_eq!((world.entry().command.as_str(), &world.entry().targets[..]), ("enroll-member", &["2".to_owned()][..]));
    world.ok(gone(2));
    assert_eq!((world.entry().command.as_str(), world.entry().actor.as_str()), ("retire-member", "admin"));
}

#[test]
fn numbers_come_to_an_end_and_not_round() {
    let mut world = World::new();
    assert!(matches!(world.refused(enroll("a", false, u64::MAX)), Refusal::TooMany { .. }));
    assert!(matches!(world.refused(up(u64::MAX, "a", 1, 1)), Refusal::TooMany { .. }));
    assert!(matches!(world.refused(up(0, "a", 1, 1)), Refusal::TooMany { .. }));
    assert!(matches!(world.refused(gone(limits::MEMBERS + 1)), Refusal::TooMany { .. }));
}
