//! Valid specs, with every field that there is.

// A test's own functions panic as the test does; and it asks about one case at a time.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use process_model::ProcessSpec;
use process_model::spec::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::time::Duration;

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,10}"
}

fn text() -> impl Strategy<Value = String> {
    // Anything but NUL, which no argument of a program can hold.
    "[^\0]{1,20}".prop_filter("blank", |text| !text.trim().is_empty())
}

fn account() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_-]{0,9}"
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z :=é]{1,12}",
        select(vec!["^error: \\d+$", "(?i)fail(ed|ure)?", "[^ ]+\\.rs:[0-9]*"]).prop_map(str::to_owned)
    ]
}

fn millis(from: u64, to: u64) -> impl Strategy<Value = Duration> {
    (from..=to).prop_map(Duration::from_millis)
}

fn env() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[A-OQ-Za-z_][A-Za-z0-9_.]{0,8}", "[^\0]{0,20}", 0..4)
}

fn path() -> impl Strategy<Value = String> {
    "/[^\0]{0,20}"
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        text().prop_map(Command::Shell),
        (text(), vec("[^\0]{0,9}", 0..4)).prop_map(|(program, mut args)| {
            args.insert(0, program);
            Command::Argv(args)
        }),
    ]
}

fn hook() -> impl Strategy<Value = Hook> {
    (command(), millis(1, 3_600_000)).prop_map(|(command, timeout)| Hook { command, timeout })
}

fn hooks() -> impl Strategy<Value = Hooks> {
    (of(hook()), of(hook()), of(hook()), of(hook()), of(hook())).prop_map(
        |(pre_start, post_start, reload, pre_stop, post_stop)| Hooks {
            pre_start,
            post_start,
            reload,
            pre_stop,
            post_stop,
        },
    )
}

fn signal() -> impl Strategy<Value = Signal> {
    (1i32..=31).prop_map(|number| Signal::from_number(number).unwrap())
}

fn stop() -> impl Strategy<Value = StopPolicy> {
    let wait = || millis(0, 3_600_000);
    let step =
        prop_oneof![
            (signal(), select(vec![Scope::Tree, Scope::Main]), wait())
                .prop_map(|(signal, to, wait)| StopStep::Signal { signal, to, wait }),
            hook().prop_map(StopStep::Hook),
            wait().prop_map(StopStep::Wait),
        ];
    (signal(), wait(), wait(), vec(step, 0..4)).prop_map(|(signal, timeout, kill_timeout, steps)| StopPolicy {
        signal,
        timeout,
        kill_timeout,
        steps,
    })
}

fn http() -> impl Strategy<Value = HttpCheck> {
    let status = (100u16..=599, 100u16..=599).prop_map(|(one, other)| (one.min(other), one.max(other)));
    (
        1..=u16::MAX,
        "/[a-z0-9/?=]{0,9}",
        of(select(vec!["HEAD", "POST", "OPTIONS"]).prop_map(str::to_owned)),
        btree_map("[A-Za-z][A-Za-z0-9-]{0,8}", "([!-~]([ -~]{0,8}[!-~])?)?", 0..3),
        vec(status, 0..3),
        of(pattern()),
    )
        .prop_map(|(port, path, method, headers, status, body)| HttpCheck {
            port,
            path,
            method,
            headers: headers.into_iter().collect(),
            status,
            body,
        })
}

fn probe(once: bool) -> impl Strategy<Value = Probe> {
    let again = prop_oneof![
        http().prop_map(Check::Http),
        (1..=u16::MAX).prop_map(|port| Check::Tcp { port }),
        command().prop_map(|command| Check::Exec { command }),
        (1..=u16::MAX, "[a-z]{0,5}(\\.[a-z]{1,3})?").prop_map(|(port, service)| Check::Grpc { port, service }),
    ];
    let check = if once {
        prop_oneof![4 => again, 1 => Just(Check::Notify), 1 => pattern().prop_map(|pattern| Check::Log { pattern })]
            .boxed()
    } else {
        again.boxed()
    };
    let successes = if once { (1u32..=1000).boxed() } else { Just(1).boxed() };
    (check, millis(0, 3_600_000), millis(10, 3_600_000), millis(1, 600_000), 1u32..=1000, successes).prop_map(
        |(check, initial_delay, interval, timeout, failure_threshold, success_threshold)| Probe {
            check,
            initial_delay,
            interval,
            timeout,
            failure_threshold,
            success_threshold,
        },
    )
}

