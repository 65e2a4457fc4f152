//! The decision itself: total over everything that peers may say.

use super::{Condition, Entry, FoundingPlan, FoundingRefusal, Introduction};
use crate::ReplicaId;
use std::collections::{BTreeMap, BTreeSet};

/// What a replica does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// We coordinate: write this plan durably and introduce ourselves with it.
    Found(FoundingPlan),
    /// Write the coordinator's plan durably and introduce ourselves with it.
    Adopt(FoundingPlan),
    /// All have written the plan, and we are the first of them: initialise the log with all as voters.
    Initialise(FoundingPlan),
    /// We are a founder: start under this number; the others bring the log.
    Start(ReplicaId),
    /// We are a member of a cluster that exists: start as the directory says.
    Resume,
    /// Ask this peer for a number in its cluster.
    Join {
        /// The cluster.
        cluster: String,
        /// The peer's address.
        through: String,
    },
    /// Nothing yet; the reason is for the log.
    Wait(String),
    /// Never, as things are.
    Refuse(FoundingRefusal),
}

/// Decides from our own introduction and those of the peers that answered. `cluster` is the identity that a cluster
/// gets if we coordinate.
#[must_use]
pub fn decide(me: &Introduction, peers: &[Introduction], entry: Entry, cluster: &str) -> Decision {
    decided(me, peers, entry, cluster).unwrap_or_else(Decision::Refuse)
}

fn decided(me: &Introduction, peers: &[Introduction], entry: Entry, name: &str) -> Result<Decision, FoundingRefusal> {
    // Our own introduction may come back to us, as we are among our peers; newer than the one that we hold, if a peer has
    // handed us the plan meanwhile.
    let ours = |peer: &Introduction| (&peer.store, &peer.address) == (&me.store, &me.address);
    let peers: Vec<&Introduction> = peers.iter().filter(|peer| !ours(peer)).collect();
    if let Condition::Founded { .. } = me.condition {
        // Nobody's mistake elsewhere keeps a member from starting; strangers are refused link by link.
        return Ok(Decision::Resume);
    }
    let existing = one_cluster(&peers)?;
    let all: Vec<&Introduction> = [me].into_iter().chain(peers.iter().copied()).collect();
    unmistakable(&all)?;
    match &me.condition {
        Condition::Founded { .. } => Ok(Decision::Resume),
        Condition::Planned(_) if !entry.founds() => Err(FoundingRefusal::JoinWithPlan),
        Condition::Planned(plan) => planned(me, plan, &peers, existing),
        Condition::Fresh => match existing {
            Some((cluster, peer)) => fresh_beside(me, cluster, peer, entry),
            None if !entry.founds() => {
                Ok(Decision::Wait("no peer belongs to a cluster yet that could be joined".to_owned()))
            }
            None => fresh_among(me, &peers, name),
        },
    }
}

/// The cluster that peers already belong to, and one of them; refused if there are two.
fn one_cluster<'a>(peers: &[&'a Introduction]) -> Result<Option<(&'a str, &'a Introduction)>, FoundingRefusal> {
    let mut found: Option<(&str, &Introduction)> = None;
    for peer in peers {
        if let Condition::Founded { cluster, .. } = &peer.condition {
            match found {
                Some((known, _)) if known != cluster => return Err(other_cluster(peer, cluster, known)),
                Some(_) => {}
                None => found = Some((cluster, peer)),
            }
        }
    }
    Ok(found)
}

fn other_cluster(peer: &Introduction, theirs: &str, ours: &str) -> FoundingRefusal {
    let address = peer.address.clone();
    FoundingRefusal::OtherCluster { address, theirs: theirs.to_owned(), ours: ours.to_owned() }
}

fn fresh_beside(
    me: &Introduction,
    cluster: &str,
    peer: &Introduction,
    entry: Entry,
) -> Result<Decision, FoundingRefusal> {
    let (cluster, through) = (cluster.to_owned(), peer.address.clone());
    if entry.joins() {
        return Ok(Decision::Join { cluster, through });
    }
    // A member under our address that is not us was us, before the directory was emptied or replaced.
    let missed = match &peer.condition {
        Condition::Founded { members, .. } => members.iter().find(|(_, member)| member.address == me.address),
        Condition::Fresh | Condition::Planned(_) => None,
    };
    match missed {
        Some((id, _)) => Err(FoundingRefusal::Wiped { cluster, through, id: *id }),
        None => Err(FoundingRefusal::NotAMember { cluster, through }),
    }
}

