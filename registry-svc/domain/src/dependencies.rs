//! Dependencies between instances on different nodes: how the ones elsewhere
//! stand to what a node's own depend on, and which stops wait for others.
//!
//! | file | what |
//! |---|---|
//! | `elsewhere` | what a node is told of the others |
//! | `stops` | which of those that are stopped by one request come after which |
//!
//! Read from the state whenever somebody asks, so that there is nothing to keep
//! right beside it; but for the order of a stop, which is written down when it
//! is asked for: the specs that tell of it may be gone a moment later.

mod elsewhere;
mod stops;

pub use stops::StopsAfter;
pub(crate) use stops::in_order;
