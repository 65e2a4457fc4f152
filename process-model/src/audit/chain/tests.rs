//! The bytes and hashes of the chain were computed by another program
//! (Python's `struct` and `hashlib`) from what `docs/audit.md` says.

use super::*;
use crate::audit::{AuditChange, AuditOutcome, GenerationStep};
use crate::change::FieldChange;
use crate::{ProcessName, Timestamp};
use proptest::prelude::*;

const BYTES: &str = "0000000000000007000000000000002a17979cfe3d85cd15000000047a6fc3ab0000000e31302e302e302e373a3531323334000000056170706c790000000200000003776562000000026462000000087469636b6574203700000003722d3100000000000000000000000000000001000000037765620000000000000001000000000000000200000002000000037765620000000d636f6d6d616e642e7368656c6c010000000772756e206f6c64010000000772756e206e6577000000000377656200000007656e762e4b45590001000000032a2a2a010000000000000003";

fn web() -> ProcessName {
    "web".parse().unwrap()
}

fn change(path: &str, before: Option<&str>, after: &str, hidden: bool) -> AuditChange {
    let field = FieldChange { path: path.into(), before: before.map(str::to_owned), after: Some(after.into()), hidden };
    AuditChange { process: web(), field }
}

fn entry() -> AuditEntry {
    AuditEntry {
        number: 7,
        revision: 42,
        time: Timestamp(1_700_000_000_123_456_789),
        actor: "zoë".into(),
        source: "10.0.0.7:51234".into(),
        command: "apply".into(),
        targets: vec!["web".into(), "db".into()],
        reason: "ticket 7".into(),
        request_id: "r-1".into(),
        outcome: AuditOutcome::Accepted,
        generations: vec![GenerationStep { process: web(), from: 1, to: 2 }],
        changes: vec![change("command.shell", Some("run old"), "run new", false), change("env.KEY", None, "***", true)],
        left_out: 3,
        previous: AuditHash::ZERO,
        hash: AuditHash::ZERO,
    }
}

#[test]
fn bytes_and_hashes_are_those_that_the_documentation_gives() {
    let hex: String = encode(&entry()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, BYTES);
    let previous = AuditHash::new(std::array::from_fn(|n| u8::try_from(n).unwrap()));
    let expected = "73b8984172621b2c90e9ca5e28acae1a62ec92b0bcd53f7f611b1875b3947fed";
    assert_eq!(link(&previous, &entry()).to_string(), expected);
    let refused = AuditEntry {
        number: 8,
        time: Timestamp(-1),
        outcome: AuditOutcome::Refused { reason: "NOT_FOUND".into(), count: 5 },
        generations: vec![],
        changes: vec![],
        left_out: 0,
        ..entry()
    };
    let expected = "dad7bbfa740a07fb7285484a94463622d63b7eba8b964ad382ba14bab515c837";
    assert_eq!(link(&AuditHash::ZERO, &refused).to_string(), expected);
}

/// Entries 1 to `count`, chained.
fn chain(count: u64) -> Vec<AuditEntry> {
    let mut previous = AuditHash::ZERO;
    let mut entries = Vec::new();
    for number in 1..=count {
        let mut next = AuditEntry { number, previous, revision: number * 3, ..entry() };
        next.hash = link(&previous, &next);
        previous = next.hash;
        entries.push(next);
    }
    entries
}

fn verify(anchor: Anchor, entries: &[AuditEntry], head: Option<Anchor>) -> Result<Verified, Break> {
    let mut verifier = Verifier::new(anchor);
    entries.iter().try_for_each(|entry| verifier.check(entry))?;
    verifier.finish(head)
}

#[test]
fn a_chain_holds_from_any_anchor_in_it() {
    let whole = chain(9);
    let head = Anchor::of(&whole[8]);
    let verified = verify(Anchor::default(), &whole, Some(head)).unwrap();
    assert_eq!((verified.entries, verified.before_chain, verified.head), (9, 0, head));
    for dropped in 1..9 {
        let verified = verify(Anchor::of(&whole[dropped - 1]), &whole[dropped..], Some(head)).unwrap();
        assert_eq!(verified.entries, 9 - dropped as u64);
    }
}

#[test]
fn entries_without_a_hash_are_taken_only_before_a_chain_that_begins_without_one() {
    let old = |number| AuditEntry { number, ..entry() };
    let anchor = Anchor { number: 2, hash: AuditHash::ZERO };
    let mut first = AuditEntry { number: 3, ..entry() };
    first.hash = link(&AuditHash::ZERO, &first);
    let verified = verify(anchor, &[old(1), old(2), first.clone()], Some(Anchor::of(&first))).unwrap();
    assert_eq!((verified.entries, verified.before_chain), (1, 2));
    let whole = chain(4);
    let slipped_in = [old(2), whole[2].clone(), whole[3].clone()];
    assert_eq!(verify(Anchor::of(&whole[1]), &slipped_in, None).unwrap_err().number(), 3);
    let late = [first, old(2)];
    assert_eq!(verify(anchor, &late, None).unwrap_err().number(), 4);
}

/// One thing that somebody with access to the file may do to an entry.
fn forge(entry: &mut AuditEntry, what: usize) {
    let other = AuditHash::new([9; 32]);
    match what {
        0 => entry.revision += 1,
        1 => entry.time.0 += 1,
        2 => entry.actor.push('x'),
        3 => entry.source.clear(),
        4 => entry.command = "stop".into(),
        5 => drop(entry.targets.pop()),
        6 => entry.reason.push(' '),
        7 => entry.request_id = "r-2".into(),
        8 => entry.outcome = AuditOutcome::Refused { reason: "NOT_FOUND".into(), count: 1 },
        9 => entry.generations[0].to += 1,
        10 => entry.generations.clear(),
        11 => entry.changes[0].field.before = None,
        12 => entry.changes[1].field.hidden = false,
        13 => entry.changes.swap(0, 1),
        14 => entry.left_out = 0,
        15 => entry.previous = other,
        16 => entry.hash = other,
        17 => entry.hash = AuditHash::ZERO,
        // A text moved over the border between two fields.
        _ => {
            let moved = entry.targets.remove(0);
            entry.command.push_str(&moved);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_can_be_changed_removed_put_in_or_moved_unnoticed(
        length in 2..12u64, at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), what in 0..19usize,
    ) {
        let whole = chain(length);
        let head = Anchor::of(&whole[whole.len() - 1]);
        let broken = |entries: &[AuditEntry]| verify(Anchor::default(), entries, Some(head)).is_err();
        let (at, to) = (at.index(whole.len()), to.index(whole.len()));
        let mut changed = whole.clone();
        forge(&mut changed[at], what);
        prop_assert!(broken(&changed), "changed: {}", what);
        // The forger who computes the hash anew breaks the next one, or the head.
        let mut signed = changed[at].clone();
        signed.hash = link(&signed.previous, &signed);
        changed[at] = signed;
        prop_assert!(changed == whole || broken(&changed), "changed and signed: {}", what);
        let mut removed = whole.clone();
        removed.remove(at);
        prop_assert!(broken(&removed), "removed");
        let mut inserted = whole.clone();
        inserted.insert(to, whole[at].clone());
        prop_assert!(broken(&inserted), "put in");
        let mut moved = whole.clone();
        moved.swap(at, to);
        prop_assert_eq!(broken(&moved), at != to, "moved");
        prop_assert!(!broken(&whole));
    }
}
