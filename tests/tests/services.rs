//! The four services as processes of their own, joined over TCP: what
//! `pmctl up` embeds works apart as well, and each may die for itself.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::ListProcessesRequest;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use system_tests::{Api, Credentials, Lines, Sandbox, binary, http, proc, until};

/// One running service; killed when it is dropped.
struct Service {
    child: Child,
    log: Lines,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("{}", self.log.text());
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A whole cluster of one of each.
struct Cluster<'s> {
    sandbox: &'s Sandbox,
    /// gateway, registry, monitor, runner
    ports: [u16; 4],
    ops: [u16; 4],
    token: String,
}

impl<'s> Cluster<'s> {
    fn new(sandbox: &'s Sandbox) -> Self {
        let secret = |name: &str, text: &str| {
            let path = sandbox.write(name, text);
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        let _ = secret("service.token", "a-token-that-the-services-share-0123456789");
        let token = "a-token-of-the-administrator-0123456789".to_owned();
        let _ = secret("admin.token", &token);
        Self { sandbox, ports: std::array::from_fn(|_| free_port()), ops: std::array::from_fn(|_| free_port()), token }
    }

    fn url(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[index])
    }

    fn start(&self, name: &str, index: usize, args: &[String]) -> Service {
        let mut command = Command::new(binary::path(name));
        command.args(["--listen", &format!("127.0.0.1:{}", self.ports[index])]);
        command.args(["--ops-listen", &format!("127.0.0.1:{}", self.ops[index])]).args(args);
        command.current_dir(self.sandbox.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let service = Service { child, log };
        let ops = format!("127.0.0.1:{}", self.ops[index]);
        until(&format!("{name} is ready"), || {
            std::net::TcpStream::connect(&ops).is_ok() && http::get(&ops, "/readyz", None).status == 200
        });
        service
    }

    fn service_token(&self) -> [String; 2] {
        ["--service-token-file".to_owned(), self.sandbox.file("service.token")]
    }

    fn registry(&self) -> Service {
        let data = ["--data-dir".to_owned(), self.sandbox.file("registry")];
        self.start("registry-svc", 1, &[data, self.service_token()].concat())
    }

    fn monitor(&self) -> Service {
        self.start("monitor-svc", 2, &self.service_token())
    }

    fn gateway(&self) -> Service {
        let admin = ["--admin-token-file".to_owned(), self.sandbox.file("admin.token")];
        let back = ["--registry".to_owned(), self.url(1), "--monitor".to_owned(), self.url(2)];
        self.start("gateway", 0, &[&admin[..], &back, &self.service_token()].concat())
    }

    fn runner(&self) -> Service {
        let back = ["--registry".to_owned(), self.url(1), "--monitor".to_owned(), self.url(2)];
        let place =
            ["--state-dir".to_owned(), self.sandbox.file("runner"), "--log-dir".to_owned(), self.sandbox.file("logs")];
        let node = ["--node".to_owned(), "node-a".to_owned()];
        self.start("runner-svc", 3, &[&back[..], &place, &node, &self.service_token()].concat())
    }

    fn api(&self) -> Api {
        Api::new(&Credentials {
            endpoint: self.url(0),
            token: self.token.clone(),
            token_file: self.sandbox.file("admin.token"),
        })
    }

    fn pmctl(&self, args: &[&str]) -> system_tests::Outcome {
        let token_file = self.sandbox.file("admin.token");
        self.sandbox.pmctl(&[&["--endpoint", &self.url(0), "--token-file", &token_file], args].concat())
    }
}

fn running(api: &Api) -> Vec<(String, u32, u32)> {
    api.instances().into_iter().map(|instance| (instance.id, instance.pid, instance.restarts)).collect()
}

#[test]
fn kill_9_of_the_runner_leaves_pids_and_restart_counts_as_they_were() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let (_registry, _monitor, _gateway) = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let runner = cluster.runner();
    let file = sandbox.write("web.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n    instances: 3\n");
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
    let api = cluster.api();
    let mut events = api.events_from(1);
    for _ in 0..3 {
        events.wait_for("a start", |event| event.r#type == "instance.started");
    }
    let before = running(&api);
    let revision = api.revision();

    drop(runner);
    assert!(before.iter().all(|(_, pid, _)| proc::is_running(*pid)), "{before:?}");
    let _runner = cluster.runner();
    let mut events = api.events_from(revision + 1);
    for _ in 0..3 {
        events.wait_for("an adoption", |event| event.r#type == "instance.adopted");
    }
    assert_eq!(running(&api), before);
    // It supervises again: what is killed comes back.
    proc::kill_9(before[0].1);
    events.wait_for_instance(&before[0].0, "instance.exited");
    events.wait_for_instance(&before[0].0, "instance.started");
}

#[test]
fn with_every_other_service_dead_instances_are_restarted_and_told_of_afterwards() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let (registry, monitor, gateway) = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let _runner = cluster.runner();
    let text = "processes:\n  web:\n    command: 'echo $$ >> PIDS; exec sleep 1000'\n    restart: {policy: always, backoff: {initial: 0s}}\n";
    let pids = sandbox.file("pids");
    let file = sandbox.write("web.yaml", &text.replace("PIDS", &pids));
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
    let first = cluster.api().events_from(1).wait_for_instance("web-1", "instance.started");
    let before = cluster.api().instance("web-1");
    assert!(before.pid != 0, "{first:?}");

    drop((registry, monitor, gateway));
    let started = || std::fs::read_to_string(&pids).unwrap_or_default().lines().count();
    until("the first one writes its PID", || started() == 1);
    proc::kill_9(before.pid);
    until("its successor, with nobody to ask", || started() == 2);

    let (_registry, _monitor, _gateway) = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let mut events = cluster.api().events_from(1);
    events.wait_for_instance("web-1", "instance.exited");
    let again = events.wait_for_instance("web-1", "instance.started");
    let after = cluster.api().instance("web-1");
    assert!(after.restarts == before.restarts + 1 && after.pid != before.pid, "{after:?} {again:?}");
}

#[test]
fn a_runner_that_finds_no_registry_starts_what_it_had() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let others = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let runner = cluster.runner();
    let pids = sandbox.file("pids");
    let text = format!(
        "processes:\n  web:\n    command: 'echo $$ >> {pids}; exec sleep 1000'\n  off:\n    command: touch {pids}.off\n    autostart: false\n"
    );
    let file = sandbox.write("web.yaml", &text);
    let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
    let started = || std::fs::read_to_string(&pids).unwrap_or_default().lines().count();
    until("the first one writes its PID", || started() == 1);
    let first = cluster.api().instance("web-1").pid;

