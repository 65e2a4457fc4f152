//! The number of a replica. It is given once by the replicated state and never
//! again: a voter that comes back empty under its old number could vote twice.

use std::collections::BTreeSet;
use std::fmt;

/// The number of a replica within its cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub u64);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// "1, 2 and 3", for sentences that an operator reads.
pub fn listed(ids: &BTreeSet<ReplicaId>) -> String {
    let names: Vec<String> = ids.iter().map(ReplicaId::to_string).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_listed_as_a_sentence_has_them() {
        let of = |ids: &[u64]| listed(&ids.iter().map(|id| ReplicaId(*id)).collect());
        assert_eq!([of(&[]), of(&[7]), of(&[2, 1]), of(&[1, 2, 3])], ["none", "7", "1 and 2", "1, 2 and 3"]);
    }
}
