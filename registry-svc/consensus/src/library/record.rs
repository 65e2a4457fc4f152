//! An entry as bytes, in the log and between replicas. The first byte is the
//! kind; those from [`Payload::FIRST_FORMAT`] on belong to the payload, which
//! is stored as it is, without a copy.
//!
//! ```text
//! 0                                            blank
//! 1 | halves u8 | { count u16 | id u64 … } … | count u16 | learner id u64 …     members
//! 16 … 255                                     a payload, this byte included
//! ```

use super::words::{members_of, membership_of};
use crate::{Committed, Entry, Members, Payload, ReplicaId, Voters};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::EntryPayload;
use registry_quorum::Position;
use std::collections::BTreeSet;

use super::type_config::TypeConfig;

const BLANK: u8 = 0;
const MEMBERS: u8 = 1;

/// The bytes say nothing that this version knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "{at} holds a record of kind {kind}, which this version does not know; a later version wrote it: upgrade this one"
)]
pub(crate) struct Unreadable {
    at: Position,
    kind: u8,
}

pub(super) fn encode(payload: &EntryPayload<TypeConfig>) -> Bytes {
    match payload {
        EntryPayload::Blank => Bytes::from_static(&[BLANK]),
        EntryPayload::Normal(payload) => payload.bytes().clone(),
        EntryPayload::Membership(membership) => members(&members_of(membership)),
    }
}

fn members(members: &Members) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(MEMBERS);
    let halves = members.voters.halves();
    bytes.put_u8(u8::try_from(halves.len()).unwrap_or(u8::MAX));
    for half in halves {
        ids(&mut bytes, half);
    }
    ids(&mut bytes, &members.learners);
    bytes.freeze()
}

fn ids(bytes: &mut BytesMut, ids: &BTreeSet<ReplicaId>) {
    bytes.put_u16_le(u16::try_from(ids.len()).unwrap_or(u16::MAX));
    for id in ids {
        bytes.put_u64_le(id.0);
    }
}

/// The same without the library's words.
pub(crate) fn read_record(at: Position, bytes: Bytes) -> Result<Committed, Unreadable> {
    let entry = match decode(at, bytes)? {
        EntryPayload::Blank => Entry::Blank,
        EntryPayload::Normal(payload) => Entry::Batch(payload),
        EntryPayload::Membership(membership) => Entry::Members(members_of(&membership)),
    };
    Ok(Committed { at, entry })
}

pub(super) fn decode(at: Position, bytes: Bytes) -> Result<EntryPayload<TypeConfig>, Unreadable> {
    let kind = bytes.first().copied().unwrap_or(u8::MAX);
    match kind {
        BLANK => Ok(EntryPayload::Blank),
        MEMBERS => {
            let members = read_members(bytes.slice(1..)).ok_or(Unreadable { at, kind })?;
            Ok(EntryPayload::Membership(membership_of(&members)))
        }
        _ => Payload::new(bytes).map(EntryPayload::Normal).ok_or(Unreadable { at, kind }),
    }
}

fn read_members(mut bytes: Bytes) -> Option<Members> {
    let halves = bytes.try_get_u8().ok()?;
    let halves = (0..halves).map(|_| read_ids(&mut bytes)).collect::<Option<Vec<_>>>()?;
    let learners = read_ids(&mut bytes)?;
    bytes.is_empty().then(|| Members { voters: Voters::of_halves(halves), learners })
}

fn read_ids(bytes: &mut Bytes) -> Option<BTreeSet<ReplicaId>> {
    let count = bytes.try_get_u16_le().ok()?;
    (0..count).map(|_| bytes.try_get_u64_le().ok().map(ReplicaId)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position { term: 2, index: 7 };

    fn round(payload: &EntryPayload<TypeConfig>) -> String {
        format!("{:?}", decode(AT, encode(payload)).unwrap())
    }

    #[test]
    fn what_is_written_reads_back() {
        let ids = |ids: &[u64]| ids.iter().copied().map(ReplicaId).collect::<BTreeSet<_>>();
        let joint = Members { voters: Voters::of_halves([ids(&[1, 2, 3]), ids(&[2, 3, 4])]), learners: ids(&[9]) };
        let membership = EntryPayload::Membership(membership_of(&joint));
        let payload = EntryPayload::Normal(Payload::new(Bytes::from_static(&[16, 1, 2])).unwrap());
        for entry in [EntryPayload::Blank, payload, membership] {
            assert_eq!(round(&entry), format!("{entry:?}"));
        }
    }

    #[test]
    fn an_unknown_kind_and_a_cut_list_of_members_are_told_and_not_skipped() {
        for kind in 2..Payload::FIRST_FORMAT {
            let error = decode(AT, Bytes::from(vec![kind, 0])).unwrap_err();
            assert!(error.to_string().contains(&format!("entry 7 of term 2 holds a record of kind {kind}")), "{error}");
        }
        assert!(decode(AT, Bytes::new()).is_err());
        let whole = members(&Members { voters: Voters::of([ReplicaId(1)]), learners: BTreeSet::new() });
        for len in 1..whole.len() {
            assert!(decode(AT, whole.slice(..len)).is_err(), "cut to {len}");
        }
    }
}
