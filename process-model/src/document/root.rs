//! The root of the file: version, environment of all, and the processes in one
//! of two forms.

use super::fields::ROOT;
use super::mapping::{Mapping, located};
use super::report::{MAX_FAULTS, Report};
use super::scalar::Wrong;
use super::shared::Shared;
use super::tree::{Node, Position, Value};
use super::{execution, graph, list_form, locate, map_form, rules};
use crate::ProcessSpec;
use crate::spec::{Command, Fault};
use std::collections::BTreeMap;
use std::path::Path;

/// Most bytes of environment that all processes of a file may have from it.
const MAX_ENV_BYTES: usize = 16 * 1024 * 1024;

/// Most regular expressions of a file.
const MAX_PATTERNS: usize = 1000;

/// The specs of the file. They are valid only if the report stays empty.
pub(super) fn read(tree: &Node, base_dir: &Path, report: &mut Report) -> Vec<ProcessSpec> {
    if matches!(tree.value, Value::Sequence(_)) {
        report.fault(tree.at, Fault::new("document", "it is a list", "write processes: above it, and indent it"));
        return Vec::new();
    }
    let Some(root) = Mapping::open(&ROOT, tree, String::new(), Position::default(), report) else { return Vec::new() };
    root.integer("version", report);
    let env = env(&root, report);
    let Some(processes) = root.wanted("processes", report) else { return Vec::new() };
    let mut shared = Shared { base_dir, env, env_files: Vec::new() };
    shared.env_files = execution::env_files(&root, &shared, report);
    bounded(&mut shared, &root, &processes.value, report);
    let read = match &processes.value.value {
        Value::Mapping(entries) => map_form::read(entries, &shared, report),
        Value::Sequence(items) => list_form::read(items, &shared, report),
        Value::Scalar(_) => {
            let wrong = Wrong::found(&processes.value, "write a map from names to processes, or a list of processes");
            report.fault(processes.value.at, located("processes", wrong));
            return Vec::new();
        }
    };
    if few_patterns(&read, processes.key_at, report) {
        for (spec, fields) in &read {
            rules::check(spec, fields, report);
        }
    }
    graph::check(&read, report);
    let specs: Vec<ProcessSpec> = read.into_iter().map(|(spec, _)| spec).collect();
    if specs.is_empty() {
        report.warn(
            processes.value.at,
            Fault::new("processes", "it is empty", "write a process, unless none is to be defined"),
        );
    }
    specs
}

/// The file's own environment, under the same rules as a process's.
fn env(root: &Mapping<'_>, report: &mut Report) -> BTreeMap<String, String> {
    let env = root.text_map("env", report);
    if let Ok(name) = "unnamed".parse() {
        let probe = ProcessSpec { env: env.clone(), ..ProcessSpec::new(name, Command::Shell(":".to_owned())) };
        for fault in probe.check().into_iter().take(MAX_FAULTS) {
            let (at, fault) = locate::place(fault, root);
            report.fault(at, fault);
        }
    }
    env
}

/// Each process gets a copy of what is said for all: small files must not
/// become large ones.
fn bounded(shared: &mut Shared<'_>, root: &Mapping<'_>, processes: &Node, report: &mut Report) {
    let copies = match &processes.value {
        Value::Mapping(entries) => entries.len(),
        Value::Sequence(items) => items.len(),
        Value::Scalar(_) => 0,
    };
    let env = copies * shared.env.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let files = copies * shared.env_files.iter().map(String::len).sum::<usize>();
    for (name, bytes) in [("env", env), ("env_files", files)] {
        if bytes > MAX_ENV_BYTES {
            let at = root.entry(name).map_or(root.at, |entry| entry.key_at);
            let problem = format!("copied into {copies} processes it has {bytes} bytes");
            let fix = format!("write less, so that it stays within {MAX_ENV_BYTES} bytes");
            report.fault(at, Fault::new(name, problem, fix));
            shared.env.clear();
            shared.env_files.clear();
        }
    }
}

/// Whether the patterns of the file are few enough to be built, each of which
/// may take milliseconds: a small file must not keep anybody busy for minutes.
fn few_patterns(read: &[(ProcessSpec, Mapping<'_>)], at: Position, report: &mut Report) -> bool {
    let count: usize = read.iter().map(|(spec, _)| spec.patterns()).sum();
    if count > MAX_PATTERNS {
        let problem = format!("they have {count} regular expressions");
        let fix = format!("write at most {MAX_PATTERNS} in one file; split it into several files");
        report.fault(at, Fault::new("processes", problem, fix));
    }
    count <= MAX_PATTERNS
}
