//! Greetings and refusals.

use super::{Malformed, words};
use crate::peers::{Hello, Progress, Reason, Stops, Turned};
use pm_proto::v1;
use registry_quorum::ReplicaId;
use registry_quorum::recovery::Fence;

pub(in crate::peers) fn hello_into(hello: Hello) -> v1::PeerHello {
    let Hello { fence, store, boot, to, protocol, address, version, start, level, progress, certificate: _ } = hello;
    let header = v1::PeerHeader {
        cluster_id: fence.cluster,
        epoch: fence.epoch,
        from: fence.id.0,
        store_id: store,
        boot,
        to: to.0,
        start,
    };
    v1::PeerHello {
        header: Some(header),
        protocol,
        address,
        version,
        term: progress.term,
        last: progress.last.map(words::position_into),
        feature_level: level.into(),
    }
}

pub(in crate::peers) fn hello_from(hello: Option<v1::PeerHello>) -> Result<Hello, Malformed> {
    let v1::PeerHello { header, protocol, address, version, term, last, feature_level } =
        hello.ok_or(Malformed::Missing("hello"))?;
    let header = header.ok_or(Malformed::Missing("hello.header"))?;
    Ok(Hello {
        fence: Fence { cluster: header.cluster_id, epoch: header.epoch, id: ReplicaId(header.from) },
        store: header.store_id,
        boot: header.boot,
        to: ReplicaId(header.to),
        protocol,
        address,
        version,
        start: header.start,
        // One of before there were levels says nothing; what no level of ours can be is higher than any of ours.
        level: u16::try_from(feature_level.max(1)).unwrap_or(u16::MAX),
        progress: Progress { term, last: last.map(words::position_from) },
        certificate: None,
    })
}

pub(in crate::peers) fn refusal_into(turned: &Turned) -> v1::PeerRefusal {
    use v1::PeerRefusalReason as Wire;
    let reason = match turned.reason {
        Reason::ForeignCluster => Wire::ForeignCluster,
        Reason::EpochLower => Wire::EpochLower,
        Reason::EpochHigher => Wire::EpochHigher,
        Reason::NotAMember => Wire::NotAMember,
        Reason::StoreDiffers => Wire::StoreDiffers,
        Reason::BootLower => Wire::BootLower,
        Reason::NotForMe => Wire::NotForMe,
        Reason::Protocol => Wire::Protocol,
        Reason::WentBack => Wire::WentBack,
        Reason::Other => Wire::Unspecified,
    };
    let permanent = match turned.stops {
        Stops::Sender => true,
        Stops::Nobody | Stops::Ourselves => false,
    };
    v1::PeerRefusal { reason: reason.into(), message: turned.why.clone(), permanent }
}

/// What the other end said: whoever received it is its "sender".
pub(in crate::peers) fn refusal_from(refusal: v1::PeerRefusal) -> Turned {
    use v1::PeerRefusalReason as Wire;
    let reason = match refusal.reason() {
        Wire::ForeignCluster => Reason::ForeignCluster,
        Wire::EpochLower => Reason::EpochLower,
        Wire::EpochHigher => Reason::EpochHigher,
        Wire::NotAMember => Reason::NotAMember,
        Wire::StoreDiffers => Reason::StoreDiffers,
        Wire::BootLower => Reason::BootLower,
        Wire::NotForMe => Reason::NotForMe,
        Wire::Protocol => Reason::Protocol,
        Wire::WentBack => Reason::WentBack,
        // A reason that a later version knows is a refusal all the same.
        Wire::Unspecified => Reason::Other,
    };
    let stops = if refusal.permanent { Stops::Sender } else { Stops::Nobody };
    Turned { reason, why: refusal.message, stops }
}
