//! cargo-deny: licences, forbidden and doubled crates, sources. The rules are
//! in `deny.toml`.

use super::crates;
use crate::exec;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The program, built if needed.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    crates::ready(workspace, "cargo-deny", "0.20.2", "about two minutes")
}

/// Checks the workspace by `deny.toml`. Advisories are left out: their
/// database is fetched from outside and changes without a commit of ours.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let program = ready(workspace)?;
    let args = ["--locked", "check", "bans", "licenses", "sources"];
    exec::run(Command::new(program).args(args).current_dir(workspace.root()))
}
