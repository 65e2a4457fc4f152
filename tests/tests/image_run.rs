//! The images: all in one, and each service by itself, without root, capabilities or a root that can be written. They are
//! well, run a program, collect what it leaves, and end in order as the first process of a container.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use system_tests::{Images, Sandbox, free_ports, until};

/// Who the programs in containers are.
const USER: u32 = 65532;

/// Its shell leaves a child behind that ends soon, and says so when it is told to stop.
const WEB: &str = "processes:\n  web:\n    working_dir: /\n    command: [/bin/sh, -c, 'trap \"echo in order; exit 0\" TERM; (sleep 0.2 &); \
                   sleep 1000 & wait']\n";

/// A folder in which the programs of containers may write.
fn theirs(sandbox: &Sandbox, name: &str) -> String {
    let folder = sandbox.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(USER), Some(USER)).unwrap();
    folder.display().to_string()
}

/// The program was told to stop before its container ended.
fn ended_in_order(log: &str) {
    assert_eq!(std::fs::read_to_string(log).unwrap(), "in order\n", "{log}");
}

fn is_well(images: &Images, name: &str) {
    until(&format!("{name} is well"), || images.podman(&["healthcheck", "run", name]).code == 0);
}

/// Nothing that has ended stays: neither what a program left, nor what a command in the container left.
fn collects(images: &Images, name: &str) {
    let said = images.podman(&["exec", name, "/bin/sh", "-c", "sleep 0.3 & echo left"]).succeeded();
    assert_eq!(said.trim(), "left");
    until("what ended was collected", || {
        let top = images.podman(&["top", name, "args"]).succeeded();
        !top.lines().any(|line| line.starts_with("sleep 0.")) && images.zombies(name).is_empty()
    });
}

/// What the image is made of, and that it has nothing that nobody needs.
fn is_lean(sandbox: &Sandbox, images: &Images, name: &str, program: &str, part: &str) {
    let list = sandbox.file(&format!("{program}.json"));
    let _ = images.podman(&["cp", &format!("{name}:/usr/share/sbom/{program}.cdx.json"), &list]).succeeded();
    let list: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(list).unwrap()).unwrap();
    assert_eq!(list["bomFormat"], "CycloneDX");
    let parts = list["components"].as_array().unwrap();
    assert!(parts.iter().any(|one| one["name"] == part && one["version"].is_string()), "{part} is in {program}");
    assert_eq!(images.shown(name, "{{.Config.User}}"), "65532:65532");
    assert_eq!(
        images.shown(name, "{{index .Config.Labels \"org.opencontainers.image.version\"}}"),
        env!("CARGO_PKG_VERSION")
    );
    for absent in ["/usr/bin/apt", "/usr/bin/dash", "/usr/bin/perl", "/var/lib/dpkg"] {
        let copied = images.podman(&["cp", &format!("{name}:{absent}"), &sandbox.file("absent")]);
        assert_ne!(copied.code, 0, "{absent} is in {name}");
    }
}

fn all_in_one(sandbox: &Sandbox, images: &Images) {
    images.build("pm");
    let file = sandbox.write("web.yaml", WEB);
    let volumes = [
        images.lent("usr/bin/dash", "/bin/sh"),
        images.lent("usr/bin/sleep", "/bin/sleep"),
        format!("{file}:/etc/pm/web.yaml:ro"),
        format!("{}:/var/lib/pm", theirs(sandbox, "pm")),
    ];
    let [sh, sleep, file, state] = volumes.each_ref().map(String::as_str);
    let more = ["--network", "none", "-v", sh, "-v", sleep, "-v", file, "-v", state];
    images.start("pm", &more, &["up", "-f", "/etc/pm/web.yaml"]);
    is_well(images, "pm");
    let list = || images.podman(&["exec", "pm", "/usr/bin/pmctl", "list"]).stdout;
    until("the program runs", || list().lines().any(|line| line.starts_with("web-1") && line.contains("running")));
    collects(images, "pm");
    is_lean(sandbox, images, "pm", "pmctl", "openraft");
    // Each service by itself, too, as the Helm chart runs them.
    for program in ["registry-svc", "monitor-svc", "gateway", "runner-svc"] {
        let said = images.podman(&["exec", "pm", &format!("/usr/bin/{program}"), "--version"]).succeeded();
        assert_eq!(said.split_whitespace().next(), Some(program), "{said}");
    }
    assert_eq!(images.stopped("pm"), 0);
    ended_in_order(&sandbox.file("pm/logs/web-1.stdout.log"));
}

