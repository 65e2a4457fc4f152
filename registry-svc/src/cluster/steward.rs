//! What the leader sees to without being asked: a replica that wants to vote
//! gets its vote once it has caught up, and the number of one that was a member
//! and is none any more is retired. So a change that a leader did not live to
//! finish is finished by the next one.

use super::changes::{carry_out, retire_all};
use crate::core::Core;
use crate::driver::OWN_ACTOR;
use registry_consensus::ReplicaId;
use registry_domain::Header;
use registry_domain::members::Member;
use registry_quorum::members::Change;
use std::sync::Arc;
use std::time::Duration;

/// Before it is tried again, while something is left to do.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs until the registry stops.
pub(crate) async fn steward(core: Arc<Core>) {
    let mut standing = core.consensus.standing();
    loop {
        let leads = standing.borrow_and_update().leads();
        let again = leads && core.consensus.read_barrier().await.is_ok() && see_to_it(&core).await;
        tokio::select! {
            () = core.stopped().cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
            () = core.enrolled.notified() => {}
            () = tokio::time::sleep(AGAIN), if again => {}
        }
    }
}

/// True if something is left.
async fn see_to_it(core: &Core) -> bool {
    let header = |reason: &str| Header { actor: OWN_ACTOR.to_owned(), reason: reason.to_owned(), ..Header::default() };
    let mut again = false;
    if let Err(fault) = retire_all(core, || pending(core).0, &header("it left the cluster")).await {
        tracing::info!(%fault, "the number of a replica that left is not retired yet");
        again = true;
    }
    for (id, seat) in pending(core).1 {
        let (change, why) = match seat {
            Some(old) => (Change::Replace { old, new: id }, "it joined to vote, where the other one was"),
            None => (Change::Promote(id), "it joined to vote"),
        };
        if let Err(fault) = carry_out(core, change, &header(why)).await {
            tracing::info!(%fault, replica = %id, "a replica that wants to vote does not yet");
            again = true;
        }
    }
    again
}

/// Who has left without being written down; and who wants to vote, with the one whose seat it takes: a voter that was
/// reached at the same address is there no more, as an address has one replica.
fn pending(core: &Core) -> (Vec<ReplicaId>, Vec<(ReplicaId, Option<ReplicaId>)>) {
    let replicated = core.view.read();
    // As of what is committed: what is not may never be.
    let members = &replicated.applied.members;
    let rows = || replicated.state.members().values().filter(|member| member.gone.is_none());
    let all = members.all();
    // Who was never started has a number and is no member yet.
    let left = rows().filter(|row| row.boot > 0 && !all.contains(&ReplicaId(row.id)));
    let wanting = rows().filter(|row| row.votes && members.learners.contains(&ReplicaId(row.id)));
    let voters = members.voters.all();
    let seat = |new: &Member| {
        let old = rows().find(|row| row.id != new.id && row.address == new.address && !row.address.is_empty());
        old.map(|row| ReplicaId(row.id)).filter(|id| voters.contains(id))
    };
    let wanting = wanting.map(|row| (ReplicaId(row.id), seat(row)));
    (left.map(|row| ReplicaId(row.id)).collect(), wanting.collect())
}
