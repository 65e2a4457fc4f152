//! Manuals and completions, written by the programs themselves from the command lines that they really have.

use super::{Dist, PROGRAMS};
use crate::exec;
use anyhow::{Context as _, Result};
use std::process::Command;

/// The completions of each shell: its name, and what it calls the file.
const SHELLS: [(&str, &str); 3] = [("bash", "pmctl"), ("zsh", "_pmctl"), ("fish", "pmctl.fish")];

/// Writes both into the packaging folder; what was there before goes.
pub(super) fn write(dist: &Dist<'_>) -> Result<()> {
    let (man, completions) = (dist.packaging().join("man"), dist.packaging().join("completions"));
    if dist.packaging().exists() {
        std::fs::remove_dir_all(dist.packaging()).context("cannot empty the packaging folder")?;
    }
    std::fs::create_dir_all(&completions).context("cannot make the folder of completions")?;
    for (program, _) in PROGRAMS {
        exec::run(Command::new(dist.built.join(program)).arg("--write-manual").arg(&man))?;
    }
    for (shell, name) in SHELLS {
        let script = exec::read(Command::new(dist.built.join("pmctl")).args(["completion", shell]))?;
        std::fs::write(completions.join(name), script).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}
