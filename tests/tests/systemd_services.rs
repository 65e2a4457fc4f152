//! The shipped units under systemd itself: the services start and say so, a
//! runner that is upgraded, hangs or is stopped leaves its programs alone, and
//! the others are shut in.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use system_tests::{Boot, Outcome, Sandbox, Systemd, binary, free_ports, proc, until};

const SERVICES: [(&str, &str); 4] =
    [("registry", "registry-svc"), ("monitor", "monitor-svc"), ("gateway", "gateway"), ("runner", "runner-svc")];

/// A machine on which everything was installed, as its packages would.
struct Machine {
    sandbox: Sandbox,
    systemd: Systemd,
    port: u16,
}

fn shipped(path: &str) -> String {
    std::fs::read_to_string(binary::workspace_root().join("deploy").join(path)).unwrap()
}

impl Machine {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let port = free_ports(8);
        let etc = sandbox.file("etc");
        let _ = Outcome::of(Command::new("cp").args(["-a", "/etc", &etc])).succeeded();
        let sysusers = binary::workspace_root().join("deploy/systemd/pm.sysusers");
        let root = format!("--root={}", sandbox.path().display());
        let _ = Outcome::of(Command::new("systemd-sysusers").arg(root).arg(sysusers)).succeeded();
        std::fs::create_dir_all(format!("{etc}/pm")).unwrap();
        for name in ["service", "admin"] {
            let file = sandbox.write(&format!("etc/pm/{name}.token"), &format!("a-token-of-the-{name}-0123456789"));
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            let passwd = std::fs::read_to_string(format!("{etc}/passwd")).unwrap();
            let line = passwd.lines().find(|line| line.starts_with("pm:")).expect("the user was made");
            let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
            std::os::unix::fs::chown(&file, Some(ids[0]), Some(ids[1])).unwrap();
        }
        for folder in ["var/lib/pm", "var/log", "var/tmp"] {
            std::fs::create_dir_all(sandbox.path().join(folder)).unwrap();
        }
        let mut boot = Boot::new(&sandbox)
            .sees(&etc, "/etc")
            .sees(&sandbox.file("var"), "/var")
            .sees(&binary::profile_dir().display().to_string(), "/mnt/bin");
        for (at, (name, program)) in SERVICES.into_iter().enumerate() {
            let own = u16::try_from(at).unwrap();
            let upper = name.to_uppercase();
            // Ports of this test's own, at the end of the shipped settings.
            let more = format!(
                "PM_{upper}_LISTEN=127.0.0.1:{}\nPM_{upper}_OPS_LISTEN=127.0.0.1:{}\n\
                 PM_{upper}_REGISTRY=http://127.0.0.1:{port}\nPM_{upper}_MONITOR=http://127.0.0.1:{}\n",
                port + own,
                port + 4 + own,
                port + 1
            );
            let _ = sandbox.write(&format!("etc/pm/{name}.env"), &(shipped(&format!("env/{name}.env")) + &more));
            let unit = format!("pm-{name}.service");
            let quick =
                format!("[Service]\nExecStart=\nExecStart=/mnt/bin/{program}\nWatchdogSec=3\nTimeoutAbortSec=1\n");
            boot = boot.unit(&unit, &shipped(&format!("systemd/{unit}"))).unit(&format!("{unit}.d/test.conf"), &quick);
        }
        let systemd = boot.boot();
        Self { sandbox, systemd, port: port + 2 }
    }

    /// Starts everything; the units. `Type=notify`: systemd comes back when all have said that they have started.
    fn started(&self) -> [String; SERVICES.len()] {
        let units = SERVICES.map(|(name, _)| format!("pm-{name}.service"));
        let _ = self.systemd.systemctl(&["start", &units[0], &units[1], &units[2], &units[3]]).succeeded();
        units
    }

    fn pmctl(&self, words: &[&str]) -> Outcome {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let token = self.sandbox.file("etc/pm/admin.token");
        self.sandbox.pmctl(&[&["--endpoint", &endpoint, "--token-file", &token], words].concat())
    }

    fn web(&self) -> u32 {
        let said = self.pmctl(&["list", "web", "-o", "json"]).succeeded();
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said["items"][0]["pid"].as_u64().unwrap_or_default().try_into().unwrap()
    }

    /// The same, as this test sees it.
    fn web_outside(&self) -> u32 {
        self.systemd.outside(self.web())
    }

    /// Process id of the runner.
    fn runner(&self) -> u32 {
        self.systemd.outside(self.systemd.property("pm-runner.service", "MainPID").parse().unwrap())
    }
}

