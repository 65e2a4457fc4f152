//! What the recipes need from outside: each is looked for, fetched at a fixed
//! version if missing, and said so.

pub(crate) mod buf;
pub(crate) mod deny;
pub(crate) mod etcd;
pub(crate) mod node;
pub(crate) mod python;
pub(crate) mod system;

use crate::workspace::Workspace;
use anyhow::Result;

/// Fetches all of them.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    system::c_compiler()?;
    system::faults()?;
    node::ready()?;
    python::ready(workspace)?;
    buf::ready(workspace)?;
    deny::ready(workspace)?;
    Ok(())
}
