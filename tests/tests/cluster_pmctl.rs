//! `pmctl cluster` against real replicas through a real gateway: what an
//! operator types, in the order in which it is needed.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use system_tests::{Beside, Outcome, Plan, Sandbox, binary, free_ports, until};

/// What the process ends with that is no member any more: sysexits(3), EX_CONFIG.
const NOT_OURS: i32 = 78;

struct Desk {
    endpoint: String,
    token_file: String,
    _gateway: Beside,
}

impl Desk {
    fn start(sandbox: &Sandbox, registries: &str) -> Self {
        let token = |name: &str, text: &str| {
            let path = sandbox.write(name, text);
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        let service = sandbox.path().join("service.token").to_str().unwrap().to_owned();
        let admin = token("admin.token", "a-token-of-an-admin-0123456789-0123456789");
        let viewer = token("viewer.token", "a-token-of-a-viewer-0123456789-0123456789");
        let port = free_ports(2);
        let (listen, ops) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", port + 1));
        let words = [
            ["--listen", &listen],
            ["--ops-listen", &ops],
            ["--registry", registries],
            ["--service-token-file", &service],
            ["--admin-token-file", &admin],
            ["--viewer-token-file", &viewer],
        ];
        let gateway = Beside::start(sandbox, "gateway", "gateway", words.as_flattened());
        until("the gateway listens", || TcpStream::connect(&listen).is_ok());
        Self { endpoint: format!("http://{listen}"), token_file: admin, _gateway: gateway }
    }

    /// `pmctl cluster WORDS`.
    fn cluster(&self, words: &str) -> Outcome {
        let mut command = Command::new(binary::path("pmctl"));
        command.env("PM_ENDPOINT", &self.endpoint).env("PM_TOKEN_FILE", &self.token_file).env("NO_COLOR", "1");
        Outcome::of(command.arg("cluster").args(words.split_whitespace()))
    }
}

#[test]
fn an_operator_looks_joins_replaces_removes_and_hands_over() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).joiners(&sandbox, 1).start();
    let desk = Desk::start(&sandbox, &replicas.addresses());

    until("all is well", || desk.cluster("check").code == 0);
    let status = desk.cluster("status").succeeded();
    for text in ["epoch 1, term", "leader", "follower", "well", " ms"] {
        assert!(status.contains(text), "{text:?} is not in\n{status}");
    }
    let json = desk.cluster("status -o json").succeeded();
    assert!(json.contains("\"matchedIndex\"") && json.contains("\"flushMeanUs\""), "{json}");
    assert_eq!(desk.cluster("members -o name").succeeded().trim(), "replica/1\nreplica/2\nreplica/3");

    // A disk dies.
    let victim = (replicas.wait_for_leader() + 1) % 3;
    let old = replicas.status(victim).unwrap().id;
    replicas.kill(victim);
    replicas.wipe(victim);
    let checked = desk.cluster("check");
    assert_eq!(checked.code, 1, "{checked:?}");
    let said = format!("replica {old} (");
    assert!(checked.stdout.contains(&said) && checked.stdout.contains("--replaces"), "{checked:?}");
    // Started as it was: the way back is printed. It is taken literally.
    replicas.replica(victim).spawn();
    let way = format!("pmctl cluster join NEW --replaces {old}");
    replicas.replica(victim).is_refused(&[NOT_OURS], &["--join as a new replica", &way]);
    replicas.replica(victim).set_arguments(&["--join"]);
    replicas.replica(victim).spawn();
    replicas.replica(victim).wait_until_ready();
    until("it says what to type", || replicas.replica(victim).said().contains("run `pmctl cluster join 4`"));
    let joined = desk.cluster(&format!("join 4 --replaces {old}")).succeeded();
    assert!(joined.contains(&format!("replica 4 votes in the place of replica {old}; voters: ")), "{joined}");
    until("all is well again", || desk.cluster("check").code == 0);
    assert!(desk.cluster("status").succeeded().contains(&format!("removed: {old}")));

    // A fourth voter is allowed, and advised against.
    replicas.replica(3).set_arguments(&["--join=voter"]);
    replicas.replica(3).spawn();
    replicas.replica(3).wait_until_ready();
    until("it votes", || desk.cluster("check").stdout.contains("4 vote"));
    assert!(desk.cluster("check").stdout.contains("advice: 4 voters"), "advice, and no failure");

    let leads = desk.cluster("transfer-leader 5").succeeded();
    assert_eq!(leads.trim(), "replica 5 leads");
    // The leader hands over before it goes, and ends.
    let removed = desk.cluster("remove 5").succeeded();
    assert!(removed.contains("replica 5 is removed; voters: "), "{removed}");
    replicas.replica(3).is_refused(&[NOT_OURS], &["replica 5 was removed"]);
    until("all is well in the end", || desk.cluster("check").code == 0);

    for (words, text) in [
        ("join 9", "nobody has enrolled as replica 9"),
        ("join 5", "replica 5 was removed, and a number is never used again"),
        ("remove 9", "replica 9 is not a member"),
        ("transfer-leader 9", "replica 9 is no voter"),
    ] {
        let refused = desk.cluster(words);
        assert!(refused.code != 0 && refused.stderr.contains(text), "{words}: {refused:?}");
    }
    let audit = replicas.client(replicas.wait_for_leader()).audit().unwrap();
    let refused = |command: &str, target: &str| {
        let is_it = |entry: &&v1::AuditEntry| entry.command == command && entry.targets == [target];
        audit.iter().filter(is_it).any(|entry| entry.refusal_reason == "MEMBER_CHANGE_REFUSED")
    };
    for command in ["join-member", "remove-member"] {
        assert!(refused(command, "9"), "{command}: {audit:?}");
    }
}

