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

/// The processes of the map, each with its fields.
pub(super) fn read<'t>(
    entries: &'t [Entry],
    shared: &Shared<'_>,
    report: &mut Report,
) -> Vec<(ProcessSpec, Mapping<'t>)> {
    entries.iter().filter_map(|entry| one(entry, shared, report)).collect()
}

fn one<'t>(entry: &'t Entry, shared: &Shared<'_>, report: &mut Report) -> Option<(ProcessSpec, Mapping<'t>)> {
    let path = format!("processes.{}", segment(&entry.key));
    let name = name(&entry.key).map_err(|wrong| report.fault(entry.key_at, located(&path, wrong))).ok();
    let fields = Mapping::open(&PROCESS, &entry.value, path, entry.key_at, report)?;
    let spec = process::read(&fields, name, shared, report)?;
    Some((spec, fields))
}
