//! cargo-sbom: what a program is made of.

use super::crates;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;

/// The program, built if needed.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    crates::ready(workspace, "cargo-sbom", "0.10.0", "half a minute")
}
