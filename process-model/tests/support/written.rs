//! Specs as a user would write them.

use process_model::ProcessSpec;
use process_model::spec::*;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The fields of a process, all of them.
pub(crate) fn written(spec: &ProcessSpec) -> Value {
    let mut fields = json!({
        "command": command(&spec.command),
        "type": spec.runtime.as_str(),
        "working_dir": spec.working_dir,
        "env": spec.env,
        "user": spec.user,
        "instances": spec.instances,
        "ports": spec.ports,
        "sockets": spec.sockets.iter().map(|socket| (socket.name.clone(), self::socket(socket))).collect::<Map<_, _>>(),
        "depends_on": spec.depends_on.iter().map(dependency).collect::<Map<_, _>>(),
        "schedule": spec.schedule.as_ref().map(|schedule| json!({
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "overlap": schedule.overlap.as_str(),
            "catch_up": schedule.catch_up.as_str(),
            "jitter": time(&schedule.jitter),
        })),
        "placement": spec.placement.as_ref().map(|placement| json!({
            "constraints": placement.constraints.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "strategy": placement.strategy.as_str(),
            "spread_by": placement.spread_by,
            "max_per_node": placement.max_per_node,
            "apart_from": placement.apart_from,
            "daemon": placement.daemon,
            "reserve": {
                "cpu": f64::from(placement.reserve.cpu_millis) / 1000.0,
                "memory": placement.reserve.memory,
            },
            "replace_after": placement.replace_after.as_ref().map(time),
        })),
        "update": spec.update.as_ref().map(|update| json!({
            "max_unavailable": share(update.max_unavailable),
            "max_surge": share(update.max_surge),
            "min_ready": time(&update.min_ready),
            "canary": update.canary,
            "auto_promote": update.auto_promote,
            "auto_revert": update.auto_revert,
            "progress_deadline": time(&update.progress_deadline),
        })),
        "singleton": spec.singleton.as_ref().map(|singleton| json!({ "lease": time(&singleton.lease) })),
        "hooks": spec.hooks.as_ref().map(|hooks| json!({
            "pre_start": hooks.pre_start.as_ref().map(hook),
            "post_start": hooks.post_start.as_ref().map(hook),
            "reload": hooks.reload.as_ref().map(hook),
            "pre_stop": hooks.pre_stop.as_ref().map(hook),
            "post_stop": hooks.post_stop.as_ref().map(hook),
        })),
        "restart": restart(&spec.restart),
        "stop": {
            "signal": spec.stop.signal.to_string(),
            "timeout": time(&spec.stop.timeout),
            "kill_timeout": spec.stop.kill_timeout.as_secs_f64(),
            "steps": spec.stop.steps.iter().map(step).collect::<Vec<_>>(),
        },
        "readiness": spec.readiness.as_ref().map(|readiness| {
            let mut map = probe(readiness);
            map["success_threshold"] = json!(readiness.success_threshold);
            map
        }),
        "liveness": spec.liveness.as_ref().map(probe),
        "watchdog": spec.notify_watchdog.as_ref().map(time),
        "log_file": spec.log_file,
        "logs": spec.logs.as_ref().map(|logs| self::logs(logs)),
        "log_watchdog": spec.log_watchdog.as_ref().map(|watchdog| json!({
            "log_file": watchdog.log_file,
            "timeout": time(&watchdog.timeout),
            "interval": time(&watchdog.interval),
        })),
        "log_rules": spec.log_rules.iter().map(|rule| json!({
            "name": rule.name,
            "pattern": rule.pattern,
            "action": rule.action.as_str(),
            "cooldown": time(&rule.cooldown),
        })).collect::<Vec<_>>(),
        "limits": spec.limits.as_ref().map(|limits| json!({
            "memory": limits.memory,
            "cpu": limits.cpu_millis.map(|millis| f64::from(millis) / 1000.0),
            "pids": limits.pids,
            "mode": limits.mode.as_str(),
        })),
        "labels": spec.labels,
        "autostart": spec.autostart,
    });
    if let (Some(execution), Some(fields)) = (&spec.execution, fields.as_object_mut()) {
        fields.extend(self::execution(execution));
    }
    fields
}

fn time(duration: &Duration) -> Value {
    json!(humantime::format_duration(*duration).to_string())
}

fn command(command: &Command) -> Value {
    match command {
        Command::Shell(line) => json!(line),
        Command::Argv(args) => json!(args),
    }
}

fn hook(hook: &Hook) -> Value {
    json!({ "command": command(&hook.command), "timeout": time(&hook.timeout) })
}

fn mode(bits: u32) -> Value {
    json!(format!("0{bits:o}"))
}

