//! What the file says for all of its processes.

use std::collections::BTreeMap;
use std::path::Path;

/// What every process of the file shares.
pub(super) struct Shared<'t> {
    /// Where relative paths start.
    pub(super) base_dir: &'t Path,
    /// The file's own environment.
    pub(super) env: BTreeMap<String, String>,
    /// The file's own `env_files`, absolute.
    pub(super) env_files: Vec<String>,
}
