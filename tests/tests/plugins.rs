//! A type that is a program: the example plugin in Python, asked over its
//! socket by a runner, for real.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::event::Detail;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use system_tests::{Sandbox, Up, binary, free_ports, proc, python, until};

fn executable(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).expect("the folder can be made");
    std::fs::write(path, text).expect("it can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it can be made executable");
}

/// The example in the sandbox's plugins.d, run by the interpreter that has its
/// packages; and a `ruby` that only waits.
fn install(sandbox: &Sandbox) -> String {
    let example = binary::workspace_root().join("examples/plugins/ruby.py");
    let start = format!("#!/bin/sh\nexec '{}' '{}'\n", python::interpreter().display(), example.display());
    executable(&sandbox.path().join("config/pm/plugins.d/ruby"), &start);
    executable(&sandbox.path().join("bin/ruby"), "#!/bin/sh\necho \"$* at port $PORT\"\nexec sleep 1000\n");
    let _ = sandbox.write("main.rb", "");
    format!("{}:{}", sandbox.path().join("bin").display(), std::env::var("PATH").unwrap_or_default())
}

fn up<'s>(sandbox: &'s Sandbox, path: &str, document: &str) -> Up<'s> {
    let file = sandbox.write("up.yaml", document);
    sandbox.up_with(&["-f", &file], &[("PATH", path)])
}

/// Plugins that listen in this sandbox.
fn plugins(sandbox: &Sandbox) -> Vec<u32> {
    let below = sandbox.path().to_string_lossy().into_owned();
    let of = |pid: &u32| {
        proc::environment_variable(*pid, "PM_PLUGIN_SOCKET").is_some_and(|socket| socket.starts_with(&below))
    };
    proc::all().into_iter().filter(of).filter(|pid| proc::is_running(*pid)).collect()
}

#[test]
fn a_type_that_a_python_plugin_serves_is_run_and_the_plugin_ends_with_its_runner() {
    let sandbox = Sandbox::new();
    let path = install(&sandbox);
    let mut up = up(
        &sandbox,
        &path,
        "processes:\n  web:\n    type: ruby\n    command: [main.rb, --fast]\n    env: {PORT: '4321'}\n",
    );
    let started = up.api().events_from(1).wait_for_instance("web-1", "instance.started");
    until("it runs", || up.pmctl(&["logs", "web"]).succeeded().contains("main.rb --fast at port 4321"));
    let pid = up.api().instance("web-1").pid;
    let own = proc::environment_variable(pid, "RUBYOPT");
    assert_eq!(own.as_deref(), Some("-W0"), "what the plugin sets is not in {started:?}");
    assert_eq!(plugins(&sandbox).len(), 1, "{:?}", plugins(&sandbox));
    let _ = up.end_with(rustix::process::Signal::TERM);
    until("the plugin has ended", || plugins(&sandbox).is_empty());
}

#[test]
fn what_a_plugin_says_of_readiness_and_of_the_stop_signal_holds_also_for_the_next_runner() {
    let sandbox = Sandbox::new();
    let path = install(&sandbox);
    let number = free_ports(1);
    let _ = sandbox.write("config.ru", "");
    // The program of the type ends on SIGINT, in order, and on nothing else.
    executable(
        &sandbox.path().join("bin/rackup"),
        "#!/bin/sh\ntrap 'echo in order; exit 0' INT\ntrap '' TERM\necho serving\nwhile :; do sleep 1000 & wait $!; done\n",
    );
    let document =
        format!("processes:\n  web:\n    type: ruby\n    command: [config.ru]\n    ports: {{http: {number}}}\n");
    let idle = "processes:\n  idle:\n    command: [sleep, '1000']\n";
    let mut first = up(&sandbox, &path, idle);
    let file = sandbox.write("web.yaml", &document);
    let _ = first.pmctl(&["apply", "-f", &file]).succeeded();
    let started = first.api().events_from(1).wait_for_instance("web-1", "instance.started");
    let Some(Detail::Instance(detail)) = started.detail else { panic!("no detail") };
    assert!(!detail.ready, "ready, and nobody listens at {number}");
    until("it serves", || first.pmctl(&["logs", "web"]).succeeded().contains("serving"));
    first.kill_9();
    drop(first);
    let next = sandbox.up_with(&["--no-wait"], &[("PATH", &path)]);
    let _listens = std::net::TcpListener::bind(("127.0.0.1", number)).expect("the port is free");
    next.api().events_from(1).wait_for_instance("web-1", "instance.ready");
    let _ = next.pmctl(&["stop", "web"]).succeeded();
    assert!(next.pmctl(&["logs", "web"]).succeeded().contains("in order"), "{}", next.said());
}

