//! Watching through the gRPC service: where a watcher begins, what it is shown,
//! what it costs.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::error::reason;
use pm_proto::v1;
use pm_proto::v1::watch_events_response::Frame;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tonic::Code;
use town::*;

fn with_snapshot() -> v1::WatchEventsRequest {
    v1::WatchEventsRequest { snapshot: true, follow: true, ..Default::default() }
}

fn named(names: &[&str]) -> v1::WatchEventsRequest {
    let selectors = names.iter().map(|name| (*name).to_owned()).collect();
    v1::WatchEventsRequest { selectors, follow: true, ..Default::default() }
}

/// What the history says is there as of a revision.
async fn processes_as_of(town: &Town, revision: u64) -> BTreeSet<String> {
    let request = v1::WatchEventsRequest { from_revision: 1, types: vec!["process.*".into()], ..Default::default() };
    let mut history = town.events().watch_events(request).await.unwrap().into_inner();
    let mut there = BTreeSet::new();
    while let Some(frame) = history.message().await.unwrap() {
        let Some(Frame::Event(event)) = frame.frame else { continue };
        if event.revision <= revision && event.r#type == "process.created" {
            there.insert(event.process);
        } else if event.revision <= revision && event.r#type == "process.deleted" {
            there.remove(&event.process);
        }
    }
    there
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_of_one_revision_and_every_event_after_it_follows_once() {
    let town = Town::open().await;
    town.apply((0..400).map(|n| spec(&format!("first-{n:03}"), 0)).collect()).await;
    let mut writer = town.processes();
    let shown = Arc::new(Notify::new());
    let awaited = shown.clone();
    let writing = tokio::spawn(async move {
        for n in 0..200 {
            if n == 100 {
                // However slow the watchers are, one of them comes before all is over.
                awaited.notified().await;
            }
            let request = v1::ApplyProcessesRequest { specs: vec![spec(&format!("p{n}"), 0)], ..Default::default() };
            writer.apply_processes(request).await.unwrap();
            if n % 3 == 0 {
                let selectors = vec![format!("first-{n:03}")];
                let request = v1::DeleteProcessesRequest { selectors, ..Default::default() };
                writer.delete_processes(request).await.unwrap();
            }
        }
    });
    let mut watchers = Vec::new();
    while !writing.is_finished() || watchers.is_empty() {
        let mut watcher = town.watch_as(with_snapshot()).await;
        let snapshot = watcher.snapshot().await;
        shown.notify_one();
        watchers.push((watcher, snapshot));
    }
    writing.await.unwrap();
    let newest = town.cluster().get_cluster_status(v1::GetClusterStatusRequest {}).await.unwrap().into_inner().revision;
    assert!(watchers.iter().any(|(_, snapshot)| snapshot.revision < newest), "all of them came when all was over");
    for (mut watcher, snapshot) in watchers {
        let names: BTreeSet<String> = snapshot.names().into_iter().collect();
        assert_eq!(names.len(), snapshot.processes.len(), "something is there twice");
        assert_eq!(names, processes_as_of(&town, snapshot.revision).await, "as of revision {}", snapshot.revision);
        for expected in snapshot.revision + 1..=newest {
            assert_eq!(watcher.event().await.revision, expected);
        }
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_and_its_events_are_of_what_was_chosen() {
    let town = Town::open().await;
    let (mut alpha, _beta) = (town.runner("alpha").await, town.runner("beta").await);
    town.apply(vec![spec("db", 1), spec("web", 4)]).await;
    let everything = town.watch_as(with_snapshot()).await.snapshot().await;
    assert_eq!((everything.nodes.len(), everything.names()), (2, vec!["db".to_owned(), "web".to_owned()]));
    assert_eq!(everything.ids(), ["db-1", "web-1", "web-2", "web-3", "web-4"]);

    for selectors in [&["web-2", "db"][..], &["w?b-2", "db"]] {
        let request = v1::WatchEventsRequest { snapshot: true, ..named(selectors) };
        let chosen = town.watch_as(request).await.snapshot().await;
        assert_eq!(
            (chosen.nodes.len(), chosen.names(), chosen.ids()),
            (0, vec!["db".to_owned()], vec!["db-1", "web-2"])
        );
    }
    let on = |instance: &v1::Instance, node: &str| instance.node == node;
    let of_alpha: Vec<&str> = everything.instances.iter().filter(|i| on(i, "alpha")).map(|i| i.id.as_str()).collect();
    let request = v1::WatchEventsRequest { node: "alpha".into(), ..with_snapshot() };
    let mut watcher = town.watch_as(request).await;
    let chosen = watcher.snapshot().await;
    assert_eq!((chosen.nodes.len(), chosen.processes.len(), chosen.ids()), (1, 0, of_alpha.clone()));
    assert_eq!((chosen.nodes[0].name.as_str(), chosen.nodes[0].instances), ("alpha", of_alpha.len() as u32));

    town.apply(vec![spec("other", 0)]).await;
    alpha.report(1, vec![seen(of_alpha[0], 1, "instance.started", v1::InstancePhase::Running)], vec![]).await;
    let event = watcher.event().await;
    assert_eq!((event.node.as_str(), event.instance_id.as_str()), ("alpha", of_alpha[0]));
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_that_nothing_has_is_refused_and_the_next_one_is_not() {
    let town = Town::open().await;
    let revision = town.apply(vec![spec("web", 0)]).await.revision;
    let mut watcher = town.watch(revision + 1).await;
    let request = v1::WatchEventsRequest { from_revision: revision + 2, follow: true, ..Default::default() };
    let status = town.events().watch_events(request.clone()).await.unwrap_err();
    assert_eq!(fault(&status), (Code::OutOfRange, reason::REVISION_FUTURE.into()));
    let data = tonic_types::StatusExt::get_details_error_info(&status).unwrap().metadata;
    assert_eq!(data["newest"], revision.to_string());
    town.apply(vec![spec("db", 0)]).await;
    assert_eq!(watcher.event().await.revision, revision + 1);
    assert!(town.events().watch_events(request).await.is_ok(), "its predecessor has happened");
    for (snapshot, tail, from_revision) in [(true, 1, 0), (true, 0, 1), (false, 1, 1)] {
        let request = v1::WatchEventsRequest { snapshot, tail, from_revision, follow: true, ..Default::default() };
        assert_eq!(town.events().watch_events(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_comes_after_a_snapshot_goes_on_from_its_revision() {
    let town = Town::open().await;
    town.apply(vec![spec("web", 0)]).await;
    let mut watcher = town.watch_as(with_snapshot()).await;
    let revision = watcher.snapshot().await.revision;
    drop(watcher);
    town.apply(vec![spec("db", 0)]).await;
    assert_eq!(town.watch(revision + 1).await.event().await.revision, revision + 1);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_watchers_of_other_names_are_not_woken_by_a_write() {
    let town = Town::open().await;
    let mut watchers = Vec::new();
    for n in 0..5_000 {
        watchers.push(town.watch_as(named(&[&format!("name-{n}")])).await);
    }
    let (mut one, mut all) = (watchers.swap_remove(77), town.watch_as(named(&[])).await);
    for watcher in watchers.iter_mut().chain([&mut one, &mut all]) {
        assert!(matches!(watcher.frame().await, Frame::Progress(_)), "it says what now is");
    }
    assert_eq!(town.metric("pm_registry_watchers"), 5_001);
    let before = town.metric("pm_registry_watchers_woken_total");
    for n in 0..50 {
        town.apply(vec![spec(&format!("p{n}"), 0)]).await;
        all.event().await;
    }
    let revision = town.apply(vec![spec("name-77", 0)]).await.revision;
    assert_eq!((one.event().await.revision, all.event().await.revision), (revision, revision));
    let woken = town.metric("pm_registry_watchers_woken_total") - before;
    assert!((2..=52).contains(&woken), "{woken} wakes for 51 writes that concern one watcher, and another once");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_encoded_once_for_all_who_watch_it() {
    let town = Town::open().await;
    let mut watchers = Vec::new();
    for n in 0..100 {
        let request = if n % 2 == 0 { named(&[]) } else { named(&["p*"]) };
        watchers.push(town.watch_as(request).await);
    }
    let before = town.metric("pm_registry_events_encoded_total");
    for n in 0..40 {
        town.apply(vec![spec(&format!("p{n}"), 0)]).await;
    }
    for watcher in &mut watchers {
        for n in 0..40 {
            assert_eq!(watcher.event().await.process, format!("p{n}"));
        }
    }
    assert_eq!(town.metric("pm_registry_events_encoded_total") - before, 40);
    town.close().await;
}

/// Real time, as the notice is due by the clock; waited for, not slept through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_whom_nothing_concerns_hears_how_far_it_has_seen() {
    let town = Town::open().await;
    let mut watcher = town.watch_as(named(&["quiet"])).await;
    let Frame::Progress(first) = watcher.frame().await else { panic!("no progress") };
    let revision = town.apply(vec![spec("loud", 0)]).await.revision;
    assert!(revision > first.revision);
    let next =
        tokio::time::timeout(Duration::from_secs(40), watcher.0.message()).await.expect("no progress within 40 s");
    let frame = next.unwrap().unwrap().frame.unwrap();
    assert_eq!(frame, Frame::Progress(v1::WatchProgress { revision }));
    town.close().await;
}
