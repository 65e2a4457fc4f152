//! `cargo xtask fix`: what a tool can mend by itself.

use crate::exec;
use crate::tools::buf;
use crate::workspace::Workspace;
use anyhow::Result;

/// Lints first, since what they rewrite is then formatted.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let clippy = ["clippy", "--fix", "--workspace", "--all-targets", "--allow-dirty", "--allow-staged"];
    exec::run(&mut workspace.cargo(&clippy))?;
    exec::run(&mut workspace.cargo(&["fmt", "--all"]))?;
    buf::format(workspace)
}