fn codes() -> impl Strategy<Value = ExitCodes> {
    btree_set(any::<u8>(), 0..6).prop_map(|codes| {
        let third = |rest: usize| codes.iter().copied().skip(rest).step_by(3).collect();
        ExitCodes { success: third(0), never_restart: third(1), always_restart: third(2) }
    })
}

fn restart() -> impl Strategy<Value = RestartPolicy> {
    let mode = select(RestartMode::ALL.to_vec());
    let delays = (millis(0, 86_400_000), millis(0, 86_400_000), 1.0f64..=100.0, 0.0f64..=1.0);
    let limit = (1u32..=1_000_000, millis(1000, 86_400_000));
    let limit = of(limit.prop_map(|(restarts, within)| RestartLimit { restarts, within }));
    let memory = of((1u64 << 20)..=(1 << 50));
    let runtime = of(millis(1000, 365 * 86_400_000));
    (mode, delays, 0u32..=1_000_000, millis(1000, 86_400_000), limit, codes(), memory, runtime).prop_map(
        |(mode, (one, other, factor, jitter), max_restarts, reset_after, limit, codes, max_memory, max_runtime)| {
            RestartPolicy {
                mode,
                backoff: Backoff { initial: one.min(other), max: one.max(other), factor, jitter },
                max_restarts,
                reset_after,
                limit,
                codes,
                max_memory,
                max_runtime,
            }
        },
    )
}

fn rlimits() -> impl Strategy<Value = BTreeMap<Resource, Rlimit>> {
    let limit = (weighted(0.8, 0..u64::MAX), weighted(0.8, 0..u64::MAX));
    btree_map(select(Resource::ALL.to_vec()), limit, 0..4).prop_map(|limits| {
        let bounded = |(resource, (one, other)): (Resource, (Option<u64>, Option<u64>))| {
            let top = match resource {
                Resource::Nice => 40,
                Resource::Rtprio => 99,
                _ => u64::MAX,
            };
            let (one, other) = (one.map(|one| one % top), other.map(|other| other % top));
            let none = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
            let (soft, hard) = if none(one) <= none(other) { (one, other) } else { (other, one) };
            (resource, Rlimit { soft, hard })
        };
        limits.into_iter().map(bounded).collect()
    })
}

fn execution() -> impl Strategy<Value = Execution> {
    let io = (select(IoClass::ALL.to_vec()), 0u8..=7).prop_map(|(class, level)| IoPriority { class, level });
    let file = (any::<bool>(), path()).prop_map(|(optional, path)| if optional { format!("-{path}") } else { path });
    let groups = btree_set(account(), 0..3).prop_map(|groups| groups.into_iter().collect());
    let (first, second) = (
        (of(0u32..=0o777), of(account()), of(groups), rlimits(), of(-20i8..=19)),
        (of(io), of(-1000i16..=1000), btree_set(0u16..=1023, 0..4), any::<bool>(), vec(file, 0..3), env()),
    );
    (first, second).prop_map(|((umask, group, supplementary_groups, rlimits, nice), second)| {
        let (io_priority, oom_score_adj, cpus, no_new_privs, env_files, env) = second;
        Execution {
            umask,
            group,
            supplementary_groups,
            rlimits,
            nice,
            io_priority,
            oom_score_adj,
            cpu_affinity: cpus.into_iter().collect(),
            no_new_privs,
            base_env: if env_files.is_empty() { BTreeMap::new() } else { env },
            env_files,
        }
    })
}

fn sockets() -> impl Strategy<Value = Vec<Socket>> {
    let listen = prop_oneof![
        (any::<[u8; 4]>(), 1..=u16::MAX).prop_map(|address| Listen::Tcp(address.into())),
        (any::<[u16; 8]>(), 1..=u16::MAX).prop_map(|address| Listen::Udp(address.into())),
        ("/[a-z]{1,20}", 0u32..=0o777).prop_map(|(path, mode)| Listen::Unix { path, mode }),
    ];
    btree_map("[ -9;-~]{1,12}", (listen, 1u32..=65_535), 0..3).prop_map(|sockets| {
        let mut places = Vec::new();
        let fresh = |(name, (listen, backlog)): (String, (Listen, u32))| {
            let place = match &listen {
                Listen::Tcp(address) => format!("tcp {address}"),
                Listen::Udp(address) => format!("udp {address}"),
                Listen::Unix { path, .. } => path.clone(),
            };
            let fresh = !places.contains(&place);
            places.push(place);
            fresh.then_some(Socket { name, listen, backlog })
        };
        sockets.into_iter().filter_map(fresh).collect()
    })
}

