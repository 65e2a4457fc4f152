//! Nodes that are heard, and not: through the service, as runners and users
//! see it.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::convert::{duration_from_wire, spec_to_wire};
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message;
use pm_proto::v1::run_session_response::Message as Answer;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use process_model::ProcessSpec;
use process_model::spec::{Command as Program, Placement};
use registry_svc::Options;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_types::StatusExt as _;
use town::*;

/// A node that says something is not lost, though this machine may stand still for some seconds.
const LEASE: Duration = Duration::from_secs(5);

async fn beat(runner: &mut Runner, seq: u64) -> v1::HeartbeatAck {
    runner.send.send(v1::RunSessionRequest { message: Some(Message::Heartbeat(v1::Heartbeat { seq })) }).await.unwrap();
    loop {
        if let Answer::HeartbeatAck(ack) = runner.next().await.unwrap() {
            assert_eq!(ack.seq, seq);
            return ack;
        }
    }
}

/// When it happened.
fn nanos(event: &v1::Event) -> i64 {
    let time = event.time.unwrap();
    time.seconds * 1_000_000_000 + i64::from(time.nanos)
}

fn moves(name: &str, after: Duration) -> v1::ProcessSpec {
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell("run".into()));
    spec.placement = Some(Box::new(Placement { replace_after: Some(after), ..Placement::default() }));
    spec_to_wire(&spec)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_node_is_suspected_first_and_heard_again_it_is_ready() {
    let town = Town::open_in(place::real_disk(), |o| Options { lease: LEASE * 2, ..o }).await;
    let mut watcher = town.watch(1).await;
    let mut runner = town.runner("alpha").await;
    runner.assignments().await;
    watcher.until("node.suspect").await;
    assert_eq!(town.nodes().await[0].state(), v1::NodeState::Suspect);
    assert!(town.registry.metrics().encode().contains("pm_registry_nodes{state=\"suspect\"} 1"));
    beat(&mut runner, 1).await;
    watcher.until("node.ready").await;
    assert_eq!(town.nodes().await[0].state(), v1::NodeState::Ready);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_lost_in_the_middle_of_its_session_has_to_begin_another() {
    let town = Town::open_in(place::real_disk(), |o| Options { lease: LEASE, ..o }).await;
    let mut watcher = town.watch(1).await;
    let mut runner = town.runner("alpha").await;
    runner.assignments().await;
    watcher.until("node.lost").await;
    runner
        .send
        .send(v1::RunSessionRequest { message: Some(Message::Heartbeat(v1::Heartbeat { seq: 1 })) })
        .await
        .unwrap();
    let ended = loop {
        match runner.next().await {
            Ok(Answer::HeartbeatAck(_)) => panic!("confirmed, though it was lost"),
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!((ended.code(), reason_of(&ended).as_deref()), (Code::Aborted, Some(reason::NODE_LOST)));
    let mut again = town.runner("alpha").await;
    assert!(again.assignments().await.full);
    beat(&mut again, 1).await;
    watcher.until("node.ready").await;
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_node_has_is_placed_elsewhere_when_its_time_is_over() {
    let interval = Duration::from_millis(200);
    let tune = |o| Options { lease: LEASE, heartbeat_interval: interval, ..o };
    let town = Town::open_in(place::real_disk(), tune).await;
    let mut watcher = town.watch(1).await;
    let mut alpha = town.runner("alpha").await;
    alpha.assignments().await;
    town.apply(vec![moves("web", Duration::from_secs(1))]).await;
    alpha.assignments().await;
    drop(alpha);
    let beta = town.runner("beta").await;
    let beating = tokio::spawn(async move {
        for seq in 1.. {
            let message = Some(Message::Heartbeat(v1::Heartbeat { seq }));
            if beta.send.send(v1::RunSessionRequest { message }).await.is_err() {
                return;
            }
            tokio::time::sleep(interval).await;
        }
    });
    let lost = watcher.until("node.lost").await;
    let replaced = watcher.until("instance.replaced").await;
    // As the registry wrote it down: whoever watches hears it later.
    let waited = nanos(&replaced) - nanos(&lost);
    assert!(waited >= 900_000_000, "after {waited} ns");
    watcher.until("instance.assigned").await;
    assert_eq!(town.instances().await[0].node, "beta");
    beating.abort();
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_nodes_are_asked_for_fewer_heartbeats_in_the_answers_to_those_they_send() {
    let interval = Duration::from_millis(100);
    // One heartbeat in a second, of all together.
    let tune = |o| Options { heartbeat_interval: interval, lease: LEASE, heartbeats_per_second: 1, ..o };
    let town = Town::open_in(place::real_disk(), tune).await;
    let mut first = town.runner("node-0").await;
    let told = |d: &Option<prost_types::Duration>| d.as_ref().map(|d| duration_from_wire("d", d).unwrap());
    // The first one was not there when it was welcomed.
    assert_eq!(told(&first.welcome.heartbeat_interval), Some(interval));
    let ack = beat(&mut first, 1).await;
    assert_eq!((told(&ack.heartbeat_interval), told(&ack.lease)), (Some(interval * 10), Some(LEASE * 10)));
    let ack = beat(&mut first, 2).await;
    assert_eq!((ack.heartbeat_interval, ack.lease), (None, None), "said once");
    let _second = town.runner("node-1").await;
    let third = town.runner("node-2").await;
    assert_eq!(told(&third.welcome.heartbeat_interval), Some(interval * 20));
    let ack = beat(&mut first, 3).await;
    assert_eq!(told(&ack.heartbeat_interval), Some(interval * 30));
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runners_that_are_too_many_at_once_are_told_when_to_come_again() {
    let town = Town::open_in(place::real_disk(), |o| Options { sessions_per_second: 1, ..o }).await;
    let began = std::time::Instant::now();
    let mut refused = Vec::new();
    let mut kept = Vec::new();
    // As many as it takes, however long each of them takes.
    for number in 0.. {
        let (send, stream) = mpsc::channel(4);
        let hello = v1::SessionHello { node: format!("node-{number}"), ..Default::default() };
        send.send(v1::RunSessionRequest { message: Some(Message::Hello(hello)) }).await.unwrap();
        let mut client = RunnerSessionServiceClient::new(town.channel.clone());
        match client.run_session(ReceiverStream::new(stream)).await {
            Ok(session) => kept.push((send, session)),
            Err(status) => refused.push(status),
        }
        // At once, out of quiet, and then one in a second.
        let most = 101 + began.elapsed().as_secs();
        assert!(kept.len() as u64 <= most, "{} were received, {most} may be", kept.len());
        if refused.len() == 3 {
            break;
        }
    }
    assert!(kept.len() >= 100, "{} were received", kept.len());
    for status in &refused {
        assert_eq!((status.code(), reason_of(status).as_deref()), (Code::Unavailable, Some(reason::SESSIONS_LIMITED)));
        let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(30), "{wait:?}");
    }
    let metrics = town.registry.metrics().encode();
    assert!(metrics.contains(&format!("pm_registry_sessions_sent_away_total {}", refused.len())), "{metrics}");
    town.close().await;
}