#[test]
fn a_stateful_set_founds_its_cluster_gets_a_volume_back_grows_and_shrinks() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).joiners(&sandbox, 2).arguments(&["--join=auto"]).made();
    // Names as the pods of a StatefulSet have them.
    let pod = |i: usize| format!("pm-registry-{i}.pm-registry.test");
    let hosts = replicas.places().into_iter().map(|i| format!("127.0.0.1 {}\n", pod(i))).collect::<String>();
    let hosts = sandbox.write("hosts", &format!("127.0.0.1 localhost\n{hosts}"));
    for i in replicas.places() {
        let port = replicas.replica(i).url().rsplit_once(':').unwrap().1.to_owned();
        replicas.replica(i).set_advertise(&format!("http://{}:{port}", pod(i)));
        replicas.replica(i).set_hosts(&hosts);
    }
    for i in 0..3 {
        replicas.replica(i).spawn();
    }
    (0..3).for_each(|i| replicas.replica(i).wait_until_ready());
    let desk = Desk::start(&sandbox, &replicas.addresses());
    until("the cluster is founded", || desk.cluster("check").code == 0);
    assert_eq!(desk.cluster("members -o name").succeeded().trim(), "replica/1\nreplica/2\nreplica/3");

    // A volume is lost. The pod that comes in its place takes the seat, under a number of its own.
    let victim = (replicas.wait_for_leader() + 1) % 3;
    let old = replicas.status(victim).unwrap().id;
    replicas.kill(victim);
    replicas.wipe(victim);
    replicas.replica(victim).spawn();
    replicas.replica(victim).wait_until_ready();
    until("it has the seat", || desk.cluster("check").code == 0);
    let status = desk.cluster("status").succeeded();
    assert!(status.contains(&format!("removed: {old}")), "{status}");
    assert_eq!(desk.cluster("members -o name").succeeded().lines().count(), 3, "{status}");

    // To five.
    for i in 3..5 {
        replicas.replica(i).spawn();
        replicas.replica(i).wait_until_ready();
    }
    until("five vote", || {
        desk.cluster("members -o name").stdout.lines().count() == 5 && desk.cluster("check").code == 0
    });

    // And back to three: the last pods are members no more before they go.
    let nobody = desk.cluster("remove --ordinals-from 5").succeeded();
    assert!(nobody.contains("no replica is on a host that ends in -5 or higher"), "{nobody}");
    let removed = desk.cluster("remove --ordinals-from 3").succeeded();
    assert_eq!(removed.matches("is removed; voters: ").count(), 2, "{removed}");
    for i in 3..5 {
        replicas.replica(i).is_refused(&[NOT_OURS], &["was removed"]);
    }
    until("three are well", || desk.cluster("check").code == 0);

    // Their volumes are kept. What was just removed does not come back by itself; later the volume is used again.
    replicas.replica(3).spawn();
    replicas.replica(3).is_refused(&[NOT_OURS], &["turned the data directory", "pmctl cluster reset --data-dir"]);
    let directory = replicas.replica(3).directory().display().to_string();
    let early = desk.cluster(&format!("reset --data-dir {directory} --after 10m")).succeeded();
    assert!(early.contains("left as it is until 10m are over"), "{early}");
    replicas.replica(3).spawn();
    replicas.replica(3).is_refused(&[NOT_OURS], &["turned the data directory"]);
    let reset = desk.cluster(&format!("reset --data-dir {directory}")).succeeded();
    assert!(reset.contains("is empty now") && reset.contains("/set-aside"), "{reset}");
    assert!(replicas.replica(3).directory().join("set-aside/identity").exists());
    replicas.replica(3).spawn();
    replicas.replica(3).wait_until_ready();
    until("four vote", || desk.cluster("members -o name").stdout.lines().count() == 4);
    // Whoever is welcome is left alone.
    replicas.kill(3);
    let welcome = desk.cluster(&format!("reset --data-dir {directory}")).succeeded();
    assert!(welcome.contains("was not turned away: nothing to reset"), "{welcome}");
    replicas.replica(3).spawn();
    replicas.replica(3).wait_until_ready();
}
