//! Each rule, seen to refuse what it is there for.

use crate::spec::*;
use crate::{ProcessName, ProcessSpec};
use std::time::Duration;

fn spec() -> ProcessSpec {
    ProcessSpec::new(name("web"), Command::Argv(vec!["/bin/web".to_owned()]))
}

fn name(text: &str) -> ProcessName {
    text.parse().unwrap()
}

fn execution(change: impl FnOnce(&mut Execution)) -> ProcessSpec {
    let mut execution = Execution::default();
    change(&mut execution);
    ProcessSpec { execution: Some(Box::new(execution)), ..spec() }
}

fn http(change: impl FnOnce(&mut HttpCheck)) -> ProcessSpec {
    let mut http = HttpCheck::get(80, "/");
    change(&mut http);
    ProcessSpec { readiness: Some(Probe::new(Check::Http(http))), ..spec() }
}

fn restart(change: impl FnOnce(&mut RestartPolicy)) -> ProcessSpec {
    let mut spec = spec();
    change(&mut spec.restart);
    spec
}

fn logs(change: impl FnOnce(&mut LogPolicy)) -> ProcessSpec {
    let mut policy = LogPolicy::default();
    change(&mut policy);
    ProcessSpec { logs: Some(Box::new(policy)), ..spec() }
}

fn tcp(name: &str, address: &str) -> Socket {
    Socket { name: name.to_owned(), listen: Listen::Tcp(address.parse().unwrap()), backlog: 128 }
}

fn unix(path: &str, mode: u32) -> Socket {
    Socket { name: "u".to_owned(), listen: Listen::Unix { path: path.to_owned(), mode }, backlog: 128 }
}

fn rule(name: &str, pattern: &str) -> LogRule {
    LogRule {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        action: LogAction::Event,
        cooldown: Duration::from_secs(1),
    }
}

fn scheduled(mode: RestartMode) -> ProcessSpec {
    let schedule = Schedule {
        cron: "@daily".to_owned(),
        timezone: "UTC".to_owned(),
        overlap: Overlap::default(),
        catch_up: CatchUp::default(),
        jitter: Duration::ZERO,
    };
    ProcessSpec { schedule: Some(Box::new(schedule)), ..restart(|restart| restart.mode = mode) }
}

fn depends(on: &[(&str, Condition)]) -> ProcessSpec {
    let dependency =
        |(process, condition): &(&str, Condition)| Dependency { process: name(process), condition: condition.clone() };
    ProcessSpec { depends_on: on.iter().map(dependency).collect(), ..spec() }
}

/// The one fault of a spec.
fn refused(spec: ProcessSpec, expected: &str) {
    let faults: Vec<String> = spec.check().iter().map(ToString::to_string).collect();
    assert_eq!(faults, [expected], "{spec:?}");
}

#[test]
fn execution_is_bounded_as_the_kernel_bounds_it() {
    refused(execution(|e| e.umask = Some(0o1000)), "umask: 0o1000 is out of range; write 000 to 777, in octal digits");
    refused(
        execution(|e| e.group = Some("a b".into())),
        "group: \"a b\" is no group name; write a name or a numeric id",
    );
    let groups = |list: &[&str]| Some(list.iter().map(|&group| group.to_owned()).collect());
    refused(
        execution(|e| e.supplementary_groups = groups(&["a", ""])),
        "groups[1]: \"\" is no group name; write a name or a numeric id",
    );
    refused(execution(|e| e.supplementary_groups = groups(&["a", "a"])), "groups[1]: \"a\" is given twice; keep one");
    let limit = |resource, soft, hard| execution(|e| e.rlimits = [(resource, Rlimit { soft, hard })].into());
    refused(
        limit(Resource::Nofile, Some(10), Some(5)),
        "rlimits.nofile: soft is 10, above the hard limit of 5; write soft up to hard",
    );
    refused(
        limit(Resource::Core, None, Some(5)),
        "rlimits.core: soft is unlimited, above the hard limit of 5; write soft up to hard",
    );
    refused(limit(Resource::Nice, Some(41), Some(41)), "rlimits.nice: 41 is out of range; write 0 to 40");
    assert_eq!(limit(Resource::Nofile, Some(5), None).check(), []);
    refused(execution(|e| e.nice = Some(20)), "nice: 20 is out of range; write -20 to 19");
    refused(
        execution(|e| e.io_priority = Some(IoPriority { class: IoClass::BestEffort, level: 8 })),
        "io_priority.level: 8 is out of range; write 0 to 7",
    );
    refused(execution(|e| e.oom_score_adj = Some(-1001)), "oom_score_adj: -1001 is out of range; write -1000 to 1000");
    refused(execution(|e| e.cpu_affinity = vec![0, 1024]), "cpu_affinity[1]: 1024 is out of range; write 0 to 1023");
    refused(execution(|e| e.cpu_affinity = vec![1, 1]), "cpu_affinity[1]: CPU 1 is given twice; keep one");
    refused(
        execution(|e| e.env_files = vec!["-/a".into(), "-b".into()]),
        "env_files[1]: \"b\" is no absolute path; begin with /",
    );
    refused(
        execution(|e| e.base_env = [("PM_X".to_owned(), "1".to_owned())].into()),
        "env.PM_X: names that begin with PM_ are the manager's own; choose another name",
    );
}

