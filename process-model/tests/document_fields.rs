//! The fields of each topic, in every way that they may be written, and what
//! they mean.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

use process_model::ProcessSpec;
use process_model::document::{self, Document};
use process_model::spec::{
    CatchUp, Check, Command, Compression, Condition, Dependency, Execution, Hook, Hooks, HttpCheck, IoClass,
    IoPriority, LimitMode, Listen, LogAction, LogFormat, LogPolicy, LogRule, Overlap, Placement, PlacementStrategy,
    Probe, Reservation, Resource, ResourceLimits, RestartMode, Rlimit, Schedule, Scope, Share, Signal, Singleton,
    Socket, StopStep, UpdatePolicy, WhenFull,
};
use std::path::Path;
use std::time::Duration;

fn read(text: &str) -> Document {
    document::read("f.yaml", Path::new("/base"), text.as_bytes()).unwrap_or_else(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// The process with these fields, which are right.
fn process(fields: &str) -> ProcessSpec {
    let document = read(&format!("processes: {{p: {{command: x, {fields}}}}}"));
    assert_eq!(document.warnings, []);
    document.processes.into_iter().next().unwrap()
}

fn warnings(text: &str) -> Vec<String> {
    read(text).warnings.iter().map(ToString::to_string).collect()
}

fn shell(line: &str) -> Command {
    Command::Shell(line.to_owned())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn execution_stands_beside_the_other_fields() {
    let spec = process(
        r#"umask: 027, group: 33, groups: [ssl-cert, 44], nice: -5, oom_score_adj: 500, no_new_privs: true,
        io_priority: {class: best-effort, level: 7}, cpu_affinity: [0, "2-4"], env_files: [a.env, -/etc/b],
        rlimits: {nofile: 65536, core: 0, memlock: unlimited, as: 4GiB, nproc: {soft: 100, hard: unlimited}}"#,
    );
    let both = |limit| Rlimit { soft: limit, hard: limit };
    let expected = Execution {
        umask: Some(0o027),
        group: Some("33".to_owned()),
        supplementary_groups: Some(vec!["ssl-cert".to_owned(), "44".to_owned()]),
        rlimits: [
            (Resource::Nofile, both(Some(65536))),
            (Resource::Core, both(Some(0))),
            (Resource::Memlock, both(None)),
            (Resource::As, both(Some(4 << 30))),
            (Resource::Nproc, Rlimit { soft: Some(100), hard: None }),
        ]
        .into(),
        nice: Some(-5),
        io_priority: Some(IoPriority { class: IoClass::BestEffort, level: 7 }),
        oom_score_adj: Some(500),
        cpu_affinity: vec![0, 2, 3, 4],
        no_new_privs: true,
        env_files: vec!["/base/a.env".to_owned(), "-/etc/b".to_owned()],
        ..Execution::default()
    };
    assert_eq!(spec.execution, Some(Box::new(expected)));
    let short =
        process("groups: wheel, cpu_affinity: 3, io_priority: idle, env_files: -x.env, umask: '0'").execution.unwrap();
    assert_eq!(short.supplementary_groups, Some(vec!["wheel".to_owned()]));
    assert_eq!((short.cpu_affinity, short.umask), (vec![3], Some(0)));
    assert_eq!(short.io_priority, Some(IoPriority { class: IoClass::Idle, level: 4 }));
    assert_eq!(short.env_files, ["-/base/x.env"]);
    assert_eq!(process("groups: []").execution.unwrap().supplementary_groups, Some(Vec::new()));
    assert_eq!(process("no_new_privs: false, rlimits: {}").execution, None);
}

#[test]
fn the_environment_of_the_file_is_under_the_files_and_these_under_the_process() {
    let document = read(
        "env: {A: all, B: all}\nenv_files: all.env\nprocesses:\n  p: {command: x, env: {B: own}, env_files: own.env}\n",
    );
    let spec = &document.processes[0];
    let execution = spec.execution.as_ref().unwrap();
    assert_eq!(execution.env_files, ["/base/all.env", "/base/own.env"]);
    assert_eq!(execution.base_env, [("A", "all"), ("B", "all")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert_eq!(spec.env, [("B".to_owned(), "own".to_owned())].into());
    // Without files, the two are one.
    let plain = read("env: {A: all, B: all}\nprocesses: {p: {command: x, env: {B: own}}}");
    assert_eq!(plain.processes[0].execution, None);
    assert_eq!(plain.processes[0].env, [("A", "all"), ("B", "own")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
}

#[test]
fn sockets_are_read_in_every_way_they_are_written() {
    let spec = process(
        r#"sockets: {a: 8080, b: "8081", c: "0.0.0.0:80", d: "[::1]:81", e: unix:run/e.sock, f: /run/f.sock,
        g: {listen: 53, udp: true}, h: {listen: "unix:/run/h", mode: 0600, backlog: 5}}"#,
    );
    let tcp = |name: &str, address: &str| (name.to_owned(), Listen::Tcp(address.parse().unwrap()), 4096);
    let unix = |name: &str, path: &str, mode, backlog| {
        (name.to_owned(), Listen::Unix { path: path.to_owned(), mode }, backlog)
    };
    let expected = [
        tcp("a", "127.0.0.1:8080"),
        tcp("b", "127.0.0.1:8081"),
        tcp("c", "0.0.0.0:80"),
        tcp("d", "[::1]:81"),
        unix("e", "/base/run/e.sock", 0o660, 4096),
        unix("f", "/run/f.sock", 0o660, 4096),
        ("g".to_owned(), Listen::Udp("127.0.0.1:53".parse().unwrap()), 4096),
        unix("h", "/run/h", 0o600, 5),
    ];
    assert_eq!(spec.sockets, expected.map(|(name, listen, backlog)| Socket { name, listen, backlog }));
}

#[test]
fn hooks_and_stop_steps_are_read() {
    let spec = process(
        "hooks: {pre_start: ./migrate, reload: {command: [nginx, -s, reload], timeout: 5s}, post_stop: ~}, \
         stop: {kill_timeout: 1, steps: [{run: ./drain, timeout: 20s}, {wait: 2s}, {signal: INT, to: main, wait: 10}, {signal: TERM}]}",
    );
    let hooks = Hooks {
        pre_start: Some(Hook::new(shell("./migrate"))),
        reload: Some(Hook {
            command: Command::Argv(["nginx", "-s", "reload"].map(str::to_owned).to_vec()),
            timeout: seconds(5),
        }),
        ..Hooks::default()
    };
    assert_eq!(spec.hooks, Some(Box::new(hooks)));
    assert_eq!(spec.stop.kill_timeout, seconds(1));
    assert_eq!(
        spec.stop.steps,
        [
            StopStep::Hook(Hook { command: shell("./drain"), timeout: seconds(20) }),
            StopStep::Wait(seconds(2)),
            StopStep::Signal { signal: Signal::INT, to: Scope::Main, wait: seconds(10) },
            StopStep::Signal { signal: Signal::TERM, to: Scope::Tree, wait: seconds(5) },
        ]
    );
    assert_eq!(process("hooks: {}, stop: {steps: []}").hooks, None);
}

#[test]
fn every_kind_of_probe_is_read() {
    let check =
        |probe: &str| process(&format!("ports: {{rpc: 50051}}, readiness: {{{probe}}}")).readiness.unwrap().check;
    assert_eq!(
        check("exec: [pg_isready, -q]"),
        Check::Exec { command: Command::Argv(vec!["pg_isready".into(), "-q".into()]) }
    );
    assert_eq!(check("exec: {command: ./ready}"), Check::Exec { command: shell("./ready") });
    assert_eq!(check("grpc: {port: rpc}"), Check::Grpc { port: 50051, service: String::new() });
    assert_eq!(
        check("grpc: {port: 1, service: shop.v1.Order}"),
        Check::Grpc { port: 1, service: "shop.v1.Order".into() }
    );
    assert_eq!(check("notify: true"), Check::Notify);
    assert_eq!(check("log: 'listening on [0-9]+'"), Check::Log { pattern: "listening on [0-9]+".into() });
    let one = HttpCheck { status: vec![(204, 204)], ..HttpCheck::get(1, "/") };
    assert_eq!(check("http: {port: 1, method: GET, status: 204}"), Check::Http(one));
    let spec = process("liveness: {tcp: {port: 1}, interval: 10s}, watchdog: 30s");
    assert_eq!(spec.liveness, Some(Probe { interval: seconds(10), ..Probe::new(Check::Tcp { port: 1 }) }));
    assert_eq!(spec.notify_watchdog, Some(seconds(30)));
}

#[test]
fn logs_rules_and_limits_are_read() {
    let spec = process(
        "logs: {max_size: 1048576, max_age: 1day, max_files: 3, compress: none, retention: 30days, quota: 1GB, format: otel, merge: true, when_full: block}, \
         log_rules: [{name: oom, pattern: OutOfMemory, action: restart, cooldown: 1m}, {name: odd, pattern: '^warn'}], \
         limits: {memory: 1.5GiB, cpu: 0.5, pids: 20, mode: observe}",
    );
    let policy = LogPolicy {
        max_size: 1 << 20,
        max_age: Some(seconds(86_400)),
        max_files: 3,
        compress: Compression::None,
        retention: Some(seconds(30 * 86_400)),
        quota: Some(1_000_000_000),
        format: LogFormat::Otel,
        merge: true,
        when_full: WhenFull::Block,
    };
    assert_eq!(spec.logs, Some(Box::new(policy)));
    let rule = |name: &str, pattern: &str, action, cooldown| LogRule {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        action,
        cooldown: seconds(cooldown),
    };
    assert_eq!(
        spec.log_rules,
        [rule("oom", "OutOfMemory", LogAction::Restart, 60), rule("odd", "^warn", LogAction::Event, 10)]
    );
    let limits =
        ResourceLimits { memory: Some(3 << 29), cpu_millis: Some(500), pids: Some(20), mode: LimitMode::Observe };
    assert_eq!(spec.limits, Some(Box::new(limits)));
    // An empty group says that the defaults hold, also for a log_file.
    assert_eq!(process("logs: {}").logs, Some(Box::default()));
}

#[test]
fn dependencies_are_read_in_every_way_they_are_written() {
    let others = "a: {command: x, restart: never}, b: {command: x, restart: on-failure}, c: {command: x}";
    let depends = |on: &str| {
        let document = read(&format!("processes: {{{others}, p: {{command: x, depends_on: {on}}}}}"));
        assert_eq!(document.warnings, []);
        document.processes[3].depends_on.clone()
    };
    let dependency = |name: &str, condition| Dependency { process: name.parse().unwrap(), condition };
    assert_eq!(depends("a"), [dependency("a", Condition::Ready)]);
    assert_eq!(depends("[b, a]"), [dependency("b", Condition::Ready), dependency("a", Condition::Ready)]);
    assert_eq!(
        depends("{a: completed_ok, b: {condition: completed}, c: {log: 'ready$'}}"),
        [
            dependency("a", Condition::CompletedOk),
            dependency("b", Condition::Completed),
            dependency("c", Condition::Log("ready$".to_owned())),
        ]
    );
    assert_eq!(depends("{c: started, b: ~}"), [dependency("c", Condition::Started)]);
}

#[test]
fn a_schedule_is_not_restarted_unless_it_asks_for_it() {
    let daily = Schedule {
        cron: "30 2 * * *".to_owned(),
        timezone: "UTC".to_owned(),
        overlap: Overlap::Skip,
        catch_up: CatchUp::None,
        jitter: Duration::ZERO,
    };
    let spec = process("schedule: 30 2 * * *, instances: 2");
    assert_eq!((spec.schedule, spec.restart.mode), (Some(Box::new(daily.clone())), RestartMode::Never));
    let spec = process(
        "schedule: {cron: 30 2 * * *, timezone: Europe/Berlin, overlap: replace, catch_up: once, jitter: 5m}, restart: on-failure",
    );
    let expected = Schedule {
        timezone: "Europe/Berlin".to_owned(),
        overlap: Overlap::Replace,
        catch_up: CatchUp::Once,
        jitter: seconds(300),
        ..daily
    };
    assert_eq!((spec.schedule, spec.restart.mode), (Some(Box::new(expected)), RestartMode::OnFailure));
    assert_eq!(process("schedule: '@daily', restart: {max_restarts: 3}").restart.mode, RestartMode::Never);
}

#[test]
fn where_instances_go_and_how_they_change_is_read() {
    let spec = process(
        "placement: {constraints: [zone=eu, 'node.cpus version >= 4'], strategy: bin-pack, spread_by: rack, max_per_node: 2, apart_from: db, reserve: {cpu: 0.5, memory: 1MiB}, replace_after: 2m}",
    );
    let expected = Placement {
        constraints: vec!["zone = eu".parse().unwrap(), "node.cpus version >= 4".parse().unwrap()],
        strategy: PlacementStrategy::BinPack,
        spread_by: Some("rack".to_owned()),
        max_per_node: Some(2),
        apart_from: vec!["db".parse().unwrap()],
        daemon: false,
        reserve: Reservation { cpu_millis: 500, memory: 1 << 20 },
        replace_after: Some(seconds(120)),
    };
    assert_eq!(spec.placement.as_deref(), Some(&expected));
    // To say nothing is not to say something else.
    assert_eq!(process("placement: {}, singleton: false").placement, None);
    let spec = process("update: {max_unavailable: 0, max_surge: 10%, min_ready: 5s, canary: 1, auto_revert: true}");
    let expected = UpdatePolicy {
        max_unavailable: Share::Count(0),
        max_surge: Share::Percent(10),
        min_ready: seconds(5),
        canary: 1,
        auto_revert: true,
        ..UpdatePolicy::default()
    };
    assert_eq!(spec.update.as_deref(), Some(&expected));
    assert_eq!(process("singleton: true").singleton.as_deref(), Some(&Singleton { lease: seconds(30) }));
    assert_eq!(process("singleton: {lease: 20s}").singleton.as_deref(), Some(&Singleton { lease: seconds(20) }));
}

#[test]
fn an_entry_of_the_list_form_may_use_them_too() {
    let document = read(
        "processes:\n- {name: a, command: x, log_file: l, timeout: 30, nice: 5, logs: {max_files: 2}, log_rules: [{name: r, pattern: e}]}\n- {name: b, command: x, depends_on: a, schedule: '@hourly'}\n",
    );
    assert_eq!(document.warnings, []);
    let [a, b] = &document.processes[..] else { panic!("{document:?}") };
    assert_eq!(a.log_watchdog.as_ref().unwrap().timeout, seconds(30));
    assert_eq!(
        (a.execution.as_ref().unwrap().nice, a.logs.as_ref().unwrap().max_files, a.log_rules.len()),
        (Some(5), 2, 1)
    );
    assert_eq!((b.depends_on.len(), b.restart.mode), (1, RestartMode::Never));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    assert_eq!(
        warnings("processes: {web: {command: x, depends_on: {bd: ready, queue: ready}}, db: {command: x}}"),
        [
            "f.yaml:1:48: processes.web.depends_on.bd: bd is not in this file; did you mean db?",
            "f.yaml:1:62: processes.web.depends_on.queue: queue is not in this file; apply queue too, or web waits for ever",
        ]
    );
    assert_eq!(
        warnings("processes: {a: {command: x, depends_on: {b: completed_ok}}, b: {command: x}}"),
        [
            "f.yaml:1:45: processes.a.depends_on.b: b is always restarted, so that it is never complete; write restart: never, or on-failure, for b"
        ]
    );
    assert_eq!(
        warnings(
            "processes: {a: {command: x, stop: {timeout: 1, steps: [{wait: 1}]}, readiness: {notify: true, interval: 1}}}"
        ),
        [
            "f.yaml:1:36: processes.a.stop.timeout: the steps take its place; leave it out, or write it as a step",
            "f.yaml:1:95: processes.a.readiness.interval: it has no meaning where the program itself says that it is ready; leave it out",
        ]
    );
    assert_eq!(
        warnings("processes: {a: {command: x, restart: {max_memory: 1GiB}, limits: {memory: 512M}}}"),
        [
            "f.yaml:1:51: processes.a.restart.max_memory: 1GiB is not below limits.memory, 512MiB; write less, or the kernel kills before"
        ]
    );
    assert_eq!(
        warnings("processes: {a: {command: x, restart: {max_memory: 1GiB}, limits: {memory: 512M, mode: observe}}}"),
        [""; 0]
    );
}
