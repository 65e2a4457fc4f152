//! N10: the monitor is dead, or hangs. Whoever supervises does not notice:
//! programs are started, stopped and restarted, nothing piles up, and what is
//! measured is there again as soon as somebody takes it.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use std::time::{Duration, Instant};
use system_tests::{Cluster, Sandbox, http, proc, until};

/// Instances, each of which is measured.
const INSTANCES: usize = 20;
/// Samples that nobody takes: ten a second, for so long.
const SILENCE: Duration = Duration::from_secs(10);
/// What the runner may grow by meanwhile.
const GROWTH_KIB: u64 = 4 * 1_024;

/// Everything that supervision is, while nobody takes measures.
fn supervises(cluster: &Cluster<'_>) {
    let api = cluster.api();
    let pid = api.instance("web-1").pid;
    let _ = cluster.pmctl(&["restart", "web-1"]).succeeded();
    let again = api.instance("web-1").pid;
    assert_ne!(again, pid, "it was restarted");
    proc::kill_9(again);
    until("it is back by itself", || {
        let now = api.instance("web-1");
        now.ready && now.pid != again
    });
    let _ = cluster.pmctl(&["stop", "web-2"]).succeeded();
    let _ = cluster.pmctl(&["start", "web-2"]).succeeded();
    let status = cluster.pmctl(&["status"]).succeeded();
    assert!(status.contains("web"), "{status}");
}

fn is_measured(cluster: &Cluster<'_>) -> bool {
    let authority = cluster.url(0);
    let token = std::fs::read_to_string(cluster.token_file()).unwrap();
    let metrics = http::get(authority.trim_start_matches("http://"), "/metrics", Some(&token)).body;
    metrics.lines().any(|line| !line.starts_with('#') && line.contains("process=\"web\""))
}

#[test]
fn n10_a_monitor_that_is_dead_or_hangs_is_not_noticed_by_what_is_supervised() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let (_registry, _gateway) = (cluster.registry(), cluster.gateway());
    let mut monitor = cluster.monitor();
    let runner = cluster.runner_with(&["--sample-interval", "100ms"]);
    let text = format!(
        "processes:\n  web:\n    command: [sleep, '1000']\n    instances: {INSTANCES}\n    restart: {{policy: always, \
         backoff: {{initial: 0s}}}}\n"
    );
    let _ = cluster.pmctl(&["apply", "-f", &sandbox.write("web.yaml", &text), "--wait"]).succeeded();
    until("it is measured", || is_measured(&cluster));

    monitor.kill_9();
    supervises(&cluster);
    monitor = cluster.monitor();
    until("it is measured again", || is_measured(&cluster));

    proc::send(monitor.pid(), Signal::STOP);
    let (began, before) = (Instant::now(), proc::resident_kib(runner.pid()));
    supervises(&cluster);
    std::thread::park_timeout(SILENCE.saturating_sub(began.elapsed()));
    let grown = proc::resident_kib(runner.pid()).saturating_sub(before);
    assert!(grown < GROWTH_KIB, "the runner has grown by {grown} KiB while nobody took its samples");
    proc::send(monitor.pid(), Signal::CONT);
    until("it is measured again", || is_measured(&cluster));
    supervises(&cluster);
}
