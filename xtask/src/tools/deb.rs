//! cargo-deb: Debian packages out of the tables in Cargo.toml.

use super::system;
use crate::exec;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

const VERSION: &str = "3.8.0";

/// The program, built if needed: unoptimised, as cargo-deny is. What it asks for the libraries of a program, and strips
/// with, comes from Debian.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let helpers = ["dpkg-shlibdeps", "strip", "xz"];
    if !helpers.into_iter().all(|program| exec::succeeds(Command::new(program).arg("--version"))) {
        system::install("what packages are made with", &["dpkg-dev", "binutils", "xz-utils"])?;
    }
    let program = workspace.tools().join("bin/cargo-deb");
    if program.exists() {
        let said = exec::read(Command::new(&program).arg("--version"))?;
        if String::from_utf8_lossy(&said).trim().ends_with(VERSION) {
            return Ok(program);
        }
    }
    println!("installing cargo-deb {VERSION} into {} (half a minute on two cores)", workspace.tools().display());
    let mut command = workspace.cargo(&["install", "--quiet", "--locked", "--debug", "cargo-deb"]);
    // Debug information would only make the link slower.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    exec::run(command.args(["--version", VERSION, "--force", "--root"]).arg(workspace.tools()))?;
    Ok(program)
}
