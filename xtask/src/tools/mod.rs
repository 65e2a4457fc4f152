//! What the recipes need from outside: each is looked for, fetched at a fixed
//! version if missing, and said so.

pub(crate) mod buf;
pub(crate) mod compose;
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

/// Fetches all of them.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    system::c_compiler()?;
    system::faults()?;
    system::prometheus()?;
    node::ready()?;
    dashboards::ready(workspace)?;
    let python = python::ready(workspace)?;
    compose::ready(workspace, &python)?;
    buf::ready(workspace)?;
    deny::ready(workspace)?;
    deb::ready(workspace)?;
    sbom::ready(workspace)?;
    debian_root::ready(workspace)?;
    system::containers()?;
    system::shellcheck()?;
    Ok(())
}