#[test]
fn restarts_are_bounded_and_no_exit_code_says_two_things() {
    refused(
        restart(|r| r.limit = Some(RestartLimit { restarts: 0, within: Duration::from_secs(60) })),
        "restart.limit.restarts: 0 is out of range; write 1 to 1000000",
    );
    refused(
        restart(|r| r.limit = Some(RestartLimit { restarts: 1, within: Duration::ZERO })),
        "restart.limit.within: 0s is out of range; write 1s to 1day",
    );
    refused(
        restart(|r| {
            r.codes.success = vec![3];
            r.codes.always_restart = vec![3];
        }),
        "restart.always_restart_codes[0]: code 3 is in success_codes too; keep it in one list",
    );
    refused(
        restart(|r| r.codes.never_restart = vec![2, 2]),
        "restart.never_restart_codes[1]: code 2 is given twice; keep one",
    );
    refused(restart(|r| r.max_memory = Some(1)), "restart.max_memory: 1 bytes is out of range; write 1MiB to 1PiB");
    refused(
        restart(|r| r.max_runtime = Some(Duration::ZERO)),
        "restart.max_runtime: 0s is out of range; write 1s to 365days",
    );
}

#[test]
fn a_schedule_does_not_go_with_a_program_that_is_always_restarted() {
    for mode in [RestartMode::Always, RestartMode::UnlessStopped] {
        let problem = format!(
            "restart.policy: {} does not go with schedule: each of its runs ends by itself; write never, or on-failure to repeat a run that failed",
            mode.as_str()
        );
        refused(scheduled(mode), &problem);
    }
    for mode in [RestartMode::Never, RestartMode::OnFailure] {
        assert_eq!(scheduled(mode).check(), []);
        assert_eq!(ProcessSpec { instances: 3, ..scheduled(mode) }.check(), []);
    }
    let mut broken = scheduled(RestartMode::Never);
    broken.schedule.as_mut().unwrap().cron = "61 * * * *".to_owned();
    assert_eq!(broken.check()[0].field, "schedule.cron");
}

#[test]
fn a_stop_has_few_steps_and_each_is_bounded() {
    let steps = |steps: Vec<StopStep>| ProcessSpec { stop: StopPolicy { steps, ..StopPolicy::default() }, ..spec() };
    let hour = Duration::from_secs(3601);
    refused(steps(vec![StopStep::Wait(Duration::ZERO); 17]), "stop.steps: it has 17 entries; write at most 16");
    refused(steps(vec![StopStep::Wait(hour)]), "stop.steps[0].wait: 1h 1s is out of range; write 0s to 1h");
    let hook = |command, timeout| StopStep::Hook(Hook { command, timeout });
    refused(
        steps(vec![hook(Command::Shell(" ".to_owned()), Duration::from_secs(1))]),
        "stop.steps[0].run: it is empty; write the program to run",
    );
    refused(
        steps(vec![hook(Command::Shell("x".to_owned()), hour)]),
        "stop.steps[0].timeout: 1h 1s is out of range; write 1ms to 1h",
    );
}

