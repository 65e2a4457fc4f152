//! The Debian packages on a fresh server, by dpkg and apt under systemd: a single machine works at once, an upgrade touches
//! neither programs nor what the administrator wrote, removal keeps and purge takes, and nothing is taken from under a
//! program that runs.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;
use system_tests::{Debian, Network, Outcome, Sandbox, binary, packages, proc, until};

const UNITS: [&str; 4] = ["pm-registry.service", "pm-monitor.service", "pm-gateway.service", "pm-runner.service"];

/// A server, and the program that runs on it.
struct Server {
    debian: Debian,
}

/// A program as this test sees it.
struct Program {
    pid: u32,
    began: Option<u64>,
}

impl Program {
    fn runs_on(&self, when: &str) {
        assert!(proc::is_running(self.pid) && proc::start_time(self.pid) == self.began, "it was touched: {when}");
    }
}

impl Server {
    fn sh(&self, script: &str) -> String {
        self.debian.sh(script).succeeded()
    }

    fn is_there(&self, path: &str) -> bool {
        self.debian.sh(&format!("test -e {path}")).code == 0
    }

    fn web_pid(&self) -> u32 {
        let said = self.debian.sh("pmctl list web -o json");
        let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap_or_default();
        said["items"][0]["pid"].as_u64().unwrap_or_default().try_into().unwrap()
    }

    fn web(&self) -> Program {
        let pid = self.debian.systemd().outside(self.web_pid());
        Program { pid, began: proc::start_time(pid) }
    }

    /// All units run, and pmctl finds them by itself.
    fn works(&self) {
        for unit in UNITS {
            until(&format!("{unit} is ready"), || {
                self.debian.systemd().systemctl(&["show", "--value", "--property", "StatusText", unit]).stdout.trim()
                    == "ready"
            });
        }
        until("the node is ready", || self.debian.sh("pmctl nodes").stdout.contains("ready"));
    }
}

