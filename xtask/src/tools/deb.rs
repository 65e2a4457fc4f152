//! cargo-deb: Debian packages out of the tables in Cargo.toml.

use super::{crates, system};
use crate::exec;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The program, built if needed. What it asks for the libraries of a program, and strips with, comes from Debian.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let helpers = ["dpkg-shlibdeps", "strip", "xz"];
    if !helpers.into_iter().all(|program| exec::succeeds(Command::new(program).arg("--version"))) {
        system::install("what packages are made with", &["dpkg-dev", "binutils", "xz-utils"])?;
    }
    crates::ready(workspace, "cargo-deb", "3.8.0", "half a minute")
}
