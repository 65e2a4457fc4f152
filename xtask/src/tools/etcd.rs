//! etcd, which `benches -- registry` measures ours against.

use super::system;
use crate::exec;
use anyhow::Result;
use std::process::Command;

/// Installs it if it is missing.
pub(crate) fn ready() -> Result<()> {
    if exec::succeeds(Command::new("etcd").arg("--version")) {
        return Ok(());
    }
    system::install("etcd, the rival of the registry's measures", &["etcd-server"])
}
