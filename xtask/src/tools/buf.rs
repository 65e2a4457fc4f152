//! buf: lint, format and compatibility of the contract in `proto/`.
//!
//! The baseline is an image of the contract as of the last release. A change
//! that an older client would not survive makes `buf breaking` fail.

use super::node;
use crate::exec;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

const PACKAGE: &str = "@bufbuild/buf@1.75.0";
const BASELINE: &str = "proto/baseline.binpb";

/// The program, fetched if needed.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.tools().join("npm");
    let program = folder.join("node_modules/.bin/buf");
    let version = PACKAGE.rsplit('@').next().unwrap_or_default();
    if program.exists() && exec::read(Command::new(&program).arg("--version"))?.trim_ascii() == version.as_bytes() {
        return Ok(program);
    }
    node::ready()?;
    println!("installing {PACKAGE} into {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let args = ["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error", PACKAGE];
    exec::run(Command::new("npm").args(args).arg("--prefix").arg(&folder).current_dir(&folder))?;
    Ok(program)
}

fn buf(workspace: &Workspace, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(ready(workspace)?);
    command.args(args).current_dir(workspace.root());
    Ok(command)
}

/// The style of the contract, comments included, and its layout.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    exec::run(&mut buf(workspace, &["lint", "proto"])?)?;
    exec::run(&mut buf(workspace, &["format", "proto", "--diff", "--exit-code"])?)
}

/// Whether clients of the baseline's contract still work with this one.
pub(crate) fn breaking(workspace: &Workspace) -> Result<()> {
    ensure!(
        workspace.root().join(BASELINE).exists(),
        "{BASELINE} is missing: bring it back from the history, or make it with `cargo xtask proto-baseline`"
    );
    exec::run(&mut buf(workspace, &["breaking", "proto", "--against", BASELINE])?)
}

/// Formats the contract in place.
pub(crate) fn format(workspace: &Workspace) -> Result<()> {
    exec::run(&mut buf(workspace, &["format", "proto", "--write"])?)
}

/// Makes the contract of now the baseline.
pub(crate) fn write_baseline(workspace: &Workspace) -> Result<()> {
    // Without positions and comments: only what `breaking` compares.
    exec::run(&mut buf(workspace, &["build", "proto", "--exclude-source-info", "--output", BASELINE])?)
}
