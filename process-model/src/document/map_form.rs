//! `processes:` as a map from name to fields.

use super::fields::PROCESS;
use super::mapping::{Mapping, located};
use super::process;
use super::report::Report;
use super::scalar::segment;
use super::shared::Shared;
use super::tree::Entry;
use super::value::name;
use crate::ProcessSpec;

/// The processes of the map.
pub(super) fn read(entries: &[Entry], shared: &Shared<'_>, report: &mut Report) -> Vec<ProcessSpec> {
    entries.iter().filter_map(|entry| one(entry, shared, report)).collect()
}

fn one(entry: &Entry, shared: &Shared<'_>, report: &mut Report) -> Option<ProcessSpec> {
    let path = format!("processes.{}", segment(&entry.key));
    let name = name(&entry.key).map_err(|wrong| report.fault(entry.key_at, located(&path, wrong))).ok();
    let fields = Mapping::open(&PROCESS, &entry.value, path, entry.key_at, report)?;
    let spec = process::read(&fields, name, shared, report)?;
    process::check(&spec, &fields, report);
    Some(spec)
}
