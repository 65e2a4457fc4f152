//! The registry through its gRPC services, with a runner played by hand.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::error::reason;
use pm_proto::v1;
use registry_svc::{OpenError, Options, Registry};
use std::time::Duration;
use tonic::Code;
use town::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_is_applied_placed_started_reported_stopped_and_removed() {
    let town = Town::open().await;
    let mut watcher = town.watch(1).await;
    let mut runner = town.runner("alpha").await;
    assert!(runner.assignments().await.full, "the first word is everything");
    assert!(!runner.welcome.cluster_id.is_empty());

    let applied = town.apply(vec![spec("web", 2)]).await;
    assert_eq!(applied.results[0].outcome(), v1::ApplyOutcome::Created);
    let update = runner.assignments().await;
    assert_eq!((update.full, update.set.len(), update.set[0].wanted), (false, 2, true));
    watcher.until("instance.assigned").await;

    let running = v1::InstancePhase::Running;
    runner.report(1, vec![seen("web-1", 1, "instance.started", running)], vec![]).await;
    let event = watcher.until("instance.started").await;
    assert_eq!((event.instance_id.as_str(), event.actor.as_str()), ("web-1", "node:alpha"));
    let instances = town.instances().await;
    assert_eq!((instances[0].phase(), instances[0].ready, instances[0].pid), (running, true, 42));
    assert_eq!(instances[1].phase(), v1::InstancePhase::Pending);

    let stop = v1::StopProcessesRequest { selectors: vec!["web-1".into()], ..Default::default() };
    let stopped = town.processes().stop_processes(stop).await.unwrap().into_inner();
    assert_eq!(stopped.actions.len(), 1);
    let order = runner.action().await;
    assert_eq!((order.verb(), order.instance_id.as_str()), (v1::ActionVerb::Stop, "web-1"));
    watcher.until("action.delivered").await;
    runner.report(2, vec![], vec![done(&order)]).await;
    assert_eq!(watcher.until("action.done").await.instance_id, "web-1");

    let delete = v1::DeleteProcessesRequest { selectors: vec!["web".into()], ..Default::default() };
    let deleted = town.processes().delete_processes(delete).await.unwrap().into_inner();
    assert_eq!(deleted.instance_ids, ["web-1", "web-2"]);
    assert_eq!(runner.assignments().await.removed, ["web-1", "web-2"]);
    let gone =
        |id, seq| v1::InstanceReport { gone: true, ..seen(id, seq, "instance.stopped", v1::InstancePhase::Stopped) };
    runner.report(3, vec![gone("web-1", 2), gone("web-2", 1)], vec![]).await;
    watcher.until("instance.removed").await;
    assert!(town.instances().await.is_empty());
    let audit = town.events().list_audit_entries(v1::ListAuditEntriesRequest::default()).await.unwrap().into_inner();
    let commands: Vec<&str> = audit.entries.iter().map(|e| e.command.as_str()).collect();
    assert_eq!(commands, ["delete", "stop", "apply", "node-connected", "configure"]);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 0)]).await;
    let mut seen_revisions = Vec::new();
    let mut next = 1;
    for round in 0..5 {
        let mut watcher = town.watch(next).await;
        for n in 0..3 {
            town.apply(vec![spec(&format!("p-{round}-{n}"), 0)]).await;
            let event = watcher.event().await;
            seen_revisions.push(event.revision);
            next = event.revision + 1;
        }
    }
    let expected: Vec<u64> = (1..next).collect();
    assert_eq!(seen_revisions, expected);
    let tail = v1::WatchEventsRequest { tail: 2, types: vec!["process.*".into()], ..Default::default() };
    let mut stream = town.events().watch_events(tail).await.unwrap().into_inner();
    let mut count = 0;
    while stream.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 2, "a watcher that does not follow ends");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_that_is_no_longer_kept_is_refused_with_the_oldest_that_is() {
    let town = Town::open_in(place::real_disk(), |o| Options { event_retention: 100, ..o }).await;
    town.apply((0..150).map(|n| spec(&format!("p{n}"), 0)).collect()).await;
    let request = v1::WatchEventsRequest { from_revision: 1, follow: true, ..Default::default() };
    let status = town.events().watch_events(request).await.unwrap_err();
    assert_eq!(fault(&status), (Code::OutOfRange, reason::REVISION_COMPACTED.into()));
    let oldest = tonic_types::StatusExt::get_details_error_info(&status).unwrap().metadata["oldest"].clone();
    assert_eq!(town.watch(oldest.parse().unwrap()).await.event().await.revision.to_string(), oldest);
    let mut both = v1::WatchEventsRequest { from_revision: 1, tail: 1, ..Default::default() };
    both.follow = true;
    assert_eq!(town.events().watch_events(both).await.unwrap_err().code(), Code::InvalidArgument);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_name_the_field_and_change_nothing() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 1)]).await;
    let mut client = town.processes();
    let revision = |r: tonic::Response<v1::ListProcessesResponse>| r.into_inner().revision;
    let before = revision(client.list_processes(v1::ListProcessesRequest::default()).await.unwrap());

    let start = |selector: &str| v1::StartProcessesRequest { selectors: vec![selector.into()], ..Default::default() };
    let status = client.start_processes(start("wbe")).await.unwrap_err();
    assert_eq!(fault(&status), (Code::NotFound, reason::NOT_FOUND.into()));
    assert!(status.message().contains("\"wbe\""), "{status}");
    let status = client.start_processes(v1::StartProcessesRequest::default()).await.unwrap_err();
    assert_eq!(fault(&status), (Code::InvalidArgument, reason::INVALID_ARGUMENT.into()));

    let apply = |spec| v1::ApplyProcessesRequest { specs: vec![spec], ..Default::default() };
    let status = client.apply_processes(apply(spec_named("../x"))).await.unwrap_err();
    assert_eq!(fault(&status), (Code::InvalidArgument, reason::INVALID_ARGUMENT.into()));
    assert!(status.message().contains("name"), "{status}");
    let mut large = spec("large", 1);
    for n in 0..5 {
        large.env.insert(format!("V{n}"), "x".repeat(60_000));
    }
    let status = client.apply_processes(apply(large)).await.unwrap_err();
    assert_eq!(fault(&status), (Code::InvalidArgument, reason::REQUEST_TOO_LARGE.into()));

    let mut stale = apply(spec("web", 2));
    stale.etags.insert("web".into(), "other".into());
    let status = client.apply_processes(stale).await.unwrap_err();
    assert_eq!(fault(&status), (Code::Aborted, reason::ETAG_MISMATCH.into()));
    let timeout = Some(prost_types::Duration { seconds: 999_999, nanos: 0 });
    let stop = v1::StopProcessesRequest { selectors: vec!["web".into()], timeout, ..Default::default() };
    assert_eq!(client.stop_processes(stop).await.unwrap_err().code(), Code::InvalidArgument);

    let only = v1::ApplyProcessesRequest { validate_only: true, ..apply(spec("new", 1)) };
    let checked = client.apply_processes(only).await.unwrap().into_inner();
    assert_eq!(checked.results[0].outcome(), v1::ApplyOutcome::Created);

    let after = revision(client.list_processes(v1::ListProcessesRequest::default()).await.unwrap());
    assert_eq!(before, after);
    town.close().await;
}