#[test]
fn a_hook_has_a_command_and_a_time() {
    let hooks =
        |hook| ProcessSpec { hooks: Some(Box::new(Hooks { reload: Some(hook), ..Hooks::default() })), ..spec() };
    refused(hooks(Hook::new(Command::Argv(Vec::new()))), "hooks.reload.command: it is empty; write the program to run");
    refused(
        hooks(Hook { timeout: Duration::ZERO, ..Hook::new(Command::Shell("x".to_owned())) }),
        "hooks.reload.timeout: 0s is out of range; write 1ms to 1h",
    );
}

#[test]
fn a_probe_asks_what_can_be_asked() {
    refused(
        http(|h| h.method = Some("get".into())),
        "readiness.http.method: \"get\" is no method; write one in capitals, as HEAD",
    );
    let header = |name: &str, value: &str| http(|h| h.headers = vec![(name.to_owned(), value.to_owned())]);
    refused(header("a b", "c"), "readiness.http.headers.a b: it is no name of a header; use letters, digits and -");
    refused(
        header("A", "secret\r\nB: c"),
        "readiness.http.headers.A: its value cannot be sent; write visible ASCII characters, at most 8192",
    );
    refused(http(|h| h.status = vec![(99, 99)]), "readiness.http.status[0]: 99 is out of range; write 100 to 599");
    refused(
        http(|h| h.status = vec![(200, 200), (300, 299)]),
        "readiness.http.status[1]: 300-299 ends before it begins; write the lower code first",
    );
    assert!(
        http(|h| h.body = Some("(".into())).check()[0]
            .to_string()
            .starts_with("readiness.http.body: it is no regular expression: unclosed group")
    );
    let readiness = |check| ProcessSpec { readiness: Some(Probe::new(check)), ..spec() };
    refused(
        readiness(Check::Grpc { port: 1, service: "a b".to_owned() }),
        "readiness.grpc.service: it is no name of a gRPC service; write a full name, as shop.v1.OrderService, or leave it out",
    );
    refused(
        readiness(Check::Grpc { port: 0, service: String::new() }),
        "readiness.grpc.port: 0 is out of range; write 1 to 65535",
    );
    refused(
        readiness(Check::Exec { command: Command::Shell(String::new()) }),
        "readiness.exec.command: it is empty; write the program to run",
    );
    assert_eq!(readiness(Check::Log { pattern: String::new() }).check()[0].field, "readiness.log");
    let mut probe = Probe::new(Check::Notify);
    probe.success_threshold = 0;
    refused(
        ProcessSpec { readiness: Some(probe), ..spec() },
        "readiness.success_threshold: 0 is out of range; write 1 to 1000",
    );
    refused(
        ProcessSpec { notify_watchdog: Some(Duration::from_millis(1)), ..spec() },
        "watchdog: 1ms is out of range; write 100ms to 1day",
    );
}

#[test]
fn what_happens_once_is_no_sign_of_life() {
    for (check, kind) in [(Check::Notify, "notify"), (Check::Log { pattern: "x".to_owned() }, "log")] {
        let faults = ProcessSpec { liveness: Some(Probe::new(check)), ..spec() }.check();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].field, format!("liveness.{kind}"));
    }
    let tcp = Probe::new(Check::Tcp { port: 1 });
    assert_eq!(ProcessSpec { liveness: Some(tcp), ..spec() }.check(), []);
}

