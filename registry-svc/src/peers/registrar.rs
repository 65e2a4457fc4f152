//! Who is let in. The caller knows the members; here is only asked, on both
//! ends of every link, before a word of consensus is said: two clusters whose
//! replicas took each other for their own would both be lost.

use super::{Hello, Identity, PROTOCOL};
use registry_quorum::ReplicaId;

/// Judges who is there at the other end.
pub trait Registrar: Send + Sync + 'static {
    /// Lets a replica in, whichever end dialled. It must not wait.
    ///
    /// # Errors
    /// It is turned away.
    fn admit(&self, hello: &Hello) -> Result<(), Turned>;
}

/// A replica is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// Why, for programs.
    pub reason: Reason,
    /// Why, and the way back in, for an operator.
    pub why: String,
    /// What else follows.
    pub stops: Stops,
}

/// Whose process ends when a replica is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    /// Nobody's: it may be different at the next try.
    Nobody,
    /// The sender's.
    Sender,
    /// Ours: the sender is right, and we were left behind.
    Ourselves,
}

/// Why a replica is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It belongs to another cluster.
    ForeignCluster,
    /// The cluster was recovered without it.
    EpochLower,
    /// The cluster was recovered without us.
    EpochHigher,
    /// Its number is not known, or not any more.
    NotAMember,
    /// Its number belongs to another data directory.
    StoreDiffers,
    /// A later start of it was seen.
    BootLower,
    /// It took us for another one, or we it.
    NotForMe,
    /// It speaks no version of the protocol that we speak.
    Protocol,
    /// It acknowledged more than it has.
    WentBack,
    /// A reason that a later version knows.
    Other,
}

/// Judges the other end of a conversation. `expected`: whom we dialled.
pub(super) fn judge(
    ours: &Identity,
    registrar: &dyn Registrar,
    hello: &Hello,
    expected: Option<ReplicaId>,
) -> Result<(), Turned> {
    let turned = |reason, why| Err(Turned { reason, why, stops: Stops::Nobody });
    let (me, from) = (ours.id(), hello.from());
    if hello.protocol == 0 {
        let why = format!("replica {from} names no version of the protocol; version {PROTOCOL} is spoken here");
        return turned(Reason::Protocol, why);
    }
    // Whether it belongs here at all comes before whom it meant: the latter is
    // only an address that is out of date.
    registrar.admit(hello)?;
    if hello.to != me {
        let why = format!("this is replica {me}, and replica {from} meant replica {}; its address is old", hello.to);
        return turned(Reason::NotForMe, why);
    }
    match expected {
        Some(expected) if expected != from => {
            let why =
                format!("replica {from} answers at an address of replica {expected}, {}; it is old", hello.address);
            turned(Reason::NotForMe, why)
        }
        Some(_) => Ok(()),
        None if from == me => {
            turned(Reason::NotForMe, format!("replica {me} dialled itself; an address of another replica leads here"))
        }
        None => Ok(()),
    }
}
