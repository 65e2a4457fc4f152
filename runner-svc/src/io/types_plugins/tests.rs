//! Plugins that answer, are slow, break off and lie, on real sockets; and
//! executables that end or never listen.

use super::Plugins;
use pm_proto::v1;
use pm_proto::v1::runtime_plugin_service_server::{RuntimePluginService, RuntimePluginServiceServer};
use process_model::spec::{Check, Command};
use process_model::{Assignment, InstanceId, ProcessSpec};
use runner_domain::SpawnError;
use runner_types::TypeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

#[derive(Clone, Default)]
struct Fake {
    resolves: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl RuntimePluginService for Fake {
    async fn get_info(&self, _: Request<v1::GetInfoRequest>) -> Result<Response<v1::GetInfoResponse>, Status> {
        let names = ["ruby", "slow", "liar", "refuser"];
        let types = names.iter().map(|name| v1::PluginType { name: (*name).into(), description: String::new() });
        Ok(Response::new(v1::GetInfoResponse { name: "fake".into(), version: "1".into(), types: types.collect() }))
    }

    async fn detect(&self, _: Request<v1::DetectRequest>) -> Result<Response<v1::DetectResponse>, Status> {
        Ok(Response::new(v1::DetectResponse { types: vec!["ruby".into(), "not its own".into()] }))
    }

    async fn resolve(&self, request: Request<v1::ResolveRequest>) -> Result<Response<v1::ResolveResponse>, Status> {
        self.resolves.fetch_add(1, SeqCst);
        let request = request.into_inner();
        let subject = request.subject.unwrap();
        let mut answer = v1::ResolveResponse {
            argv: vec!["ruby".into(), subject.working_dir],
            stop_signal: "SIGINT".into(),
            readiness: Some(v1::Probe {
                check: Some(v1::probe::Check::Tcp(v1::TcpCheck { port: 4567 })),
                ..Default::default()
            }),
            ..Default::default()
        };
        match request.r#type.as_str() {
            "slow" => std::future::pending().await,
            "liar" => answer.argv.clear(),
            "refuser" => return Err(Status::failed_precondition("there is no Gemfile")),
            _ => {}
        }
        Ok(Response::new(answer))
    }
}

struct Node {
    dir: tempfile::TempDir,
    fake: Fake,
}

impl Node {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), fake: Fake::default() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn serve(&self, name: &str) {
        let listener = UnixListener::bind(self.path(name)).unwrap();
        let service = RuntimePluginServiceServer::new(self.fake.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
    }

    /// Written by another process: neither this one may have it open when it is run, nor whatever another test starts
    /// meanwhile.
    fn script(&self, name: &str, text: &str) {
        let (draft, script) = (self.path(".draft"), self.path(name));
        std::fs::write(&draft, format!("#!/bin/sh\n{text}\n")).unwrap();
        assert!(std::process::Command::new("cp").args([&draft, &script]).status().unwrap().success());
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn plugins(&self) -> Plugins {
        let (plugins, left_out) = Plugins::open(self.dir.path(), &self.path(".run"));
        assert_eq!(left_out, Vec::<String>::new());
        plugins
    }
}

fn assignment(name: &str, kind: &str, restart_count: u64) -> Assignment {
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Command::Argv(vec!["main.rb".into()]));
    spec.runtime = kind.parse().unwrap();
    spec.working_dir = Some("/srv/app".into());
    Assignment {
        instance: InstanceId::new(spec.name.clone(), 1),
        generation: 1,
        spec: spec.into(),
        wanted: true,
        restart_count,
        traceparent: String::new(),
        fencing_token: 0,
        plan: None,
    }
}

async fn prepared(plugins: &Plugins, assignment: &Assignment) -> Result<(), SpawnError> {
    match plugins.prepare(assignment, &TypeSet::built_in()) {
        Some(asked) => asked.await,
        None => Ok(()),
    }
}

async fn refused(plugins: &Plugins, kind: &str) -> SpawnError {
    prepared(plugins, &assignment("web", kind, 0)).await.unwrap_err()
}

#[tokio::test]
async fn a_type_of_a_plugin_is_resolved_once_for_a_generation_and_again_for_a_restart_by_hand() {
    let node = Node::new();
    node.serve("ruby.sock");
    let plugins = node.plugins();
    let first = assignment("web", "ruby", 0);
    assert_eq!(plugins.program(&first.spec), None);
    prepared(&plugins, &first).await.unwrap();
    assert_eq!(plugins.program(&first.spec).unwrap().argv, ["ruby", "/srv/app"]);
    assert!(plugins.prepare(&first, &TypeSet::built_in()).is_none(), "it is known");
    let complete = plugins.complete(&first.spec).unwrap();
    assert_eq!(complete.readiness.as_ref().unwrap().check, Check::Tcp { port: 4567 });
    assert_eq!(complete.stop.signal, "SIGINT".parse().unwrap());
    assert!(plugins.program(&complete).is_some(), "what it has added itself is no other question");
    assert_eq!(node.fake.resolves.load(SeqCst), 1);
    prepared(&plugins, &assignment("web", "ruby", 1)).await.unwrap();
    assert_eq!(node.fake.resolves.load(SeqCst), 2);
    let mut other = (*first.spec).clone();
    other.working_dir = Some("/srv/other".into());
    assert_eq!(plugins.program(&other), None, "an answer to another question");
}

