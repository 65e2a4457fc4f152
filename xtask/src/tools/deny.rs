//! cargo-deny: licences, forbidden and doubled crates, sources. The rules are
//! in `deny.toml`.

use crate::exec;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

const VERSION: &str = "0.20.2";

/// The program, built if needed: unoptimised, since it runs for a second and
/// an optimised build takes several times as long.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let program = workspace.tools().join("bin/cargo-deny");
    if program.exists() {
        let said = exec::read(Command::new(&program).arg("--version"))?;
        if String::from_utf8_lossy(&said).trim().ends_with(VERSION) {
            return Ok(program);
        }
    }
    println!("installing cargo-deny {VERSION} into {} (about two minutes on two cores)", workspace.tools().display());
    let mut command = workspace.cargo(&["install", "--quiet", "--locked", "--debug", "cargo-deny"]);
    // Debug information would only make the link slower.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    exec::run(command.args(["--version", VERSION, "--force", "--root"]).arg(workspace.tools()))?;
    Ok(program)
}

/// Checks the workspace by `deny.toml`. Advisories are left out: their
/// database is fetched from outside and changes without a commit of ours.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let program = ready(workspace)?;
    let args = ["--locked", "check", "bans", "licenses", "sources"];
    exec::run(Command::new(program).args(args).current_dir(workspace.root()))
}
