//! A server with nothing of ours on it becomes a node by one line, pasted once: the package is fetched, checked and
//! installed, the node gets its certificate, its unit starts, and a program that is placed there runs.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;
use system_tests::{Beside, Debian, Network, Sandbox, Trusted, free_ports, packages, until};

/// The packages of the runner under an address, as a company's own server of packages has them.
fn served(sandbox: &Sandbox, port: u16) -> Beside {
    let mut command = Command::new(system_tests::python::interpreter());
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string(), "--directory"]);
    let server = Beside::run(sandbox, "packages-server", command.arg(packages::folder()));
    until("the packages are served", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    server
}

/// As SHA256SUMS says.
fn sum(name: &str) -> String {
    let sums = std::fs::read_to_string(packages::folder().join("SHA256SUMS")).unwrap();
    let line = sums.lines().find(|line| line.ends_with(name)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn joining_a_fresh_server_takes_one_line_that_is_pasted() {
    let sandbox = Sandbox::new();
    let cluster = Trusted::started(&sandbox, &[]);
    let port = free_ports(3);
    let _server = served(&sandbox, port);
    let deb = packages::debs(&packages::folder()).into_iter().find(|deb| deb.to_string_lossy().contains("pm-runner"));
    let name = deb.unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let address = format!("http://127.0.0.1:{port}/{name}");
    let empty = sandbox.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let fresh = Debian::boot(&sandbox, &empty, Network::Shared);
    // It shares this machine's ports with other tests.
    let _ = fresh.sh(&format!(
        "mkdir -p /etc/systemd/system/pm-runner.service.d; printf '[Service]\\nEnvironment=PM_RUNNER_LISTEN=127.0.0.1:{} \
         PM_RUNNER_OPS_LISTEN=127.0.0.1:{}\\n' > /etc/systemd/system/pm-runner.service.d/ports.conf",
        port + 1,
        port + 2
    ));
    let line = |sum: &str| cluster.join_command(&["--node", "db-1", "--install", &address, "--sha256", sum]);

    // A package that is not the one it should be is not installed, and nothing has joined.
    let other = fresh.sh(&line(&"0".repeat(64)));
    assert!(other.code != 0 && other.stderr.contains("Hash Sum mismatch"), "{other}");
    assert_ne!(fresh.sh("test -e /usr/bin/runner-svc").code, 0);
    assert_eq!(cluster.pmctl(&["nodes", "-o", "name"]).succeeded(), "");

    let right = line(&sum(&name));
    let token = right.split([' ', '=']).nth(1).unwrap().to_owned();
    let joined = fresh.sh(&right);
    assert!(joined.stdout.contains("joined as spiffe://prod/runner/db-1"), "{joined}");
    let _ = joined.succeeded();
    until("it is a node", || {
        cluster.pmctl(&["nodes"]).succeeded().lines().any(|l| l.starts_with("db-1") && l.contains("ready"))
    });
    until("it says so, too", || fresh.systemd().property("pm-runner.service", "StatusText") == "ready");
    assert_eq!(fresh.sh("systemctl is-enabled pm-runner").succeeded().trim(), "enabled");
    assert_eq!(fresh.sh("stat -c '%a %U' /var/lib/pm/runner/identity").succeeded().trim(), "700 root");
    assert_eq!(
        cluster.pmctl(&["nodes", "-o", "name"]).succeeded().trim(),
        "node/db-1",
        "and no other name joined before"
    );

    let file = sandbox.write(
        "web.yaml",
        "processes:\n  web:\n    command: [sh, -c, 'cat /etc/hostname; exec sleep 1000']\n    working_dir: /\n",
    );
    let _ = cluster.pmctl(&["apply", "-f", &file, "--wait"]).succeeded();
    until("it says where it runs", || cluster.pmctl(&["logs", "web"]).stdout.contains("fresh"));

    // The token is nowhere but in the line; what looks for it has it from a file.
    let _ = fresh.sh(&format!("printf %s {token} > /run/token")).succeeded();
    let leaks = fresh.sh(
        "journalctl --no-pager -o cat | grep -F -f /run/token || true; grep -rlF -f /run/token /etc /var || true; \
         cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -F -f /run/token || true",
    );
    assert_eq!(leaks.succeeded(), "", "where the token is");

    // An identity of its own is enough; the services' token of a single machine is not needed.
    let _ = fresh.sh("rm /etc/pm/service.token; systemctl restart pm-runner");
    until("it is ready again", || fresh.systemd().property("pm-runner.service", "StatusText") == "ready");
    until("it is a node", || {
        cluster.pmctl(&["nodes"]).succeeded().lines().any(|l| l.starts_with("db-1") && l.contains("ready"))
    });
}
