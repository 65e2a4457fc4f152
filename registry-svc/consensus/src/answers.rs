//! What became of a batch.

use registry_domain::{Refusal, Reply};

/// One answer for each command of a batch, in the order of the commands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers(pub Vec<Result<Reply, Refusal>>);
