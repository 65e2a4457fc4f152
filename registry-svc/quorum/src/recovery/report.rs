//! The recovery as the operator reads it before saying yes.

use super::Recovery;
use crate::listed;
use std::fmt;

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, cluster, epoch, term, member, keeps, unconfirmed, missing, fenced, .. } = self;
        let newest = self.newest.as_deref().unwrap_or("none");
        writeln!(f, "cluster {cluster} is recovered from the directory of replica {from}")?;
        writeln!(f)?;
        writeln!(f, "kept:")?;
        writeln!(f, "  everything up to {keeps}, the newest made at {newest}")?;
        if *unconfirmed > 0 {
            writeln!(
                f,
                "  of it the last {unconfirmed} may never have been acknowledged; they are kept all the same,"
            )?;
            writeln!(f, "  so a change that was answered with \"result unknown\" may turn out to be made")?;
        }
        writeln!(f, "lost:")?;
        writeln!(f, "  whatever the replicas {} acknowledged after that, if anything:", listed(missing))?;
        writeln!(f, "  this directory cannot know; no way back once the cluster is used again")?;
        writeln!(f, "then:")?;
        writeln!(f, "  epoch {epoch} begins with term {term} and one member, replica {member}")?;
        writeln!(f, "  the old members {} are turned away for good, even if their disks are found", listed(fenced))?;
        writeln!(f, "  runners go on supervising and accept no order of an earlier epoch")?;
        writeln!(f, "next: start it, then start two fresh replicas with --join and run `pmctl cluster join` for each")
    }
}
