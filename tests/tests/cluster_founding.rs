//! While a cluster is being founded: whoever asks is told so and may ask again,
//! and a prober sees a process that lives and is not ready.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Plan, Sandbox, http, until};
use tonic::Code;

#[test]
fn whoever_asks_before_the_cluster_is_founded_is_told_what_it_waits_for() {
    let sandbox = Sandbox::new();
    let mut replicas = Plan::new(&sandbox, 3).made();
    replicas.replica(0).spawn();
    let client = replicas.patient_client(0);
    let waits = "2 of 3 replicas are here";
    replicas.replica(1).spawn();
    until("it says what it waits for", || match client.has_program("web") {
        Err(status) if status.message().contains("the cluster is being founded") => {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            status.message().contains(waits)
        }
        // Nobody listens yet, or it has not asked the others yet.
        Err(status) => {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            false
        }
        Ok(found) => panic!("it answered {found} before there is a cluster"),
    });
    let ops = replicas.replica(0).ops();
    assert_eq!(http::get(&ops, "/healthz", None).status, 200);
    let ready = http::get(&ops, "/readyz", None);
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains(waits), "{}", ready.body);
    assert_eq!(http::get(&ops, "/metrics", None).status, 200);
    replicas.replica(2).spawn();
    for place in 0..3 {
        replicas.replica(place).wait_until_ready();
    }
    until("it answers", || matches!(client.has_program("web"), Ok(false)));
}
