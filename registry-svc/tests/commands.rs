//! Commands as they stand in the log: what was written once is read for ever.
//!
//! `fixtures/commands-v2` holds a batch for every order, with every field that
//! there was. Written once and never again: a change that makes one of them
//! read differently makes every log in the world read differently.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use process_model::spec::*;
use process_model::{
    ActionReport, ActionState, ActionVerb, ExitStatus, InstanceReport, Phase, ProcessSpec, RunOutcome, RunReport,
    RunTrigger, Timestamp, event_type,
};
use registry_consensus::Payload;
use registry_domain::invitations::{Admit, Invite};
use registry_domain::members::{Enroll, MemberCertified, MemberGone, MemberNote, MemberUp};
use registry_domain::{
    Apply, Command, Configure, ConfirmRestore, ControlUnits, Denial, DrainNode, Header, InventoryEntry, LabelNode,
    NodeArrived, NodeFacts, NodeHello, NodeInventory, Order, Piece, RemoveNode, Report, RestoreBegin, RestorePart,
    RestoreStep, Retention, Rollback, RollingRestart, RunReports, Scale, SendSignal, SetSchedulable, Switch, Unknown,
};
use registry_svc::machine::payload;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/commands-v2")
}

/// The file of an order. Whoever adds an order, or a field to one, adds its
/// name, a sample and its file; those before the field stay as they are.
fn file_of(order: &Order) -> &'static str {
    match order {
        Order::Configure(order) if order.retention.is_some() => "configure_retention.bin",
        Order::Configure(_) => "configure.bin",
        Order::Apply(order) if order.specs.iter().any(|spec| spec.is_of_a_fleet()) => "apply_fleet.bin",
        Order::Apply(order) if !order.generations.is_empty() => "apply_generations.bin",
        Order::Apply(_) => "apply.bin",
        Order::Delete { .. } => "delete.bin",
        Order::Switch(_) => "switch.bin",
        Order::NodeConnected(hello) if hello.fences => "node_connected_fences.bin",
        Order::NodeConnected(_) => "node_connected.bin",
        Order::NodeLost { .. } => "node_lost.bin",
        Order::NodeSuspect { .. } => "node_suspect.bin",
        Order::NodeSilent { .. } => "node_silent.bin",
        Order::ReleaseBrake => "release_brake.bin",
        Order::Report(_) => "report.bin",
        Order::ActionsDelivered { .. } => "actions_delivered.bin",
        Order::Rollback(_) => "rollback.bin",
        Order::RecordRefusals(_) => "record_refusals.bin",
        Order::MemberUp(_) => "member_up.bin",
        Order::Enroll(_) => "enroll.bin",
        Order::MemberGone(_) => "member_gone.bin",
        Order::MemberNote(_) => "member_note.bin",
        Order::Restore(RestoreStep::Begin(_)) => "restore_begin.bin",
        Order::Restore(RestoreStep::Part(_)) => "restore_part.bin",
        Order::Restore(RestoreStep::End { .. }) => "restore_end.bin",
        Order::Restore(RestoreStep::Abort { .. }) => "restore_abort.bin",
        Order::Inventory(_) => "inventory.bin",
        Order::ConfirmRestore(_) => "confirm_restore.bin",
        Order::SetLevel { .. } => "set_level.bin",
        Order::Tick => "tick.bin",
        Order::Signal(_) => "signal.bin",
        Order::ControlUnits(_) => "control_units.bin",
        Order::MemberCertified(_) => "member_certified.bin",
        Order::Invite(_) => "invite.bin",
        Order::Admit(_) => "admit.bin",
        Order::NodeArrived(_) => "node_arrived.bin",
        Order::SetSchedulable(_) => "set_schedulable.bin",
        Order::Drain(_) => "drain.bin",
        Order::LabelNode(_) => "label_node.bin",
        Order::RemoveNode(_) => "remove_node.bin",
        Order::PauseRollout { .. } => "pause_rollout.bin",
        Order::ResumeRollout { .. } => "resume_rollout.bin",
        Order::PromoteRollout { .. } => "promote_rollout.bin",
        Order::RollingRestart(_) => "rolling_restart.bin",
        Order::Scale(_) => "scale.bin",
        Order::Runs(_) => "runs.bin",
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hook(line: &str) -> Option<Hook> {
    Some(Hook { command: Program::Shell(line.into()), timeout: Duration::from_millis(1500) })
}

use process_model::spec::Command as Program;

/// Every field has a value that is not its default.
fn a_full_spec() -> ProcessSpec {
    let probe = |check| Probe {
        check,
        initial_delay: seconds(1),
        interval: seconds(2),
        timeout: seconds(3),
        failure_threshold: 4,
        success_threshold: 5,
    };
    let http = HttpCheck {
        port: 8080,
        path: "/health".into(),
        method: Some("HEAD".into()),
        headers: vec![("X-Test".into(), "yes".into())],
        status: vec![(200, 204)],
        body: Some("ok".into()),
    };
    let execution = Execution {
        umask: Some(0o27),
        group: Some("www".into()),
        supplementary_groups: Some(vec!["adm".into()]),
        rlimits: [(Resource::Nofile, Rlimit { soft: Some(1024), hard: None })].into(),
        nice: Some(-5),
        io_priority: Some(IoPriority { class: IoClass::BestEffort, level: 3 }),
        oom_score_adj: Some(-100),
        cpu_affinity: vec![0, 2],
        no_new_privs: true,
        env_files: vec!["-/etc/web.env".into()],
        base_env: [("LANG".to_owned(), "C".to_owned())].into(),
    };
    let hooks = Hooks {
        pre_start: hook("one"),
        post_start: hook("two"),
        reload: hook("three"),
        pre_stop: hook("four"),
        post_stop: hook("five"),
    };
    ProcessSpec {
        name: "web".parse().unwrap(),
        command: Program::Argv(vec!["/bin/web".into(), "-p".into()]),
        runtime: "python".parse().unwrap(),
        working_dir: Some("/srv/web".into()),
        env: [("KEY".to_owned(), "value".to_owned())].into(),
        user: Some("www-data".into()),
        instances: 3,
        ports: [("http".to_owned(), 8080)].into(),
        restart: RestartPolicy {
            mode: RestartMode::OnFailure,
            backoff: Backoff { initial: seconds(1), factor: 1.5, max: seconds(60), jitter: 0.25 },
            max_restarts: 7,
            reset_after: seconds(300),
            limit: Some(RestartLimit { restarts: 9, within: seconds(90) }),
            codes: ExitCodes { success: vec![3], never_restart: vec![64], always_restart: vec![75, 76] },
            max_memory: Some(1 << 30),
            max_runtime: Some(seconds(86_400)),
        },
        stop: StopPolicy {
            signal: Signal::INT,
            timeout: seconds(11),
            kill_timeout: seconds(12),
            steps: vec![
                StopStep::Signal { signal: Signal::HUP, to: Scope::Main, wait: seconds(1) },
                StopStep::Hook(hook("six").unwrap()),
                StopStep::Wait(seconds(2)),
            ],
        },
        readiness: Some(probe(Check::Http(http))),
        log_file: Some("/var/log/web.log".into()),
        log_watchdog: Some(LogWatchdog {
            log_file: Some("/tmp/w.log".into()),
            timeout: seconds(30),
            interval: seconds(5),
        }),
        execution: Some(Box::new(execution)),
        hooks: Some(Box::new(hooks)),
        sockets: vec![
            Socket { name: "http".into(), listen: Listen::Tcp("127.0.0.1:80".parse().unwrap()), backlog: 128 },
            Socket { name: "six".into(), listen: Listen::Udp("[::1]:53".parse().unwrap()), backlog: 1 },
            Socket { name: "s".into(), listen: Listen::Unix { path: "/run/s".into(), mode: 0o660 }, backlog: 2 },
        ],
        liveness: Some(probe(Check::Grpc { port: 9, service: "web.v1".into() })),
        notify_watchdog: Some(seconds(20)),
        log_rules: vec![LogRule {
            name: "oom".into(),
            pattern: "out of memory".into(),
            action: LogAction::Restart,
            cooldown: seconds(60),
        }],
        logs: Some(Box::new(LogPolicy {
            max_size: 1 << 20,
            max_age: Some(seconds(3600)),
            max_files: 3,
            compress: Compression::Gzip,
            retention: Some(seconds(7200)),
            quota: Some(1 << 24),
            format: LogFormat::Ecs,
            merge: true,
            when_full: WhenFull::Block,
        })),
        limits: Some(Box::new(ResourceLimits {
            memory: Some(1 << 28),
            cpu_millis: Some(1500),
            pids: Some(64),
            mode: LimitMode::Observe,
        })),
        depends_on: vec![Dependency { process: "db".parse().unwrap(), condition: Condition::Log("ready".into()) }],
        schedule: Some(Box::new(Schedule {
            cron: "0 3 * * *".into(),
            timezone: "Europe/Berlin".into(),
            overlap: Overlap::Queue,
            catch_up: CatchUp::Once,
            jitter: seconds(5),
        })),
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        autostart: false,
        placement: None,
        update: None,
        singleton: None,
    }
}

fn a_spec_of_a_fleet() -> ProcessSpec {
    let placement = Placement {
        constraints: vec!["zone in eu-1, eu-2".parse().unwrap(), "node.kernel version >= 5.15".parse().unwrap()],
        strategy: PlacementStrategy::BinPack,
        spread_by: Some("rack".into()),
        max_per_node: Some(2),
        apart_from: vec!["db".parse().unwrap()],
        daemon: true,
        reserve: Reservation { cpu_millis: 500, memory: 1 << 29 },
        replace_after: Some(seconds(120)),
    };
    let update = UpdatePolicy {
        max_unavailable: Share::Count(2),
        max_surge: Share::Percent(30),
        min_ready: seconds(10),
        canary: 1,
        auto_promote: true,
        auto_revert: true,
        progress_deadline: seconds(300),
    };
    ProcessSpec {
        placement: Some(Box::new(placement)),
        update: Some(Box::new(update)),
        singleton: Some(Box::new(Singleton { lease: seconds(20) })),
        ..a_second_spec()
    }
}

fn a_second_spec() -> ProcessSpec {
    let checks = |check| Probe {
        check,
        initial_delay: Duration::ZERO,
        interval: seconds(1),
        timeout: seconds(1),
        failure_threshold: 1,
        success_threshold: 1,
    };
    ProcessSpec {
        readiness: Some(checks(Check::Log { pattern: "^up$".into() })),
        liveness: Some(checks(Check::Exec { command: Program::Shell("true".into()) })),
        ..ProcessSpec::new("worker".parse().unwrap(), Program::Shell("run".into()))
    }
}

fn a_report() -> InstanceReport {
    InstanceReport {
        instance: "web-2".parse().unwrap(),
        seq: 300,
        generation: 4,
        event_type: event_type::INSTANCE_EXITED.into(),
        time: Timestamp(1_700_000_000_123_456_789),
        phase: Phase::Backoff,
        ready: true,
        pid: 4242,
        restarts: 6,
        last_exit: Some(ExitStatus::Signal(9)),
        started: Some(Timestamp(1_700_000_000_000_000_000)),
        message: "killed".into(),
        next_restart: Some(Timestamp(1_700_000_001_000_000_000)),
        gone: true,
        containment: "cgroup".into(),
        status: "serving".into(),
        log_lines: vec!["last words".into()],
    }
}

fn samples() -> Vec<Command> {
    let header = Header {
        actor: "admin".into(),
        reason: "because".into(),
        request_id: "0190a5b0-0000-7000-8000-000000000001".into(),
        fingerprint: 0xfedc_ba98_7654_3210,
        time: Timestamp(1_700_000_000_987_654_321),
        source: String::new(),
    };
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let node = || "node-1".parse().unwrap();
    let orders = vec![
        Order::Configure(Configure { cluster_id: "cluster".into(), event_retention: 10_000, retention: None }),
        Order::Apply(Apply {
            specs: vec![a_full_spec().into(), a_second_spec().into()],
            source: "web.yaml".into(),
            prune: true,
            etags: [("web".to_owned(), "1-1".to_owned())].into(),
            traceparent: traceparent.clone(),
            generations: [].into(),
        }),
        Order::Delete { selectors: vec!["web".into(), "w*".into()] },
        Order::Switch(Switch {
            verb: ActionVerb::Restart,
            selectors: vec!["web-1".into()],
            stop_timeout: Some(Duration::from_millis(2500)),
            traceparent,
        }),
        Order::NodeConnected(NodeHello {
            node: node(),
            boot_id: "boot".into(),
            runner_version: "0.1.0".into(),
            cpus: 8,
            memory_bytes: 1 << 34,
            fences: false,
        }),
        Order::NodeLost { node: node() },
        Order::Report(Report {
            node: node(),
            boot_id: "boot".into(),
            seq: 77,
            instances: vec![a_report()],
            actions: vec![ActionReport {
                action: "a-12".into(),
                state: ActionState::Failed,
                message: "no".into(),
                time: Timestamp(5),
            }],
        }),
        Order::ActionsDelivered { node: node(), actions: vec!["a-12".into(), "a-13".into()] },
    ];
    let mut samples: Vec<Command> = orders.into_iter().map(|order| Command { header: header.clone(), order }).collect();
    samples.extend(samples_with_source(header.clone()));
    samples.extend(samples_of_members(header.clone()));
    samples.extend(samples_of_silences(header.clone()));
    samples.extend(samples_of_the_fleet(header));
    samples
}

/// Since commands say where they come from.
fn samples_with_source(header: Header) -> impl Iterator<Item = Command> {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let orders = [
        Order::Configure(Configure {
            cluster_id: "cluster".into(),
            event_retention: 10_000,
            retention: Some(Retention { audit_entries: 20_000, audit_age: Some(seconds(86_400)), generations: 50 }),
        }),
        Order::Apply(Apply {
            specs: vec![a_second_spec().into()],
            source: "web.yaml".into(),
            prune: true,
            etags: [("web".to_owned(), "1-1".to_owned())].into(),
            traceparent: traceparent.clone(),
            generations: [("worker".to_owned(), 7)].into(),
        }),
        Order::Rollback(Rollback { process: "web".parse().unwrap(), to: Some(3), expected: Some(5), traceparent }),
        Order::RecordRefusals(vec![Denial {
            actor: "viewer".into(),
            source: "10.0.0.8:2".into(),
            method: "pm.v1.ProcessService/DeleteProcesses".into(),
            targets: vec!["web".into()],
            reason: "PERMISSION_DENIED".into(),
            request_id: "r-1".into(),
            count: 12,
        }]),
        Order::Restore(RestoreStep::Begin(RestoreBegin {
            id: "one".into(),
            force: true,
            bytes: 70_000,
            digest: [0xa5; 32],
            epoch: 3,
            level: 2,
        })),
        Order::Restore(RestoreStep::Part(RestorePart {
            id: "one".into(),
            piece: Piece { number: 1, bytes: vec![0, 1, 0x80, 0xff] }.into(),
        })),
        Order::Restore(RestoreStep::End { id: "one".into() }),
        Order::Restore(RestoreStep::Abort { id: "one".into() }),
        Order::Inventory(NodeInventory {
            node: "node-1".parse().unwrap(),
            begins: true,
            complete: true,
            entries: vec![InventoryEntry {
                instance: "web-2".parse().unwrap(),
                generation: 4,
                fingerprint: Some([7; 32]),
                phase: Phase::Running,
                pid: 4242,
                restarts: 2,
                wanted: true,
                restart_count: 5,
            }],
        }),
        Order::ConfirmRestore(ConfirmRestore { unknown: Some(Unknown::Keep) }),
        Order::SetLevel { level: 2 },
        Order::MemberCertified(MemberCertified { id: 3, name: "registry-3".into() }),
        Order::Invite(Invite {
            hash: "5e".repeat(32),
            role: "runner".into(),
            node: Some("node-1".parse().unwrap()),
            ttl: seconds(3_600),
        }),
        Order::Admit(Admit {
            hash: "5e".repeat(32),
            role: "runner".into(),
            node: "node-1".parse().unwrap(),
            key: "a7".repeat(32),
        }),
    ];
    let header = Header { source: "10.0.0.7:51000".into(), ..header };
    orders.into_iter().map(move |order| Command { header: header.clone(), order })
}

/// Of level 2.
fn samples_of_members(header: Header) -> impl Iterator<Item = Command> {
    let (store, address) = ("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned(), "http://r4:7481".to_owned());
    let version = "0.1.0".to_owned();
    let orders = [
        Order::MemberUp(MemberUp {
            id: 4,
            store: store.clone(),
            boot: 12,
            start: 0xfeed_face_cafe_beef,
            address: address.clone(),
            version: version.clone(),
            level: 2,
        }),
        Order::Enroll(Enroll { store, address, version, level: 2, votes: true, above: 3 }),
        Order::MemberGone(MemberGone { id: 4 }),
        Order::MemberNote(MemberNote {
            command: "join-member".into(),
            targets: vec!["4".into(), "3".into()],
            above: 4,
        }),
    ];
    orders.into_iter().map(move |order| Command { header: header.clone(), order })
}

/// Of level 3: what follows from the silence of nodes.
fn samples_of_silences(header: Header) -> impl Iterator<Item = Command> {
    let node = || "node-1".parse().unwrap();
    let orders = [
        Order::NodeConnected(NodeHello {
            node: node(),
            boot_id: "boot".into(),
            runner_version: "0.2.0".into(),
            cpus: 8,
            memory_bytes: 1 << 34,
            fences: true,
        }),
        Order::NodeSuspect { node: node() },
        Order::NodeSilent { node: node(), silent: Duration::from_millis(12_345), loss: 7 },
        Order::ReleaseBrake,
    ];
    orders.into_iter().map(move |order| Command { header: header.clone(), order })
}

/// One for each outcome and each trigger.
fn runs() -> impl Iterator<Item = RunReport> {
    let outcomes = [
        RunOutcome::Running,
        RunOutcome::Ended(ExitStatus::Code(3)),
        RunOutcome::Ended(ExitStatus::Signal(9)),
        RunOutcome::NotStarted("exec: No such file or directory".into()),
        RunOutcome::Skipped("the run before goes on".into()),
        RunOutcome::Missed,
        RunOutcome::Lost,
    ];
    outcomes.into_iter().enumerate().map(|(n, outcome)| RunReport {
        instance: "backup-1".parse().unwrap(),
        seq: 100 + n as u64,
        generation: 2,
        run: n as u64,
        due: Some(Timestamp(1_700_000_000_000_000_000)),
        trigger: RunTrigger::ALL[n % RunTrigger::ALL.len()],
        began: Some(Timestamp(1_700_000_001_000_000_000)),
        ended: Some(Timestamp(1_700_000_002_000_000_000)),
        outcome,
        next_due: Some(Timestamp(1_700_000_060_000_000_000)),
    })
}

/// Of level 3.
fn samples_of_the_fleet(header: Header) -> impl Iterator<Item = Command> {
    let specs = vec![a_spec_of_a_fleet().into()];
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let web = || "web".parse().unwrap();
    let node = || "node-1".parse().unwrap();
    let facts = NodeFacts {
        labels: [("zone".to_owned(), "eu-1".to_owned())].into(),
        os: "linux".into(),
        arch: "x86_64".into(),
        kernel: "6.1.0-18-amd64".into(),
    };
    let hello = NodeHello {
        node: node(),
        boot_id: "boot".into(),
        runner_version: "0.1.0".into(),
        cpus: 8,
        memory_bytes: 1 << 34,
        fences: false,
    };
    let orders = [
        Order::Apply(Apply { specs, source: "web.yaml".into(), ..Apply::default() }),
        Order::Tick,
        Order::NodeArrived(NodeArrived { hello, facts }),
        Order::SetSchedulable(SetSchedulable { node: node(), schedulable: true }),
        Order::Drain(DrainNode { node: node(), deadline: Some(seconds(600)) }),
        Order::LabelNode(LabelNode { node: node(), labels: [("zone".to_owned(), String::new())].into() }),
        Order::RemoveNode(RemoveNode { node: node(), force: true }),
        Order::Signal(SendSignal {
            selectors: vec!["web".into()],
            signal: Signal::HUP,
            traceparent: traceparent.clone(),
        }),
        Order::ControlUnits(ControlUnits {
            nodes: vec!["web-*".into()],
            unit: "nginx.service".into(),
            verb: ActionVerb::Reload,
            traceparent: traceparent.clone(),
        }),
        Order::PauseRollout { process: web() },
        Order::ResumeRollout { process: web() },
        Order::PromoteRollout { process: web() },
        Order::RollingRestart(RollingRestart { selectors: vec!["w*".into()], traceparent: traceparent.clone() }),
        Order::Scale(Scale { process: web(), instances: 7, expected: Some(4), traceparent }),
        Order::Runs(RunReports { node: node(), runs: runs().collect() }),
    ];
    orders.into_iter().map(move |order| Command { header: header.clone(), order })
}

#[test]
fn every_order_that_was_ever_written_reads_back() {
    let mut known = BTreeSet::new();
    for sample in samples() {
        let name = file_of(&sample.order);
        let path = directory().join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| {
            let bytes = payload::encode(std::slice::from_ref(&sample)).unwrap().bytes().clone();
            panic!("{}: {error}; a new order's file has these bytes, in hex:\n{bytes:02x}", path.display())
        });
        let read =
            payload::decode(&Payload::new(bytes.into()).unwrap()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(read, [sample], "{name} reads differently");
        known.insert(name.to_owned());
    }
    let there = std::fs::read_dir(directory()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.collect::<BTreeSet<_>>(), known, "a file without a sample is not tested");
}

/// A replica of the version before reads what this one writes: not one byte
/// is another. Those that are not here had fewer fields when they were written.
#[test]
fn what_an_earlier_version_knows_is_written_as_it_wrote_it() {
    let now = |name: &str| {
        let sample = samples().into_iter().find(|sample| file_of(&sample.order) == name).unwrap();
        payload::encode(&[sample]).unwrap().bytes().clone()
    };
    let then = |name: &str| std::fs::read(directory().join(name)).unwrap();
    for name in ["apply_generations.bin", "rollback.bin", "record_refusals.bin", "inventory.bin", "set_level.bin"] {
        assert_eq!(now(name)[..], then(name), "{name}");
    }
    // Of before a header had a source: only the order itself is as it was.
    let order = |bytes: &[u8]| {
        let key = b"node_connected";
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
        bytes[at..].to_vec()
    };
    assert_eq!(order(&now("node_connected.bin")), order(&then("node_connected.bin")));
}

#[test]
fn a_batch_of_all_orders_comes_back_as_it_was() {
    let samples = samples();
    assert_eq!(payload::decode(&payload::encode(&samples).unwrap()).unwrap(), samples);
    assert_eq!(payload::decode(&payload::encode(&[]).unwrap()).unwrap(), []);
}
