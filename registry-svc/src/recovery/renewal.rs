//! The new directory, made aside: one member, everything that the old one had,
//! a log that goes on behind it in a term that nobody has voted in.

use super::evidence::Evidence;
use super::{RecoveryError, swap};
use crate::clock::Clock;
use crate::driver::OWN_ACTOR;
use crate::home::{Home, Identity};
use crate::io::snapshot::SnapshotFiles;
use registry_consensus::{Applied, Members, Position, Voters};
use registry_domain::members::{Member, MemberGone};
use registry_domain::{Command, Header, Order, Row, State, step};
use registry_log::{Vote, Write};
use registry_quorum::recovery::Recovery;
use std::sync::Arc;

/// Makes it complete and durable, but for its place.
pub(super) fn renew(home: &Home, old: &Identity, evidence: Evidence, recovery: &Recovery) -> Result<(), RecoveryError> {
    let mut state = evidence.state()?;
    fence(&mut state, recovery);
    let place = swap::fresh_renewal(home.path())?;
    let renewed = Home::lock(&place)?;
    let identity = Identity::new(old.cluster, recovery.epoch, recovery.member, renewed.store()?);
    renewed.found(&identity, &crate::log_settings())?;
    let at = recovery.keeps;
    let members = Members { voters: Voters::of([recovery.member]), learners: Default::default() };
    let applied = Applied { at: Some(at), members_at: Some(at), members };
    SnapshotFiles::open(&renewed.snapshots())?.write(&applied, state.freeze().rows().map(|row| free(row, recovery)))?;
    begin_log(&renewed, &identity, at, recovery.term)?;
    renewed.unlock();
    swap::make_ready(home.path(), old.epoch)
}

/// Their numbers are gone: whoever has one of them gets no way in.
fn fence(state: &mut State, recovery: &Recovery) {
    for id in &recovery.fenced {
        let reason = format!("recovered by force into epoch {}", recovery.epoch);
        let header = Header { actor: OWN_ACTOR.to_owned(), reason, time: Clock::system().now(), ..Header::default() };
        let order = Order::MemberGone(MemberGone { id: id.0 });
        if let Err(refusal) = step(state, Command { header, order }).reply {
            tracing::warn!(%refusal, replica = %id, "the number of a lost replica is not retired");
        }
    }
}

/// Their certificates are free: each of them may come back with its own, as a
/// new replica. The epoch keeps out what they were.
fn free(row: Row, recovery: &Recovery) -> Row {
    if let Row::Member(member) = &row
        && recovery.fenced.iter().any(|id| id.0 == member.id)
    {
        return Row::Member(Arc::new(Member { certificate: String::new(), ..(**member).clone() }));
    }
    row
}

fn begin_log(renewed: &Home, identity: &Identity, at: Position, term: u64) -> Result<(), RecoveryError> {
    let (log, _) = renewed.open_log(identity, &crate::log_settings(), None)?;
    let upto = registry_log::Position { term: at.term, index: at.index };
    log.submit(Write::Purge { upto }, drop).map_err(RecoveryError::Write)?;
    let vote = Vote { term, voted_for: None, committed: false };
    let lsn = log.submit(Write::Vote(vote), drop).map_err(RecoveryError::Write)?;
    log.wait(lsn).map_err(RecoveryError::Disk)?;
    log.close().map_err(RecoveryError::Disk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry_consensus::ReplicaId;

    #[test]
    fn the_certificates_of_those_who_are_fenced_are_free_and_no_other_ones() {
        let recovery = Recovery {
            from: ReplicaId(1),
            cluster: "c".into(),
            epoch: 2,
            term: 9,
            member: ReplicaId(4),
            next: 5,
            keeps: Position { term: 1, index: 1 },
            newest: None,
            unconfirmed: 0,
            missing: [2, 3].map(ReplicaId).into(),
            fenced: [1, 2, 3].map(ReplicaId).into(),
        };
        let freed = |id| {
            let member = Member { id, certificate: format!("registry-{id}"), ..Member::default() };
            let Row::Member(member) = free(Row::Member(Arc::new(member)), &recovery) else { panic!("another row") };
            member.certificate.is_empty()
        };
        // One that was removed long before stays out.
        assert_eq!([1, 2, 3, 7].map(freed), [true, true, true, false]);
    }
}