#[test]
fn a_start_that_waits_for_a_plugin_can_be_stopped_and_holds_up_nobody() {
    let sandbox = Sandbox::new();
    executable(&sandbox.path().join("config/pm/plugins.d/mute"), "#!/bin/sh\nexec sleep 1000\n");
    let up = sandbox.up("processes:\n  idle:\n    command: [sleep, '1000']\n");
    // Both at once, and the one that waits is the first by its name.
    let text = "processes:\n  asks:\n    type: ruby\n    command: [main.rb]\n  other:\n    command: [sleep, '1000']\n";
    let file = sandbox.write("more.yaml", text);
    let _ = up.pmctl(&["apply", "-f", &file]).succeeded();
    let first = up.api().events_from(1).wait_for("a start, or the end of a wait for one", |event| {
        let is_start = event.instance_id == "other-1" && event.r#type == "instance.started";
        is_start || (event.instance_id == "asks-1" && event.r#type == "instance.start_failed")
    });
    assert_eq!(first.instance_id, "other-1", "it waited for the plugin of another");
    let _ = up.pmctl(&["stop", "asks"]).succeeded();
    let asks = up.api().instance("asks-1");
    assert!(!asks.wanted && asks.pid == 0, "{asks:?}");
}

#[test]
fn a_plugin_that_was_killed_is_started_again_and_ends_when_its_runner_is_killed() {
    let sandbox = Sandbox::new();
    let path = install(&sandbox);
    let mut up = up(&sandbox, &path, "processes:\n  web:\n    type: ruby\n    command: [main.rb]\n");
    up.api().events_from(1).wait_for_instance("web-1", "instance.started");
    let first = plugins(&sandbox);
    first.iter().copied().for_each(proc::kill_9);
    assert!(first.iter().all(|pid| proc::ends(*pid)) && !first.is_empty());
    let revision = up.api().revision();
    let _ = up.pmctl(&["restart", "web"]).succeeded();
    up.api().events_from(revision + 1).wait_for_instance("web-1", "instance.started");
    assert!(!plugins(&sandbox).is_empty(), "nobody was asked for the restart by hand");
    up.kill_9();
    until("the plugin has ended", || plugins(&sandbox).is_empty());
}

#[test]
fn a_plugin_that_refuses_or_breaks_fails_that_start_alone_and_says_why() {
    let sandbox = Sandbox::new();
    let path = install(&sandbox);
    let up = up(&sandbox, &path, "processes:\n  idle:\n    command: [sleep, '1000']\n");
    let more = sandbox.write(
        "more.yaml",
        "processes:\n  web:\n    type: ruby\n    command: [missing.rb]\n  odd:\n    type: cobol\n    command: [x]\n",
    );
    let _ = up.pmctl(&["apply", "-f", &more]);
    let failed = up.api().events_from(1).wait_for_instance("web-1", "instance.start_failed");
    assert!(failed.message.contains("plugin") && failed.message.contains("there is no missing.rb"), "{failed:?}");
    let unknown = up.api().events_from(1).wait_for_instance("odd-1", "instance.start_failed");
    assert!(unknown.message.contains("cobol") && unknown.message.contains("ruby"), "{unknown:?}");
    let idle = up.api().instance("idle-1");
    assert!(idle.pid > 0 && idle.restarts == 0, "{idle:?}");
}
