//! A fresh Debian with systemd as its PID 1, dpkg and apt: what a server is before anything of ours is on it. Its files
//! are a layer over the root that `cargo xtask debian-root` makes once. Needs root.

use crate::systemd::{Systemd, start};
use crate::{Outcome, Sandbox, binary, until};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What it sees of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Its own loopback.
    Own,
    /// What this test sees.
    Shared,
}

/// Ended when it is dropped, with everything that it runs.
pub struct Debian {
    systemd: Systemd,
}

impl Debian {
    /// Boots one. It sees `packages` as `/srv/packages`.
    ///
    /// # Panics
    /// When it does not come up within the deadline.
    #[must_use]
    pub fn boot(sandbox: &Sandbox, packages: &Path, network: Network) -> Self {
        let folder = sandbox.path().join("debian");
        for name in ["upper", "work", "root"] {
            std::fs::create_dir_all(folder.join(name)).expect("the disk has room");
        }
        let script = script(&root(), &folder, packages);
        let script = sandbox.write("debian/boot.sh", &script);
        let spaces: &[&str] = match network {
            Network::Own => &["--net"],
            Network::Shared => &[],
        };
        let this = Self { systemd: start(sandbox, "debian", spaces, &script) };
        until("it has booted", || {
            // Also `degraded`: there is no hardware in there that some unit wants.
            let said = this.try_sh("systemctl is-system-running").map(|outcome| outcome.stdout).unwrap_or_default();
            ["running", "degraded"].contains(&said.trim())
        });
        this
    }

    /// A shell's command inside of it, as root; stops at the first that fails.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn sh(&self, script: &str) -> Outcome {
        self.try_sh(script).expect("it runs")
    }

    fn try_sh(&self, script: &str) -> Option<Outcome> {
        let init = self.systemd.try_init()?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &init.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]);
        // As somebody who has just logged in: nothing of this test's surroundings.
        command.args(["env", "-i", "HOME=/home/admin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]);
        command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        // It may be an installation.
        Some(Outcome::within(crate::LONG, command.args(["sh", "-ec", script])))
    }

    /// systemd in there.
    #[must_use]
    pub fn systemd(&self) -> &Systemd {
        &self.systemd
    }
}

/// The root that all of them share.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn root() -> PathBuf {
    let said = recipe(&["debian-root"]);
    PathBuf::from(said.lines().last().expect("it says where the root is"))
}

/// A recipe of this workspace, as `cargo xtask` runs it, to its end; what it said. One at a time: they share folders.
///
/// # Panics
/// When it fails.
pub(crate) fn recipe(words: &[&str]) -> String {
    let lock = std::fs::File::create(binary::target_dir().join("recipe.lock")).expect("the target can be written");
    lock.lock().expect("locks work there");
    let mut command = Command::new(binary::path("xtask"));
    let xtask = binary::workspace_root().join("xtask");
    command.args(words).env("CARGO_MANIFEST_DIR", xtask).env("CARGO_TARGET_DIR", binary::target_dir());
    let output = command.output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// What PID 1 does before it becomes systemd.
fn script(lower: &Path, folder: &Path, packages: &Path) -> String {
    let (lower, folder, packages) = (lower.display(), folder.display(), packages.display());
    format!(
        "set -e\ncd {folder}\n\
         mount -t overlay overlay -o lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work root\n\
         cd root\nmount -t proc proc proc\nmount -t sysfs -o ro sysfs sys\nmount -t tmpfs -o mode=755 tmpfs run\n\
         mount -t tmpfs -o mode=1777 tmpfs tmp\nmount -t tmpfs -o mode=755 tmpfs dev\n\
         while read name minor; do mknod -m 666 dev/$name c 1 $minor; done <<'END'\nnull 3\nzero 5\nfull 7\nrandom 8\nurandom 9\nEND\n\
         mknod -m 666 dev/tty c 5 0\nmkdir dev/pts dev/shm\nmount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts\n\
         ln -s pts/ptmx dev/ptmx\nln -s /proc/self/fd dev/fd\nmount -t tmpfs tmpfs dev/shm\n\
         mount -t tmpfs tmpfs sys/fs/cgroup\nmkdir sys/fs/cgroup/systemd\n\
         mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd\n\
         mkdir -p srv/packages home/admin .before\nmount --bind {packages} srv/packages\n\
         ip link set lo up\nhostname fresh\necho fresh > etc/hostname\necho 127.0.0.1 fresh localhost > etc/hosts\n\
         pivot_root . .before\ncd /\numount -l /.before\nrmdir /.before\n\
         exec env -i container=test PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system --unit=multi-user.target \
         --log-target=console --show-status=no\n"
    )
}
