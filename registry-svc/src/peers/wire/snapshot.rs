//! What a snapshot is of.

use super::Malformed;
use super::words::{members_from, members_into, position_from, position_into};
use pm_proto::v1;
use registry_consensus::SnapshotMeta;

/// Into the fields of an offer that say it.
pub(in crate::peers) fn meta_into(meta: &SnapshotMeta, offer: &mut v1::SnapshotOffer) {
    offer.snapshot_id.clone_from(&meta.id);
    offer.at = meta.at.map(position_into);
    offer.members_at = meta.members_at.map(position_into);
    offer.members = Some(members_into(&meta.members));
}

pub(in crate::peers) fn meta_from(offer: &v1::SnapshotOffer) -> Result<SnapshotMeta, Malformed> {
    let members = offer.members.clone().ok_or(Malformed::Missing("offer.members"))?;
    Ok(SnapshotMeta {
        id: offer.snapshot_id.clone(),
        at: offer.at.map(position_from),
        members_at: offer.members_at.map(position_from),
        members: members_from(members),
    })
}