fn spec_named(name: &str) -> v1::ProcessSpec {
    v1::ProcessSpec { name: name.into(), ..spec("x", 1) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_id_has_one_effect_and_another_request_with_it_is_refused() {
    let town = Town::open().await;
    let _runner = town.runner("alpha").await;
    town.apply(vec![spec("web", 1)]).await;
    let restart = v1::RestartProcessesRequest {
        selectors: vec!["web".into()],
        request_id: "11111111-1111-4111-8111-111111111111".into(),
        ..Default::default()
    };
    let mut client = town.processes();
    let first = client.restart_processes(restart.clone()).await.unwrap().into_inner();
    let again = client.restart_processes(restart.clone()).await.unwrap().into_inner();
    assert_eq!((first.revision, &first.actions[0].id), (again.revision, &again.actions[0].id));
    let other = v1::RestartProcessesRequest { reason: "another".into(), ..restart };
    let status = client.restart_processes(other).await.unwrap_err();
    assert_eq!(fault(&status), (Code::AlreadyExists, reason::REQUEST_ID_REUSED.into()));
    let actions = town.actions().list_actions(v1::ListActionsRequest::default()).await.unwrap().into_inner();
    assert_eq!(actions.actions.len(), 1);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_session_of_a_node_replaces_the_older() {
    let town = Town::open().await;
    let mut older = town.runner("alpha").await;
    older.assignments().await;
    let mut newer = town.runner("alpha").await;
    let status = older.next().await.unwrap_err();
    assert_eq!(fault(&status), (Code::Aborted, reason::SESSION_REPLACED.into()));
    assert!(newer.assignments().await.full);
    newer.beat(1).await;
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_stream_alone_loses_no_node_but_a_silent_lease_does() {
    // What is asked in between is answered before it is over, though this machine may stand still for a while.
    let lease = Duration::from_secs(5);
    let town = Town::open_in(place::real_disk(), |o| Options { lease, ..o }).await;
    let mut watcher = town.watch(1).await;
    town.apply(vec![spec("web", 1)]).await;
    let mut runner = town.runner("alpha").await;
    // From before its last sign of life: the answer to it comes late, perhaps.
    let heard = std::time::Instant::now();
    runner.report(1, vec![seen("web-1", 1, "instance.started", v1::InstancePhase::Running)], vec![]).await;
    drop(runner);
    watcher.until("node.lost").await;
    assert!(heard.elapsed() >= lease, "lost after {:?}", heard.elapsed());
    watcher.until("instance.lost").await;
    assert_eq!(town.instances().await[0].phase(), v1::InstancePhase::Lost);
    assert_eq!(town.nodes().await[0].state(), v1::NodeState::Lost);

    let mut back = town.runner("alpha").await;
    watcher.until("instance.returned").await;
    assert_eq!(town.instances().await[0].phase(), v1::InstancePhase::Running);
    assert_eq!(back.assignments().await.set.len(), 1);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_starts_anew_gives_every_node_a_fresh_lease() {
    let lease = Duration::from_millis(1_500);
    // Its first life is too short to lose anybody in.
    let town = Town::open().await;
    drop(town.runner("alpha").await);
    let dir = town.close().await;
    let opened = std::time::Instant::now();
    let town = Town::open_in(dir, |o| Options { lease, ..o }).await;
    let mut watcher = town.watch(1).await;
    watcher.until("node.lost").await;
    assert!(opened.elapsed() >= lease, "lost after {:?}", opened.elapsed());
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_sent_again_is_acknowledged_and_makes_no_second_event() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 1)]).await;
    let started = vec![seen("web-1", 1, "instance.started", v1::InstancePhase::Running)];
    let mut runner = town.runner("alpha").await;
    runner.report(1, started.clone(), vec![]).await;
    let before = town.cluster().get_cluster_status(v1::GetClusterStatusRequest {}).await.unwrap().into_inner();
    let mut again = town.runner("alpha").await;
    again.report(1, started, vec![]).await;
    let after = town.cluster().get_cluster_status(v1::GetClusterStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(before.revision, after.revision);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_closing_and_opening() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 2), spec("db", 1)]).await;
    let _runner = town.runner("alpha").await;
    let (instances, nodes) = (town.instances().await, town.nodes().await);
    let cluster = town.cluster().get_cluster_status(v1::GetClusterStatusRequest {}).await.unwrap().into_inner();
    let dir = town.close().await;
    let town = Town::open_in(dir, |options| options).await;
    assert_eq!((town.instances().await, town.nodes().await), (instances, nodes));
    let now = town.cluster().get_cluster_status(v1::GetClusterStatusRequest {}).await.unwrap().into_inner();
    assert_eq!((now.cluster_id, now.revision), (cluster.cluster_id, cluster.revision));
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_state_store_is_rebuilt_from_the_log() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 2)]).await;
    let instances = town.instances().await;
    let dir = town.close().await;
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    let town = Town::open_in(dir, |options| options).await;
    assert_eq!(town.instances().await, instances);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_registry_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let town = Town::open().await;
    let second = Registry::open(options(town.dir.path(), &town.token), None).await;
    assert!(matches!(second.map(drop), Err(error) if error.exit_code() == 75));
    town.apply(vec![spec("web", 1)]).await;
    town.close().await;
}

