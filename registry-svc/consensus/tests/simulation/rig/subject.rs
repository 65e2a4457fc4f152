//! What is replicated in a simulation, and what runs over it. The rig watches
//! the machine from outside (`watched`).

use super::shelf::Shelf;
use super::{Dice, Oracle, World};
use registry_consensus::{Consensus, Door, Machine, Peers};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A machine under test, and the service over it.
pub(crate) trait Subject: Machine + Sized {
    /// What runs over the consensus in one life of a replica.
    type Service: Send + Sync + 'static;
    /// What all lives of all replicas share; outside of what is tested.
    type Common: Clone + Send + Sync + 'static;

    /// Of one world.
    fn common(oracle: &Oracle, dice: &Dice) -> Self::Common;

    /// Opens the machine over what its last life left.
    fn open(life: (u64, u64), shelf: Shelf, common: &Self::Common) -> Arc<Self>;

    /// Begins to serve: the consensus runs.
    fn serve(stand: Stand<Self>) -> Self::Service;

    /// What the other replicas talk to.
    fn door(service: &Self::Service) -> Arc<dyn Door>;

    /// The process is gone: whatever it still does is not heard any more.
    fn end(service: &Self::Service);

    /// Uses the cluster until the oracle says that it is over.
    fn users(world: &World<Self>, dice: &Dice) -> Vec<JoinHandle<()>>;

    /// Waits until everybody has everything, without faults.
    async fn equal(world: &World<Self>);
}

/// What a service stands on.
pub(crate) struct Stand<S: Subject> {
    pub(crate) life: (u64, u64),
    pub(crate) consensus: Consensus,
    pub(crate) machine: Arc<S>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) common: S::Common,
}
