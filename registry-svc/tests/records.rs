//! The audit log, the event history and the specs of a process, through the
//! registry's services.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::error::reason;
use pm_proto::metadata::{ACTOR, SOURCE};
use pm_proto::v1;
use pm_proto::v1::read_audit_log_response::Frame;
use pm_proto::v1::registry_internal_service_client::RegistryInternalServiceClient;
use process_model::audit::{Anchor, AuditEntry, Verified, Verifier};
use registry_svc::{Options, Retention};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;
use town::*;

const CANARY: &str = "canary-90210";

fn with_env(value: &str) -> v1::ProcessSpec {
    let mut spec = spec("web", 1);
    spec.env.insert("API_KEY".into(), value.into());
    spec
}

fn apply(spec: v1::ProcessSpec) -> v1::ApplyProcessesRequest {
    v1::ApplyProcessesRequest { specs: vec![spec], ..Default::default() }
}

/// As the gateway would send it.
fn signed<T>(message: T, actor: &str, source: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(ACTOR, actor.parse().unwrap());
    request.metadata_mut().insert(SOURCE, source.parse().unwrap());
    request
}

async fn frames(town: &Town, from_number: u64) -> Vec<Frame> {
    let request = v1::ReadAuditLogRequest { from_number };
    let mut stream = town.events().read_audit_log(request).await.unwrap().into_inner();
    let mut frames = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        frames.push(message.frame.unwrap());
    }
    frames
}

/// Follows the stream from its anchor to its head.
fn verify(frames: &[Frame]) -> Verified {
    let (Some(Frame::Anchor(anchor)), Some(Frame::Head(head))) = (frames.first(), frames.last()) else {
        panic!("{frames:?}");
    };
    let mut verifier = Verifier::new(Anchor::try_from(anchor).unwrap());
    for frame in &frames[1..frames.len() - 1] {
        let Frame::Entry(entry) = frame else { panic!("{frame:?}") };
        verifier.check(&AuditEntry::try_from(entry).unwrap()).unwrap();
    }
    verifier.finish(Some(Anchor::try_from(head).unwrap())).unwrap()
}

