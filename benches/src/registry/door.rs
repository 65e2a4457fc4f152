//! A client of one replica, of either side: the only place where the load knows
//! that there are two.

use super::etcd_door::EtcdDoor;
use super::options::Work;
use super::our_door::OurDoor;
use tonic::Status;

/// A connection to one replica; clones share it.
#[derive(Clone)]
pub(crate) enum Door {
    /// Of ours.
    Ours(Box<OurDoor>),
    /// Of etcd.
    Etcd(EtcdDoor),
}

/// How a replica sees its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its own id.
    pub(crate) me: u64,
    /// Its leader's id; 0 when it knows none.
    pub(crate) leader: u64,
    /// Its term.
    pub(crate) term: u64,
}

impl Door {
    /// One request, to its answer.
    pub(crate) async fn ask(&mut self, work: Work, key: usize, serial: u64) -> Result<(), Status> {
        match work {
            Work::Writes => self.write(key, serial).await,
            Work::Reads => self.read(key).await,
        }
    }

    /// A durable change; a serial that is used again is the same request.
    pub(crate) async fn write(&mut self, key: usize, serial: u64) -> Result<(), Status> {
        match self {
            Self::Ours(door) => door.write(key, serial).await,
            Self::Etcd(door) => door.write(key, serial).await,
        }
    }

    /// A linearizable look at a key that is there.
    pub(crate) async fn read(&mut self, key: usize) -> Result<(), Status> {
        match self {
            Self::Ours(door) => door.read(key).await,
            Self::Etcd(door) => door.read(key).await,
        }
    }

    /// How the replica sees its cluster.
    pub(crate) async fn standing(&mut self) -> Result<Standing, Status> {
        match self {
            Self::Ours(door) => door.standing().await,
            Self::Etcd(door) => door.standing().await,
        }
    }
}