fn each_by_itself(sandbox: &Sandbox, images: &Images) {
    let port = free_ports(8);
    let secrets = sandbox.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    for name in ["service", "admin"] {
        let file = secrets.join(format!("{name}.token"));
        std::fs::write(&file, format!("a-token-of-the-{name}-0123456789")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&file, Some(USER), Some(USER)).unwrap();
    }
    let secrets = format!("{}:/etc/pm:ro", secrets.display());
    let logs = format!("{}:/var/log/pm", theirs(sandbox, "logs"));
    let lent = [images.lent("usr/bin/dash", "/bin/sh"), images.lent("usr/bin/sleep", "/bin/sleep")];
    let set = |name: &str, value: &str| format!("{name}={value}");
    let services = [
        ("registry", "registry-svc", "sled"),
        ("monitor", "monitor-svc", "tonic"),
        ("gateway", "gateway", "axum"),
        ("runner", "runner-svc", "zbus"),
    ];
    for (at, (name, _, _)) in services.into_iter().enumerate() {
        images.build(name);
        let at = port + u16::try_from(at).unwrap();
        let upper = name.to_uppercase();
        let mut settings = vec![
            set("PM_SERVICE_TOKEN_FILE", "/etc/pm/service.token"),
            set(&format!("PM_{upper}_LISTEN"), &format!("127.0.0.1:{at}")),
            set(&format!("PM_{upper}_OPS_LISTEN"), &format!("127.0.0.1:{}", at + 4)),
        ];
        if name == "gateway" || name == "runner" {
            settings.push(set(&format!("PM_{upper}_REGISTRY"), &format!("http://127.0.0.1:{port}")));
            settings.push(set(&format!("PM_{upper}_MONITOR"), &format!("http://127.0.0.1:{}", port + 1)));
            settings.push(set("PM_GATEWAY_ADMIN_TOKEN_FILE", "/etc/pm/admin.token"));
            settings.push(set("PM_RUNNER_NODE", "contained"));
        }
        let mut more = vec!["--network", "host", "-v", &secrets];
        if name == "runner" {
            more.extend(["-v", &lent[0], "-v", &lent[1], "-v", &logs]);
        }
        more.extend(settings.iter().flat_map(|setting| ["-e", setting]));
        images.start(name, &more, &[]);
    }
    for (name, program, part) in services {
        is_well(images, name);
        is_lean(sandbox, images, name, program, part);
    }
    let token = sandbox.file("secrets/admin.token");
    let pmctl = |words: &[&str]| {
        let endpoint = format!("http://127.0.0.1:{}", port + 2);
        sandbox.pmctl(&[&["--endpoint", &endpoint, "--token-file", &token], words].concat())
    };
    until("it is a node", || pmctl(&["nodes"]).stdout.contains("ready"));
    let file = sandbox.write("web.yaml", WEB);
    let _ = pmctl(&["apply", "-f", &file, "--wait"]).succeeded();
    until("the program runs", || {
        pmctl(&["list"]).stdout.lines().any(|line| line.contains("running") && line.contains("contained"))
    });
    collects(images, "runner");

    // The runner first: it stops its program, and says so to who is still there.
    for name in ["runner", "gateway", "monitor", "registry"] {
        assert_eq!(images.stopped(name), 0, "{name}: {}", images.podman(&["logs", name]));
    }
    ended_in_order(&sandbox.file("logs/web-1.stdout.log"));
}

#[test]
fn image_run_all_in_one_and_each_service_shut_in_well_and_stopped_in_order() {
    let sandbox = Sandbox::new();
    let images = Images::new(&sandbox);
    all_in_one(&sandbox, &images);
    each_by_itself(&sandbox, &images);
}
