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

/// What the tests of a cluster make faults with (namespaces and packet filter,
/// system calls, clocks, disks), and what its example is looked at with.
pub(crate) fn faults() -> Result<()> {
    let programs = [
        "ip -V",
        "nft -v",
        "unshare -V",
        "strace -V",
        "mkfs.ext4 -V",
        "perl -v",
        "curl -V",
        "jq -V",
        "dbus-daemon --version",
        "/lib/systemd/systemd --version",
        "busctl --version",
    ];
    let there = |program: &str| {
        let (name, version) = program.split_once(' ').unwrap_or((program, "--version"));
        exec::succeeds(Command::new(name).arg(version))
    };
    let clocks = std::fs::read_dir("/usr/lib").into_iter().flatten().filter_map(Result::ok);
    let clock = clocks.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).any(|library| library.exists());
    if clock && programs.into_iter().all(there) {
        return Ok(());
    }
    install(
        "what faults are made with",
        &[
            "iproute2",
            "nftables",
            "util-linux",
            "strace",
            "e2fsprogs",
            "perl",
            "libfaketime",
            "curl",
            "jq",
            "dbus-daemon",
            "systemd",
        ],
    )
}

/// What builds and runs images.
pub(crate) fn containers() -> Result<()> {
    let programs = ["buildah", "podman", "runc"];
    if programs.into_iter().all(|program| exec::succeeds(Command::new(program).arg("--version"))) {
        return Ok(());
    }
    install("what builds and runs images", &["buildah", "podman", "runc", "netavark", "uidmap"])
}

/// What reads the shell scripts of packages and of the installer.
pub(crate) fn shellcheck() -> Result<()> {
    if exec::succeeds(Command::new("shellcheck").arg("--version")) {
        return Ok(());
    }
    install("what reads shell scripts", &["shellcheck"])
}

/// Prometheus with promtool, which scrapes the services and checks the rules.
pub(crate) fn prometheus() -> Result<()> {
    let there = |program: &str| exec::succeeds(Command::new(program).arg("--version"));
    if there("prometheus") && there("promtool") {
        return Ok(());
    }
    install("Prometheus", &["prometheus"])
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
pub(crate) fn as_root(program: &str, args: &[&str]) -> Command {
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
