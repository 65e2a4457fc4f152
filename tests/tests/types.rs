//! Applications with dependencies of their own, installed and run for real,
//! and types that a user adds.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::event::Detail;
use std::path::Path;
use std::process::Command;
use system_tests::{Cluster, Sandbox, Up, binary, free_ports, http, proc, python};

/// A folder of `examples/` in the sandbox, its process file at a port of our
/// own; the file's path.
fn example(sandbox: &Sandbox, name: &str, port: u16, replaced: u16) -> String {
    let (from, to) = (binary::workspace_root().join("examples").join(name), sandbox.path().join(name));
    std::fs::create_dir(&to).expect("the folder can be made");
    for entry in std::fs::read_dir(&from).expect("the example is there") {
        let path = entry.expect("it can be listed").path();
        // What somebody installed there is not the example.
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).expect("a file can be copied");
        }
    }
    let file = to.join("processes.yaml");
    let text = std::fs::read_to_string(&file).expect("it has a process file");
    assert!(text.contains(&replaced.to_string()), "{replaced} is not in:\n{text}");
    std::fs::write(&file, text.replace(&replaced.to_string(), &port.to_string())).expect("it can be written");
    file.to_str().expect("the path is UTF-8").to_owned()
}

/// Runs an installer, with the machine's own settings.
fn install(command: &mut Command, folder: &Path) {
    let output = command.current_dir(folder).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", said(&output.stdout), said(&output.stderr));
}

/// The PID that an application's health endpoint tells.
fn healthy(port: u16) -> u64 {
    let answer = http::get(&format!("127.0.0.1:{port}"), "/health", None);
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("ok")), "{answer:?}");
    answer.json()["pid"].as_u64().unwrap_or_else(|| panic!("no pid: {answer:?}"))
}

/// Waits until an application is ready, which its health endpoint says.
fn ready(up: &Up<'_>, instance: &str) -> u32 {
    up.api().events_from(1).wait_for_instance(instance, "instance.ready");
    up.api().instance(instance).pid
}

/// One application under `pmctl up`, which is killed and comes again.
fn survives_up(sandbox: &Sandbox, file: &str, instance: &str, port: u16, program: &Path) {
    let mut up = sandbox.up_with(&["-f", file], &[]);
    let pid = ready(&up, instance);
    assert_eq!(healthy(port), u64::from(pid));
    assert_eq!(Path::new(&proc::arguments(pid)[0]), program);
    up.kill_9();
    assert_eq!(healthy(port), u64::from(pid), "it noticed the end of pmctl up");
    drop(up);
    let mut again = sandbox.up_with(&["-f", file], &[]);
    again.api().events_from(1).wait_for_instance(instance, "instance.adopted");
    assert_eq!((again.api().instance(instance).pid, healthy(port)), (pid, u64::from(pid)));
    assert_eq!(again.api().instance(instance).restarts, 0);
    let _ = again.end_with(rustix::process::Signal::TERM);
    assert!(proc::ends(pid), "it was not stopped");
}

/// The same with the services apart: the runner alone is killed.
fn survives_its_runner(sandbox: &Sandbox, file: &str, instance: &str, port: u16, program: &Path) {
    let cluster = Cluster::new(sandbox);
    let _others = (cluster.registry(), cluster.monitor(), cluster.gateway());
    let mut runner = cluster.runner();
    let _ = cluster.pmctl(&["apply", "-f", file]).succeeded();
    let mut events = cluster.api().events_from(1);
    events.wait_for_instance(instance, "instance.ready");
    let pid = cluster.api().instance(instance).pid;
    assert_eq!((healthy(port), Path::new(&proc::arguments(pid)[0])), (u64::from(pid), program));
    runner.kill_9();
    assert_eq!(healthy(port), u64::from(pid), "it noticed the end of its runner");
    let _next = cluster.runner();
    events.wait_for_instance(instance, "instance.adopted");
    let after = cluster.api().instance(instance);
    assert_eq!((after.pid, after.restarts, healthy(port)), (pid, 0, u64::from(pid)));
    let _ = cluster.pmctl(&["stop", "*"]).succeeded();
    assert!(proc::ends(pid), "it was not stopped");
}