async fn audit(town: &Town, request: v1::ListAuditEntriesRequest) -> v1::ListAuditEntriesResponse {
    town.events().list_audit_entries(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_tells_who_from_where_and_what_changed_and_outlives_a_restart() {
    let town = Town::open().await;
    let mut client = town.processes();
    client.apply_processes(apply(with_env("old"))).await.unwrap();
    let request = v1::ApplyProcessesRequest { reason: "ticket".into(), ..apply(with_env(CANARY)) };
    client.apply_processes(signed(request, "admin", "10.0.0.7:51000")).await.unwrap();
    let stop = v1::StopProcessesRequest { selectors: vec!["wbe".into()], ..Default::default() };
    client.stop_processes(signed(stop, "admin", "10.0.0.7:51001")).await.unwrap_err();
    let listed = audit(&town, v1::ListAuditEntriesRequest::default()).await;
    let (refused, entry) = (&listed.entries[0], &listed.entries[1]);
    assert_eq!((refused.outcome(), refused.refusal_reason.as_str()), (v1::AuditOutcome::Refused, reason::NOT_FOUND));
    assert_eq!((refused.source.as_str(), refused.targets[0].as_str(), refused.count), ("10.0.0.7:51001", "wbe", 1));
    assert_eq!((entry.source.as_str(), entry.reason.as_str()), ("10.0.0.7:51000", "ticket"));
    assert_eq!((entry.generations[0].from, entry.generations[0].to), (1, 2));
    let field = entry.changes[0].field.as_ref().unwrap();
    assert_eq!((field.path.as_str(), field.hidden, field.after()), ("env.API_KEY", true, "***"));
    let log = frames(&town, 0).await;
    let verified = verify(&log);
    assert_eq!((verified.entries, verified.head.number), (4, 4));
    assert_eq!(listed.head.as_ref().unwrap().number, 4);
    assert!(!format!("{log:?}{listed:?}").contains("canary"), "{log:?}");

    let dir = town.close().await;
    let town = Town::open_in(dir, |options| options).await;
    let again = frames(&town, 0).await;
    assert_eq!(&again[..log.len() - 1], &log[..log.len() - 1]);
    verify(&again);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_repeated_from_another_port_is_the_same_request() {
    let town = Town::open().await;
    let mut client = town.processes();
    let request = v1::ApplyProcessesRequest { request_id: "r-1".into(), ..apply(spec("web", 1)) };
    let first = client.apply_processes(signed(request.clone(), "admin", "10.0.0.7:1")).await.unwrap().into_inner();
    let again = client.apply_processes(signed(request, "admin", "10.0.0.7:2")).await.unwrap().into_inner();
    assert_eq!(first.revision, again.revision);
    let back = v1::RollbackProcessRequest { name: "web".into(), to: 1, request_id: "r-2".into(), ..Default::default() };
    client.apply_processes(apply(spec("web", 2))).await.unwrap();
    let first = client.rollback_process(back.clone()).await.unwrap().into_inner();
    client.apply_processes(apply(spec("web", 3))).await.unwrap();
    assert_eq!(client.rollback_process(back).await.unwrap().into_inner().revision, first.revision);
    let listed = audit(&town, v1::ListAuditEntriesRequest::default()).await;
    assert_eq!(listed.entries.iter().filter(|e| !e.request_id.is_empty()).count(), 2);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_found_by_actor_target_and_time_page_by_page() {
    let town = Town::open().await;
    let mut client = town.processes();
    client.apply_processes(signed(apply(spec("web", 2)), "alice", "")).await.unwrap();
    let switch = |selector: &str| v1::StopProcessesRequest { selectors: vec![selector.into()], ..Default::default() };
    for (selector, actor) in [("web-1", "bob"), ("web-2", "alice"), ("web", "bob")] {
        client.stop_processes(signed(switch(selector), actor, "")).await.unwrap();
    }
    client.apply_processes(signed(apply(spec("other", 0)), "bob", "")).await.unwrap();
    let commands = |answer: &v1::ListAuditEntriesResponse| {
        answer.entries.iter().map(|e| format!("{} {}", e.actor, e.targets.join(" "))).collect::<Vec<_>>()
    };
    let by = |actor: &str, target: &str| v1::ListAuditEntriesRequest {
        actor: actor.into(),
        target: target.into(),
        ..Default::default()
    };
    assert_eq!(commands(&audit(&town, by("bob", "")).await), ["bob other", "bob web-1 web-2", "bob web-1"]);
    assert_eq!(commands(&audit(&town, by("alice", "web")).await), ["alice web-2", "alice web"]);
    assert_eq!(commands(&audit(&town, by("", "web-1")).await), ["bob web-1 web-2", "bob web-1"]);
    // Every entry once, in pages of two.
    let mut request = v1::ListAuditEntriesRequest { page_size: 2, ..Default::default() };
    let mut numbers = Vec::new();
    loop {
        let page = audit(&town, request.clone()).await;
        assert!(page.entries.len() <= 2);
        numbers.extend(page.entries.iter().map(|e| e.number));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(numbers, [6, 5, 4, 3, 2, 1]);
    let all = audit(&town, v1::ListAuditEntriesRequest::default()).await.entries;
    let (third, since) = (all[2].clone(), all[2].time);
    let newer = audit(&town, v1::ListAuditEntriesRequest { since, ..Default::default() }).await.entries;
    let older = audit(&town, v1::ListAuditEntriesRequest { until: since, ..Default::default() }).await.entries;
    assert!(newer.contains(&third) && !older.contains(&third));
    assert_eq!(newer.len() + older.len(), 6);
    let bad = v1::ListAuditEntriesRequest { page_token: "x".into(), ..Default::default() };
    assert_eq!(town.events().list_audit_entries(bad).await.unwrap_err().code(), Code::InvalidArgument);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_policy_drops_leaves_an_anchor_from_which_the_rest_verifies() {
    let retention = Retention { audit_entries: 100, ..Retention::default() };
    let town = Town::open_in(place::real_disk(), |o| Options { retention, ..o }).await;
    for n in 0..130u32 {
        town.apply(vec![spec("web", n % 2)]).await;
    }
    let log = frames(&town, 0).await;
    assert_eq!((log.len(), verify(&log).entries), (102, 100));
    let tail = frames(&town, 100).await;
    assert_eq!(verify(&tail).entries, 32);
    let read = |from_number| v1::ReadAuditLogRequest { from_number };
    let refused = town.events().read_audit_log(read(1)).await.unwrap_err();
    assert_eq!(fault(&refused), (Code::OutOfRange, reason::REVISION_COMPACTED.into()));
    assert_eq!(town.events().read_audit_log(read(133)).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(frames(&town, 132).await.len(), 2, "nothing newer: anchor and head");
    // The policy is the cluster's, so it is there after a restart.
    let town = Town::open_in(town.close().await, |o| Options {
        retention: Retention { audit_entries: 100, ..Retention::default() },
        ..o
    })
    .await;
    verify(&frames(&town, 0).await);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_door_refused_is_recorded_and_bounded() {
    let town = Town::open().await;
    let mut client = RegistryInternalServiceClient::new(town.channel.clone());
    let attempt = v1::RefusedAttempt {
        actor: "viewer".into(),
        source: "10.0.0.9:7".into(),
        method: "pm.v1.ProcessService/DeleteProcesses".into(),
        reason: reason::PERMISSION_DENIED.into(),
        ..Default::default()
    };
    let attempts = |attempts| v1::RecordRefusalsRequest { attempts };
    for _ in 0..5 {
        client.record_refusals(attempts(vec![attempt.clone(); 4])).await.unwrap();
    }
    let by_viewer = v1::ListAuditEntriesRequest { actor: "viewer".into(), ..Default::default() };
    let entries = audit(&town, by_viewer).await.entries;
    assert_eq!(entries.len(), 1, "twenty attempts, one entry");
    assert_eq!(
        (entries[0].refusal_reason.as_str(), entries[0].source.as_str()),
        (reason::PERMISSION_DENIED, "10.0.0.9:7")
    );
    let nameless = v1::RefusedAttempt { actor: String::new(), ..attempt.clone() };
    for bad in [vec![attempt; 101], vec![nameless]] {
        assert_eq!(client.record_refusals(attempts(bad)).await.unwrap_err().code(), Code::InvalidArgument);
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn specs_are_listed_compared_and_brought_back_and_hold_no_secret() {
    let town = Town::open().await;
    let mut client = town.processes();
    client.apply_processes(signed(apply(with_env("one")), "alice", "10.0.0.1:1")).await.unwrap();
    let mut second = with_env(CANARY);
    second.instances = Some(3);
    client.apply_processes(signed(apply(second), "bob", "10.0.0.2:2")).await.unwrap();
    let name = || "web".to_owned();

    let request = v1::ListGenerationsRequest { name: name(), ..Default::default() };
    let listed = client.list_generations(request.clone()).await.unwrap().into_inner();
    let said: Vec<_> = listed.generations.iter().map(|g| (g.generation, g.actor.as_str(), g.current)).collect();
    assert_eq!(said, [(2, "bob", true), (1, "alice", false)]);
    let first = v1::ListGenerationsRequest { page_size: 1, ..request.clone() };
    let page = client.list_generations(first.clone()).await.unwrap().into_inner();
    assert_eq!((page.generations.len(), page.generations[0].generation), (1, 2));
    let next = v1::ListGenerationsRequest { page_token: page.next_page_token, ..first };
    let page = client.list_generations(next).await.unwrap().into_inner();
    assert_eq!((page.generations[0].generation, page.next_page_token.as_str()), (1, ""));

    let diff = v1::GetProcessDiffRequest { name: name(), ..Default::default() };
    let diff = client.get_process_diff(diff).await.unwrap().into_inner();
    assert_eq!((diff.from.as_ref().unwrap().generation, diff.to.as_ref().unwrap().generation), (1, 2));
    let paths: Vec<_> = diff.changes.iter().map(|c| (c.path.as_str(), c.hidden)).collect();
    assert_eq!(paths, [("env.API_KEY", true), ("instances", false)]);
    let all = v1::GetProcessDiffRequest { name: name(), to: 1, ..Default::default() };
    let all = client.get_process_diff(all).await.unwrap().into_inner();
    assert!(all.from.is_none() && all.changes.iter().all(|change| change.before.is_none()));
    let get = v1::GetGenerationRequest { name: name(), generation: 2, stale: false };
    let got = client.get_generation(get).await.unwrap().into_inner();
    assert_eq!(got.generation.as_ref().unwrap().spec.as_ref().unwrap().env["API_KEY"], "***");
    assert!(!format!("{listed:?}{diff:?}{got:?}{all:?}").contains("canary"));

    let back = v1::RollbackProcessRequest { name: name(), to: 1, expected_generation: Some(2), ..Default::default() };
    let done = client.rollback_process(back.clone()).await.unwrap().into_inner();
    let process = done.result.unwrap().process.unwrap();
    assert_eq!((process.generation, process.spec.as_ref().unwrap().env["API_KEY"].as_str()), (3, "one"));
    let late = client.rollback_process(back.clone()).await.unwrap_err();
    assert_eq!(fault(&late), (Code::Aborted, reason::GENERATION_MISMATCH.into()));
    let other = v1::RollbackProcessRequest { to: 9, expected_generation: None, ..back.clone() };
    assert_eq!(fault(&client.rollback_process(other).await.unwrap_err()), (Code::NotFound, reason::NOT_FOUND.into()));
    let delete = v1::DeleteProcessesRequest { selectors: vec![name()], ..Default::default() };
    client.delete_processes(delete).await.unwrap();
    let town = Town::open_in(town.close().await, |options| options).await;
    let mut client = town.processes();
    let listed = client.list_generations(request).await.unwrap().into_inner();
    assert_eq!(
        listed.generations.iter().map(|g| (g.generation, g.current)).collect::<Vec<_>>(),
        [(3, false), (2, false), (1, false)]
    );
    assert_eq!(listed.generations[0].restored_from, 1);
    let undelete = v1::RollbackProcessRequest { to: 0, expected_generation: Some(0), ..back };
    let made = client.rollback_process(undelete).await.unwrap().into_inner().result.unwrap();
    assert_eq!((made.outcome(), made.process.unwrap().generation), (v1::ApplyOutcome::Created, 4));
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_expect_the_same_generation_one_wins_and_the_others_learn_who() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 0)]).await;
    let mut attempts = tokio::task::JoinSet::new();
    for n in 0..16 {
        let mut client = town.processes();
        let mut changed = spec("web", 0);
        changed.labels.insert("by".into(), n.to_string());
        let request = v1::ApplyProcessesRequest { generations: [("web".to_owned(), 1)].into(), ..apply(changed) };
        attempts.spawn(async move {
            let actor = format!("writer-{n}");
            (actor.clone(), client.apply_processes(signed(request, &actor, "")).await)
        });
    }
    let results = attempts.join_all().await;
    let winners: Vec<&String> = results.iter().filter(|(_, result)| result.is_ok()).map(|(actor, _)| actor).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    for status in results.iter().filter_map(|(_, result)| result.as_ref().err()) {
        assert_eq!(fault(status), (Code::Aborted, reason::GENERATION_MISMATCH.into()));
        let info = status.get_details_error_info().unwrap();
        assert_eq!((&info.metadata["actual"], &info.metadata["actor"]), (&"2".to_owned(), winners[0]));
        assert!(info.metadata["time"].starts_with("20"), "{info:?}");
    }
    verify(&frames(&town, 0).await);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_listed_newest_first_by_process_node_type_and_time() {
    let town = Town::open().await;
    let mut alpha = town.runner("alpha").await;
    town.apply(vec![spec("web", 1)]).await;
    alpha.report(1, vec![seen("web-1", 1, "instance.started", v1::InstancePhase::Running)], vec![]).await;
    let _beta = town.runner("beta").await;
    town.apply(vec![spec("db", 0)]).await;
    let list = async |request: v1::ListEventsRequest| town.events().list_events(request).await.unwrap().into_inner();
    let kinds = |answer: &v1::ListEventsResponse| answer.events.iter().map(|e| e.r#type.clone()).collect::<Vec<_>>();
    let all = list(v1::ListEventsRequest::default()).await;
    let newest_first = all.events.windows(2).all(|pair| pair[0].revision == pair[1].revision + 1);
    assert!(newest_first && all.events[0].revision == all.revision && all.oldest_revision == 1, "{all:?}");
    let of_web = list(v1::ListEventsRequest { selectors: vec!["web".into()], ..Default::default() }).await;
    assert_eq!(kinds(&of_web), ["instance.started", "instance.assigned", "process.created"]);
    let on_alpha = list(v1::ListEventsRequest { node: "alpha".into(), ..Default::default() }).await;
    assert_eq!(kinds(&on_alpha), ["instance.started", "instance.assigned", "node.ready"]);
    let nodes = list(v1::ListEventsRequest { types: vec!["node.*".into()], ..Default::default() }).await;
    assert_eq!(kinds(&nodes), ["node.ready", "node.ready"]);
    let mut request = v1::ListEventsRequest { page_size: 2, ..Default::default() };
    let mut paged = Vec::new();
    loop {
        let page = list(request.clone()).await;
        paged.extend(page.events);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(paged, all.events);
    // The report's own time is of 2023; everything else is of now.
    let until = Some(prost_types::Timestamp { seconds: 1_700_000_001, nanos: 0 });
    assert_eq!(kinds(&list(v1::ListEventsRequest { until, ..Default::default() }).await), ["instance.started"]);
    let since = v1::ListEventsRequest { since: until, ..Default::default() };
    assert_eq!(list(since).await.events.len(), all.events.len() - 1);
    town.close().await;
}
