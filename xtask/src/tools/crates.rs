//! Programs that are published as crates, at a fixed version.

use crate::exec;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The program of this name, built if it is not there or of another version: unoptimised, since it runs for seconds and
/// an optimised build takes several times as long. `takes` is how long, for whoever waits.
pub(super) fn ready(workspace: &Workspace, name: &str, version: &str, takes: &str) -> Result<PathBuf> {
    let program = workspace.tools().join("bin").join(name);
    if program.exists() {
        let said = exec::read(Command::new(&program).arg("--version"))?;
        // One says its name before the version, another what it was built with after it.
        if String::from_utf8_lossy(&said).split_whitespace().any(|word| word == version) {
            return Ok(program);
        }
    }
    println!("installing {name} {version} into {} ({takes} on two cores)", workspace.tools().display());
    let mut command = workspace.cargo(&["install", "--quiet", "--locked", "--debug", name]);
    // Debug information would only make the link slower.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    exec::run(command.args(["--version", version, "--force", "--root"]).arg(workspace.tools()))?;
    Ok(program)
}
