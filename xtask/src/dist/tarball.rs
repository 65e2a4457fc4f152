//! The tarball: for servers without packages, for images, and for `deploy/install.sh`.

use super::{Dist, PROGRAMS, put};
use crate::exec;
use anyhow::{Context as _, Result};
use std::path::Path;
use std::process::Command;

/// Writes it; what it holds is in one folder that names version and machine.
pub(super) fn write(dist: &Dist<'_>) -> Result<()> {
    let stage = dist.packaging().join("tarball");
    let top = stage.join(dist.name());
    for (program, section) in PROGRAMS {
        let to = put(&dist.built.join(program), &top.join("bin"), program)?;
        exec::run(Command::new("strip").arg(to))?;
        pages(&dist.packaging().join("man"), program, &top.join(format!("share/man/man{section}")))?;
    }
    let completions = dist.packaging().join("completions");
    put(&completions.join("pmctl"), &top.join("share/bash-completion/completions"), "pmctl")?;
    put(&completions.join("_pmctl"), &top.join("share/zsh/site-functions"), "_pmctl")?;
    put(&completions.join("pmctl.fish"), &top.join("share/fish/vendor_completions.d"), "pmctl.fish")?;
    let root = dist.workspace.root();
    for (program, _) in PROGRAMS {
        let list = format!("{program}.cdx.json");
        put(&dist.packaging().join("sbom").join(&list), &top.join("share/sbom"), &list)?;
    }
    for folder in ["systemd", "env", "images"] {
        for file in std::fs::read_dir(root.join("deploy").join(folder))? {
            let file = file?;
            put(&file.path(), &top.join("deploy").join(folder), &file.file_name().to_string_lossy())?;
        }
    }
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
        put(&root.join(file), &top, file)?;
    }
    // Smallest, or done soonest; without the time of day in either case.
    let gzip = if dist.is_quick() { "gzip -1n" } else { "gzip -9n" };
    let tarball = dist.out.join(format!("{}.tar.gz", dist.name()));
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=go-w", "-I", gzip, "-cf"]);
    exec::run(tar.arg(tarball).arg("-C").arg(&stage).arg(dist.name()))?;
    std::fs::remove_dir_all(&stage).context("cannot remove what the tarball was made of")
}

/// The manual of a program: its page and those of its verbs.
fn pages(from: &Path, program: &str, to: &Path) -> Result<()> {
    for file in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.strip_prefix(program).is_some_and(|rest| rest.starts_with(['.', '-'])) {
            put(&file.path(), to, &name)?;
        }
    }
    Ok(())
}
