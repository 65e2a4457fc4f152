use super::*;
use futures::FutureExt;
use process_model::{Event, Timestamp};
use std::collections::BTreeSet;

fn event(revision: u64, instance: &str, node: &str) -> Arc<Event> {
    let instance: process_model::InstanceId = instance.parse().unwrap();
    Arc::new(Event {
        revision,
        time: Timestamp(1),
        kind: "instance.started".into(),
        process: Some(instance.process.clone()),
        instance: Some(instance),
        node: Some(node.parse().unwrap()),
        message: String::new(),
        actor: "admin".into(),
        detail: None,
    })
}

fn events(revisions: impl IntoIterator<Item = u64>) -> Vec<Arc<Event>> {
    revisions.into_iter().map(|revision| event(revision, "web-1", "alpha")).collect()
}

fn of(subject: Subject) -> Interest {
    Interest::Of(BTreeSet::from([subject]))
}

fn revisions(since: Since) -> Vec<u64> {
    match since {
        Since::Events(told) => told.iter().map(|told| told.event.revision).collect(),
        other @ (Since::Nothing | Since::Older { .. }) => panic!("{other:?}"),
    }
}

/// Lets the router tell everything that is published.
async fn route(feed: &Feed) {
    while feed.round().await.is_some() {}
}

#[tokio::test]
async fn a_watcher_of_a_name_is_woken_for_it_alone_and_told_where_to_look() {
    let feed = Arc::new(Feed::default());
    let process = feed.listen(&of(Subject::Process("web".parse().unwrap())));
    let instance = feed.listen(&of(Subject::Instance("db-2".parse().unwrap())));
    let node = feed.listen(&of(Subject::Node("beta".parse().unwrap())));
    let all = feed.listen(&Interest::Everything);
    feed.publish(vec![event(1, "db-1", "alpha"), event(2, "web-7", "alpha"), event(3, "db-2", "beta")], 1);
    route(&feed).await;
    assert_eq!([&process, &instance, &node, &all].map(Listener::take), [Some(2), Some(3), Some(3), Some(1)]);
    assert_eq!((feed.woken.get(), feed.routed()), (4, 3));
    for listener in [&process, &instance, &node, &all] {
        assert!(listener.rung().now_or_never().is_some());
    }
    feed.publish(vec![event(4, "db-1", "alpha")], 1);
    route(&feed).await;
    assert_eq!([&process, &instance, &node, &all].map(Listener::take), [None, None, None, Some(4)]);
    assert!(process.rung().now_or_never().is_none(), "it was woken for nothing");
    assert_eq!(feed.woken.get(), 5);
}

#[tokio::test]
async fn a_watcher_that_has_not_looked_is_woken_once_for_many_events() {
    let feed = Arc::new(Feed::default());
    let all = feed.listen(&Interest::Everything);
    for revision in 1..=500 {
        feed.publish(events([revision]), 1);
        route(&feed).await;
    }
    assert_eq!((feed.woken.get(), all.take()), (1, Some(1)));
    drop(all);
    assert_eq!(feed.listeners(), 0);
    feed.publish(events([501]), 1);
    route(&feed).await;
    assert_eq!(feed.woken.get(), 1, "nobody is there");
}

#[test]
fn what_is_no_longer_kept_or_held_is_looked_up_elsewhere() {
    let feed = Feed::default();
    feed.publish(events(1..=10), 1);
    assert_eq!(revisions(feed.since(4, 3)), [4, 5, 6]);
    assert!(matches!(feed.since(11, 3), Since::Nothing));
    feed.publish(events([11]), 9);
    assert!(matches!(feed.since(8, 3), Since::Older { newest: 11 }));
    assert_eq!(revisions(feed.since(9, 9)), [9, 10, 11]);
    feed.publish(events(12..=3_000), 9);
    assert!(matches!(feed.since(9, 3), Since::Older { newest: 3_000 }));
    // A state from elsewhere: between 3,000 and 5,000 nothing is known here.
    feed.publish(events([5_000]), 9);
    assert!(matches!(feed.since(3_000, 3), Since::Older { newest: 5_000 }));
    assert_eq!(revisions(feed.since(5_000, 3)), [5_000]);
    feed.publish(events([4_999, 5_000]), 9);
    assert_eq!(revisions(feed.since(5_000, 3)), [5_000], "told already");
}

#[tokio::test]
async fn when_more_happened_than_is_held_everybody_looks() {
    let feed = Arc::new(Feed::default());
    let other = feed.listen(&of(Subject::Process("never".parse().unwrap())));
    feed.publish(events(1..=3_000), 1);
    route(&feed).await;
    assert_eq!((other.take(), feed.routed()), (Some(1), 3_000));
}

#[test]
fn an_event_is_encoded_once_whoever_asks() {
    let told = Told::new(event(1, "web-1", "alpha"));
    let mut times = 0;
    for _ in 0..3 {
        let frame = told.frame(|_| {
            times += 1;
            bytes::Bytes::from_static(b"frame")
        });
        assert_eq!(frame, "frame");
    }
    assert_eq!(times, 1);
}