async fn reopen(dir: &std::path::Path) -> OpenError {
    let token = service_host::secret::Secret::new("test-token").unwrap();
    match Registry::open(options(dir, &token), None).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

/// Puts a copy of one directory in the place of another.
fn put(from: &std::path::Path, to: &std::path::Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// What is refused, file by file, is tested with the directory itself (`home`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_vanished_or_foreign_log_is_refused_and_the_right_one_is_taken_again() {
    const DATA: u8 = 65;
    const CONFIGURATION: u8 = 78;
    let keep = tempfile::tempdir().unwrap();
    let (old, good) = (keep.path().join("old"), keep.path().join("good"));
    let dir = Town::open().await.close().await;
    let log = dir.path().join("log");
    put(&log, &old);
    let town = Town::open_in(dir, |options| options).await;
    town.apply(vec![spec("web", 1)]).await;
    let dir = town.close().await;
    put(&log, &good);

    put(&old, &log);
    assert_eq!(reopen(dir.path()).await.exit_code(), DATA, "an old copy");
    std::fs::remove_dir_all(&log).unwrap();
    assert_eq!(reopen(dir.path()).await.exit_code(), DATA, "vanished");
    assert!(!log.exists(), "a refused opening makes nothing");
    let other = Town::open().await.close().await;
    put(&other.path().join("log"), &log);
    assert_eq!(reopen(dir.path()).await.exit_code(), CONFIGURATION, "another one's");
    put(&good, &log);
    let identity = std::fs::read(dir.path().join("identity")).unwrap();
    std::fs::remove_file(dir.path().join("identity")).unwrap();
    assert_eq!(reopen(dir.path()).await.exit_code(), DATA, "the mark vanished");
    std::fs::write(dir.path().join("identity"), identity).unwrap();
    Town::open_in(dir, |options| options).await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_without_the_token() {
    let town = Town::open().await;
    let wrong = service_host::secret::Secret::new("wrong").unwrap();
    let channel = service_host::client::service_channel(&town.dial, &wrong).unwrap();
    let mut client = v1::process_service_client::ProcessServiceClient::new(channel);
    let status = client.list_processes(v1::ListProcessesRequest::default()).await.unwrap_err();
    assert_eq!(fault(&status), (Code::Unauthenticated, reason::UNAUTHENTICATED.into()));
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_what_is_there() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 2)]).await;
    let text = town.registry.metrics().encode();
    for line in [
        "pm_registry_processes 1",
        "pm_registry_instances{phase=\"pending\"} 2",
        "pm_registry_nodes{state=\"ready\"} 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    town.close().await;
}
