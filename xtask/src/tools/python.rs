//! A Python environment of our own, with what `tests/python/requirements.txt`
//! names. Its path goes to the tests as `PM_TEST_PYTHON`.

use super::system;
use crate::exec;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::process::Command;

/// The interpreter of the environment, made or brought up to date if needed.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let venv = workspace.tools().join("venv");
    let python = venv.join("bin/python");
    let wanted = workspace.root().join("tests/python/requirements.txt");
    let wanted_text = std::fs::read(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    // Written last, so an interrupted installation does not count.
    let stamp = venv.join("installed-requirements.txt");
    if exec::succeeds(Command::new(&python).arg("--version"))
        && std::fs::read(&stamp).is_ok_and(|had| had == wanted_text)
    {
        println!("Python environment: {}", venv.display());
        return Ok(python);
    }
    if !exec::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        system::install("Python with venv", &["python3", "python3-venv"])?;
    }
    println!("installing the Python packages of tests/python/requirements.txt into {}", venv.display());
    std::fs::create_dir_all(workspace.tools()).context("cannot make the folder for tools")?;
    exec::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    exec::run(Command::new(&python).args(pip).arg(&wanted))?;
    std::fs::write(&stamp, &wanted_text).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}
