//! What the recipes need from outside: each is looked for, fetched at a fixed
//! version if missing, and said so.

pub(crate) mod buf;
pub(crate) mod compose;
mod crates;
pub(crate) mod dashboards;
pub(crate) mod deb;
pub(crate) mod debian_root;
pub(crate) mod deny;
pub(crate) mod etcd;
pub(crate) mod node;
pub(crate) mod python;
pub(crate) mod sbom;
pub(crate) mod system;

use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;

/// Fetches all of them.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    of_tests(workspace)?;
    buf::ready(workspace)?;
    deny::ready(workspace)?;
    Ok(())
}

/// Fetches what the tests need; the Python of its environment is given back.
pub(crate) fn of_tests(workspace: &Workspace) -> Result<PathBuf> {
    system::c_compiler()?;
    system::faults()?;
    system::shellcheck()?;
    deb::ready(workspace)?;
    sbom::ready(workspace)?;
    debian_root::ready(workspace)?;
    system::containers()?;
    system::prometheus()?;
    node::ready()?;
    dashboards::ready(workspace)?;
    let python = python::ready(workspace)?;
    compose::ready(workspace, &python)?;
    Ok(python)
}