fn logs() -> impl Strategy<Value = LogPolicy> {
    let age = || of(millis(1000, 3650 * 86_400_000));
    let ways = (select(Compression::ALL.to_vec()), select(LogFormat::ALL.to_vec()), select(WhenFull::ALL.to_vec()));
    (4096u64..=1 << 40, age(), 1u32..=10_000, ways, age(), of(8192u64..=1 << 50), any::<bool>()).prop_map(
        |(max_size, max_age, max_files, (compress, format, when_full), retention, quota, merge)| LogPolicy {
            max_size,
            max_age,
            max_files,
            compress,
            retention,
            quota: quota.map(|quota| quota.max(max_size)),
            format,
            merge,
            when_full,
        },
    )
}

fn log_rules() -> impl Strategy<Value = Vec<LogRule>> {
    let rule = (pattern(), select(LogAction::ALL.to_vec()), millis(0, 86_400_000));
    btree_map(name(), rule, 0..3).prop_map(|rules| {
        let rule = |(name, (pattern, action, cooldown))| LogRule { name, pattern, action, cooldown };
        rules.into_iter().map(rule).collect()
    })
}

fn limits() -> impl Strategy<Value = ResourceLimits> {
    let mode = select(LimitMode::ALL.to_vec());
    (of((1u64 << 20)..=(1 << 50)), of(10u32..=1_024_000), of(1u32..=4_194_304), mode)
        .prop_map(|(memory, cpu_millis, pids, mode)| ResourceLimits { memory, cpu_millis, pids, mode })
}

