//! What the dashboards' JSON is checked with: Grafana's own types of a
//! dashboard, and the compiler that knows them.

use super::node;
use crate::exec;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use std::process::Command;

const PACKAGES: [&str; 2] = ["@grafana/schema@13.2.3", "typescript@5.9.3"];

/// Installs them into a folder of their own, if they are missing.
pub(crate) fn ready(workspace: &Workspace) -> Result<()> {
    let folder = workspace.tools().join("grafana");
    // Written last, so an interrupted installation does not count.
    let stamp = folder.join("installed.txt");
    let wanted = PACKAGES.join(" ");
    if std::fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    node::ready()?;
    println!("installing {wanted} into {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let args = ["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
    let mut npm = Command::new("npm");
    exec::run(npm.args(args).args(PACKAGES).arg("--prefix").arg(&folder).current_dir(&folder))?;
    std::fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
