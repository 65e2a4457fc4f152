//! What the registry says about this node at one moment.

use process_model::{Assignment, InstanceId};

/// What the registry says about this node at one moment.
#[derive(Debug, Default)]
pub(crate) struct Update {
    /// Whether `set` and `unreadable` are everything that belongs here.
    pub(crate) full: bool,
    /// What belongs here.
    pub(crate) set: Vec<Assignment>,
    /// What has to go, and of which generation it is; 0: the registry did not say.
    pub(crate) removed: Vec<(InstanceId, u64)>,
    /// What belongs here too, but cannot be understood.
    pub(crate) unreadable: Vec<Unreadable>,
}

/// An assignment that this runner cannot understand, as one of a later
/// version. The instance stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) instance: InstanceId,
    pub(crate) generation: u64,
    pub(crate) why: String,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this runner cannot read the assignment of generation {}: {}", self.generation, self.why)
    }
}
