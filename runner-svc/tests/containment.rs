//! Trees held together and limited: with cgroups of version 2, of version 1,
//! and with neither. Rows of the fault matrix by name. Where a machine does not
//! let us, the announced fallback is what has to hold.

#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]

#[path = "support/keeper.rs"]
mod keeper;

use keeper::{Keeper, is_alive};
use process_model::ExitStatus;
use process_model::spec::{Execution, LimitMode, Listen, ResourceLimits, Socket};
use runner_keeper::protocol::{Event, Request, SpawnRequest};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

/// A keeper of each kind of containment that this machine has, and the best first.
fn keepers() -> Vec<Keeper> {
    ["auto", "cgroup-v1", "session"].map(Keeper::with_containment).into()
}

/// Few enough limits to be in a cgroup of version 1, too.
fn limits() -> Option<ResourceLimits> {
    Some(ResourceLimits { pids: Some(1000), ..ResourceLimits::default() })
}

fn containment_of(keeper: &mut Keeper, id: u64) -> String {
    keeper.ask(&Request::Hello { version: runner_keeper::protocol::VERSION });
    keeper.event(|event| match event {
        Event::Welcome { runs, .. } => runs.iter().find(|run| run.run == id).map(|run| run.containment.clone()),
        _ => None,
    })
}

/// The file of a process's own cgroup in which a controller says something.
fn group_file(pid: u32, controller: &str, v1: &str, v2: &str) -> Option<PathBuf> {
    let own = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path_in = |wanted: &str| {
        own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            parts.next()?.split(',').any(|c| c == wanted).then(|| parts.next().unwrap_or_default().to_owned())
        })
    };
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = |kind: &str, option: &str| {
        mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let is_it = fields[2] == kind && (option.is_empty() || fields[3].split(',').any(|o| o == option));
            is_it.then(|| PathBuf::from(fields[1]))
        })
    };
    let v1 = path_in(controller).zip(mount("cgroup", controller)).map(|(path, at)| at.join(&path[1..]).join(v1));
    let v2 = || path_in("").zip(mount("cgroup2", "")).map(|(path, at)| at.join(&path[1..]).join(v2));
    v1.or_else(v2).filter(|file| file.exists())
}

/// Whether this keeper enforces or observes these limits; if not, that it says so.
fn can_limit(keeper: &mut Keeper, limits: &ResourceLimits) -> bool {
    let request = SpawnRequest { limits: Some(limits.clone()), ..keeper.request(90, &["sleep", "1000"]) };
    keeper.spawn(&request);
    let can = keeper.is_untold(|event| matches!(event, Event::LimitReached { run: 90, .. }));
    if !can {
        let message = keeper.limit_reached(90);
        let words = if limits.mode == LimitMode::Observe { "is not observed: " } else { "is not enforced: " };
        assert!(message.contains(words), "{message}");
    }
    keeper.kill(90);
    can
}

