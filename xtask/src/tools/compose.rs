//! The Compose Specification's JSON schema. It comes inside the Python package
//! of the first Compose, of which nothing else is used: neither its
//! dependencies nor its code.

use crate::exec;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

const PACKAGE: &str = "docker-compose==1.29.2";
const SCHEMA: &str = "compose/config/compose_spec.json";

/// Fetches it into `target/tools/compose`, if it is missing.
pub(crate) fn ready(workspace: &Workspace, python: &Path) -> Result<()> {
    let folder = workspace.tools().join("compose");
    if folder.join(SCHEMA).exists() {
        return Ok(());
    }
    println!("installing {PACKAGE}, for its schema alone, into {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade", "--target"];
    exec::run(Command::new(python).args(pip).arg(&folder).arg(PACKAGE))?;
    ensure!(folder.join(SCHEMA).exists(), "{PACKAGE} has no {SCHEMA}");
    Ok(())
}
