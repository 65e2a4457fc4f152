//! Finds out where members are whose address nobody told: asks at the
//! addresses that this replica was started with who answers there. A member
//! that is reached once tells its address itself, with every link.

use crate::options::Options;
use crate::peers::{AddressBook, introduce};
use registry_consensus::{Consensus, ReplicaId};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const WITHIN: Duration = Duration::from_secs(1);
/// Between two rounds: names may resolve to something else by then, and a
/// peer may have been started.
const ROUND: Duration = Duration::from_secs(1);

/// Runs until everybody is known, each time that the members change.
pub(crate) async fn acquaint(consensus: Consensus, options: Options, book: AddressBook, stop: CancellationToken) {
    let mut standing = consensus.standing();
    loop {
        let unknown: BTreeSet<ReplicaId> = {
            let standing = standing.borrow_and_update();
            let others = standing.members.all().into_iter().filter(|id| *id != standing.me);
            others.filter(|id| book.of(*id).is_empty()).collect()
        };
        // A replica without a log does not know who the others are; any of them will do.
        let lost = standing.borrow().members.all().is_empty();
        if unknown.is_empty() && !lost {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = standing.changed() => if changed.is_err() { return },
            }
            continue;
        }
        for address in options.peer_addresses().await {
            if let Ok(introduced) = introduce(&address, options.credentials(), WITHIN).await
                && let Some(id) = introduced.id
            {
                book.set(id, &address);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}
