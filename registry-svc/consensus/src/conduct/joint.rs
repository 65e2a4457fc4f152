//! A joint change of the members that its leader did not live to finish: the
//! next one goes on with it. Until then every decision needs both halves, and
//! no other change can begin.

use super::{Conductor, Word};
use crate::ReplicaId;
use crate::consensus::Inner;
use registry_quorum::members::{Roll, Stage, unfinished};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Between two tries: the change before has to be committed first, or an heir to come up.
const AGAIN: Duration = Duration::from_millis(200);

impl Conductor {
    /// Goes on with a change that was begun in an earlier term; one of this term has somebody who goes on with it.
    pub(super) fn joint(&mut self) {
        if self.finishing.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let unfinished = {
            let standing = self.standing.borrow();
            let inherited = standing.members_at.is_some_and(|at| at.term < standing.term);
            let roll = Roll { voters: standing.members.voters.clone(), ..Roll::default() };
            if standing.leads() && inherited { unfinished(&roll) } else { None }
        };
        self.finishing = match unfinished {
            Some(Stage::FinishJoint(voters)) => Some(tokio::spawn(finish(self.inner.clone(), voters))),
            _ => None,
        };
    }
}

async fn finish(inner: Arc<Inner>, voters: BTreeSet<ReplicaId>) {
    tracing::info!(?voters, "going on with a change of the members");
    if voters.contains(&inner.me) {
        let ids: BTreeSet<u64> = voters.iter().map(|id| id.0).collect();
        if let Err(error) = inner.raft.change_membership(ids, false).await {
            tracing::info!(%error, "the members are not changed yet");
        }
    } else {
        // A leader never removes itself.
        let (answer, end) = oneshot::channel();
        inner.say(Word::HandOver { to: None, answer });
        // The conductor ends before everything else does.
        let _ = end.await;
    }
    tokio::time::sleep(AGAIN).await;
}