fn planned(
    me: &Introduction,
    plan: &FoundingPlan,
    peers: &[&Introduction],
    existing: Option<(&str, &Introduction)>,
) -> Result<Decision, FoundingRefusal> {
    let Some(my_id) = plan.number_of(me) else {
        return Err(FoundingRefusal::PlanBroken { address: me.address.clone() });
    };
    if let Some((cluster, peer)) = existing {
        return if cluster == plan.cluster {
            Ok(Decision::Start(my_id))
        } else {
            Err(other_cluster(peer, cluster, &plan.cluster))
        };
    }
    let mut missing: BTreeMap<&str, &str> = BTreeMap::new();
    for founder in plan.founders.iter().filter(|(id, _)| **id != my_id).map(|(_, founder)| founder) {
        let by_store = peers.iter().find(|peer| peer.store == founder.store);
        if by_store.is_none() && peers.iter().any(|peer| peer.address == founder.address) {
            return Err(FoundingRefusal::PlanBroken { address: founder.address.clone() });
        }
        match by_store.map(|peer| &peer.condition) {
            Some(Condition::Planned(theirs)) if theirs == plan => {}
            Some(Condition::Planned(_)) => {
                return Err(FoundingRefusal::TwoPlans { address: founder.address.clone() });
            }
            Some(Condition::Fresh) => {
                missing.insert(&founder.address, "has not written the plan");
            }
            // A founded peer was looked at above.
            Some(Condition::Founded { .. }) => {}
            None => {
                missing.insert(&founder.address, "does not answer");
            }
        }
    }
    if !missing.is_empty() {
        let each: Vec<String> = missing.iter().map(|(address, what)| format!("{address} {what}")).collect();
        return Ok(Decision::Wait(format!("the cluster is planned and not founded yet: {}", each.join(", "))));
    }
    if plan.founders.keys().next() == Some(&my_id) {
        return Ok(Decision::Initialise(plan.clone()));
    }
    Ok(Decision::Start(my_id))
}

fn fresh_among(me: &Introduction, peers: &[&Introduction], name: &str) -> Result<Decision, FoundingRefusal> {
    if me.replicas == 0 {
        return Err(FoundingRefusal::NoReplicas);
    }
    let all: Vec<&Introduction> = [me].into_iter().chain(peers.iter().copied()).collect();
    if let Some(peer) = peers.iter().find(|peer| peer.replicas != me.replicas) {
        let address = peer.address.clone();
        return Err(FoundingRefusal::OtherCount { address, theirs: peer.replicas, ours: me.replicas });
    }
    // A plan that names us comes before everything else: its coordinator has already counted.
    for peer in peers {
        if let Condition::Planned(plan) = &peer.condition {
            return match plan.number_of(me) {
                Some(_) => Ok(Decision::Adopt(plan.clone())),
                None if plan.founders.values().any(|founder| founder.address == me.address) => {
                    Err(FoundingRefusal::PlanBroken { address: me.address.clone() })
                }
                None => Err(FoundingRefusal::TwoPlans { address: peer.address.clone() }),
            };
        }
    }
    let mut addresses: Vec<String> = all.iter().map(|one| one.address.clone()).collect();
    addresses.sort_unstable();
    if all.len() > me.replicas {
        return Err(FoundingRefusal::TooMany { expected: me.replicas, addresses });
    }
    if all.len() < me.replicas {
        let (seen, expected) = (all.len(), me.replicas);
        return Ok(Decision::Wait(format!("{seen} of {expected} replicas are here: {}", addresses.join(", "))));
    }
    match addresses.first() {
        Some(first) if *first == me.address => Ok(Decision::Found(FoundingPlan::of(name, all))),
        Some(first) => Ok(Decision::Wait(format!("all are here; {first} plans the cluster"))),
        // `all` holds at least ourselves.
        None => Err(FoundingRefusal::NoReplicas),
    }
}

/// Every address and every directory once.
fn unmistakable(all: &[&Introduction]) -> Result<(), FoundingRefusal> {
    let mut addresses = BTreeSet::new();
    let mut stores: BTreeMap<&str, &str> = BTreeMap::new();
    for one in all {
        if !addresses.insert(&one.address) {
            return Err(FoundingRefusal::SameAddress(one.address.clone()));
        }
        if let Some(other) = stores.insert(&one.store, &one.address) {
            let (one, other) = (other.to_owned(), one.address.clone());
            return Err(FoundingRefusal::SameStore { one, other });
        }
    }
    Ok(())
}
