//! The file `founding`: the number of a directory that is not founded yet, and
//! the plan that it takes part in. The number is durable before any peer hears
//! it, since a plan names its founders by their numbers.

use super::{HomeError, files, sealed};
use registry_quorum::ReplicaId;
use registry_quorum::founding::{Founder, FoundingPlan};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use uuid::Uuid;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundingFile {
    pub(super) store: Uuid,
    pub(super) plan: Option<FoundingPlan>,
}

impl FoundingFile {
    /// `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, HomeError> {
        let Some(text) = files::read(path)? else { return Ok(None) };
        let damaged = || HomeError::PlanDamaged(path.to_owned());
        let mut lines = text.as_deref().and_then(sealed::open).ok_or_else(damaged)?;
        match lines.parsed("format").ok_or_else(damaged)? {
            1 => parse(&mut lines).map(Some).ok_or_else(damaged),
            found => Err(HomeError::UnknownFormat { file: path.to_owned(), found }),
        }
    }

    /// Durable on return. The values come from peers: one that would make
    /// another line of it is refused.
    pub(super) fn write(&self, path: &Path) -> Result<(), HomeError> {
        let mut body = format!("format=1\nstore={}\n", self.store);
        if let Some(plan) = &self.plan {
            let values = plan.founders.values().flat_map(|founder| [&founder.address, &founder.store]);
            if let Some(bad) = [&plan.cluster].into_iter().chain(values).find(|value| value.contains(char::is_control))
            {
                return Err(HomeError::PlanUnusable { value: bad.escape_debug().to_string() });
            }
            // Writing to a string does not fail.
            let _ = write!(body, "cluster={}\nfounders={}\n", plan.cluster, plan.founders.len());
            for (id, Founder { address, store }) in &plan.founders {
                let _ = write!(body, "replica={id}\nof={store}\nat={address}\n");
            }
        }
        files::write_durably(path, sealed::seal(&body).as_bytes(), "home.plan")
    }
}

fn parse(lines: &mut sealed::Lines<'_>) -> Option<FoundingFile> {
    let store = lines.parsed("store")?;
    if lines.is_at_end() {
        return Some(FoundingFile { store, plan: None });
    }
    let cluster = lines.parsed("cluster")?;
    let mut founders = BTreeMap::new();
    for _ in 0..lines.parsed::<u64>("founders")? {
        let id = ReplicaId(lines.parsed("replica")?);
        let (store, address) = (lines.parsed("of")?, lines.parsed("at")?);
        founders.insert(id, Founder { address, store });
    }
    lines.is_at_end().then_some(FoundingFile { store, plan: Some(FoundingPlan { cluster, founders }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("founding");
        assert_eq!(FoundingFile::read(&path).unwrap(), None);
        let founder =
            |n: u64| Founder { address: format!("http://r{n}:1?a=b"), store: Uuid::from_u128(n.into()).to_string() };
        let founders = (1..=3).map(|n| (ReplicaId(n), founder(n))).collect();
        let plan = FoundingPlan { cluster: Uuid::from_u128(9).to_string(), founders };
        for plan in [None, Some(plan.clone()), Some(FoundingPlan { founders: BTreeMap::new(), ..plan })] {
            let file = FoundingFile { store: Uuid::from_u128(2), plan };
            file.write(&path).unwrap();
            assert_eq!(FoundingFile::read(&path).unwrap(), Some(file));
        }
    }

    #[test]
    fn an_address_with_a_line_end_is_refused_and_nothing_is_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("founding");
        let founder = Founder { address: "http://r1\nreplica=2".into(), store: "s".into() };
        let plan = FoundingPlan { cluster: "c".into(), founders: BTreeMap::from([(ReplicaId(1), founder)]) };
        let error = FoundingFile { store: Uuid::nil(), plan: Some(plan) }.write(&path).unwrap_err();
        assert!(matches!(error, HomeError::PlanUnusable { .. }), "{error}");
        assert!(!path.exists());
    }
}
