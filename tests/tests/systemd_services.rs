//! The shipped units under systemd itself: the services start and say so, a
//! runner that is upgraded, hangs or is stopped leaves its programs alone, and
//! the others are shut in.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use std::process::Command;
use system_tests::machine::{SERVICES, shipped};
use system_tests::{Machine, Outcome, Sandbox, binary, proc, until};

#[test]
fn the_units_start_everything_and_a_runner_that_is_upgraded_hangs_or_stops_leaves_its_programs_alone() {
    let machine = Machine::with_services();
    let systemd = &machine.systemd;
    let units = machine.started();
    for unit in &units {
        assert_eq!(systemd.property(unit, "ActiveState"), "active", "{unit}");
        until("it says how it fares", || systemd.property(unit, "StatusText") == "ready");
    }
    let file = machine.sandbox.write("web.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n");
    until("it can be asked", || machine.pmctl(&["nodes"]).stdout.contains("ready"));
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

fn systemd_version() -> u32 {
    let said = Outcome::of(Command::new("systemctl").arg("--version")).succeeded();
    said.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap()
}

#[test]
fn the_units_are_sound_and_all_but_the_runner_are_shut_in() {
    let sandbox = Sandbox::new();
    for (name, program) in SERVICES {
        let unit = format!("pm-{name}.service");
        let bin = binary::path(program).display().to_string();
        let text = shipped(&format!("systemd/{unit}")).replace(&format!("/usr/bin/{program}"), &bin);
        // There is no manual on this machine, and its systemd may be older than what a unit makes use of.
        let is_known = |line: &&str| {
            !line.starts_with("Documentation=") && (systemd_version() >= 254 || !line.starts_with("DelegateSubgroup="))
        };
        let text: String = text.lines().filter(is_known).map(|line| format!("{line}\n")).collect();
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
    let machine = Machine::with_services();
    let systemd = &machine.systemd;
    let units = machine.started();
    let file = machine.sandbox.write("web.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n");
    until("it can be asked", || machine.pmctl(&["nodes"]).stdout.contains("ready"));
    let _ = machine.pmctl(&["apply", "-f", &file, "--wait"]).succeeded();
    let web = machine.web_outside();
    let began = proc::start_time(web);

    let blocks = blocks("operate.md");
    assert!(blocks.len() > 7, "{blocks:?}");
    // What one block has set, the next one knows, as in one terminal.
    let mut before = "set -eu\nexport PATH=/mnt/bin:$PATH HOME=/tmp\n".to_owned();
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
