//! Debian packages, by cargo-deb: the tables are `[package.metadata.deb]` in each program's Cargo.toml, the scripts and
//! the rest are in `deploy/`.

use super::Dist;
use crate::exec;
use crate::tools::deb;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;

/// Cargo's package, and a variant of its table.
const PACKAGES: [(&str, Option<&str>); 6] = [
    ("registry-svc", None),
    ("monitor-svc", None),
    ("gateway", None),
    ("runner-svc", None),
    ("pmctl", None),
    ("pmctl", Some("pm")),
];

/// Writes one package after the other.
pub(super) fn write(dist: &Dist<'_>) -> Result<()> {
    is_in_changelog(dist)?;
    let program = deb::ready(dist.workspace)?;
    for (package, variant) in PACKAGES {
        let mut command = Command::new(&program);
        command.args([
            "--no-build",
            "--locked",
            "--quiet",
            "--strip",
            "--profile",
            &dist.profile,
            "--package",
            package,
        ]);
        if let Some(variant) = variant {
            command.args(["--variant", variant]);
        }
        if dist.is_quick() {
            command.args(["--fast", "--compress-type", "gz", "--compress-system"]);
        }
        exec::run(command.arg("--output").arg(&dist.out).current_dir(dist.workspace.root()))?;
    }
    Ok(())
}

/// A package says in its changelog which version it is.
fn is_in_changelog(dist: &Dist<'_>) -> Result<()> {
    let path = dist.workspace.root().join("deploy/deb/changelog");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let entry = format!("pm ({}) ", dist.version);
    ensure!(text.starts_with(&entry), "deploy/deb/changelog has to begin with an entry of version {}", dist.version);
    Ok(())
}