#[test]
fn package_life_cycle_install_upgrade_remove_and_purge_on_a_fresh_debian() {
    let sandbox = Sandbox::new();
    let first = packages::folder();
    let later = packages::later(&sandbox, "0.1.1", "# of the later version");
    let seen = sandbox.path().join("packages");
    for (from, to) in [(&first, "first"), (&later, "later")] {
        std::fs::create_dir_all(seen.join(to)).unwrap();
        for deb in packages::debs(from) {
            std::fs::hard_link(&deb, seen.join(to).join(deb.file_name().unwrap())).unwrap();
        }
    }
    let server = Server { debian: Debian::boot(&sandbox, &seen, Network::Own) };

    // Everything works at once, and root needs to say neither where nor who.
    let _ = server.sh("apt-get install -y /srv/packages/first/*.deb");
    server.works();
    let _ = server.sh("pmctl list");
    for unit in UNITS {
        assert_eq!(server.sh(&format!("systemctl is-enabled {unit}")).trim(), "enabled", "{unit}");
    }
    let tokens = server.sh("stat -c '%a %U:%G' /etc/pm/service.token /etc/pm/admin.token /etc/pm");
    assert_eq!(tokens.lines().collect::<Vec<_>>(), ["600 pm:pm", "600 pm:pm", "750 root:pm"]);
    let other = server.debian.sh("setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp pmctl list");
    other.failed(7, &["no token"]);
    let shipped = server.sh(
        "cd /usr/share; ls man/man8/registry-svc.8* man/man8/runner-svc-join.8* man/man1/pmctl-nodes-drain.1* \
         bash-completion/completions/pmctl zsh/vendor-completions/_pmctl fish/vendor_completions.d/pmctl.fish \
         doc/pm-runner/copyright /etc/logrotate.d/pm; logrotate --debug /etc/logrotate.d/pm",
    );
    assert_eq!(shipped.lines().count(), 8, "{shipped}");

    let _ = server.sh("cat > /tmp/web.yaml <<'END'\nprocesses:\n  web:\n    command: [sleep, '100000']\nEND\npmctl apply -f /tmp/web.yaml --wait");
    let web = server.web();

    // What the administrator wrote stays, though the package has another one now; programs do not notice.
    let tokens = server.sh("cat /etc/pm/*.token | sha256sum");
    let _ = server.sh("echo 'PM_LOG=debug' >> /etc/pm/gateway.env");
    let old = server.debian.systemd().property("pm-runner.service", "MainPID");
    let _ = server.sh("apt-get install -y -o Dpkg::Options::=--force-confold /srv/packages/later/*.deb");
    let versions = server.sh("dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n' 'pm*'");
    assert_eq!(versions.lines().filter(|line| line.ends_with(" 0.1.1 installed")).count(), 6, "{versions}");
    server.works();
    web.runs_on("upgrade");
    assert_ne!(server.debian.systemd().property("pm-runner.service", "MainPID"), old, "the new runner serves");
    until("it is the new runner's", || server.web_pid() != 0 && server.web().pid == web.pid);
    let settings = server.sh("tail -n1 /etc/pm/gateway.env /etc/pm/runner.env; cat /etc/pm/*.token | sha256sum");
    assert!(settings.contains("PM_LOG=debug") && settings.contains("# of the later version"), "{settings}");
    assert!(settings.ends_with(&tokens), "tokens are made once: {settings}");

    // A unit that was disabled stays so.
    let _ = server
        .sh("systemctl disable --now pm-monitor; apt-get install -y --reinstall /srv/packages/later/pm-monitor_*.deb");
    assert_eq!(server.debian.sh("systemctl is-enabled pm-monitor").stdout.trim(), "disabled");
    assert_eq!(server.debian.sh("systemctl is-active pm-monitor").stdout.trim(), "inactive");
    let _ = server.sh("systemctl enable --now pm-monitor");

    // Removed: services are gone, programs, settings and data are not; back again, they are the same.
    let removed = server.debian.sh("apt-get remove -y 'pm-*' pm pmctl");
    assert!(
        removed.stderr.contains("its programs run on") || removed.stdout.contains("its programs run on"),
        "{removed}"
    );
    let _ = removed.succeeded();
    web.runs_on("remove");
    assert!(!server.is_there("/usr/bin/runner-svc") && !server.is_there("/usr/lib/systemd/system/pm-runner.service"));
    for kept in ["/etc/pm/gateway.env", "/etc/pm/admin.token", "/var/lib/pm/registry", "/var/lib/pm/runner"] {
        assert!(server.is_there(kept), "{kept}");
    }
    let _ = server.sh("apt-get install -y /srv/packages/later/*.deb");
    server.works();
    web.runs_on("install again");
    until("it is supervised again", || server.web_pid() != 0 && server.web().pid == web.pid);

    // Purged while a program runs: what it needs stays, and the package says so.
    let purged = server.debian.sh("apt-get purge -y pm-runner");
    assert!(
        purged.stderr.contains("its programs still run") || purged.stdout.contains("its programs still run"),
        "{purged}"
    );
    web.runs_on("purge");
    assert!(server.is_there("/var/lib/pm/runner") && server.is_there("/var/log/pm"));
    let _ = server.sh("apt-get install -y /srv/packages/later/*.deb");
    server.works();
    until("it is supervised again", || server.web_pid() != 0 && server.web().pid == web.pid);

    // All is over: nothing of it is left.
    let _ = server.sh("pmctl delete web");
    until("it has ended", || !proc::is_running(web.pid));
    let _ = server.sh("apt-get purge -y 'pm-*' pm pmctl");
    for gone in ["/etc/pm", "/var/lib/pm", "/var/log/pm", "/usr/bin/pmctl", "/etc/logrotate.d/pm"] {
        assert!(!server.is_there(gone), "{gone}: {}", server.sh(&format!("find {gone}")));
    }
    let left = server.sh("find /etc/systemd /var/lib/systemd/deb-systemd-helper-enabled -name 'pm-*'");
    assert_eq!(left, "");
}

#[test]
fn package_programs_need_no_newer_library_than_they_say() {
    for program in ["registry-svc", "monitor-svc", "gateway", "runner-svc", "pmctl"] {
        let symbols = Outcome::of(Command::new("objdump").arg("-T").arg(binary::path(program))).succeeded();
        let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
            let version: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
            Some((parts.next()??, parts.next()??))
        });
        let highest = versions.max().expect("it uses the C library");
        // As docs/install.md and deploy/install.sh say, and a little more where this was built on a newer system.
        assert!(highest <= (2, 34), "{program} needs glibc {highest:?}");
    }
}

#[test]
fn package_scripts_and_the_installer_are_sound() {
    let deploy = binary::workspace_root().join("deploy");
    let mut command = Command::new("shellcheck");
    command.arg(deploy.join("install.sh"));
    for script in ["postinst", "prerm", "postrm"] {
        command.arg(deploy.join("deb/service").join(script));
    }
    let _ = Outcome::of(&mut command).succeeded();
}
