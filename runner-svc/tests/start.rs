//! What a program gets when it is started, exactly, and what is said when it
//! cannot be: real keepers, real programs. Rows of the fault matrix by name.

#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/keeper.rs"]
mod keeper;
#[path = "support/port.rs"]
mod port;

use fixture::fixture;
use keeper::{Keeper, am_root, is_alive, is_capable};
use process_model::ExitStatus;
use process_model::spec::{Execution, IoClass, IoPriority, Listen, Resource, Rlimit, Socket};
use runner_keeper::protocol::{Event, Identity, Request, SpawnRequest, VERSION};
use rustix::process::{Pid, prlimit};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const CAP_SETPCAP: u32 = 8;
const CAP_SYS_RESOURCE: u32 = 24;

/// The lines `name: value` of a file of `/proc/self`, as a program sees it.
fn seen_by_program(
    keeper: &mut Keeper,
    run: u64,
    file: &str,
    change: impl FnOnce(&mut SpawnRequest),
) -> BTreeMap<String, String> {
    let mut request = keeper.request(run, &["cat", &format!("/proc/self/{file}")]);
    request.stdout = keeper.path(&format!("out-{run}")).to_string_lossy().into_owned();
    change(&mut request);
    assert_eq!(keeper.run(&request).status, ExitStatus::Code(0), "{}", keeper.text("out.log"));
    let text = keeper.text(&format!("out-{run}"));
    let pairs = text.lines().filter_map(|line| line.split_once(':').or_else(|| line.split_once("  ")));
    pairs.map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

fn executed(execution: Execution) -> impl FnOnce(&mut SpawnRequest) {
    move |request| request.execution = Some(Box::new(execution))
}

fn nobody() -> Identity {
    Identity { uid: 65534, gid: 65533, groups: vec![65533, 4242] }
}

#[test]
fn s22_a_program_gets_a_clean_place_and_nothing_of_the_keeper() {
    // Whatever the keeper was started with.
    let mut keeper =
        Keeper::start_after("trap '' PIPE USR1; umask 077; exec 7< /dev/null; export SECRET=of-the-keeper");
    let status = seen_by_program(&mut keeper, 1, "status", |_| {});
    for signals in ["SigBlk", "SigIgn", "SigPnd", "ShdPnd"] {
        assert_eq!(status[signals], "0000000000000000", "{signals}");
    }
    assert_eq!((status["Umask"].as_str(), status["NoNewPrivs"].as_str()), ("0022", "0"));
    let environ = keeper.request(2, &["cat", "/proc/self/environ"]);
    let environ = SpawnRequest { env: vec![("A".into(), "b c".into()), ("EMPTY".into(), String::new())], ..environ };
    keeper.run(&SpawnRequest { argv: vec!["/bin/cat".into(), "/proc/self/environ".into()], ..environ });
    assert_eq!(keeper.text("out.log"), "A=b c\0EMPTY=\0");
    let line =
        // In a process of its own, and without a pipe: what the shell opens
        // for it is not to be seen in the shell.
        "(ls /proc/$$/fd > fds); readlink /proc/$$/fd/0 /proc/$$/cwd > links; cat /proc/$$/stat > stat";
    let pid = keeper.spawn(&keeper.line(3, line, Execution::default()));
    keeper.emptied(3);
    assert_eq!(keeper.text("fds"), "0\n1\n2\n");
    assert_eq!(keeper.text("links"), format!("/dev/null\n{}\n", keeper.dir.path().display()));
    let stat = keeper.text("stat");
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Parent, group, session, terminal.
    let (pid, parent) = (pid.to_string(), keeper.pid().to_string());
    assert_eq!(fields[1..5], [parent.as_str(), &pid, &pid, "0"]);
    let own = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limits = keeper.request(4, &["cat", "/proc/self/limits"]);
    keeper.run(&SpawnRequest { stdout: keeper.path("limits").to_string_lossy().into_owned(), ..limits });
    let differing: Vec<String> =
        keeper.lines("limits", 16).into_iter().filter(|line| !own.contains(line.trim_end())).collect();
    // The mark of the run, and no core files.
    assert!(
        differing.iter().all(|line| line.starts_with("Max file locks") || line.starts_with("Max core")),
        "{differing:?}"
    );
}

#[test]
fn a_program_gets_what_the_kernel_is_asked_for_and_nothing_else_changes() {
    let mut keeper = Keeper::start();
    let limit = |soft, hard| Rlimit { soft: Some(soft), hard };
    let execution = || Execution {
        umask: Some(0o027),
        rlimits: [(Resource::Nofile, limit(77, Some(88))), (Resource::Core, limit(0, Some(0)))].into(),
        nice: Some(5),
        io_priority: Some(IoPriority { class: IoClass::BestEffort, level: 6 }),
        oom_score_adj: Some(700),
        cpu_affinity: vec![0],
        no_new_privs: true,
        ..Execution::default()
    };
    let status = seen_by_program(&mut keeper, 1, "status", executed(execution()));
    let seen = ["Umask", "NoNewPrivs", "Cpus_allowed_list"].map(|name| status[name].as_str());
    assert_eq!(seen, ["0027", "1", "0"]);
    let limits = seen_by_program(&mut keeper, 2, "limits", executed(execution()));
    assert_eq!(limits["Max open files"], "77 88 files");
    assert_eq!(limits["Max core file size"], "0 0 bytes");
    let line =
        "cat /proc/$$/oom_score_adj > oom; cut -d' ' -f19 /proc/$$/stat > nice; ionice -p $$ > ionice 2>&1 || true";
    keeper.run(&keeper.line(3, line, execution()));
    assert_eq!((keeper.text("oom").trim(), keeper.text("nice").trim()), ("700", "5"));
    assert!(
        ["best-effort: prio 6", ""].contains(&keeper.text("ionice").trim())
            || keeper.text("ionice").contains("not found")
    );
}

#[test]
fn x11_privileges_are_dropped_exactly_or_the_program_does_not_run() {
    if !am_root() {
        let mut keeper = Keeper::start();
        let request = SpawnRequest { identity: Some(nobody()), ..keeper.request(1, &["true"]) };
        assert_eq!(keeper.try_spawn(&request).unwrap_err().0, "user");
        return;
    }
    let mut keeper = Keeper::start();
    let status = seen_by_program(&mut keeper, 1, "status", |request| request.identity = Some(nobody()));
    assert_eq!(status["Uid"], "65534 65534 65534 65534");
    assert_eq!(status["Gid"], "65533 65533 65533 65533");
    assert_eq!(status["Groups"], "4242 65533");
    for set in ["CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    // More groups than the kernel takes: the step fails, and with it the start.
    let many = Identity { groups: (0..70_000).collect(), ..nobody() };
    let request = SpawnRequest { identity: Some(many), ..keeper.line(2, "id > ran", Execution::default()) };
    let (stage, message) = keeper.try_spawn(&request).unwrap_err();
    assert_eq!(stage, "user");
    assert!(message.contains("os error 22"), "{}", &message[message.len() - 80..]);
    assert!(!keeper.path("ran").exists());
}

#[test]
fn x11_a_drop_of_privileges_that_is_none_is_found_out() {
    if !am_root() || !is_capable(CAP_SETPCAP) {
        // There is nothing that could be kept.
        let mut keeper = Keeper::start();
        let own = Identity { uid: 0, gid: 0, groups: vec![] };
        assert_eq!(
            am_root(),
            keeper.try_spawn(&SpawnRequest { identity: Some(own), ..keeper.request(1, &["true"]) }).is_ok()
        );
        return;
    }
    // Who changes the user id keeps all capabilities, and could become root again.
    let mut keeper = Keeper::start_after("set -- setpriv --securebits +no_setuid_fixup -- \"$@\"");
    let request = SpawnRequest { identity: Some(nobody()), ..keeper.line(1, "id > ran", Execution::default()) };
    let (stage, message) = keeper.try_spawn(&request).unwrap_err();
    assert_eq!(stage, "user");
    assert!(message.contains("uid 65534") && message.contains("not what the kernel made of it"), "{message}");
    assert!(!keeper.path("ran").exists());
}

#[test]
fn s14_programs_are_not_protected_from_a_lack_of_memory_with_the_keeper() {
    let protected = is_capable(CAP_SYS_RESOURCE);
    let score = if protected { -500 } else { 300 };
    let mut keeper = Keeper::start_after(&format!("echo {score} > /proc/self/oom_score_adj"));
    let of = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().to_owned();
    assert_eq!(of(keeper.pid()), score.to_string(), "the fault did not happen");
    let plain = keeper.spawn(&keeper.request(1, &["sleep", "1000"]));
    let told = Execution { oom_score_adj: Some(400), ..Execution::default() };
    let told = keeper.spawn(&SpawnRequest { execution: Some(Box::new(told)), ..keeper.request(2, &["sleep", "1000"]) });
    // Whoever stands in for others does so with its programs.
    assert_eq!((of(plain).as_str(), of(told).as_str()), (if protected { "0" } else { "300" }, "400"));
}

#[test]
fn s24_no_core_is_written_unless_it_is_asked_for() {
    let mut keeper = Keeper::start_after("ulimit -S -c $(ulimit -H -c)");
    let own = std::fs::read_to_string(format!("/proc/{}/limits", keeper.pid())).unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    let hard = own.split_whitespace().nth(1).unwrap().to_owned();
    let core = |keeper: &mut Keeper, run, execution| {
        seen_by_program(keeper, run, "limits", executed(execution))["Max core file size"].clone()
    };
    assert_eq!(core(&mut keeper, 1, Execution::default()), format!("0 {hard} bytes"));
    let told = Rlimit { soft: Some(0), hard: Some(0) };
    let told = Execution { rlimits: [(Resource::Core, told)].into(), ..Execution::default() };
    assert_eq!(core(&mut keeper, 2, told), "0 0 bytes");
    let ending = keeper.run(&keeper.line(3, "kill -ABRT $$", Execution::default()));
    assert_eq!(ending.status, ExitStatus::Signal(6));
    let has_core = std::fs::read_dir(keeper.dir.path())
        .unwrap()
        .flatten()
        .any(|e| e.file_name().to_string_lossy().starts_with("core"));
    assert!(!has_core);
}

/// A copy of a program. Written by another process: neither this one may have it open when it is run, nor whatever
/// another test starts meanwhile.
fn copy(from: &Path, to: &Path, mode: u32) {
    assert!(Command::new("cp").args([from, to]).status().unwrap().success());
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn s23_a_program_that_cannot_be_executed_says_which_step_failed_and_why() {
    let mut keeper = Keeper::start();
    let file = |name: &str, content: &[u8], mode| {
        let (path, draft) = (keeper.path(name), keeper.path("draft"));
        std::fs::write(&draft, content).unwrap();
        copy(&draft, &path, mode);
        path.to_string_lossy().into_owned()
    };
    // A program for a machine that does not exist.
    let mut elf = std::fs::read("/proc/self/exe").unwrap()[..64].to_vec();
    (elf[18], elf[19]) = (0xfe, 0xfe);
    let cases = [
        ("/no/such/program".to_owned(), "exec", "os error 2)"),
        ("no-such-program".to_owned(), "exec", "os error 2)"),
        (file("plain", b"text", 0o644), "exec", "os error 13)"),
        (file("foreign", &elf, 0o755), "exec", "os error 8)"),
        (keeper.dir.path().to_string_lossy().into_owned(), "exec", "os error 13)"),
        (file("script", b"#!/no/such/shell\n", 0o755), "exec", "its interpreter: No such file"),
    ];
    let bare = file("bare", b"exit 7\n", 0o755);
    for (run, (program, stage, words)) in (1..).zip(cases) {
        let (seen, message) = keeper.try_spawn(&keeper.request(run, &[&program])).unwrap_err();
        assert!(seen == stage && message.starts_with(&program) && message.contains(words), "{seen}: {message}");
    }
    let mut request = keeper.request(20, &["true"]);
    request.env.push(("LARGE".into(), "x".repeat(200_000)));
    let (stage, message) = keeper.try_spawn(&request).unwrap_err();
    assert!(stage == "exec" && message.contains("os error 7)"), "{stage}: {message}");
    let request = SpawnRequest { working_dir: "/no/such/place".into(), ..keeper.request(21, &["true"]) };
    assert_eq!(
        keeper.try_spawn(&request).unwrap_err(),
        ("chdir".into(), "/no/such/place: No such file or directory (os error 2)".into())
    );
    let backwards = Rlimit { soft: Some(100), hard: Some(50) };
    let rlimits = [(Resource::Cpu, Rlimit { soft: Some(9), hard: None }), (Resource::Nofile, backwards)].into();
    let request = keeper.line(22, "true", Execution { rlimits, ..Execution::default() });
    assert_eq!(
        keeper.try_spawn(&request).unwrap_err(),
        ("rlimit".into(), "nofile = 100:50: Invalid argument (os error 22)".into())
    );
    let request = keeper.line(23, "true", Execution { cpu_affinity: vec![1023], ..Execution::default() });
    assert_eq!(keeper.try_spawn(&request).unwrap_err().0, "cpu_affinity");
    // A script without a first line is a shell's, as everywhere else; and nothing of the failures is left.
    assert_eq!(keeper.run(&keeper.request(24, &[&bare])).status, ExitStatus::Code(7));
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", keeper.pid())).unwrap();
    assert_eq!(children.trim(), "", "a zombie is left");
}

#[test]
fn s17_a_keeper_without_free_descriptors_refuses_and_recovers() {
    let mut keeper = Keeper::start();
    keeper.run(&keeper.request(1, &["true"]));
    let pid = Pid::from_raw(i32::try_from(keeper.pid()).unwrap());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", keeper.pid())).unwrap();
    let hard = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let maximum = hard.split_whitespace().nth(1).unwrap().parse().ok();
    // Fewer than it has: none that it is about to close makes room.
    let few = rustix::process::Rlimit { current: Some(1), maximum };
    let limit = prlimit(pid, rustix::process::Resource::Nofile, few).unwrap();
    let (_, message) = keeper.try_spawn(&keeper.request(2, &["true"])).unwrap_err();
    assert!(message.contains("os error 24"), "{message}");
    prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
    assert_eq!(keeper.run(&keeper.request(3, &["true"])).status, ExitStatus::Code(0));
}

#[test]
fn s18_a_fork_that_is_refused_is_a_failed_start_and_the_next_one_works() {
    let mut keeper = Keeper::start();
    let none = Rlimit { soft: Some(0), hard: Some(0) };
    let execution = Execution { rlimits: [(Resource::Nproc, none)].into(), ..Execution::default() };
    if am_root() {
        // The kernel counts the processes of a user when it becomes one, and refuses at exec.
        keeper.spawn(&SpawnRequest { identity: Some(nobody()), ..keeper.request(4, &["sleep", "1000"]) });
        let request = SpawnRequest { identity: Some(nobody()), ..keeper.line(1, "true", execution) };
        let (stage, message) = keeper.try_spawn(&request).unwrap_err();
        assert!(stage == "exec" && message.contains("os error 11"), "{stage}: {message}");
    }
    if let Some(pids) = keeper::v1("pids") {
        let group = pids.join(format!("pm-test-{}", keeper.pid()));
        std::fs::create_dir(&group).unwrap();
        std::fs::write(group.join("cgroup.procs"), keeper.pid().to_string()).unwrap();
        std::fs::write(group.join("pids.max"), "1").unwrap();
        let outcome = keeper.try_spawn(&keeper.request(2, &["true"]));
        std::fs::write(group.join("pids.max"), "max").unwrap();
        std::fs::write(pids.join("cgroup.procs"), keeper.pid().to_string()).unwrap();
        std::fs::remove_dir(&group).unwrap();
        let (stage, message) = outcome.unwrap_err();
        assert!(stage == "clone" && message.contains("os error 11"), "{stage}: {message}");
    }
    assert_eq!(keeper.run(&keeper.request(3, &["true"])).status, ExitStatus::Code(0));
}

#[test]
fn s26_a_program_that_makes_itself_a_daemon_has_ended_and_its_children_are_not_lost() {
    let mut keeper = Keeper::start();
    let line = "setsid sh -c 'echo $$ > pids; exec sleep 1000' & until [ -s pids ]; do sleep 0.01; done";
    keeper.spawn(&keeper.line(1, line, Execution::default()));
    let ending = keeper.exited(1);
    assert_eq!((ending.status, ending.tree_empty), (ExitStatus::Code(0), false));
    let daemon = keeper.pids("pids", 1)[0];
    assert!(is_alive(daemon));
    keeper.ask(&Request::SignalTree { run: 1, signal: 15 });
    keeper.event(|event| matches!(event, Event::TreeEmptied { run: 1 }).then_some(()));
    assert!(!is_alive(daemon));
}

fn read(mut stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(keeper::PATIENCE)).unwrap();
    let mut buffer = [0; 256];
    let n = stream.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

#[test]
fn a_restart_drops_no_connection_to_a_socket_that_the_keeper_holds() {
    let mut keeper = Keeper::start();
    let (_reserved, port) = port::reserved();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let unix = keeper.path("web.sock");
    let sockets = vec![
        Socket { name: "http".into(), listen: Listen::Tcp(address), backlog: 16 },
        Socket {
            name: "local".into(),
            listen: Listen::Unix { path: unix.to_str().unwrap().into(), mode: 0o660 },
            backlog: 16,
        },
    ];
    let request = |keeper: &Keeper, run| SpawnRequest {
        instance: "web-1".into(),
        sockets: sockets.clone(),
        ..fixture(keeper.request(run, &[]), "serve")
    };
    let first = keeper.spawn(&request(&keeper, 1));
    // Answers only when LISTEN_PID is its own.
    assert_eq!(read(&TcpStream::connect(address).unwrap()), format!("{first} 2 http:local"));
    assert_eq!(std::fs::metadata(&unix).unwrap().permissions().mode() & 0o777, 0o660);
    keeper.kill(1);
    // Nobody serves it now, and nobody is refused.
    let mut waiting = TcpStream::connect(address).unwrap();
    waiting.write_all(b"hello").unwrap();
    let second = keeper.spawn(&request(&keeper, 2));
    assert_ne!(first, second);
    assert_eq!(read(&waiting), format!("{second} 2 http:local"));
    keeper.kill(2);
    keeper.ask(&Request::CloseSockets { instance: "web-1".into(), keep: vec!["local".into()] });
    assert!(keeper.is_untold(|_| false));
    assert!(TcpStream::connect(address).is_err());
    assert!(unix.exists());
    keeper.ask(&Request::CloseSockets { instance: "web-1".into(), keep: vec![] });
    assert!(keeper.is_untold(|_| false));
    assert!(!unix.exists());
}

#[test]
fn an_address_that_is_taken_fails_the_start_and_is_named() {
    let mut keeper = Keeper::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let sockets = vec![Socket { name: "http".into(), listen: Listen::Tcp(address), backlog: 16 }];
    let request = SpawnRequest { sockets, ..keeper.request(1, &["true"]) };
    let (stage, message) = keeper.try_spawn(&request).unwrap_err();
    assert_eq!(stage, "socket");
    assert!(message.contains(&address.to_string()) && message.contains("os error 98"), "{message}");
    drop(taken);
    // What another test starts meanwhile may hold it, too, until it has become a program of its own.
    let deadline = Instant::now() + keeper::PATIENCE;
    let mut run = 2;
    while let Err((stage, message)) = keeper.try_spawn(&SpawnRequest { run, ..request.clone() }) {
        assert!(Instant::now() < deadline, "{stage}: {message}");
        run += 1;
    }
}

fn notified(keeper: &mut Keeper, id: u64) -> String {
    keeper.event(|event| match event {
        Event::Notified { run, text } if *run == id => Some(text.clone()),
        _ => None,
    })
}

#[test]
fn sd_notify_is_heard_from_the_tree_alone_and_what_lasts_is_kept() {
    let mut keeper = Keeper::start();
    let mut request = fixture(keeper.request(1, &[]), "notify");
    request.notify = true;
    request.env.push(("WATCHDOG_USEC".into(), "1000000".into()));
    let pid = keeper.spawn(&request);
    // With WATCHDOG_PID as the program sees it.
    assert_eq!(notified(&mut keeper, 1), format!("READY=1\nSTATUS=watched {pid}"));
    let environ = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let name = environ.split('\0').find_map(|entry| entry.strip_prefix("NOTIFY_SOCKET=")).unwrap().to_owned();
    assert!(fixture::notify(&name, "STATUS=forged"));
    // A child that ends at once is of the tree all the same.
    std::fs::write(keeper.path("go"), "").unwrap();
    assert_eq!(notified(&mut keeper, 1), "STATUS=from a child");
    assert!(keeper.is_untold(|event| matches!(event, Event::Notified { .. })), "a stranger was heard");
    keeper.ask(&Request::Hello { version: VERSION });
    let lasting = keeper.event(|event| match event {
        Event::Welcome { runs, .. } => Some(runs[0].notified.clone()),
        _ => None,
    });
    assert_eq!(lasting, "READY=1\nSTATUS=from a child");
    keeper.kill(1);
    assert!(keeper.is_untold(|_| false));
    assert!(!fixture::notify(&name, "READY=1"), "the socket outlived its run");
}

#[test]
fn sd_notify_works_for_another_user_in_a_directory_of_nobodys() {
    if !am_root() {
        return;
    }
    let mut keeper = Keeper::start();
    let mut request = fixture(keeper.request(1, &[]), "notify");
    request.notify = true;
    request.identity = Some(nobody());
    request.working_dir = "/".into();
    // The program of the test is in a directory that this user may not enter.
    let program = tempfile::Builder::new().prefix("pm-fixture").tempfile_in("/var/tmp").unwrap().into_temp_path();
    copy(Path::new(&request.argv[0]), &program, 0o755);
    request.argv[0] = program.to_string_lossy().into_owned();
    keeper.spawn(&request);
    assert_eq!(notified(&mut keeper, 1), "READY=1\nSTATUS=not watched");
}
