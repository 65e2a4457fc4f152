//! Node.js with npm: the Express example runs on it, and buf comes by it.

use super::system;
use crate::exec;
use anyhow::Result;
use std::process::Command;

/// Installs them if they are missing.
pub(crate) fn ready() -> Result<()> {
    let there = |program: &str| exec::succeeds(Command::new(program).arg("--version"));
    if there("node") && there("npm") { Ok(()) } else { system::install("Node.js with npm", &["nodejs", "npm"]) }
}
