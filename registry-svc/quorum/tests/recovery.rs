//! What a forced recovery keeps and loses, and the fence behind it (R13).

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use registry_quorum::recovery::{Fence, Met, RecoveryRefusal, Remains, best, plan};
use registry_quorum::{Position, ReplicaId, Voters};
use std::collections::BTreeSet;

fn ids(ids: &[u64]) -> BTreeSet<ReplicaId> {
    ids.iter().map(|id| ReplicaId(*id)).collect()
}

fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

fn remains(id: u64, last: Position, committed: Position) -> Remains {
    Remains {
        id: ReplicaId(id),
        cluster: "north".into(),
        epoch: 1,
        term: last.term,
        last,
        committed,
        voters: Voters::of(ids(&[1, 2, 3])),
        learners: BTreeSet::new(),
        next: 4,
        newest: Some("2026-01-02 03:04:05Z".into()),
    }
}

/// Every log is a branch of one: nobody needs to look.
fn all_hold(_: &Remains, _: Position) -> bool {
    true
}

#[test]
fn r13_one_of_three_is_recovered_with_everything_in_its_log() {
    let mut survivor = remains(2, at(4, 120), at(4, 117));
    survivor.term = 6;
    let recovery = plan(&[survivor], all_hold).unwrap();
    assert_eq!((recovery.keeps, recovery.unconfirmed), (at(4, 120), 3));
    assert_eq!((recovery.epoch, recovery.term), (2, 7), "above every epoch, and every term that it voted in");
    assert_eq!((recovery.member, recovery.next), (ReplicaId(4), 5), "a number is never used again");
    assert_eq!((recovery.missing, recovery.fenced), (ids(&[1, 3]), ids(&[1, 2, 3])));
}

#[test]
fn r13_the_operator_reads_what_is_kept_and_lost_and_what_comes_next() {
    let text = plan(&[remains(2, at(4, 120), at(4, 117))], all_hold).unwrap().to_string();
    for part in [
        "everything up to entry 120 of term 4, the newest made at 2026-01-02 03:04:05Z",
        "the last 3 may never have been acknowledged",
        "whatever the replicas 1 and 3 acknowledged after that",
        "epoch 2 begins with term 5 and one member, replica 4",
        "old members 1, 2 and 3 are turned away",
        "pmctl cluster join",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn a_majority_of_directories_is_started_and_not_recovered() {
    let two = [remains(1, at(4, 9), at(4, 9)), remains(2, at(4, 8), at(4, 8))];
    let refused = plan(&two, all_hold).unwrap_err();
    assert_eq!(refused, RecoveryRefusal::QuorumLives(ids(&[1, 2])));
    assert!(refused.to_string().contains("start them"), "{refused}");
}

#[test]
fn the_newest_log_is_taken_if_it_holds_what_is_known_to_be_committed() {
    let five = |mut it: Remains| {
        it.voters = Voters::of(ids(&[1, 2, 3, 4, 5]));
        it.next = 6;
        it
    };
    let (knows, newer) = (five(remains(1, at(4, 20), at(4, 20))), five(remains(2, at(5, 15), at(3, 10))));
    let both = [knows, newer];
    assert_eq!(best(&both, all_hold).unwrap().id, ReplicaId(2));
    // A branch that lost: a longer term, without the committed entry.
    assert_eq!(best(&both, |_, position| position <= at(3, 10)).unwrap().id, ReplicaId(1));
    let recovery = plan(&both, |_, position| position <= at(3, 10)).unwrap();
    assert_eq!((recovery.from, recovery.keeps, recovery.unconfirmed), (ReplicaId(1), at(4, 20), 0));
    assert_eq!(recovery.term, 6, "above the terms of both");
}

#[test]
fn directories_that_do_not_belong_together_are_refused() {
    assert_eq!(plan(&[], all_hold).unwrap_err(), RecoveryRefusal::Nothing);
    let (one, mut other) = (remains(1, at(1, 1), at(1, 1)), remains(2, at(1, 1), at(1, 1)));
    other.cluster = "south".into();
    assert!(matches!(plan(&[one.clone(), other], all_hold).unwrap_err(), RecoveryRefusal::OtherClusters { .. }));
    let mut recovered = remains(4, at(3, 3), at(3, 3));
    recovered.epoch = 2;
    let fenced = RecoveryRefusal::Fenced { id: ReplicaId(1), epoch: 1, newer: 2 };
    assert_eq!(plan(&[one, recovered], all_hold).unwrap_err(), fenced);
    let mut nobody = remains(1, at(0, 0), at(0, 0));
    nobody.voters = Voters::default();
    assert_eq!(plan(&[nobody], all_hold).unwrap_err(), RecoveryRefusal::NoMember(ReplicaId(1)));
}

#[test]
fn r13_an_old_member_is_fenced_from_both_sides() {
    let fence = |epoch, id| Fence { cluster: "north".into(), epoch, id: ReplicaId(id) };
    let (old, new) = (fence(1, 3), fence(2, 4));
    assert_eq!(new.meet(&old), Met::TurnedAway { id: ReplicaId(3), theirs: 1, ours: 2 });
    assert_eq!(old.meet(&new), Met::LeftBehind { id: ReplicaId(3), theirs: 2, ours: 1 });
    // Both sides print the same sentence.
    assert_eq!(new.meet(&old).to_string(), old.meet(&new).to_string());
    assert!(new.meet(&old).to_string().contains("replica 3 of epoch 1 is fenced by epoch 2"));
    assert_eq!(new.meet(&fence(2, 5)), Met::Welcome);
    let stranger = Fence { cluster: "south".into(), ..fence(2, 4) };
    assert!(matches!(new.meet(&stranger), Met::Foreign { .. }));
}
