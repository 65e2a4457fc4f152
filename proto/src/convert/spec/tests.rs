//! Specs over the wire.

use super::*;
use process_model::spec::{Check, HttpCheck, Probe};

fn wire() -> v1::ProcessSpec {
    let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["/bin/web".into(), "-p".into()]));
    spec.env.insert("A".into(), "b".into());
    spec.user = Some("www".into());
    spec.ports.insert("http".into(), 8080);
    spec.readiness = Some(Probe::new(Check::Http(HttpCheck::get(8080, "/health"))));
    spec.log_watchdog = Some(LogWatchdog::new(Some("/tmp/x.log".into())));
    spec.working_dir = Some("/srv".into());
    spec_to_wire(&spec)
}

#[test]
fn a_spec_survives_the_wire_unchanged() {
    let spec = spec_from_wire(&wire()).unwrap();
    assert_eq!(spec_to_wire(&spec), wire());
}

#[test]
fn what_is_absent_has_its_default() {
    let wire = v1::ProcessSpec {
        name: "web".into(),
        command: Some(v1::process_spec::Command::Shell("run".into())),
        ..v1::ProcessSpec::default()
    };
    let spec = spec_from_wire(&wire).unwrap();
    assert_eq!(spec, ProcessSpec::new("web".parse().unwrap(), Command::Shell("run".into())));
}

#[test]
fn every_fault_of_a_spec_comes_back_with_its_field() {
    let mut bad = wire();
    bad.name = "../etc".into();
    bad.command = None;
    bad.r#type = "../cobol".into();
    bad.working_dir = "srv".into();
    bad.instances = Some(99_999);
    bad.ports.insert("http".into(), 70_000);
    bad.restart = Some(v1::RestartPolicy::default());
    bad.stop = Some(v1::StopPolicy { signal: "SIGFOO".into(), ..Default::default() });
    bad.readiness = Some(v1::Probe::default());
    bad.log_watchdog = Some(v1::LogWatchdog {
        log_file: String::new(),
        timeout: Some(prost_types::Duration { seconds: 4000, nanos: 0 }),
        interval: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
    });
    let mut fields: Vec<String> = spec_from_wire(&bad).unwrap_err().into_iter().map(|f| f.field).collect();
    fields.sort();
    fields.dedup();
    let expected = [
        "command",
        "instances",
        "log_watchdog.interval",
        "log_watchdog.timeout",
        "name",
        "ports.http",
        "readiness",
        "restart.mode",
        "stop.signal",
        "type",
        "working_dir",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn every_fault_of_the_further_fields_comes_back_with_its_field() {
    let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let mut bad = wire();
    bad.restart = Some(v1::RestartPolicy {
        mode: v1::RestartMode::Always.into(),
        limit: Some(v1::RestartLimit { restarts: 0, within: None }),
        success_codes: vec![256],
        never_restart_codes: vec![3],
        always_restart_codes: vec![3],
        max_memory: Some(1),
        max_runtime: duration(-1),
        ..Default::default()
    });
    bad.stop = Some(v1::StopPolicy { steps: vec![v1::StopStep::default()], ..Default::default() });
    bad.liveness = Some(v1::Probe {
        check: Some(v1::probe::Check::Exec(v1::ExecCheck { command: Some(v1::Command::default()) })),
        success_threshold: 5000,
        ..Default::default()
    });
    bad.readiness = Some(v1::Probe {
        check: Some(v1::probe::Check::Http(v1::HttpCheck {
            port: 1,
            path: "/".into(),
            method: "get".into(),
            headers: vec![v1::HttpHeader { name: String::new(), value: "x".into() }],
            status: vec![v1::StatusRange { from: 70_000, to: 200 }],
            body: "(".into(),
        })),
        ..Default::default()
    });
    bad.notify_watchdog = duration(0);
    let limit = v1::Rlimit { soft: Some(2), hard: Some(1) };
    bad.execution = Some(v1::Execution {
        umask: Some(0o1000),
        rlimits: [("nofile".to_owned(), limit), ("locks".to_owned(), limit)].into(),
        nice: Some(1000),
        io_priority: Some(v1::IoPriority { class: 9, level: 0 }),
        oom_score_adj: Some(100_000),
        cpu_affinity: vec![0, 100_000],
        env_files: vec!["relative".into()],
        ..Default::default()
    });
    let both = v1::Command { shell: "x".into(), argv: vec!["y".into()] };
    bad.hooks = Some(v1::Hooks {
        pre_start: Some(v1::Hook { command: Some(both), timeout: duration(-5) }),
        reload: Some(v1::Hook::default()),
        ..Default::default()
    });
    let tcp = |name: &str, text: &str| v1::Socket {
        name: name.into(),
        listen: Some(v1::socket::Listen::Tcp(text.into())),
        backlog: None,
    };
    bad.sockets = vec![tcp("a", "localhost:80"), v1::Socket::default()];
    bad.log_rules = vec![v1::LogRule { name: "r".into(), pattern: "[".into(), action: 77, cooldown: None }];
    bad.logs = Some(v1::LogPolicy { max_size: Some(1), format: 9, ..Default::default() });
    bad.limits = Some(v1::ResourceLimits { pids: Some(0), mode: 9, ..Default::default() });
    let dependency = |process: &str, condition: v1::DependencyCondition, log_pattern: &str| v1::Dependency {
        process: process.into(),
        condition: condition.into(),
        log_pattern: log_pattern.into(),
    };
    bad.depends_on = vec![
        dependency("../x", v1::DependencyCondition::Ready, ""),
        dependency("web", v1::DependencyCondition::Unspecified, ""),
        dependency("db", v1::DependencyCondition::Started, "x"),
        dependency("q", v1::DependencyCondition::Log, ""),
    ];
    bad.schedule = Some(v1::Schedule { cron: "often".into(), overlap: 9, ..Default::default() });
    let mut fields: Vec<String> = spec_from_wire(&bad).unwrap_err().into_iter().map(|f| f.field).collect();
    fields.sort();
    let expected = [
        "cpu_affinity[1]",
        "depends_on.db.log",
        "depends_on.q.log",
        "depends_on.web",
        "depends_on[0]",
        "env_files[0]",
        "hooks.pre_start.command",
        "hooks.pre_start.timeout",
        "hooks.reload.command",
        "io_priority.class",
        "limits.mode",
        "limits.pids",
        "liveness.exec.command",
        "liveness.success_threshold",
        "log_rules[0].action",
        "log_rules[0].pattern",
        "logs.format",
        "logs.max_size",
        "nice",
        "oom_score_adj",
        "readiness.http.body",
        "readiness.http.headers.",
        "readiness.http.method",
        "readiness.http.status[0].from",
        "restart.always_restart_codes[0]",
        "restart.limit.within",
        "restart.max_memory",
        "restart.max_runtime",
        "restart.policy",
        "restart.success_codes[0]",
        "rlimits.locks",
        "rlimits.nofile",
        "schedule.cron",
        "schedule.overlap",
        "sockets.a.listen",
        "sockets[1].listen",
        "stop.steps[0]",
        "umask",
        "watchdog",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_schedule_without_a_restart_policy_is_not_restarted() {
    let wire = v1::ProcessSpec {
        name: "web".into(),
        command: Some(v1::process_spec::Command::Shell("run".into())),
        schedule: Some(v1::Schedule { cron: "@daily".into(), ..Default::default() }),
        ..v1::ProcessSpec::default()
    };
    let spec = spec_from_wire(&wire).unwrap();
    assert_eq!(spec.restart.mode, RestartMode::Never);
    assert_eq!(spec.schedule.unwrap().timezone, "UTC");
}
