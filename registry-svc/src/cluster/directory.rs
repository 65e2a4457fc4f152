//! Where the members are, as they have said it themselves, kept in the address
//! book and in what this replica tells of the cluster to whoever asks.

use super::Myself;
use crate::peers::AddressBook;
use crate::view::View;
use registry_consensus::{Consensus, ReplicaId};
use registry_domain::members::Member;
use registry_quorum::founding::Founder;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Members change seldom and entries come thousands of times a second: one look serves many of them.
const PACE: Duration = Duration::from_millis(200);

/// Follows the members until `stop`.
pub(crate) async fn follow(
    consensus: Consensus,
    view: Arc<View>,
    book: AddressBook,
    myself: Arc<Myself>,
    founders: BTreeMap<ReplicaId, Founder>,
    stop: CancellationToken,
) {
    let mut applied = consensus.applied();
    let mut last: BTreeMap<u64, Arc<Member>> = BTreeMap::new();
    loop {
        applied.borrow_and_update();
        let members = view.read().state.members().clone();
        if members != last {
            for (id, member) in members.iter().filter(|(_, member)| member.gone.is_none()) {
                if last.get(id).is_none_or(|before| before.address != member.address) {
                    book.set(ReplicaId(*id), &member.address);
                }
            }
            myself.knows(of(&members, &founders));
            last = members;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = applied.changed() => if changed.is_err() { return },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PACE) => {}
        }
    }
}

/// Who has said nothing yet is as he was founded.
fn of(members: &BTreeMap<u64, Arc<Member>>, founders: &BTreeMap<ReplicaId, Founder>) -> BTreeMap<ReplicaId, Founder> {
    let silent = founders.iter().filter(|(id, _)| !members.contains_key(&id.0));
    let said = members
        .values()
        .filter(|member| member.gone.is_none())
        .map(|member| (ReplicaId(member.id), Founder { address: member.address.clone(), store: member.store.clone() }));
    silent.map(|(id, founder)| (*id, founder.clone())).chain(said).collect()
}
