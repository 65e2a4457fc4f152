//! What each program is made of, as CycloneDX: from cargo's own account, by cargo-sbom.

use super::{Dist, PROGRAMS};
use crate::exec;
use crate::tools::sbom;
use anyhow::{Context as _, Result};
use std::process::Command;

/// Writes one list for each program into the packaging folder.
pub(super) fn write(dist: &Dist<'_>) -> Result<()> {
    let tool = sbom::ready(dist.workspace)?;
    let folder = dist.packaging().join("sbom");
    std::fs::create_dir_all(&folder).context("cannot make the folder of the lists of components")?;
    for (program, _) in PROGRAMS {
        let mut command = Command::new(&tool);
        command.args(["--output-format", "cyclone_dx_json_1_6", "--cargo-package", program]);
        let list = exec::read(command.current_dir(dist.workspace.root()))?;
        std::fs::write(folder.join(format!("{program}.cdx.json")), list)
            .with_context(|| format!("cannot write the list of components of {program}"))?;
    }
    Ok(())
}
