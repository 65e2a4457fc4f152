//! What the leader sees to without being asked: a replica that wants to vote
//! gets its vote once it has caught up, and the number of one that was a member
//! and is none any more is retired. So a change that a leader did not live to
//! finish is finished by the next one.

use super::changes::{carry_out, retire_all};
use crate::core::Core;
use crate::driver::OWN_ACTOR;
use registry_consensus::ReplicaId;
use registry_domain::Header;
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
    for id in pending(core).1 {
        if let Err(fault) = carry_out(core, Change::Promote(id), &header("it joined to vote")).await {
            tracing::info!(%fault, replica = %id, "a replica that wants to vote does not yet");
            again = true;
        }
    }
    again
}

/// Who has left without being written down, and who wants to vote.
fn pending(core: &Core) -> (Vec<ReplicaId>, Vec<ReplicaId>) {
    let replicated = core.view.read();
    // As of what is committed: what is not may never be.
    let members = &replicated.applied.members;
    let rows = || replicated.state.members().values().filter(|member| member.gone.is_none());
    let all = members.all();
    // Who was never started has a number and is no member yet.
    let left = rows().filter(|row| row.boot > 0 && !all.contains(&ReplicaId(row.id)));
    let wanting = rows().filter(|row| row.votes && members.learners.contains(&ReplicaId(row.id)));
    (left.map(|row| ReplicaId(row.id)).collect(), wanting.map(|row| ReplicaId(row.id)).collect())
}
