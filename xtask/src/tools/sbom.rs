//! cargo-sbom: what a program is made of.

use crate::exec;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

const VERSION: &str = "0.10.0";

/// The program, built if needed: unoptimised, as cargo-deny is.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let program = workspace.tools().join("bin/cargo-sbom");
    if program.exists() {
        let said = exec::read(Command::new(&program).arg("--version"))?;
        if String::from_utf8_lossy(&said).contains(VERSION) {
            return Ok(program);
        }
    }
    println!("installing cargo-sbom {VERSION} into {} (half a minute on two cores)", workspace.tools().display());
    let mut command = workspace.cargo(&["install", "--quiet", "--locked", "--debug", "cargo-sbom"]);
    // Debug information would only make the link slower.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    exec::run(command.args(["--version", VERSION, "--force", "--root"]).arg(workspace.tools()))?;
    Ok(program)
}
