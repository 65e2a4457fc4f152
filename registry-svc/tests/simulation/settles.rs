//! What has to come right once there are no faults: replicas are equal, nodes
//! do what the registry says, the registry knows what they do; and a node that
//! goes for good is declared lost.

use crate::replica::{LEASE, Replica};
use crate::rig::World;
use registry_domain::{NodeState, State, digest};
use std::time::Duration;

type Cluster = World<Replica>;

/// So long until replicas are equal and nodes have caught up.
const SETTLED: Duration = Duration::from_secs(20);
/// A lease that began anew with the last election, and the commit of its end.
const LOST: Duration = Duration::from_millis(LEASE.as_millis() as u64 * 2 + 1_000);

pub(crate) async fn all_is_well(world: &Cluster) {
    world.within(SETTLED, "all replicas are equal", equal).await;
    world
        .within(SETTLED, "the nodes do what the registry says, and it knows", |world| {
            let strays = strays(world);
            world.common.judge.last_seen(&strays);
            strays.is_empty()
        })
        .await;
    world.within(SETTLED, "all replicas are equal once more", equal).await;
    judge_end(world);
    loses_a_node(world).await;
}

fn equal(world: &Cluster) -> bool {
    let Some(leader) = world.settled() else { return false };
    let stands = world.life(leader).machine.stands();
    let members = world.life(leader).standing().members;
    !members.voters.is_joint() && members.all().iter().all(|id| world.life(id.0).machine.stands() == stands)
}

/// What is not as it should be, on the leader's word.
fn strays(world: &Cluster) -> Vec<String> {
    let Some(leader) = world.settled() else { return vec!["nobody leads".to_owned()] };
    let life = world.life(leader);
    let replicated = life.machine.machine.view().read();
    let mut strays = Vec::new();
    for number in world.common.fleet.numbers() {
        strays.extend(world.common.fleet.node(number).strays(&replicated.state));
    }
    strays.extend(unfinished(&replicated.state));
    strays.extend(world.common.judge.unwanted(&replicated.state));
    strays
}

fn unfinished(state: &State) -> Vec<String> {
    let removing = state.instances().values().filter(|instance| instance.removing);
    let open = state.actions().values().filter(|action| !action.state.is_final() && action.node.is_some());
    let waiting = state.instances().values().filter(|instance| instance.node.is_none());
    let removing = removing.map(|i| format!("{} is still being removed", i.id));
    let waiting = waiting.map(|i| format!("{} waits for a node", i.id));
    removing.chain(waiting).chain(open.map(|a| format!("{a:?}"))).collect()
}

fn judge_end(world: &Cluster) {
    let acknowledged = world.common.judge.so_far();
    let mut digests = Vec::new();
    for id in world.life(world.settled().unwrap()).standing().members.all() {
        let life = world.life(id.0);
        let replicated = life.machine.machine.view().read();
        world.common.judge.has_all(id.0, "after all faults", &acknowledged, &replicated.state);
        digests.push(digest::of(&replicated.state.freeze()).unwrap());
        drop(replicated);
        if life.machine.recounted() != life.machine.stands().1 {
            world.oracle.violated(format!("a command of replica {} changed a row and did not say so", id.0));
        }
    }
    if digests.windows(2).any(|pair| pair[0] != pair[1]) {
        world.oracle.violated("equal replicas have different digests".to_owned());
    }
    world.oracle.check();
}

/// A healthy node was never declared lost because of an election; one that is
/// gone is, in bounded time.
async fn loses_a_node(world: &Cluster) {
    let number = world.common.fleet.numbers()[0];
    let node = world.common.fleet.node(number);
    node.crash(true);
    let name = node.name.clone();
    world
        .within(LOST, "a node that is gone for good is declared lost", |world| {
            let Some(leader) = world.settled() else { return false };
            let life = world.life(leader);
            let replicated = life.machine.machine.view().read();
            replicated.state.nodes().get(&name).is_some_and(|node| node.state == NodeState::Lost)
        })
        .await;
    world.oracle.count("node went for good and was declared lost");
}
