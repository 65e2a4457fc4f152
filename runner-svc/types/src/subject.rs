//! What a type is applied to: one instance of a process in its folder.

use process_model::{InstanceId, ProcessSpec};
use std::collections::BTreeMap;

/// One instance of a process in its folder.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its process.
    pub spec: &'a ProcessSpec,
    /// What it gives to its program beside its own variables: its file's, and
    /// those of its `env_files`. Only their names are used: values of files are
    /// for nobody who lists processes.
    pub env: &'a BTreeMap<String, String>,
    /// Which instance.
    pub instance: &'a InstanceId,
    /// Absolute folder that relative paths start from.
    pub working_dir: &'a str,
}

/// A process's port: the one called `http`, else `port`, else the only one.
/// With several and none of these names it cannot be told.
pub(crate) fn port(spec: &ProcessSpec) -> Option<u16> {
    let named = spec.ports.get("http").or_else(|| spec.ports.get("port"));
    let only = if spec.ports.len() == 1 { spec.ports.values().next() } else { None };
    named.or(only).copied()
}

impl Subject<'_> {
    /// A path of the application's, from its folder.
    pub(crate) fn path(&self, path: &str) -> String {
        if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", self.working_dir.trim_end_matches('/'))
        }
    }
}