#[test]
fn logs_are_bounded_and_their_rules_have_names() {
    refused(logs(|l| l.max_size = 1), "logs.max_size: 1 bytes is out of range; write 4KiB to 1TiB");
    refused(logs(|l| l.max_files = 0), "logs.max_files: 0 is out of range; write 1 to 10000");
    refused(logs(|l| l.max_age = Some(Duration::ZERO)), "logs.max_age: 0s is out of range; write 1s to 3650days");
    refused(
        logs(|l| l.quota = Some(1 << 20)),
        "logs.quota: 1MiB is less than the max_size of one file, 64MiB; write at least max_size, or a smaller max_size",
    );
    let rules = |log_rules| ProcessSpec { log_rules, ..spec() };
    refused(rules(vec![rule("a", "x"), rule("a", "y")]), "log_rules[1].name: \"a\" is given twice; keep one");
    refused(
        rules(vec![rule("a b", "x")]),
        "log_rules[0].name: \"a b\" is no valid name: it contains a character that is not allowed; use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
    );
    assert_eq!(rules(vec![rule("a", "[")]).check()[0].field, "log_rules[0].pattern");
    refused(
        rules((0..30).map(|n| rule(&format!("r{n}"), &format!("{n}\\w{{15}}"))).collect()),
        "log_rules: together they need more than 10MiB of memory; write fewer or shorter patterns",
    );
    refused(
        rules((0..257).map(|n| rule(&format!("r{n}"), "x")).collect()),
        "log_rules: it has 257 entries; write at most 256",
    );
}

#[test]
fn sockets_are_at_different_places_and_for_one_instance() {
    let sockets = |sockets| ProcessSpec { sockets, ..spec() };
    refused(
        ProcessSpec { instances: 2, ..sockets(vec![tcp("a", "127.0.0.1:80")]) },
        "sockets: 2 instances would listen at one address; leave them out, or write instances: 1",
    );
    refused(
        sockets(vec![tcp("a", "127.0.0.1:80"), tcp("b", "127.0.0.1:80")]),
        "sockets.b: another socket listens there already; write another address",
    );
    refused(
        sockets(vec![tcp("a", "127.0.0.1:80"), tcp("a", "127.0.0.1:81")]),
        "sockets.a: \"a\" is given twice; keep one",
    );
    refused(
        sockets(vec![tcp("a:b", "127.0.0.1:80")]),
        "sockets.a:b: \"a:b\" is no name of a socket; use 1 to 255 visible ASCII characters, no colon",
    );
    refused(sockets(vec![tcp("a", "127.0.0.1:0")]), "sockets.a.listen: 0 is out of range; write 1 to 65535");
    refused(sockets(vec![unix("run/x", 0o660)]), "sockets.u.listen: \"run/x\" is no absolute path; begin with /");
    refused(
        sockets(vec![unix(&format!("/{}", "x".repeat(107)), 0o660)]),
        "sockets.u.listen: the path has 108 bytes; write at most 107 (unix(7))",
    );
    refused(
        sockets(vec![unix("/run/x", 0o1777)]),
        "sockets.u.mode: 0o1777 is out of range; write 000 to 777, in octal digits",
    );
    let mut none_waits = tcp("a", "127.0.0.1:80");
    none_waits.backlog = 0;
    refused(sockets(vec![none_waits]), "sockets.a.backlog: 0 is out of range; write 1 to 65535");
    let udp = Socket { listen: Listen::Udp("127.0.0.1:80".parse().unwrap()), ..tcp("b", "127.0.0.1:80") };
    assert_eq!(sockets(vec![tcp("a", "127.0.0.1:80"), udp]).check(), []);
}

#[test]
fn limits_are_in_their_ranges() {
    let limits = |memory, cpu_millis, pids| {
        let limits = ResourceLimits { memory, cpu_millis, pids, mode: LimitMode::Enforce };
        ProcessSpec { limits: Some(Box::new(limits)), ..spec() }
    };
    refused(limits(Some(5), None, None), "limits.memory: 5 bytes is out of range; write 1MiB to 1PiB");
    refused(limits(None, Some(5), None), "limits.cpu: 0.005 is out of range; write 0.01 to 1024");
    refused(limits(None, None, Some(0)), "limits.pids: 0 is out of range; write 1 to 4194304");
}

#[test]
fn a_process_depends_on_others_once_each() {
    refused(depends(&[("web", Condition::Ready)]), "depends_on.web: it depends on itself; leave it out");
    refused(
        depends(&[("db", Condition::Ready), ("db", Condition::Started)]),
        "depends_on.db: db is given twice; keep one",
    );
    assert_eq!(depends(&[("db", Condition::Log("(".to_owned()))]).check()[0].field, "depends_on.db.log");
}
