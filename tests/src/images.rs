//! Images of the programs under test, built from `deploy/images` by buildah, and containers of them, run by podman: rootless
//! inside, a root that cannot be written, no capability. Nothing comes from a registry: the base is the root that
//! `cargo xtask debian-root` makes. Needs root.

use crate::{LONG, Outcome, Sandbox, binary, debian, packages, proc};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What images are built from.
const BASE: &str = "localhost/debian:bookworm";

/// A store of images of its own, and what runs of it. Both are gone when it is dropped.
pub struct Images {
    store: PathBuf,
    /// Its path has to be short.
    running: TempDir,
    base: PathBuf,
}

impl Images {
    /// An empty store, with the base.
    ///
    /// # Panics
    /// When podman refuses.
    #[must_use]
    pub fn new(sandbox: &Sandbox) -> Self {
        let base = debian::root();
        let running = tempfile::Builder::new().prefix("pm").tempdir().expect("a folder can be made");
        let this = Self { store: sandbox.path().join("images"), running, base };
        // Without what no image takes from it.
        let tar = format!(
            "tar -C {} --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale \
             --exclude=./var/cache --exclude=./var/lib/apt/lists -c . | {} import --quiet - {BASE}",
            this.base.display(),
            this.words().join(" "),
        );
        let _ = Outcome::within(LONG, this.surroundings(Command::new("sh").args(["-ec", &tar]))).succeeded();
        this
    }

    /// Builds `deploy/images/NAME.Containerfile` as `localhost/NAME`.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn build(&self, name: &str) {
        let file = binary::workspace_root().join(format!("deploy/images/{name}.Containerfile"));
        let mut command = Command::new("buildah");
        command.arg("--root").arg(&self.store).arg("--runroot").arg(self.running.path());
        command.args(["--storage-driver", "overlay", "bud", "--format", "docker", "--layers", "--pull-never"]);
        command.args(["--build-arg", &format!("BASE={BASE}")]);
        command.args(["--build-arg", &format!("VERSION={}", env!("CARGO_PKG_VERSION"))]);
        command.args(["--tag", &format!("localhost/{name}"), "--file"]).arg(file).arg(packages::folder());
        let _ = Outcome::within(LONG, self.surroundings(&mut command)).succeeded();
    }

    /// Runs podman to its end.
    #[must_use]
    pub fn podman(&self, words: &[&str]) -> Outcome {
        let own = self.words();
        let mut command = Command::new(&own[0]);
        Outcome::of(self.surroundings(command.args(&own[1..]).args(words)))
    }

    /// Starts `localhost/IMAGE` as a container of the same name, shut in: `more` for podman, `arguments` for the program.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&self, image: &str, more: &[&str], arguments: &[&str]) {
        let shut_in = [
            &["run", "--detach", "--name", image, "--pull", "never", "--log-driver", "k8s-file"][..],
            &["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"],
            // Nobody here may raise the limits that podman would set.
            &["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=30000:30000"],
        ];
        let name = format!("localhost/{image}");
        let _ = self.podman(&[&shut_in.concat(), more, &[name.as_str()], arguments].concat()).succeeded();
    }

    /// What of a container `podman inspect` shows by this template.
    #[must_use]
    pub fn shown(&self, name: &str, template: &str) -> String {
        self.podman(&["inspect", "--format", template, name]).succeeded().trim().to_owned()
    }

    /// The processes of a container that have ended and that nobody collected.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn zombies(&self, name: &str) -> Vec<u32> {
        let first: u32 = self.shown(name, "{{.State.Pid}}").parse().expect("it has a first process");
        let own = proc::pid_namespace(first);
        // One that has ended shows no namespace any more; its parent does.
        let is_own = |pid: &u32| proc::parent(*pid).and_then(proc::pid_namespace) == own;
        let has_ended = |pid: &u32| proc::state(*pid) == Some('Z');
        proc::all().into_iter().filter(has_ended).filter(is_own).collect()
    }

    /// Stops a container as an operator does; its exit code.
    ///
    /// # Panics
    /// When podman refuses.
    #[must_use]
    pub fn stopped(&self, name: &str) -> i32 {
        let _ = self.podman(&["stop", "--time", "40", name]).succeeded();
        self.shown(name, "{{.State.ExitCode}}").parse().expect("it is a number")
    }

    /// A program of the base, for a container that has none: as a volume at that place.
    #[must_use]
    pub fn lent(&self, program: &str, at: &str) -> String {
        format!("{}:{at}:ro", self.base.join(program).display())
    }

    fn words(&self) -> Vec<String> {
        let path = |path: &Path| path.to_str().expect("the path is UTF-8").to_owned();
        let mut words = vec!["podman".to_owned(), "--root".to_owned(), path(&self.store), "--runroot".to_owned()];
        words.push(path(self.running.path()));
        let fixed = "--storage-driver overlay --cgroup-manager cgroupfs --events-backend file --runtime /usr/bin/runc";
        words.extend(fixed.split(' ').map(str::to_owned));
        words
    }

    fn surroundings<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        // No systemd runs here that could ask after containers' health; builds are shut in by chroot alone.
        command.env("DISABLE_HC_SYSTEMD", "true").env("BUILDAH_ISOLATION", "chroot").current_dir(self.running.path())
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in self.podman(&["ps", "--all", "--format", "{{.Names}}"]).stdout.lines() {
                println!("--- {name}\n{}", self.podman(&["logs", "--tail", "30", name]));
            }
        }
        let _ = self.podman(&["rm", "--all", "--force", "--time", "0"]);
        let _ = Command::new("umount").arg("--lazy").arg(self.store.join("overlay")).output();
    }
}
