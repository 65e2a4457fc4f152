//! The README's first command, literally, on a Debian that has Rust and nothing of ours or of this machine's: what a
//! newcomer types first, built from source and used until the first program answers.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use system_tests::{Outcome, Sandbox, binary, debian_root};

/// What is typed in the second terminal, once the first says that all is ready.
const SECOND_TERMINAL: &str = "target/release/pmctl list
target/release/pmctl logs web
python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:18080/\").read().decode())'
target/release/pmctl stop '*'
target/release/pmctl down";

/// The commands of the README's first screen.
fn typed() -> Vec<String> {
    let readme = std::fs::read_to_string(binary::workspace_root().join("README.md")).unwrap();
    let screen = readme.split("\n## ").next().unwrap_or_default();
    screen.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

/// Runs a script as root of the fresh machine; what it writes stays in `layer`.
fn inside(layer: &Path, mounts: &str, spaces: &[&str], script: &str) -> (bool, String) {
    let (root, layer) = (debian_root(), layer.display());
    let enter = format!(
        "set -e\nmount --make-rprivate /\ncd {layer}\n\
         mount -t overlay overlay -o lowerdir={root},upperdir={layer}/upper,workdir={layer}/work root\ncd root\n\
         mount -t proc proc proc\nmount --rbind /dev dev\nmount -t tmpfs -o mode=1777 tmpfs tmp\n\
         if [ $(ip -o link | wc -l) = 1 ]; then ip link set lo up; fi\n{mounts}\nexec chroot . \"$@\"\n",
        root = root.display(),
    );
    let mut command = Command::new("timeout");
    command.args(["1500", "unshare", "--mount", "--pid", "--fork", "--kill-child"]).args(spaces);
    command.args(["sh", "-c", &enter, "enter", "sh", "-ec", script]);
    for (name, _) in std::env::vars_os() {
        // Of this machine only the way to the network: nothing of cargo's that this test is run by.
        let name = name.to_string_lossy();
        if !name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(&*name);
        }
    }
    command.envs([
        ("PATH", "/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/srv"),
        ("CARGO_HOME", "/opt/cargo"),
        ("LC_ALL", "C.UTF-8"),
    ]);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // Nothing is measured here, and a build without optimisation takes a fraction of the time.
    command.envs([("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256")]);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn fresh_machine_with_rust_follows_the_readme_until_its_programs_answer() {
    let sandbox = Sandbox::new();
    let layer = sandbox.path().join("fresh");
    for folder in ["upper/opt/rust", "upper/opt/cargo/registry", "upper/srv/pm", "work", "root"] {
        std::fs::create_dir_all(layer.join(folder)).unwrap();
    }
    let commands = typed();
    assert_eq!(commands.len(), 2, "the first screen has two commands: {commands:?}");
    // As a clone has it: without what was built here.
    let script = "tar --exclude=./target --exclude=./.git -cf - . | tar -xf - -C \"$0\"";
    let mut copy = Command::new("sh");
    copy.args(["-ec", script]).arg(layer.join("upper/srv/pm")).current_dir(binary::workspace_root());
    let _ = Outcome::of(&mut copy).succeeded();

    // Rust, and what its installation asks for: a linker. A Debian has Python, except for the smallest.
    let install = "apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev python3";
    let network = "cp /etc/resolv.conf etc/resolv.conf";
    let (done, said) = inside(&layer, network, &[], install);
    assert!(done, "{said}");

    let sysroot = Outcome::of(Command::new("rustc").args(["--print", "sysroot"])).succeeded();
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap()));
    // Crates that were fetched are not fetched again.
    let rust =
        format!("mount --bind -o ro {} opt/rust\nmount --bind {cargo}/registry opt/cargo/registry", sysroot.trim());
    let session = format!(
        "cd /srv/pm\n({}) > /tmp/up 2>&1 &\n\
         until grep -q 'up: 3 of 3 instances ready' /tmp/up; do kill -0 $! || {{ cat /tmp/up; exit 1; }}; sleep 1; done\n\
         {SECOND_TERMINAL}\nwait\ncat /tmp/up",
        commands[0]
    );
    let (done, said) = inside(&layer, &rust, &["--net"], &session);
    assert!(done, "{said}");
    for text in
        ["web-1     running", "hello from web", "listening on http://127.0.0.1:18080", "API   http://127.0.0.1:7480"]
    {
        assert!(said.contains(text), "{text:?} is not in\n{said}");
    }
}