#[test]
fn the_units_start_everything_and_a_runner_that_is_upgraded_hangs_or_stops_leaves_its_programs_alone() {
    let machine = Machine::new();
    let systemd = &machine.systemd;
    let units = machine.started();
    for unit in &units {
        assert_eq!(systemd.property(unit, "ActiveState"), "active", "{unit}");
        until("it says how it fares", || systemd.property(unit, "StatusText") == "ready");
    }
    let file = machine.sandbox.write("web.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n");
    until("it can be asked", || machine.pmctl(&["nodes"]).succeeded().contains("ready"));
    let _ = machine.pmctl(&["apply", "-f", &file, "--wait"]).succeeded();
    let web = machine.web_outside();
    let began = proc::start_time(web);
    let same = |what: &str| {
        assert!(proc::is_running(web) && proc::start_time(web) == began, "the program was touched: {what}");
        until("it is the runner's", || machine.web_outside() == web);
    };

    // As an upgrade of the package does.
    let before = machine.runner();
    let _ = systemd.systemctl(&["restart", "pm-runner.service"]).succeeded();
    assert_ne!(machine.runner(), before);
    same("restart");

    // One that hangs is killed by the watchdog, and comes back by itself.
    let hangs = machine.runner();
    proc::send(hangs, Signal::STOP);
    until("systemd has noticed", || systemd.property("pm-runner.service", "NRestarts") != "0");
    until("it is back", || systemd.property("pm-runner.service", "ActiveState") == "active");
    assert_ne!(machine.runner(), hangs);
    same("watchdog");

    let _ = systemd.systemctl(&["stop", "pm-runner.service"]).succeeded();
    assert!(proc::is_running(web) && proc::start_time(web) == began, "the program was touched: stop");
    let _ = systemd.systemctl(&["start", "pm-runner.service"]).succeeded();
    same("stop and start");

    // What nobody can hang on to: the others end, and within their time.
    let _ = machine.pmctl(&["stop", "web"]).succeeded();
    assert!(!proc::is_running(web));
    let _ = systemd.systemctl(&["stop", &units[0], &units[1], &units[2], &units[3]]).succeeded();
    for unit in &units {
        assert_eq!(systemd.property(unit, "Result"), "success", "{unit}");
    }
}

#[test]
fn the_units_are_sound_and_all_but_the_runner_are_shut_in() {
    let sandbox = Sandbox::new();
    for (name, program) in SERVICES {
        let unit = format!("pm-{name}.service");
        let bin = binary::path(program).display().to_string();
        let text = shipped(&format!("systemd/{unit}")).replace(&format!("/usr/bin/{program}"), &bin);
        // There is no manual on this machine.
        let text: String =
            text.lines().filter(|line| !line.starts_with("Documentation=")).map(|line| format!("{line}\n")).collect();
        let file = sandbox.write(&unit, &text);
        let verified = Outcome::of(Command::new("systemd-analyze").args(["verify", &file]));
        assert_eq!((verified.code, verified.stderr.as_str()), (0, ""), "{verified}");
        let mut security = Command::new("systemd-analyze");
        let exposure = Outcome::of(security.args(["security", "--offline=true", "--threshold=25", &file]));
        let is_open = exposure.code != 0;
        assert_eq!(is_open, name == "runner", "{unit}: {exposure}");
    }
}

/// The shell blocks of a page, one after the other.
fn blocks(page: &str) -> Vec<String> {
    let page = std::fs::read_to_string(binary::workspace_root().join("docs").join(page)).unwrap();
    let block = |rest: &str| rest.split("\n```").next().unwrap_or_default().to_owned();
    page.split("```sh\n").skip(1).map(block).collect()
}

#[test]
fn every_block_of_the_operators_page_works_and_no_program_is_touched_before_the_last() {
    let machine = Machine::new();
    let systemd = &machine.systemd;
    let units = machine.started();
    let file = machine.sandbox.write("web.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n");
    until("it can be asked", || machine.pmctl(&["nodes"]).stdout.contains("ready"));
    let _ = machine.pmctl(&["apply", "-f", &file, "--wait"]).succeeded();
    let web = machine.web_outside();
    let began = proc::start_time(web);

    let blocks = blocks("operate.md");
    assert!(blocks.len() > 7, "{blocks:?}");
    let endpoint = format!("http://127.0.0.1:{}", machine.port);
    // What one block has set, the next one knows, as in one terminal.
    let mut before = format!("set -eu\nexport PATH=/mnt/bin:$PATH HOME=/tmp PM_ENDPOINT={endpoint}\n");
    for (at, block) in blocks.iter().enumerate() {
        let kept = "/var/tmp/kept";
        let script = format!("{before}{block}\nexport -p > {kept}; set | grep '^today=\\|^node=' >> {kept} || true\n");
        let ran = systemd.sh(&script);
        assert_eq!(ran.code, 0, "block {at} of docs/operate.md:\n{block}\n{ran}");
        before = format!("set -eu\n. {kept}\n");
        let touched = !proc::is_running(web) || proc::start_time(web) != began;
        assert_eq!(touched, at + 1 == blocks.len(), "block {at}: {block}\n{ran}");
    }
    for unit in &units {
        assert_eq!(systemd.property(unit, "Result"), "success", "{unit}");
    }
}
