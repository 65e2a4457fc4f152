//! Actions on units of systemd of a node, and signals to instances.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Boot, Cluster, Sandbox, Service, Systemd, http, until};

const POLICY: &str = "version: 1\nunits: [nginx.service, 'broken*.service', slow.service, nobody.service]\n";

struct Rig<'s> {
    sandbox: &'s Sandbox,
    cluster: Cluster<'s>,
    systemd: Systemd,
    _services: [Service; 3],
}

impl<'s> Rig<'s> {
    fn start(sandbox: &'s Sandbox) -> Self {
        let starts = |unit: &str| sandbox.file(&format!("{unit}.starts"));
        let runs =
            |unit: &str| format!("[Service]\nExecStart=/bin/sh -c 'echo >> {}; exec sleep 1000'\n", starts(unit));
        let units = [
            ("nginx.service", runs("nginx")),
            ("sshd.service", runs("sshd")),
            // Begun, and never at its end.
            ("slow.service", format!("{}Type=oneshot\n", runs("slow"))),
            ("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n".to_owned()),
        ];
        let boot = units.iter().fold(Boot::new(sandbox), |boot, (name, text)| boot.unit(name, text));
        let systemd = boot.boot();
        let cluster = Cluster::new(sandbox);
        let services = [cluster.registry(), cluster.monitor(), cluster.gateway()];
        let _ = sandbox.write("node-policy.yaml", POLICY);
        Self { sandbox, cluster, systemd, _services: services }
    }

    /// How often systemd has started a unit.
    fn starts(&self, unit: &str) -> usize {
        std::fs::read_to_string(self.sandbox.file(&format!("{unit}.starts"))).unwrap_or_default().lines().count()
    }

    fn runner(&self) -> Service {
        let policy = self.sandbox.file("node-policy.yaml");
        let bus = [("DBUS_SYSTEM_BUS_ADDRESS", self.systemd.address())];
        let runner = self.cluster.runner_in(&["--policy-file", &policy], &bus);
        until("the node is there", || self.cluster.pmctl(&["nodes"]).succeeded().contains("ready"));
        runner
    }
}

#[test]
fn a_unit_is_restarted_where_the_nodes_policy_lists_it_and_nowhere_else() {
    let sandbox = Sandbox::new();
    let rig = Rig::start(&sandbox);
    let _runner = rig.runner();
    let pmctl = |args: &[&str]| rig.cluster.pmctl(&[&["unit"], args].concat());

    let said = pmctl(&["restart", "nginx.service", "--node", "node-*", "--reason", "new key"]).succeeded();
    assert!(said.contains("nginx.service on node-a restarted"), "{said}");
    until("it runs", || rig.starts("nginx") == 1);
    let _ = pmctl(&["restart", "nginx.service", "--node", "node-a"]).succeeded();
    until("it runs again", || rig.starts("nginx") == 2);
    let said = pmctl(&["stop", "nginx.service", "--node", "node-a"]).succeeded();
    assert!(said.contains("nginx.service on node-a stopped"), "{said}");

    pmctl(&["start", "broken.service", "--node", "node-a"])
        .failed(1, &["broken.service on node-a start failed", "ended as \"failed\"", "journalctl -u broken.service"]);
    pmctl(&["start", "nobody.service", "--node", "node-a"]).failed(1, &["Unit nobody.service not found"]);
    pmctl(&["stop", "sshd.service", "--node", "node-a"])
        .failed(1, &["sshd.service is not allowed on this node: rule units of", "node-policy.yaml"]);
    pmctl(&["start", "sshd.service", "--node", "node-a"]).failed(1, &["sshd.service is not allowed on this node"]);
    assert_eq!(rig.starts("sshd"), 0);
    pmctl(&["stop", "nginx.service", "--node", "node-b"]).failed(4, &["nothing matches", "did you mean \"node-a\"?"]);
    pmctl(&["stop", "nginx", "--node", "node-a"]).failed(2, &["write it whole, as nginx.service"]);

    let actions = rig.cluster.pmctl(&["actions", "nginx.service"]).succeeded();
    assert!(actions.contains("nginx.service") && actions.contains("done"), "{actions}");
    let audit = rig.cluster.pmctl(&["audit"]).succeeded();
    assert!(audit.contains("unit-restart") && audit.contains("new key"), "{audit}");
}

#[test]
fn what_a_dead_runner_had_begun_is_not_begun_again() {
    let sandbox = Sandbox::new();
    let rig = Rig::start(&sandbox);
    let mut runner = rig.runner();
    let _ = rig.cluster.pmctl(&["unit", "restart", "slow.service", "--node", "node-a", "--no-wait"]).succeeded();
    until("systemd has begun", || rig.starts("slow") == 1);
    runner.kill_9();
    let _runner = rig.runner();
    until("it is told that nobody knows", || {
        rig.cluster.pmctl(&["actions", "slow.service", "-o", "wide"]).succeeded().contains("the runner ended while")
    });
    assert_eq!(rig.starts("slow"), 1);
}

#[test]
fn a_signal_reaches_the_main_process_and_fails_where_nothing_runs() {
    let sandbox = Sandbox::new();
    let heeds = "trap 'echo heard' USR1; echo waiting; while :; do sleep 1000 & wait $!; done";
    let up = sandbox.up(&format!(
        "processes:\n  web:\n    command: \"{heeds}\"\n  idle:\n    command: 'true'\n    autostart: false\n"
    ));
    until("it waits", || up.pmctl(&["logs", "web"]).succeeded().contains("waiting"));
    let before = up.api().instance("web-1");
    let said = up.pmctl(&["signal", "usr1", "web", "--reason", "rotate"]).succeeded();
    assert!(said.contains("web-1 signalled"), "{said}");
    until("it has heard", || up.pmctl(&["logs", "web"]).succeeded().contains("heard"));
    assert_eq!(up.api().instance("web-1").pid, before.pid);
    up.pmctl(&["signal", "HUP", "idle"]).failed(1, &["idle-1 signal failed", "it does not run"]);
    up.pmctl(&["signal", "SIGFOO", "web"]).failed(2, &["\"SIGFOO\" is no signal"]);
    assert!(up.pmctl(&["actions", "web"]).succeeded().contains("signal SIGUSR1"));
    assert!(up.pmctl(&["audit"]).succeeded().contains("signal SIGUSR1"));
    let (authority, token) = (up.credentials.authority(), Some(up.credentials.token.as_str()));
    let answer = http::request(authority, "POST", "/api/v1/processes/web:signal?signal=99", token, None);
    assert_eq!(answer.status, 400, "{answer:?}");
    // What a signal ends is an end as any other.
    let _ = up.pmctl(&["signal", "KILL", "web"]).succeeded();
    until("it is there again", || {
        let now = up.api().instance("web-1");
        now.pid != before.pid && now.pid != 0 && now.restarts == 1
    });
}
