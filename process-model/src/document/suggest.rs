//! What was probably meant by an unknown word.

/// The names that other managers have for a field of ours.
const HABITS: &[(&str, &[&str])] = &[
    ("processes", &["apps", "services", "programs", "monitors", "jobs"]),
    ("command", &["cmd", "script", "exec", "run", "entrypoint", "args", "exec_start", "execstart"]),
    ("working_dir", &["cwd", "directory", "workdir", "dir", "chdir", "working_directory", "workingdirectory"]),
    ("env", &["environment", "envs", "environ", "variables"]),
    ("env_files", &["env_file", "envfile", "environment_file", "environmentfile", "dotenv"]),
    ("user", &["uid", "run_as"]),
    ("group", &["gid"]),
    ("groups", &["supplementary_groups", "supplementarygroups"]),
    ("rlimits", &["ulimits", "ulimit"]),
    ("nice", &["priority"]),
    ("io_priority", &["ionice", "ioprio", "ioschedulingclass"]),
    ("oom_score_adj", &["oom_score_adjust", "oomscoreadjust", "oom"]),
    ("cpu_affinity", &["cpuset", "affinity", "cpuaffinity"]),
    ("no_new_privs", &["no_new_privileges", "nonewprivileges"]),
    ("instances", &["replicas", "numprocs", "scale", "count"]),
    ("ports", &["port"]),
    ("sockets", &["socket", "listen", "listen_stream", "listenstream"]),
    ("depends_on", &["depends", "requires", "after", "needs", "wants"]),
    ("schedule", &["cron", "timer", "on_calendar", "oncalendar", "cron_restart", "periodic"]),
    ("hooks", &["hook", "lifecycle"]),
    ("pre_start", &["prestart", "exec_start_pre", "execstartpre", "before_start"]),
    ("post_start", &["poststart", "exec_start_post", "execstartpost", "after_start"]),
    ("pre_stop", &["prestop", "exec_stop", "execstop", "before_stop"]),
    ("post_stop", &["poststop", "exec_stop_post", "execstoppost", "after_stop"]),
    ("restart", &["autorestart", "restart_policy", "availability"]),
    ("policy", &["mode", "condition"]),
    ("limit", &["start_limit", "startlimit"]),
    ("within", &["interval", "window"]),
    ("success_codes", &["success_exit_status", "success_exit_codes", "exitcodes", "exit_codes"]),
    ("never_restart_codes", &["restart_prevent_exit_status", "stop_exit_codes"]),
    ("always_restart_codes", &["restart_force_exit_status"]),
    ("max_memory", &["max_memory_restart", "memory_restart"]),
    ("max_restarts", &["max_retries", "startretries", "retries"]),
    ("max_runtime", &["runtime_max_sec", "max_run_duration"]),
    ("stop", &["shutdown", "stop_policy"]),
    ("timeout", &["grace_period", "stop_grace_period", "stopwaitsecs", "timeout_seconds"]),
    ("run", &["command", "exec", "hook"]),
    ("readiness", &["health_check", "healthcheck", "readiness_probe", "health", "probe"]),
    ("liveness", &["liveness_probe"]),
    ("http", &["http_get"]),
    ("initial_delay", &["start_period", "initial_delay_seconds"]),
    ("interval", &["period", "period_seconds"]),
    ("watchdog", &["watchdog_sec", "watchdogsec"]),
    ("log_file", &["logfile", "log", "stdout_logfile", "out_file", "log_location", "output"]),
    ("logs", &["logging", "log_policy", "log_configuration"]),
    ("max_size", &["max_bytes", "stdout_logfile_maxbytes"]),
    ("max_files", &["backups", "max_backups", "stdout_logfile_backups", "keep"]),
    ("max_age", &["max_days"]),
    ("log_watchdog", &["log_monitor"]),
    ("log_rules", &["log_rule", "log_patterns"]),
    ("pattern", &["regex", "match"]),
    ("limits", &["resources", "resource_limits"]),
    ("memory", &["mem", "mem_limit", "memory_max", "memorymax"]),
    ("cpu", &["cpus", "cpu_quota", "cpuquota"]),
    ("pids", &["tasks", "tasks_max", "tasksmax", "pids_limit"]),
    ("timezone", &["tz", "time_zone"]),
    ("autostart", &["auto_start", "enabled"]),
    ("name", &["process_name", "id"]),
    ("type", &["kind", "runtime", "interpreter"]),
];

/// The one of `known` that `word` was probably meant to be.
pub(super) fn suggest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // Nobody mistypes a name into a much longer one; and it bounds the work.
    if word.chars().count() > 40 {
        return None;
    }
    let word: String = word.to_lowercase().chars().map(|c| if c == '-' || c == ' ' { '_' } else { c }).collect();
    let plain = |name: &str| name.replace('-', "_");
    let habit = |name: &&'k str| HABITS.iter().any(|(ours, others)| ours == name && others.contains(&word.as_str()));
    known.iter().copied().find(|name| habit(name) || plain(name) == word).or_else(|| {
        let allowed = (word.chars().count() / 3).max(1);
        known
            .iter()
            .map(|name| (distance(&word, &plain(name)), *name))
            .filter(|(distance, name)| *distance <= allowed && *distance < name.len())
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| name)
    })
}

/// Edits from one word to the other, a swap of neighbours counting as one
/// (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let at = |cells: &[usize], column: usize| cells.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&above, j) + usize::from(a != b)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, suggest};

    #[test]
    fn typing_errors_and_habits_find_the_field() {
        let known = ["command", "working_dir", "env", "log_file", "on-failure"];
        for (word, meant) in [
            ("comand", "command"),
            ("Command", "command"),
            ("cwd", "working_dir"),
            ("working-dir", "working_dir"),
            ("environment", "env"),
            ("logfile", "log_file"),
            ("on_failure", "on-failure"),
        ] {
            assert_eq!(suggest(word, &known), Some(meant), "{word}");
        }
        for word in ["", "x", "colour", &"command".repeat(1000)] {
            assert_eq!(suggest(word, &known), None, "{word}");
        }
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!((distance("prot", "port"), distance("", "abc"), distance("abc", "abc")), (1, 3, 0));
    }
}
