//! The new directory, made aside: one member, everything that the old one had,
//! a log that goes on behind it in a term that nobody has voted in.

use super::evidence::Evidence;
use super::{RecoveryError, swap};
use crate::clock::Clock;
use crate::driver::OWN_ACTOR;
use crate::home::{Home, Identity};
use crate::io::snapshot::SnapshotFiles;
use registry_consensus::{Applied, Members, Position, Voters};
use registry_domain::members::MemberGone;
use registry_domain::{Command, Header, Order, State, step};
use registry_log::{Vote, Write};
use registry_quorum::recovery::Recovery;

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
    SnapshotFiles::open(&renewed.snapshots())?.write(&applied, state.freeze().rows())?;
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

fn begin_log(renewed: &Home, identity: &Identity, at: Position, term: u64) -> Result<(), RecoveryError> {
    let (log, _) = renewed.open_log(identity, &crate::log_settings(), None)?;
    let upto = registry_log::Position { term: at.term, index: at.index };
    log.submit(Write::Purge { upto }, drop).map_err(RecoveryError::Write)?;
    let vote = Vote { term, voted_for: None, committed: false };
    let lsn = log.submit(Write::Vote(vote), drop).map_err(RecoveryError::Write)?;
    log.wait(lsn).map_err(RecoveryError::Disk)?;
    log.close().map_err(RecoveryError::Disk)
}
