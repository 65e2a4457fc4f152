//! R14: all replicas are lost with their disks, a backup is restored, and the
//! nodes run on. Before somebody has confirmed, nothing is ended, started or
//! doubled; afterwards what runs as it was restored has the same pids.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use system_tests::{Beside, Outcome, Replicas, Sandbox, free_ports, http, proc, until};

/// So long everything that runs is looked at, again and again, while nothing
/// may happen: a runner carries an order out in milliseconds.
const LOOKED_AT: Duration = Duration::from_secs(2);

/// Three replicas, two nodes and a gateway.
struct Scene {
    sandbox: Sandbox,
    replicas: Replicas,
    runners: Vec<Beside>,
    _gateway: Beside,
    endpoint: String,
}

impl Scene {
    fn start() -> Self {
        let sandbox = Sandbox::new();
        let replicas = Replicas::start(&sandbox, 3);
        let (registries, token) = (replicas.addresses(), sandbox.file("service.token"));
        let admin = sandbox.write("admin.token", "a-token-of-the-administrator-0123456789");
        std::fs::set_permissions(&admin, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let port = free_ports(2);
        let (listen, ops) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", port + 1));
        let back = ["--registry", &registries, "--monitor", "http://127.0.0.1:9", "--service-token-file", &token];
        let own = ["--listen", &listen, "--ops-listen", &ops, "--admin-token-file", &admin];
        let gateway = Beside::start(&sandbox, "gateway", "gateway", &[&back[..], &own].concat());
        until("the gateway is ready", || {
            std::net::TcpStream::connect(&ops).is_ok() && http::get(&ops, "/readyz", None).status == 200
        });
        let endpoint = format!("http://{listen}");
        let mut scene = Self { sandbox, replicas, runners: Vec::new(), _gateway: gateway, endpoint };
        scene.start_runners();
        scene
    }

    /// Starts the runners, after killing those that run.
    fn start_runners(&mut self) {
        self.runners.clear();
        let (registries, token) = (self.replicas.addresses(), self.sandbox.file("service.token"));
        for node in ["node-a", "node-b"] {
            let state = self.sandbox.file(&format!("state-{node}"));
            let logs = self.sandbox.file(&format!("logs-{node}"));
            let back = ["--registry", &registries, "--monitor", "http://127.0.0.1:9", "--service-token-file", &token];
            let own = ["--node", node, "--state-dir", &state, "--log-dir", &logs];
            let ports = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
            let words = [&back[..], &own, &ports].concat();
            self.runners.push(Beside::start(&self.sandbox, node, "runner-svc", &words));
        }
    }

    fn pmctl(&self, words: &[&str]) -> Outcome {
        let token = self.sandbox.file("admin.token");
        self.sandbox.pmctl(&[&["--endpoint", &self.endpoint, "--token-file", &token], words].concat())
    }

    /// Processes whose command line names a file of this scene, by what else
    /// it says: the programs, whoever knows of them.
    fn programs(&self) -> BTreeMap<u32, String> {
        let mark = self.sandbox.file("run-");
        let name = |pid: &u32| {
            let words = proc::arguments(*pid);
            let last = words.iter().find(|word| word.starts_with(&mark))?.clone();
            (words.first()?.ends_with("tail") && proc::is_running(*pid)).then_some(last)
        };
        proc::all().into_iter().filter_map(|pid| Some((pid, name(&pid)?))).collect()
    }

    /// A process whose instances hold a file of this scene open.
    fn process(&self, name: &str, instances: u32, version: &str) -> String {
        let file = self.sandbox.write(&format!("run-{name}-{version}"), "");
        format!("  {name}:\n    command: [tail, -f, {file}]\n    instances: {instances}\n")
    }

    fn apply(&self, name: &str, processes: &[String]) {
        let file = self.sandbox.write(name, &format!("processes:\n{}", processes.concat()));
        let _ = self.pmctl(&["apply", "-f", &file]).succeeded();
    }

    /// Instances by what `pmctl backup status` finds of each.
    fn findings(&self) -> BTreeMap<String, (String, u32)> {
        let text = self.pmctl(&["backup", "status", "-o", "json"]).succeeded();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let one = |item: &serde_json::Value| {
            let finding = item["finding"].as_str().unwrap().trim_start_matches("RESTORE_FINDING_").to_owned();
            let pid = u32::try_from(item["pid"].as_u64().unwrap()).unwrap();
            (item["instanceId"].as_str().unwrap().to_owned(), (finding, pid))
        };
        value["items"].as_array().unwrap().iter().map(one).collect()
    }

    /// The registry comes to know so many of these programs, and no other.
    #[track_caller]
    fn is_known(&self, programs: &BTreeMap<u32, String>, count: usize) {
        until("the registry knows what runs", || {
            let instances = self.replicas.client(0).instances().unwrap_or_default();
            instances.len() == count && instances.iter().all(|one| programs.contains_key(&one.pid))
        });
    }

    /// Nothing of `before` ends, and nothing more runs, for as long as it is
    /// looked at.
    #[track_caller]
    fn stays(&self, before: &BTreeMap<u32, String>, when: &str) {
        let began = Instant::now();
        while began.elapsed() < LOOKED_AT {
            assert_eq!(&self.programs(), before, "{when}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

fn of<'a>(programs: &'a BTreeMap<u32, String>, name: &str) -> Vec<&'a u32> {
    programs.iter().filter(|(_, file)| file.contains(name)).map(|(pid, _)| pid).collect()
}

#[test]
fn r14_after_a_restore_nothing_is_ended_started_or_doubled_until_it_is_confirmed() {
    let mut scene = Scene::start();
    scene.apply("first.yaml", &[scene.process("web", 4, "1"), scene.process("db", 1, "1")]);
    until("five programs run", || scene.programs().len() == 5);
    until("the registry knows it", || {
        let instances = scene.replicas.client(0).instances().unwrap_or_default();
        instances.iter().filter(|one| one.pid != 0).count() == 5
    });
    let file = scene.sandbox.file("registry.backup");
    let saved = scene.pmctl(&["backup", "save", &file]).succeeded();
    let digest = |said: &str| {
        said.lines().find_map(|line| line.strip_prefix("digest")).map(|text| text.trim().to_owned()).unwrap()
    };
    assert!(scene.pmctl(&["backup", "inspect", &file]).succeeded().contains("sound"));
    // What nobody will know any more: another program for db, and two processes more.
    let (late, kept) = (scene.process("late", 1, "1"), scene.process("kept", 1, "1"));
    scene.apply("second.yaml", &[scene.process("db", 1, "2"), late, kept.clone()]);
    until("the later ones run", || {
        let now = scene.programs();
        now.len() == 7 && ["run-db-2", "run-late", "run-kept"].iter().all(|name| of(&now, name).len() == 1)
    });
    // And one that runs with another pid than the backup says.
    let old = *of(&scene.programs(), "run-web")[0];
    proc::kill_9(old);
    until("its successor runs", || {
        let now = scene.programs();
        now.len() == 7 && !now.contains_key(&old)
    });
    let before = scene.programs();

    for i in scene.replicas.places() {
        scene.replicas.kill(i);
        scene.replicas.wipe(i);
    }
    for i in scene.replicas.places() {
        scene.replicas.replica(i).spawn();
    }
    for i in scene.replicas.places() {
        scene.replicas.replica(i).wait_until_ready();
    }
    let _ = scene.replicas.wait_for_leader();
    // They knock at its door, and refuse it: it is not the cluster that they know.
    until("both runners have been there", || {
        let nodes = scene.pmctl(&["nodes", "-o", "name"]);
        nodes.code == 0 && nodes.stdout.lines().count() == 2
    });
    assert_eq!(scene.programs(), before);
    let restored = scene.pmctl(&["backup", "restore", &file, "--reason", "lost"]).succeeded();
    assert_eq!(digest(&restored), digest(&saved));
    assert_ne!(scene.pmctl(&["backup", "restore", &file]).code, 0, "it is not empty any more");
    let audit = scene.pmctl(&["audit"]).succeeded();
    let refused = |line: &str| line.contains("restore") && line.contains("CLUSTER_NOT_EMPTY");
    assert!(audit.lines().any(refused), "{audit}");
    let _ = scene.pmctl(&["audit", "--verify"]).succeeded();
    until("both nodes have said what they run", || {
        let findings = scene.findings();
        findings.len() == 7 && findings.values().all(|(finding, _)| finding != "SILENT")
    });
    let findings = scene.findings();
    for (id, (finding, pid)) in &findings {
        let expected = match id.as_str() {
            "db-1" => "DIFFERS",
            "late-1" | "kept-1" => "UNKNOWN",
            _ => "ADOPTED",
        };
        assert_eq!(finding, expected, "{id}");
        assert!(before.contains_key(pid), "{id} has pid {pid}, not one of {before:?}");
    }
    scene.stays(&before, "before it was confirmed");
    let refused = scene.pmctl(&["apply", "-f", &scene.sandbox.file("second.yaml")]);
    assert!(refused.code == 1 && refused.stderr.contains("pmctl backup confirm"), "{refused}");

    let refused = scene.pmctl(&["backup", "confirm"]);
    assert!(refused.code == 1 && refused.stderr.contains("late-1"), "{refused}");
    let _ = scene.pmctl(&["backup", "confirm", "--keep-unknown"]).succeeded();
    until("db is what was restored", || of(&scene.programs(), "run-db-1").len() == 1);
    let after = scene.programs();
    for name in ["run-web", "run-late", "run-kept"] {
        assert_eq!(of(&after, name), of(&before, name), "{name}");
    }
    scene.stays(&after, "after it was confirmed");
    scene.is_known(&after, 5);
    // Who is welcomed anew is not told that it has to go either.
    scene.start_runners();
    until("both runners are welcomed", || {
        scene.runners.iter().all(|runner| runner.said().matches("registry session begun").count() >= 3)
    });
    scene.stays(&after, "after the runners were started again");
    scene.apply("third.yaml", &[kept]);
    scene.is_known(&after, 6);
    scene.stays(&after, "after one of them was taken over");
    let _ = scene.pmctl(&["backup", "confirm", "--stop-unknown"]).succeeded();
    until("the unknown one has ended", || of(&scene.programs(), "run-late").is_empty());
    for name in ["run-web", "run-kept"] {
        assert_eq!(of(&scene.programs(), name), of(&before, name), "{name}");
    }
    let _ = scene.pmctl(&["audit", "--verify"]).succeeded();
    scene.replicas.wait_until_equal();
}