#[test]
fn s05_a_kill_is_over_when_nobody_of_the_tree_is_left() {
    for mut keeper in keepers() {
        let line = "for i in 1 2 3; do sleep 1000 & echo $! >> pids; done; wait";
        let request = SpawnRequest { limits: limits(), ..keeper.line(1, line, Execution::default()) };
        let main = keeper.spawn(&request);
        let mut pids = keeper.pids("pids", 3);
        pids.push(main);
        assert!(pids.iter().all(|pid| is_alive(*pid)));
        let told = containment_of(&mut keeper, 1);
        // Version 1 needs a group of its own for each controller; without one the session is in force.
        assert!(told == keeper.containment || told == "session", "{told}, not {}", keeper.containment);
        let begin = Instant::now();
        keeper.kill(1);
        assert!(pids.iter().all(|pid| !is_alive(*pid)), "by {}", keeper.containment);
        assert!(begin.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn s05_children_that_outlive_their_parent_hold_the_end_up_in_every_containment() {
    for mut keeper in keepers() {
        let line = "sleep 1000 & echo $! > pids; exit 3";
        keeper.spawn(&SpawnRequest { limits: limits(), ..keeper.line(1, line, Execution::default()) });
        let ending = keeper.exited(1);
        assert_eq!((ending.status, ending.tree_empty), (ExitStatus::Code(3), false), "by {}", keeper.containment);
        let child = keeper.pids("pids", 1)[0];
        assert!(keeper.is_untold(|event| matches!(event, Event::TreeEmptied { .. })) && is_alive(child));
        keeper::kill(child);
        keeper.event(|event| matches!(event, Event::TreeEmptied { run: 1 }).then_some(()));
    }
}

#[test]
fn s06_who_leaves_session_and_parents_behind_and_ignores_sigterm_dies_all_the_same() {
    for mut keeper in keepers() {
        let escapee = "env -i setsid sh -c 'trap \"\" TERM; (trap \"\" TERM; echo $$ >> pids; sleep 1000 & echo $! >> pids; wait) & wait'";
        let line = format!("{escapee} & sleep 0.05; {escapee} & wait");
        let main = keeper.spawn(&SpawnRequest { limits: limits(), ..keeper.line(1, &line, Execution::default()) });
        let pids = keeper.pids("pids", 4);
        keeper.ask(&Request::SignalTree { run: 1, signal: 15 });
        assert!(!keeper.exited(1).tree_empty, "SIGTERM was not ignored: the fault did not happen");
        assert!(!is_alive(main) && pids.iter().any(|pid| is_alive(*pid)));
        let begin = Instant::now();
        keeper.ask(&Request::SignalTree { run: 1, signal: 9 });
        keeper.event(|event| matches!(event, Event::TreeEmptied { run: 1 }).then_some(()));
        assert!(pids.iter().all(|pid| !is_alive(*pid)), "by {}", keeper.containment);
        assert!(begin.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn s07_who_cannot_be_killed_is_told_with_pids_and_the_end_comes_when_they_can() {
    let Some(freezer) = keeper::v1("freezer") else {
        assert!(std::env::var_os("CI").is_none_or(|_| !keeper::am_root()), "nothing here makes a process unkillable");
        eprintln!("skipped: this machine has no freezer of cgroup version 1 that may be written");
        return;
    };
    for mut keeper in keepers() {
        let line = "sleep 1000 & echo $! > pids; wait";
        let main = keeper.spawn(&SpawnRequest { limits: limits(), ..keeper.line(1, line, Execution::default()) });
        let child = keeper.pids("pids", 1)[0];
        let ice = freezer.join(format!("pm-test-{child}"));
        std::fs::create_dir(&ice).unwrap();
        std::fs::write(ice.join("cgroup.procs"), child.to_string()).unwrap();
        std::fs::write(ice.join("freezer.state"), "FROZEN").unwrap();
        keeper.ask(&Request::SignalTree { run: 1, signal: 9 });
        assert!(!keeper.exited(1).tree_empty);
        let pids = keeper.event(|event| match event {
            Event::Survivors { run: 1, pids } => Some(pids.clone()),
            _ => None,
        });
        let is_still_there = is_alive(child) && !is_alive(main);
        let is_untold = keeper.is_untold(|event| matches!(event, Event::TreeEmptied { .. }));
        std::fs::write(ice.join("freezer.state"), "THAWED").unwrap();
        keeper.event(|event| matches!(event, Event::TreeEmptied { run: 1 }).then_some(()));
        std::fs::remove_dir(&ice).unwrap();
        assert!(is_still_there, "the fault did not happen");
        assert!(is_untold && pids == [child], "{pids:?}, by {}", keeper.containment);
        assert!(!is_alive(child));
    }
}

#[test]
fn s13_a_kill_for_lack_of_memory_is_told_apart_from_one_by_hand() {
    for mut keeper in keepers() {
        let limits = ResourceLimits { memory: Some(20 * MIB), ..ResourceLimits::default() };
        if !can_limit(&mut keeper, &limits) {
            continue;
        }
        let limited = |request| SpawnRequest { limits: Some(limits.clone()), ..request };
        // A line without end, kept as a whole.
        let ending = keeper.run(&limited(keeper.request(1, &["tail", "/dev/zero"])));
        assert_eq!((ending.status, ending.out_of_memory), (ExitStatus::Signal(9), true));
        let message = keeper.limit_reached(1);
        assert!(message.contains("20971520 bytes was reached: the kernel killed"), "{message}");
        // A shell that tells of its child's end.
        let ending = keeper.run(&limited(keeper.line(2, "tail /dev/zero; exit $?", Execution::default())));
        assert_eq!((ending.status, ending.out_of_memory), (ExitStatus::Code(137), true));
        // By a stranger, by the keeper, and by nobody.
        let pid = keeper.spawn(&limited(keeper.request(3, &["sleep", "1000"])));
        keeper::kill(pid);
        let ending = keeper.exited(3);
        assert_eq!((ending.status, ending.out_of_memory), (ExitStatus::Signal(9), false));
        keeper.spawn(&limited(keeper.request(4, &["sleep", "1000"])));
        keeper.ask(&Request::SignalTree { run: 4, signal: 9 });
        assert!(!keeper.exited(4).out_of_memory);
        assert!(!keeper.run(&limited(keeper.request(5, &["true"]))).out_of_memory);
    }
}

#[test]
fn s13_a_kill_for_lack_of_memory_that_no_limit_of_ours_caused_is_told_apart_too() {
    let Some(memory) = keeper::v1("memory") else {
        assert!(std::env::var_os("CI").is_none_or(|_| !keeper::am_root()), "nothing here limits memory");
        eprintln!("skipped: this machine has no memory controller of cgroup version 1 that may be written");
        return;
    };
    // Elsewhere the kernel speaks of other numbers than ours, and nobody may read what it says.
    let is_told = std::fs::read_link("/proc/self/ns/pid").unwrap().as_os_str() == "pid:[4026531836]"
        && std::fs::File::open("/dev/kmsg").is_ok();
    for mut keeper in keepers() {
        let foreign = memory.join(format!("pm-test-{}", keeper.pid()));
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("memory.limit_in_bytes"), (20 * MIB).to_string()).unwrap();
        let line = format!("echo $$ > {}/cgroup.procs; exec tail /dev/zero", foreign.display());
        let ending = keeper.run(&keeper.line(1, &line, Execution::default()));
        let kills = std::fs::read_to_string(foreign.join("memory.oom_control")).unwrap();
        std::fs::remove_dir(&foreign).unwrap();
        assert!(kills.contains("oom_kill 1"), "invalid: the fault did not happen: {kills}");
        assert_eq!((ending.status, ending.out_of_memory), (ExitStatus::Signal(9), is_told));
        let pid = keeper.spawn(&keeper.request(2, &["sleep", "1000"]));
        keeper::kill(pid);
        assert!(!keeper.exited(2).out_of_memory);
    }
}

#[test]
fn processes_beyond_the_limit_are_refused_and_that_is_told() {
    for mut keeper in keepers() {
        let limits = ResourceLimits { pids: Some(5), ..ResourceLimits::default() };
        if !can_limit(&mut keeper, &limits) {
            continue;
        }
        let line = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & echo $! >> pids; done; wait";
        keeper.spawn(&SpawnRequest { limits: Some(limits), ..keeper.line(1, line, Execution::default()) });
        let message = keeper.limit_reached(1);
        assert!(message.contains("5 processes and threads was reached"), "{message}");
        keeper.kill(1);
    }
}

#[test]
fn cpu_is_limited_to_its_share() {
    for mut keeper in keepers() {
        let limits = ResourceLimits { cpu_millis: Some(200), ..ResourceLimits::default() };
        if !can_limit(&mut keeper, &limits) {
            continue;
        }
        let line = "while :; do :; done";
        let pid = keeper.spawn(&SpawnRequest { limits: Some(limits), ..keeper.line(1, line, Execution::default()) });
        let quota = group_file(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").unwrap();
        let text = std::fs::read_to_string(quota).unwrap();
        assert!(text.starts_with("20000"), "{text}");
        keeper.kill(1);
    }
}

#[test]
fn observed_limits_hold_nobody_up_and_are_told() {
    for mut keeper in keepers() {
        let limits = ResourceLimits { memory: Some(4 * MIB), mode: LimitMode::Observe, ..ResourceLimits::default() };
        if !can_limit(&mut keeper, &limits) {
            continue;
        }
        let request = keeper.request(1, &["dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"]);
        let ending = keeper.run(&SpawnRequest { limits: Some(limits), ..request });
        assert_eq!((ending.status, ending.out_of_memory), (ExitStatus::Code(0), false));
        let message = keeper.limit_reached(1);
        assert!(message.contains("4194304 bytes would have been reached"), "{message}");
    }
}

#[test]
fn a_limit_that_cannot_be_enforced_is_said_so_once_and_the_program_runs() {
    let mut keeper = Keeper::with_containment("session");
    assert_eq!((keeper.containment.as_str(), keeper.note.as_str()), ("session", "PM_CONTAINMENT=session"));
    let limits = ResourceLimits { memory: Some(20 * MIB), cpu_millis: Some(100), ..ResourceLimits::default() };
    let pid = keeper.spawn(&SpawnRequest { limits: Some(limits), ..keeper.request(1, &["sleep", "1000"]) });
    let told = [keeper.limit_reached(1), keeper.limit_reached(1)];
    assert_eq!(
        told,
        [
            "the memory limit of 20971520 bytes is not enforced: no writable memory controller",
            "the limit of 100 thousandths of a CPU is not enforced: no writable cpu controller",
        ]
    );
    assert!(is_alive(pid) && keeper.is_untold(|event| matches!(event, Event::LimitReached { .. })));
}

#[test]
fn a_task_is_in_the_group_of_its_instance_and_ends_without_it() {
    for mut keeper in keepers() {
        let limits = Some(ResourceLimits { pids: Some(50), ..ResourceLimits::default() });
        let main =
            keeper.spawn(&SpawnRequest { limits, instance: "web-1".into(), ..keeper.request(1, &["sleep", "1000"]) });
        let task = SpawnRequest {
            is_task: true,
            instance: "web-1".into(),
            ..keeper.line(2, "sleep 1000 & wait", Execution::default())
        };
        let task = keeper.spawn(&task);
        if let (Some(of_main), Some(of_task)) =
            (group_file(main, "pids", "pids.max", "pids.max"), group_file(task, "pids", "pids.max", "pids.max"))
        {
            assert_eq!(std::fs::read_to_string(of_main).unwrap().trim(), "50");
            assert_eq!(std::fs::read_to_string(of_task).unwrap().trim(), "50");
        }
        keeper.kill(2);
        assert!(is_alive(main) && !is_alive(task), "by {}", keeper.containment);
        // A task that goes on does not hold the end of its run up.
        let task = SpawnRequest { is_task: true, instance: "web-1".into(), ..keeper.request(3, &["sleep", "1000"]) };
        keeper.spawn(&task);
        keeper::kill(main);
        assert!(keeper.exited(1).tree_empty, "by {}", keeper.containment);
    }
}

/// The directory of a process's cgroup of version 2, wherever that is mounted.
fn unified_group(pid: u32) -> PathBuf {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).unwrap();
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next().unwrap(), fields.next().unwrap());
    PathBuf::from(point).join(path.strip_prefix(root).unwrap_or(&path).trim_start_matches('/'))
}

#[test]
fn a_group_is_used_again_and_one_that_somebody_has_killed_does_no_harm() {
    for mut keeper in keepers() {
        let idle = |keeper: &Keeper, run| keeper.request(run, &["sleep", "1000"]);
        let end = |keeper: &mut Keeper, run| {
            keeper.ask(&Request::SignalMain { run, signal: 15 });
            assert_eq!(keeper.exited(run).status, ExitStatus::Signal(15));
            keeper.ask(&Request::Forget { run });
            assert!(keeper.is_untold(|_| false));
        };
        let first = keeper.spawn(&idle(&keeper, 1));
        if keeper.containment != "cgroup-v2" {
            end(&mut keeper, 1);
            continue;
        }
        let group = unified_group(first);
        end(&mut keeper, 1);
        let second = keeper.spawn(&idle(&keeper, 2));
        assert_eq!(unified_group(second), group);
        std::fs::write(group.join("cgroup.kill"), "1").unwrap();
        assert_eq!(keeper.exited(2).status, ExitStatus::Signal(9));
        keeper.ask(&Request::Forget { run: 2 });
        assert!(keeper.is_untold(|_| false));
        for run in 3..6 {
            let pid = keeper.spawn(&idle(&keeper, run));
            assert!(is_alive(pid), "it was killed at birth");
            end(&mut keeper, run);
        }
    }
}

#[test]
fn s15_starts_and_stops_leave_nothing_behind() {
    for mut keeper in keepers() {
        let count = |keeper: &Keeper| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", keeper.pid())).unwrap();
            let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
            let threads = threads.trim().parse::<usize>().unwrap();
            (keeper.descriptors(), threads, groups())
        };
        let socket = Socket {
            name: "local".into(),
            listen: Listen::Unix { path: keeper.path("s").to_str().unwrap().into(), mode: 0o600 },
            backlog: 1,
        };
        let request = |keeper: &Keeper, run| SpawnRequest {
            instance: "web-1".into(),
            limits: Some(ResourceLimits { pids: Some(50), memory: Some(200 * MIB), ..ResourceLimits::default() }),
            notify: true,
            sockets: vec![socket.clone()],
            ..keeper.line(run, "setsid sleep 1000 & exec sleep 1000", Execution::default())
        };
        let cycle = |keeper: &mut Keeper, run| {
            keeper.spawn(&request(keeper, run));
            keeper.kill(run);
        };
        cycle(&mut keeper, 1);
        assert!(keeper.is_untold(|_| false));
        let before = count(&keeper);
        for run in 2..150 {
            cycle(&mut keeper, run);
        }
        assert!(keeper.is_untold(|_| false));
        // What it lets go it lets go some moment later: either count may have met one.
        let mut after = before.clone();
        let is_clean = keeper::comes_true(|| {
            after = count(&keeper);
            after.0 <= before.0 && after.1 <= before.1 && !after.2.iter().any(|group| group.ends_with("/149"))
        });
        assert!(is_clean, "{after:?} after {before:?}, by {}", keeper.containment);
    }
}

/// All groups of keepers, wherever this process is.
fn groups() -> Vec<String> {
    let mut found = Vec::new();
    for controller in ["memory", "pids", "cpu", "freezer"] {
        let below =
            keeper::v1(controller).into_iter().flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten());
        for base in below.filter(|entry| entry.file_name().to_string_lossy().starts_with("pm-")) {
            let runs = std::fs::read_dir(base.path()).into_iter().flatten().flatten();
            found.extend(runs.filter(|run| run.path().is_dir()).map(|run| run.path().to_string_lossy().into_owned()));
        }
    }
    found
}

#[test]
fn what_dead_keepers_left_is_swept_up_when_it_is_empty_and_left_alone_when_not() {
    let Some(pids) = keeper::v1("pids") else {
        let keeper = Keeper::start();
        assert!(!keeper.containment.is_empty());
        return;
    };
    let (empty, used) = (pids.join("pm-00000000000000aa"), pids.join("pm-00000000000000bb"));
    // That one may be gone, too, before all of it is there.
    let _ = std::fs::create_dir_all(empty.join("7"));
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    // Another test's keeper may sweep it up, as long as nobody is in it.
    let pid = child.id().to_string();
    let is_used = || {
        let made = std::fs::create_dir_all(used.join("8"));
        made.and_then(|()| std::fs::write(used.join("8/cgroup.procs"), &pid)).is_ok()
    };
    assert!(keeper::comes_true(is_used), "nobody can be put into a group");
    let keeper = Keeper::start();
    // Another test's keeper may be at the same one: then that one removes it.
    let is_gone = |group: &Path| keeper::comes_true(|| !group.exists());
    let seen = (is_gone(&empty), used.join("8").exists(), is_alive(child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(keeper);
    drop(Keeper::start());
    assert_eq!(seen, (true, true, true));
    assert!(is_gone(&used), "swept up later");
}