    // As after a power cut: nothing is left but the disk, and this node is alone.
    let keeper = proc::keeper_of(runner.child.id());
    drop((others, runner));
    [keeper, first].into_iter().for_each(proc::kill_9);
    let _runner = cluster.runner();
    until("it starts what it had", || started() == 2);
    assert!(!std::path::Path::new(&format!("{pids}.off")).exists(), "what was not wanted was started");
}

#[test]
fn kill_9_of_the_registry_loses_nothing_that_was_acknowledged() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let mut registry = cluster.registry();
    let (_monitor, _gateway) = (cluster.monitor(), cluster.gateway());
    for number in 0..20 {
        let file = sandbox.write("one.yaml", &format!("processes:\n  p{number}:\n    command: [sleep, '1']\n"));
        let _ = cluster.pmctl(&["apply", "-f", &file]).succeeded();
        if number % 5 == 4 {
            drop(registry);
            registry = cluster.registry();
            let names = cluster.pmctl(&["list", "-o", "name"]).succeeded();
            let missing: Vec<String> =
                (0..=number).map(|n| format!("p{n}")).filter(|name| !names.contains(&format!("{name}-1"))).collect();
            assert!(missing.is_empty(), "{missing:?} not in\n{names}");
        }
    }
    drop(registry);
}

#[test]
fn every_service_tells_its_health_and_refuses_who_has_no_token() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let services = [
        ("registry-svc", 1, cluster.registry()),
        ("monitor-svc", 2, cluster.monitor()),
        ("gateway", 0, cluster.gateway()),
    ];
    let runner = [("runner-svc", 3, cluster.runner())];
    for (name, index, service) in services.iter().chain(&runner) {
        let ops = format!("127.0.0.1:{}", cluster.ops[*index]);
        assert_eq!(http::get(&ops, "/healthz", None).status, 200, "{name}");
        let metrics = http::get(&ops, "/metrics", None).body;
        assert!(metrics.contains("pm_build_info"), "{name}: {metrics}");
        let stranger =
            Api::new(&Credentials { endpoint: cluster.url(*index), token: "wrong".into(), token_file: String::new() });
        // Whatever is asked: the token comes first.
        let mut client = ProcessServiceClient::new(stranger.channel());
        let refused = stranger.wait(client.list_processes(ListProcessesRequest::default())).expect_err("it is refused");
        assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{name}");
        assert!(proc::is_running(service.child.id()));
    }
}
