//! Debian packages, only when something is missing. One `apt-get` at a time:
//! two at once take each other's downloads away.

use crate::exec;
use anyhow::{Result, bail};
use std::process::Command;

/// A C compiler: the measures' floor programs and a few crates need one.
pub(crate) fn c_compiler() -> Result<()> {
    if exec::succeeds(Command::new("cc").arg("--version")) {
        return Ok(());
    }
    install("a C compiler", &["gcc", "libc6-dev"])
}

/// Installs packages; `what` says for whom.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    println!("installing {what}: Debian packages {}", packages.join(", "));
    if !exec::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("{what} is missing and this is no Debian: install it by hand ({})", packages.join(", "));
    }
    exec::run(&mut as_root("apt-get", &["update", "-qq"]))?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend_from_slice(packages);
    exec::run(&mut as_root("apt-get", &args))
}

/// The command as root: directly when we are, by sudo (which must not ask)
/// when we are not.
fn as_root(program: &str, args: &[&str]) -> Command {
    let uid = exec::read(Command::new("id").arg("-u")).unwrap_or_default();
    let mut command = if uid.trim_ascii() == b"0" {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", program]);
        sudo
    };
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
