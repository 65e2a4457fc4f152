//! A root of Debian 12 with nothing of ours: what a fresh server is, for the tests of packages, and what images take their
//! libraries from.

use super::system;
use crate::exec;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::process::Command;

const SUITE: &str = "bookworm";

/// What a server has, beyond the bare minimum, and an image needs files of.
const INCLUDED: &str = "--include=systemd,systemd-sysv,dbus,iproute2,logrotate,ca-certificates,tzdata";

/// The root, made if needed. Its name says what it is made of: another list makes another root.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.tools().join(format!("debian-{SUITE}-1"));
    if root.exists() {
        return Ok(root);
    }
    if !exec::succeeds(Command::new("debootstrap").arg("--version")) {
        system::install("what makes a fresh Debian", &["debootstrap"])?;
    }
    println!("making a root of Debian {SUITE} in {} (one to two minutes)", root.display());
    let aside = root.with_extension("aside");
    if aside.exists() {
        exec::run(&mut system::as_root("rm", &["-rf", &aside.to_string_lossy()]))?;
    }
    std::fs::create_dir_all(workspace.tools()).context("cannot make the folder of tools")?;
    let mut words = vec!["--variant=minbase".to_owned(), INCLUDED.to_owned(), SUITE.to_owned()];
    words.push(aside.to_string_lossy().into_owned());
    words.extend(mirror());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    exec::run(&mut system::as_root("debootstrap", &words))?;
    let (from, to) = (aside.to_string_lossy().into_owned(), root.to_string_lossy().into_owned());
    // At once or not at all: one that is half made is no root.
    exec::run(&mut system::as_root("mv", &[&from, &to]))?;
    Ok(root)
}

/// The mirror that this machine uses for the same suite; else debootstrap's own choice.
fn mirror() -> Option<String> {
    let filters = [&format!("Codename: {SUITE}"), "Created-By: Packages", "Component: main"];
    let said =
        exec::read(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]).args(filters)).ok()?;
    let said = String::from_utf8_lossy(&said).into_owned();
    said.lines().find(|uri| uri.trim_end_matches('/').ends_with("/debian")).map(str::to_owned)
}