fn restart(restart: &RestartPolicy) -> Value {
    json!({
        "policy": restart.mode.as_str(),
        "backoff": {
            "initial": time(&restart.backoff.initial),
            "factor": restart.backoff.factor,
            "max": time(&restart.backoff.max),
            "jitter": restart.backoff.jitter,
        },
        "max_restarts": restart.max_restarts,
        "reset_after": restart.reset_after.as_secs_f64(),
        "limit": restart.limit.map(|limit| json!({ "restarts": limit.restarts, "within": time(&limit.within) })),
        "success_codes": restart.codes.success,
        "never_restart_codes": restart.codes.never_restart,
        "always_restart_codes": restart.codes.always_restart,
        "max_memory": restart.max_memory,
        "max_runtime": restart.max_runtime.as_ref().map(time),
    })
}

fn step(step: &StopStep) -> Value {
    match step {
        StopStep::Signal { signal, to, wait } => {
            let to = match to {
                Scope::Tree => "tree",
                Scope::Main => "main",
            };
            json!({ "signal": signal.number(), "to": to, "wait": time(wait) })
        }
        StopStep::Hook(hook) => json!({ "run": command(&hook.command), "timeout": time(&hook.timeout) }),
        StopStep::Wait(wait) => json!({ "wait": time(wait) }),
    }
}

fn probe(probe: &Probe) -> Value {
    let mut map = json!({
        "initial_delay": time(&probe.initial_delay),
        "interval": time(&probe.interval),
        "timeout": time(&probe.timeout),
        "failure_threshold": probe.failure_threshold,
    });
    match &probe.check {
        Check::Http(http) => {
            map["http"] = json!({
                "port": http.port,
                "path": http.path,
                "method": http.method,
                "headers": http.headers.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
                "status": http.status.iter().map(|(from, to)| json!(format!("{from}-{to}"))).collect::<Vec<_>>(),
                "body": http.body,
            });
        }
        Check::Tcp { port } => map["tcp"] = json!({ "port": port }),
        Check::Exec { command } => map["exec"] = json!({ "command": self::command(command) }),
        Check::Grpc { port, service } => map["grpc"] = json!({ "port": port, "service": service }),
        Check::Notify => map["notify"] = json!(true),
        Check::Log { pattern } => map["log"] = json!(pattern),
    }
    map
}

fn execution(execution: &Execution) -> Map<String, Value> {
    let value = |limit: Option<u64>| limit.map_or(json!("unlimited"), |limit| json!(limit));
    let rlimit = |limit: &Rlimit| {
        let both = limit.soft == limit.hard;
        if both { value(limit.soft) } else { json!({ "soft": value(limit.soft), "hard": value(limit.hard) }) }
    };
    let fields = json!({
        "umask": execution.umask.map(mode),
        "group": execution.group,
        "groups": execution.supplementary_groups,
        "rlimits": execution.rlimits.iter().map(|(r, limit)| (r.as_str().to_owned(), rlimit(limit))).collect::<Map<_, _>>(),
        "nice": execution.nice,
        "io_priority": execution.io_priority.map(|io| json!({ "class": io.class.as_str(), "level": io.level })),
        "oom_score_adj": execution.oom_score_adj,
        "cpu_affinity": execution.cpu_affinity,
        "no_new_privs": execution.no_new_privs,
        "env_files": execution.env_files,
    });
    fields.as_object().cloned().unwrap_or_default()
}

fn socket(socket: &Socket) -> Value {
    match &socket.listen {
        Listen::Tcp(address) => json!({ "listen": address.to_string(), "backlog": socket.backlog }),
        Listen::Udp(address) => json!({ "listen": address.to_string(), "backlog": socket.backlog, "udp": true }),
        Listen::Unix { path, mode } => {
            json!({ "listen": format!("unix:{path}"), "backlog": socket.backlog, "mode": self::mode(*mode) })
        }
    }
}

fn dependency(dependency: &Dependency) -> (String, Value) {
    let condition = match &dependency.condition {
        Condition::Started => json!("started"),
        Condition::Ready => json!({ "condition": "ready" }),
        Condition::Completed => json!("completed"),
        Condition::CompletedOk => json!({ "condition": "completed_ok" }),
        Condition::Log(pattern) => json!({ "log": pattern }),
    };
    (dependency.process.to_string(), condition)
}

fn logs(logs: &LogPolicy) -> Value {
    json!({
        "max_size": logs.max_size,
        "max_age": logs.max_age.as_ref().map(time),
        "max_files": logs.max_files,
        "compress": logs.compress.as_str(),
        "retention": logs.retention.as_ref().map(time),
        "quota": logs.quota.map(|quota| format!("{quota}B")),
        "format": logs.format.as_str(),
        "merge": logs.merge,
        "when_full": logs.when_full.as_str(),
    })
}

fn share(share: Share) -> Value {
    match share {
        Share::Count(count) => json!(count),
        Share::Percent(percent) => json!(format!("{percent}%")),
    }
}
