//! A leader that should not lead is suspended, and goes on when it can.

use crate::bench::*;
use registry_quorum::Millis;
use registry_quorum::elections::{Do, Saw, Why};

fn leader(ids: &[u64]) -> Bench {
    let mut bench = Bench::of(voters(ids));
    assert_eq!(bench.stands(|standing| (standing.term, standing.leader) = (6, Some(ME))), []);
    bench
}

#[test]
fn a_leader_without_acknowledgements_is_suspended_and_asks_around() {
    let mut bench = leader(&[1, 2, 3]);
    assert_eq!(bench.passes(999), []);
    assert_eq!(bench.passes(1), [Do::Suspend(Why::NoQuorum), Do::Confirm { term: 6 }]);
    // The first answer may still be on its way; who hears nothing says so, and goes on asking.
    assert_eq!(bench.passes(102), [Do::Confirm { term: 6 }, Do::Resign { term: 6 }]);
    let sent = Millis(bench.now);
    assert_eq!(bench.sees(Saw::QuorumAcked { sent }), [Do::Resume]);
}

#[test]
fn acknowledgements_count_from_when_the_question_was_sent() {
    let mut bench = leader(&[1, 2, 3]);
    bench.passes(500);
    let sent = Millis(bench.now - 400);
    assert_eq!(bench.sees(Saw::QuorumAcked { sent }), []);
    assert_eq!(bench.passes(599), []);
    assert_eq!(bench.passes(1)[0], Do::Suspend(Why::NoQuorum));
}

#[test]
fn a_leader_with_a_bad_disk_is_suspended_and_says_so_until_it_is_well() {
    for (bad, good, why) in [
        (Saw::DiskStalled(true), Saw::DiskStalled(false), Why::DiskStalled),
        (Saw::DiskFull(true), Saw::DiskFull(false), Why::DiskFull),
    ] {
        let mut bench = leader(&[1, 2, 3]);
        assert_eq!(bench.sees(bad), [Do::Suspend(why), Do::Resign { term: 6 }]);
        assert_eq!(bench.elections.suspended(), Some(why));
        assert_eq!(bench.passes(102), [Do::Resign { term: 6 }]);
        assert_eq!(bench.sees(good), [Do::Resume]);
    }
}

#[test]
fn a_leader_whose_disk_was_bad_for_long_asks_before_it_goes_on() {
    let mut bench = leader(&[1, 2, 3]);
    bench.sees(Saw::DiskStalled(true));
    bench.passes(3_000);
    let wanted = bench.sees(Saw::DiskStalled(false));
    assert_eq!(wanted, [Do::Suspend(Why::NoQuorum), Do::Confirm { term: 6 }]);
}

#[test]
fn a_higher_term_ends_the_suspension() {
    let mut bench = leader(&[1, 2, 3]);
    bench.passes(1_000);
    assert_eq!(bench.stands(|standing| (standing.term, standing.leader) = (7, Some(OTHER))), [Do::Resume]);
    assert_eq!(bench.elections.suspended(), None);
}

#[test]
fn a_suspended_leader_that_hears_of_a_higher_term_lets_the_library_find_out() {
    let mut bench = leader(&[1, 2, 3]);
    bench.passes(1_000);
    assert_eq!(bench.sees(Saw::TermSeen(6)), []);
    assert_eq!(bench.sees(Saw::TermSeen(7)), [Do::Resume]);
    assert_eq!(bench.passes(1_000)[0], Do::Suspend(Why::NoQuorum), "for one election timeout");
}

#[test]
fn a_lone_leader_needs_nobody() {
    let mut bench = leader(&[2]);
    assert_eq!(bench.passes(60_000), []);
    assert_eq!(bench.elections.next_deadline(), None);
}

#[test]
fn a_leader_grants_nobody() {
    let mut bench = leader(&[1, 2, 3]);
    assert!(!bench.asked(3, at(9, 99)));
    bench.passes(1_500);
    assert!(!bench.asked(3, at(9, 99)), "not even while suspended");
}
