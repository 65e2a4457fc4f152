//! The floors: C programs of `benches/floor/`, compiled static when the
//! measures run, so that the same compiler and kernel serve both sides.

use crate::place::Place;
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::process::Command;
use system_tests::binary;

/// The compiled programs; removed when it is dropped.
pub(crate) struct Floor {
    folder: Place,
}

impl Floor {
    /// Compiles all of them.
    pub(crate) fn compile() -> Result<Self> {
        let folder = Place::make()?;
        for name in ["first", "restart_loop", "spawn_loop", "idle", "firehose", "trivial", "sync_loop"] {
            let source = binary::workspace_root().join("benches/floor").join(format!("{name}.c"));
            let mut command = Command::new("cc");
            command.args(["-O2", "-static", "-o"]).arg(folder.path().join(name)).arg(&source);
            let status = command.status().context("cannot run cc: the floors need a C compiler")?;
            if !status.success() {
                bail!("{} cannot be compiled", source.display());
            }
        }
        Ok(Self { folder })
    }

    /// A program.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program, as text for a spec.
    pub(crate) fn word(&self, name: &str) -> String {
        self.program(name).display().to_string()
    }
}
