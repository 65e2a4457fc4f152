//! N05: the leader dies while a crowd of runners is connected, and all of them come to its successor at once. They are
//! received at a bounded rate, none is declared lost, and all are back within the bound.
//!
//! The crowd is simulated (`system_tests::Crowd`); `benches -- fleet` does the same with 5,000 and measures it.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};
use system_tests::{Bound, Crowd, Sandbox, Trusted};

/// More than are received at once, and than a service may have files open when nobody says otherwise.
const RUNNERS: usize = 500;
/// Open files of a service as it is started.
const FILES: u64 = 256;
/// Runners that a registry receives in a second here, far fewer than even a busy machine lets come; and at once out of
/// quiet.
const RECEIVED: usize = 40;
const AT_ONCE: usize = 100;
/// Until everybody is back: as long as the rate takes, a tenth more for those who come late, and an election.
const BACK: Bound = Bound::of_millis(15_500);
/// Longest wait for what takes no time that is measured.
const PATIENCE: Duration = Duration::from_secs(120);
/// A lease, twice the time that everybody needs to come, and an election: whoever is not heard by then is lost.
const LEASES: Duration = Duration::from_secs(10 + 2 * (RUNNERS / RECEIVED) as u64 + 2);

fn limit_open_files(to: Option<u64>) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: to.or(maximum), maximum }).unwrap();
}

fn nodes(fleet: &Trusted<'_>, leader: &str, state: &str) -> u64 {
    fleet.metric(leader, &format!("pm_registry_nodes{{state=\"{state}\"}}"))
}

#[test]
fn n05_a_crowd_whose_leader_dies_is_back_at_a_bounded_rate_and_nobody_is_lost() {
    let sandbox = Sandbox::new();
    limit_open_files(Some(FILES));
    let mut fleet =
        Trusted::started(&sandbox, &["--heartbeat-interval", "1s", "--sessions-per-second", &RECEIVED.to_string()]);
    limit_open_files(None);
    let invited = fleet.invite(RUNNERS);
    let crowd = fleet.wait(async { Crowd::gather(invited) });
    let everybody = crowd.until(PATIENCE, |seen| seen.connected == RUNNERS);
    fleet.wait(everybody).unwrap_or_else(|seen| panic!("not everybody could connect: {seen:?}"));
    let leader = fleet.leader().expect("somebody has the sessions");
    assert_eq!(fleet.metric(&leader, "pm_registry_sessions"), RUNNERS as u64);
    assert_eq!(nodes(&fleet, &leader, "ready"), RUNNERS as u64);

    let before = crowd.counts();
    let killed = Instant::now();
    fleet.kill(&leader);
    let back = crowd.until(PATIENCE, |seen| seen.connected == RUNNERS && seen.welcomed >= before.welcomed + RUNNERS);
    fleet.wait(back).unwrap_or_else(|seen| panic!("not everybody came back: {seen:?}"));
    let welcomes = crowd.welcomes_since(killed);
    BACK.holds("n05: everybody is back", *welcomes.last().unwrap());
    let next = fleet.leader().expect("somebody has the sessions");
    assert_ne!(next, leader);

    // By the registry's own count some were told to come again; and whoever was the n-th to come in did not come in
    // sooner than the bound allows, however slow this machine is.
    assert!(fleet.metric(&next, "pm_registry_sessions_sent_away_total") > 0, "everybody was received at once");
    for (earlier, at) in welcomes.iter().enumerate() {
        let soonest =
            Duration::from_secs(1) * u32::try_from(earlier.saturating_sub(AT_ONCE + 1)).unwrap() / RECEIVED as u32;
        assert!(*at >= soonest, "{earlier} were received before {at:?}");
    }

    // Nobody comes too late for the lease that a new leader gives. There is no event for what does not happen.
    std::thread::park_timeout(LEASES.saturating_sub(killed.elapsed()));
    assert_eq!((nodes(&fleet, &next, "ready"), nodes(&fleet, &next, "lost")), (RUNNERS as u64, 0));
    assert_eq!(crowd.counts().told_lost, 0);
    let lost = fleet.pmctl(&["events", "--type", "node.lost", "-o", "jsonl"]).succeeded();
    assert_eq!(lost.trim(), "", "a node was declared lost");
    assert!(crowd.heartbeats() > 0);
}