fn depends_on() -> impl Strategy<Value = Vec<Dependency>> {
    let condition = prop_oneof![
        Just(Condition::Started),
        Just(Condition::Ready),
        Just(Condition::Completed),
        Just(Condition::CompletedOk),
        pattern().prop_map(Condition::Log),
    ];
    btree_map(name(), condition, 0..3).prop_map(|conditions| {
        let dependency =
            |(process, condition): (String, _)| Dependency { process: process.parse().unwrap(), condition };
        conditions.into_iter().map(dependency).collect()
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    (
        select(vec!["@daily", "*/5 * * * *", "0 30 2 * * MON"]),
        select(vec!["UTC", "Europe/Berlin", "America/New_York"]),
        select(Overlap::ALL.to_vec()),
        select(CatchUp::ALL.to_vec()),
        millis(0, 86_400_000),
    )
        .prop_map(|(cron, timezone, overlap, catch_up, jitter)| Schedule {
            cron: cron.to_owned(),
            timezone: timezone.to_owned(),
            overlap,
            catch_up,
            jitter,
        })
}

fn watchdog() -> impl Strategy<Value = LogWatchdog> {
    (of(path()), millis(1000, 3_600_000), millis(1000, 300_000)).prop_map(|(log_file, timeout, interval)| LogWatchdog {
        log_file,
        timeout,
        interval,
    })
}

/// The fields that came first.
fn first() -> impl Strategy<Value = ProcessSpec> {
    let kinds = select(vec![None, Some("python"), Some("my.type-2")]);
    (
        (name(), command(), kinds, of(path()), env(), of(account()), 0u32..=10_000),
        (btree_map(name(), 1..=u16::MAX, 0..4), restart(), stop(), of(probe(true)), of(path()), of(watchdog())),
        (btree_map(text(), text(), 0..3), any::<bool>()),
    )
        .prop_map(|((name, command, kind, working_dir, env, user, instances), second, (labels, autostart))| {
            let (ports, restart, stop, readiness, log_file, log_watchdog) = second;
            let plain = ProcessSpec::new(name.parse().unwrap(), command);
            ProcessSpec {
                runtime: kind.map_or_else(|| plain.runtime.clone(), |kind| kind.parse().unwrap()),
                working_dir,
                env,
                user,
                instances,
                ports,
                restart,
                stop,
                readiness,
                log_file,
                log_watchdog,
                labels,
                autostart,
                ..plain
            }
        })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    let attribute = prop_oneof![name(), select(NODE_ATTRIBUTES.to_vec()).prop_map(str::to_owned)];
    let value = || "[A-Za-z0-9./:_-]{1,12}";
    let asked = prop_oneof![
        (select(vec![Operator::Equal, Operator::NotEqual]), vec(value(), 1..2)),
        (select(vec![Operator::In, Operator::NotIn]), vec(value(), 1..4)),
        (Just(Operator::Regexp), vec(select(vec!["^web-[0-9]+$", "a|b"]).prop_map(str::to_owned), 1..2)),
        (Just(Operator::Version), vec(select(vec![">= 5.15, < 6", "6.1"]).prop_map(str::to_owned), 1..2)),
    ];
    (attribute, asked).prop_filter_map("a label that looks like a node's own", |(attribute, (operator, values))| {
        let known = !attribute.starts_with("node.") || NODE_ATTRIBUTES.contains(&attribute.as_str());
        known.then_some(Constraint { attribute, operator, values })
    })
}

fn placement() -> impl Strategy<Value = Placement> {
    let where_to = (vec(constraint(), 0..4), select(PlacementStrategy::ALL.to_vec()), of(name()), of(1_u32..=10_000));
    let apart = btree_set(name(), 0..3);
    let reserve =
        (0_u32..=102_400, 0_u64..=1 << 50).prop_map(|(tens, memory)| Reservation { cpu_millis: tens * 10, memory });
    (where_to, apart, any::<bool>(), reserve, of(millis(0, 86_400_000))).prop_map(
        |((constraints, strategy, spread_by, max_per_node), apart, daemon, reserve, replace_after)| Placement {
            constraints,
            strategy,
            spread_by,
            max_per_node: max_per_node.filter(|_| !daemon),
            apart_from: apart.iter().map(|name| name.parse().unwrap()).collect(),
            daemon,
            reserve,
            replace_after: replace_after.filter(|_| !daemon),
        },
    )
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![(1_u32..=10_000).prop_map(Share::Count), (1_u8..=100).prop_map(Share::Percent)]
}

fn update() -> impl Strategy<Value = UpdatePolicy> {
    let flags = (any::<bool>(), any::<bool>());
    (share(), share(), millis(0, 60_000), 0_u32..=10_000, flags, millis(60_001, 600_000)).prop_map(
        |(max_unavailable, max_surge, min_ready, canary, (auto_promote, auto_revert), progress_deadline)| {
            UpdatePolicy { max_unavailable, max_surge, min_ready, canary, auto_promote, auto_revert, progress_deadline }
        },
    )
}

fn singleton() -> impl Strategy<Value = Singleton> {
    millis(5_000, 86_400_000).prop_map(|lease| Singleton { lease })
}

/// Any valid spec.
pub(crate) fn spec() -> impl Strategy<Value = ProcessSpec> {
    let second = (
        weighted(0.7, execution()),
        of(hooks()),
        sockets(),
        of(probe(false)),
        of(millis(100, 86_400_000)),
        log_rules(),
        of(logs()),
        of(limits()),
        depends_on(),
        weighted(0.2, schedule()),
        (weighted(0.3, placement()), weighted(0.3, update()), weighted(0.2, singleton())),
    );
    (first(), second).prop_map(|(spec, second)| {
        let (
            execution,
            hooks,
            sockets,
            liveness,
            notify_watchdog,
            log_rules,
            logs,
            limits,
            depends_on,
            schedule,
            fleet,
        ) = second;
        let (placement, update, singleton) = fleet;
        let mut spec = ProcessSpec {
            execution: execution.filter(|execution| !execution.is_empty()).map(Box::new),
            hooks: hooks.filter(|hooks| !hooks.is_empty()).map(Box::new),
            sockets,
            liveness,
            notify_watchdog,
            log_rules,
            logs: logs.map(Box::new),
            limits: limits.map(Box::new),
            depends_on,
            schedule: schedule.map(Box::new),
            placement: placement.filter(|placement| !placement.is_empty()).map(Box::new),
            update: update.map(Box::new),
            singleton: singleton.map(Box::new),
            ..spec
        };
        let single = spec.log_file.is_some() || !spec.sockets.is_empty();
        spec.instances = if single { spec.instances.min(1) } else { spec.instances };
        let daemon = spec.placement.as_ref().is_some_and(|placement| placement.daemon);
        if daemon || spec.singleton.is_some() {
            spec.instances = 1;
        }
        spec.singleton = spec.singleton.filter(|_| !daemon);
        let own = spec.name.clone();
        let fence = spec.fence().unwrap_or_default();
        if let Some(placement) = &mut spec.placement {
            placement.apart_from.retain(|other| *other != own);
            placement.replace_after = placement.replace_after.map(|after| after.max(fence));
        }
        spec.placement = spec.placement.filter(|placement| !placement.is_empty());
        spec.depends_on.retain(|dependency| dependency.process != own);
        if spec.schedule.is_some() && !matches!(spec.restart.mode, RestartMode::OnFailure) {
            spec.restart.mode = RestartMode::Never;
        }
        spec
    })
}
