//! `cargo xtask dist`: what is handed to others. Enters: built programs, `deploy/`. Leaves in `target/dist`: Debian
//! packages, a tarball for everything else, the installer, SHA256SUMS.

mod debian;
mod manuals;
mod sbom;
mod tarball;

use crate::exec;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs, and the section of their manual.
const PROGRAMS: [(&str, &str); 5] =
    [("registry-svc", "8"), ("monitor-svc", "8"), ("gateway", "8"), ("runner-svc", "8"), ("pmctl", "1")];

/// How it is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Cargo's profile; dev is packed fast instead of small
    #[arg(long, default_value = "release")]
    profile: String,
    /// Take the programs that are built already
    #[arg(long)]
    no_build: bool,
    /// Where it goes, instead of target/dist
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// One run of the recipe.
struct Dist<'w> {
    workspace: &'w Workspace,
    profile: String,
    /// Cargo's folder of the built programs.
    built: PathBuf,
    out: PathBuf,
    version: String,
}

/// Makes everything anew.
pub(crate) fn run(workspace: &Workspace, options: Options) -> Result<()> {
    let folder = if options.profile == "dev" { "debug" } else { &options.profile };
    let dist = Dist {
        workspace,
        built: workspace.target().join(folder),
        out: std::path::absolute(options.out.unwrap_or_else(|| workspace.target().join("dist")))?,
        version: workspace.version()?,
        profile: options.profile,
    };
    if !options.no_build {
        let mut build = workspace.cargo(&["build", "--locked", "--bins", "--profile", &dist.profile]);
        exec::run(build.args(PROGRAMS.iter().flat_map(|(name, _)| ["--package", name])))?;
    }
    // What was made before, of another version perhaps, must not be among it.
    if dist.out.exists() {
        std::fs::remove_dir_all(&dist.out).with_context(|| format!("cannot empty {}", dist.out.display()))?;
    }
    std::fs::create_dir_all(&dist.out).with_context(|| format!("cannot make {}", dist.out.display()))?;
    manuals::write(&dist)?;
    sbom::write(&dist)?;
    debian::write(&dist)?;
    tarball::write(&dist)?;
    let installer = workspace.root().join("deploy/install.sh");
    std::fs::copy(&installer, dist.out.join("install.sh")).context("cannot copy deploy/install.sh")?;
    dist.sums()?;
    println!("in {}:", dist.out.display());
    exec::run(Command::new("cat").arg(dist.out.join("SHA256SUMS")))
}

impl Dist<'_> {
    /// Whether speed counts more than size.
    fn is_quick(&self) -> bool {
        self.profile == "dev"
    }

    /// Manuals, completions, lists of components: where Cargo.toml's tables look for them.
    fn packaging(&self) -> PathBuf {
        self.built.join("packaging")
    }

    /// `pm-0.1.0-x86_64-linux-gnu`.
    fn name(&self) -> String {
        format!("pm-{}-{}-linux-gnu", self.version, std::env::consts::ARCH)
    }

    fn sums(&self) -> Result<()> {
        let mut names: Vec<_> = std::fs::read_dir(&self.out)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<std::io::Result<_>>()?;
        names.sort();
        let sums = exec::read(Command::new("sha256sum").args(&names).current_dir(&self.out))?;
        std::fs::write(self.out.join("SHA256SUMS"), sums).context("cannot write SHA256SUMS")
    }
}

/// Copies a file into a folder, which is made.
fn put(file: &Path, folder: &Path, name: &str) -> Result<PathBuf> {
    let to = folder.join(name);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::copy(file, &to).with_context(|| format!("cannot copy {} to {}", file.display(), to.display()))?;
    Ok(to)
}