#[test]
fn example_python_app_of_type_python_is_healthy_and_survives_kill_9_of_the_runner() {
    let sandbox = Sandbox::new();
    let port = free_ports(1);
    let file = example(&sandbox, "python-app", port, 18081);
    let folder = sandbox.path().join("python-app");
    install(Command::new(python::interpreter()).args(["-m", "venv", ".venv"]), &folder);
    let own = folder.join(".venv/bin/python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"];
    install(Command::new(&own).args(pip), &folder);
    survives_up(&sandbox, &file, "python-app-1", port, &own);
    survives_its_runner(&sandbox, &file, "python-app-1", port, &own);
}

#[test]
fn example_node_app_of_type_node_is_healthy_and_survives_kill_9_of_the_runner() {
    let sandbox = Sandbox::new();
    let port = free_ports(1);
    let file = example(&sandbox, "node-app", port, 18082);
    let folder = sandbox.path().join("node-app");
    install(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]), &folder);
    survives_up(&sandbox, &file, "node-app-1", port, Path::new("node"));
    survives_its_runner(&sandbox, &file, "node-app-1", port, Path::new("node"));
}

#[test]
fn a_script_of_package_json_is_run_by_npm() {
    let sandbox = Sandbox::new();
    let script = "console.log('ready to serve on ' + process.env.PORT); setInterval(() => {}, 1000)";
    let _ = sandbox.write("idle.js", script);
    let _ = sandbox.write("package.json", r#"{"scripts": {"start": "node idle.js"}}"#);
    let up = sandbox.up("processes:\n  app:\n    type: node\n    command: [start]\n    ports: [4321]\n");
    let pid = up.api().instance("app-1").pid;
    system_tests::until("npm has started the script", || up.pmctl(&["logs", "app"]).succeeded().contains("on 4321"));
    let below = proc::descendants(pid);
    assert!(below.iter().any(|pid| proc::arguments(*pid).iter().any(|word| word == "idle.js")), "{below:?}");
    let _ = up.pmctl(&["stop", "app"]).succeeded();
    assert!(below.iter().chain([&pid]).all(|pid| proc::ends(*pid)), "{below:?}");
}

#[test]
fn a_built_front_end_is_served_at_the_port_of_the_process() {
    let sandbox = Sandbox::new();
    let port = free_ports(1);
    std::fs::create_dir(sandbox.path().join("dist")).expect("the folder can be made");
    let _ = sandbox.write("dist/index.html", "<h1>shop</h1>");
    let up = sandbox
        .up(&format!("processes:\n  shop:\n    type: static\n    command: [dist]\n    ports: {{http: {port}}}\n"));
    // The type says how it is known to be ready: not by its mere start.
    let started = up.api().events_from(1).wait_for_instance("shop-1", "instance.started");
    let Some(Detail::Instance(detail)) = started.detail else { panic!("no detail") };
    assert!(!detail.ready, "ready before anybody asked it");
    let _ = ready(&up, "shop-1");
    let answer = http::get(&format!("127.0.0.1:{port}"), "/", None);
    assert_eq!((answer.status, answer.body.trim()), (200, "<h1>shop</h1>"), "{answer:?}");
}

#[test]
fn a_type_of_ones_own_is_run_and_a_broken_one_is_told_with_its_place() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join("config/pm/types.d");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    std::fs::write(folder.join("a-broken.yaml"), "name: broken\nrun: []\nnonsense: 1\n").unwrap();
    let own = "name: greeter\ndescription: greets\nchoices:\n  who:\n    - use: ./me\n    - use: nobody\nrun:\n  \
               - command: [/bin/sh, -c, 'echo \"$0 $1\"; exec sleep 1000', hello, '{{who}} {{first}}']\n";
    std::fs::write(folder.join("greeter.yaml"), own).unwrap();
    let up = sandbox.up("processes:\n  web:\n    type: greeter\n    command: [there]\n");
    system_tests::until("it greets", || up.pmctl(&["logs", "web"]).succeeded().contains("hello nobody there"));
    let warning = up.stderr.find(system_tests::DEADLINE, |line| line.contains("a-broken.yaml:3:1"));
    assert!(warning.is_some_and(|line| line.contains("nonsense")), "{}", up.said());
}

#[test]
fn an_unknown_type_fails_at_once_and_names_those_that_exist() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  idle:\n    command: [sleep, '1000']\n");
    let file = sandbox.write("more.yaml", "processes:\n  web:\n    type: cobol\n    command: [main.cob]\n");
    let _ = up.pmctl(&["apply", "-f", &file]);
    let failed = up.api().events_from(1).wait_for_instance("web-1", "instance.start_failed");
    let said = format!("{failed:?}");
    for word in ["cobol", "docker", "exec", "flask", "node", "python", "shell"] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
}
