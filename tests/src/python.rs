//! Python with the packages of `tests/python/requirements.txt`, for clients
//! and receivers that know nothing of our code.

use crate::binary;
use std::path::PathBuf;
use std::process::Command;

/// The interpreter: `PM_TEST_PYTHON`, or the one that `cargo xtask test` made.
///
/// # Panics
/// When there is none: a test is not skipped for want of a tool.
#[must_use]
pub fn interpreter() -> PathBuf {
    let path = std::env::var_os("PM_TEST_PYTHON")
        .map_or_else(|| binary::target_dir().join("tools/venv/bin/python"), PathBuf::from);
    assert!(path.exists(), "{} is missing: `cargo xtask tools` makes it", path.display());
    path
}

/// A program of `tests/python`, ready to be given arguments.
#[must_use]
pub fn program(name: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.arg("-u").arg(binary::workspace_root().join("tests/python").join(name));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