#[tokio::test]
async fn a_type_of_the_nodes_own_is_never_asked_of_a_plugin() {
    let node = Node::new();
    node.serve("ruby.sock");
    let plugins = node.plugins();
    assert!(plugins.prepare(&assignment("web", "python", 0), &TypeSet::built_in()).is_none());
    assert!(Plugins::default().prepare(&assignment("web", "ruby", 0), &TypeSet::built_in()).is_none());
}

#[tokio::test]
async fn a_plugin_that_lies_or_refuses_is_a_failed_start_in_its_words() {
    let node = Node::new();
    node.serve("ruby.sock");
    let plugins = node.plugins();
    let error = refused(&plugins, "liar").await;
    assert_eq!(error.stage, "plugin");
    assert!(error.message.contains("ruby.sock") && error.message.contains("names no program"), "{error}");
    let error = refused(&plugins, "refuser").await;
    assert!(error.message.ends_with("there is no Gemfile"), "{error}");
    let error = refused(&plugins, "cobol").await;
    assert_eq!(error.stage, "type");
    let named = ["\"cobol\"", "python", "ruby", "it looks like ruby"];
    assert!(named.iter().all(|name| error.message.contains(name)) && !error.message.contains("its own"), "{error}");
}

#[tokio::test]
async fn a_slow_plugin_holds_up_nobody_else_and_only_for_a_while() {
    let node = Node::new();
    node.serve("ruby.sock");
    let plugins = node.plugins();
    let late = assignment("late", "slow", 0);
    let slow = plugins.prepare(&late, &TypeSet::built_in()).unwrap();
    let slow = tokio::spawn(slow);
    prepared(&plugins, &assignment("web", "ruby", 0)).await.unwrap();
    assert!(!slow.is_finished(), "it waited for the slow one");
    let error = tokio::time::timeout(Duration::from_secs(30), slow).await.expect("no end to it").unwrap().unwrap_err();
    assert!(error.stage == "plugin" && error.message.contains("has not answered"), "{error}");
}

#[tokio::test]
async fn a_plugin_that_is_missing_or_ends_is_told_and_rests_before_it_is_tried_again() {
    let node = Node::new();
    node.script("broken", "exit 3");
    let plugins = node.plugins();
    let error = refused(&plugins, "ruby").await;
    assert!(error.stage == "plugin" && error.message.contains("exit code 3"), "{error}");
    let error = refused(&plugins, "ruby").await;
    assert!(error.message.contains("tried again in"), "{error}");

    let node = Node::new();
    drop(std::os::unix::net::UnixListener::bind(node.path("gone.sock")).unwrap());
    // A child that another test begins listens, too, until it is a program.
    until(|| std::os::unix::net::UnixStream::connect(node.path("gone.sock")).is_err()).await;
    let error = refused(&node.plugins(), "ruby").await;
    assert!(error.message.contains("gone.sock is not there"), "{error}");
}

#[tokio::test]
async fn a_plugin_that_never_listens_is_given_up_and_ended_with_what_it_started() {
    let node = Node::new();
    node.script("mute", &format!("echo $$ > {}; sleep 1000 & wait", node.path(".pid").display()));
    let plugins = node.plugins();
    let error = refused(&plugins, "ruby").await;
    assert!(error.stage == "plugin" && error.message.contains("has not answered GetInfo within 5 s"), "{error}");
    let pid: u32 = std::fs::read_to_string(node.path(".pid")).unwrap().trim().parse().unwrap();
    ends(pid).await;
}

#[tokio::test]
async fn plugins_end_with_the_runner_and_one_that_was_left_behind_is_ended() {
    let node = Node::new();
    let socket = node.path(".run/0.sock");
    // As the plugin of a runner that was killed.
    std::fs::create_dir(node.path(".run")).unwrap();
    let mut left = std::process::Command::new("sleep").arg("1000").env("PM_PLUGIN_SOCKET", &socket).spawn().unwrap();
    node.script("mute", &format!("echo $$ > {}; exec sleep 1000", node.path(".pid").display()));
    let plugins = node.plugins();
    let wanted = assignment("web", "ruby", 0);
    let asked = tokio::spawn(plugins.prepare(&wanted, &TypeSet::built_in()).unwrap());
    let pid = written(&node.path(".pid")).await;
    assert!(left.wait().unwrap().code().is_none(), "the one left behind was not killed");
    let _ = asked.await;
    plugins.close().await;
    ends(pid).await;
    assert!(prepared(&plugins, &wanted).await.unwrap_err().message.contains("ending"));
}

#[test]
fn what_everybody_may_write_is_no_plugin() {
    let node = Node::new();
    node.script("open", "exit 0");
    std::fs::set_permissions(node.path("open"), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(node.path("README.md"), "no plugin").unwrap();
    let (plugins, left_out) = Plugins::open(node.dir.path(), &node.path(".run"));
    assert!(plugins.0.plugins.is_empty() && left_out[0].contains("everybody may write it"), "{left_out:?}");
    assert!(
        Plugins::open(Path::new("/no/such/plugins.d"), &node.path(".run")).1.is_empty(),
        "no directory is no fault"
    );
}

/// Waits until a process is gone; it may stay as a zombie of ours for a moment.
async fn ends(pid: u32) {
    let there = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    until(|| !there()).await;
}

async fn written(path: &Path) -> u32 {
    let read = || std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    until(|| read().is_some()).await;
    read().unwrap()
}

async fn until(mut holds: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 20 s");
        tick.tick().await;
    }
}
