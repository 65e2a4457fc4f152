//! A machine under systemd with files, users and a network of its own: with everything installed as packages would, or with
//! nothing of ours but the programs. Needs root.

use crate::{Boot, Outcome, Sandbox, Systemd, binary};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Each unit's and program's name.
pub const SERVICES: [(&str, &str); 4] =
    [("registry", "registry-svc"), ("monitor", "monitor-svc"), ("gateway", "gateway"), ("runner", "runner-svc")];

/// Of systemd's journal; it makes its sockets itself.
const JOURNAL: &str = "[Unit]\nDefaultDependencies=no\nBefore=test.target\n[Service]\nType=notify\n\
                       ExecStart=/lib/systemd/systemd-journald\nStandardOutput=null\n";

/// A machine. Ended when it is dropped, with everything that it runs.
pub struct Machine {
    /// Its files.
    pub sandbox: Sandbox,
    /// What runs on it.
    pub systemd: Systemd,
}

/// A file below `deploy`, as it is shipped.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn shipped(path: &str) -> String {
    std::fs::read_to_string(binary::workspace_root().join("deploy").join(path)).unwrap()
}

/// A sandbox with `/etc` and an empty `/var` of the machine's own.
fn files() -> Sandbox {
    let sandbox = Sandbox::new();
    let etc = sandbox.file("etc");
    let _ = Outcome::of(Command::new("cp").args(["-a", "/etc", &etc])).succeeded();
    for folder in ["var/lib/pm", "var/log", "var/tmp", "etc/pm"] {
        std::fs::create_dir_all(sandbox.path().join(folder)).unwrap();
    }
    sandbox
}

fn boot(sandbox: &Sandbox) -> Boot<'_> {
    let boot = Boot::new(sandbox).sees(&sandbox.file("etc"), "/etc").sees(&sandbox.file("var"), "/var");
    boot.sees(&binary::profile_dir().display().to_string(), "/mnt/bin")
}

impl Machine {
    /// One on which everything was installed, as its packages would. Nothing is started.
    ///
    /// # Panics
    /// When it does not boot.
    #[must_use]
    pub fn with_services() -> Self {
        let sandbox = files();
        let etc = sandbox.file("etc");
        let sysusers = binary::workspace_root().join("deploy/systemd/pm.sysusers");
        let root = format!("--root={}", sandbox.path().display());
        let _ = Outcome::of(Command::new("systemd-sysusers").arg(root).arg(sysusers)).succeeded();
        for name in ["service", "admin"] {
            let file = sandbox.write(&format!("etc/pm/{name}.token"), &format!("a-token-of-the-{name}-0123456789"));
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            let passwd = std::fs::read_to_string(format!("{etc}/passwd")).unwrap();
            let line = passwd.lines().find(|line| line.starts_with("pm:")).expect("the user was made");
            let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
            std::os::unix::fs::chown(&file, Some(ids[0]), Some(ids[1])).unwrap();
        }
        let mut boot = boot(&sandbox);
        for (name, program) in SERVICES {
            let _ = sandbox.write(&format!("etc/pm/{name}.env"), &shipped(&format!("env/{name}.env")));
            let unit = format!("pm-{name}.service");
            // Sooner than as shipped, and no sooner than a service is heard that waits for a processor.
            let quick =
                format!("[Service]\nExecStart=\nExecStart=/mnt/bin/{program}\nWatchdogSec=12\nTimeoutAbortSec=1\n");
            boot = boot.unit(&unit, &shipped(&format!("systemd/{unit}"))).unit(&format!("{unit}.d/test.conf"), &quick);
        }
        let systemd = boot.boot();
        Self { sandbox, systemd }
    }

    /// One with nothing of ours but the built programs in `/mnt/bin`, and a journal. What is installed on it stays on it. In
    /// `/var/tmp/clone` is what a clone of this project has, built.
    ///
    /// # Panics
    /// When it does not boot.
    #[must_use]
    pub fn bare() -> Self {
        let sandbox = files();
        let empty = sandbox.file("empty");
        for folder in ["empty", "etc/systemd", "var/tmp/clone/target"] {
            std::fs::create_dir_all(sandbox.path().join(folder)).unwrap();
        }
        for folder in ["etc/pm", "etc/systemd/system"] {
            let _ = std::fs::remove_dir_all(sandbox.path().join(folder));
            std::fs::create_dir(sandbox.path().join(folder)).unwrap();
        }
        let clone = sandbox.path().join("var/tmp/clone");
        std::os::unix::fs::symlink("/mnt/bin", clone.join("target/release")).unwrap();
        for part in ["deploy", "examples", "proto"] {
            std::os::unix::fs::symlink(binary::workspace_root().join(part), clone.join(part)).unwrap();
        }
        let mut boot = boot(&sandbox).keeps("/usr/bin").finds_units("/etc/systemd/system");
        // This machine's own users and folders are its own affair.
        for folder in ["/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d"] {
            if Path::new(folder).exists() {
                boot = boot.sees(&empty, folder);
            }
        }
        let boot = boot
            .unit("systemd-journald.service", JOURNAL)
            .unit("test.target.d/journal.conf", "[Unit]\nWants=systemd-journald.service\n");
        let systemd = boot.boot();
        Self { sandbox, systemd }
    }

    /// Starts everything; the units. `Type=notify`: systemd comes back when all have said that they have started.
    ///
    /// # Panics
    /// When one does not start.
    #[must_use]
    pub fn started(&self) -> [String; SERVICES.len()] {
        let units = SERVICES.map(|(name, _)| format!("pm-{name}.service"));
        let _ = self.systemd.systemctl(&["start", &units[0], &units[1], &units[2], &units[3]]).succeeded();
        units
    }

    /// `pmctl` on it, as the administrator.
    #[must_use]
    pub fn pmctl(&self, words: &[&str]) -> Outcome {
        let mut command = self.systemd.inside("/mnt/bin/pmctl");
        Outcome::of(command.env("HOME", "/var/tmp").env("NO_COLOR", "1").args(words))
    }

    /// Process id of the program `web`, on the machine.
    ///
    /// # Panics
    /// When it cannot be asked.
    #[must_use]
    pub fn web(&self) -> u32 {
        let said = self.pmctl(&["list", "web", "-o", "json"]).succeeded();
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said["items"][0]["pid"].as_u64().unwrap_or_default().try_into().unwrap()
    }

    /// The same, as this test sees it.
    #[must_use]
    pub fn web_outside(&self) -> u32 {
        self.systemd.outside(self.web())
    }

    /// Process id of the runner.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn runner(&self) -> u32 {
        self.systemd.outside(self.systemd.property("pm-runner.service", "MainPID").parse().unwrap())
    }

    /// A script of bash, typed by root on it who has just logged in, in this folder.
    #[must_use]
    pub fn bash(&self, folder: &str, path: &str, script: &str) -> Outcome {
        let mut command = self.systemd.inside("env");
        // As in a terminal: what these tests were started by may ignore Ctrl-C, and a shell cannot take that back.
        command.args([
            "-i",
            "--default-signal=INT",
            &format!("HOME={folder}"),
            &format!("PATH={path}"),
            "LC_ALL=C.UTF-8",
            "USER=root",
        ]);
        Outcome::of(command.args(["bash", "-c", &format!("cd {folder}\n{script}")]))
    }
}
