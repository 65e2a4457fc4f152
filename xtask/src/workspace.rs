//! Where things are: the root of the workspace and its target directory.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The places that recipes use.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The workspace that this program belongs to. Cargo says where its
    /// manifest is now, so a checkout that has been moved is found as well.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("run this as `cargo xtask …`: CARGO_MANIFEST_DIR is not set")?;
        let root = Path::new(&manifest_dir).parent().context("the package has no parent folder")?.to_path_buf();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// The root of the workspace.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The target directory.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The version of everything in it.
    pub(crate) fn version(&self) -> Result<String> {
        let path = self.root.join("Cargo.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let section = text.split("[workspace.package]").nth(1).context("Cargo.toml has no [workspace.package]")?;
        let line = section.lines().find_map(|line| line.strip_prefix("version = ")).context("it has no version")?;
        Ok(line.trim().trim_matches('"').to_owned())
    }

    /// Where fetched tools live: under the target directory, so that a clean
    /// clone is clean and `cargo clean` takes everything away.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A cargo command in this workspace, by the cargo that runs us.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args).current_dir(&self.root);
        // What `cargo run` set for us describes this package, not the next
        // command's; build scripts that look at it would be built anew.
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("CARGO_PKG_") {
                command.env_remove(key);
            }
        }
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        command
    }
}
