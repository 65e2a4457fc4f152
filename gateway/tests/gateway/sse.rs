//! Server-sent events.

use crate::support::{Rig, VIEWER, soon};
use pm_proto::error::reason;

#[tokio::test]
async fn events_carry_ids_and_resume_after_the_last_one() {
    let rig = Rig::start().await;
    let answer = rig.ask_as(VIEWER, "GET", "/api/v1/events?from_revision=1").send().await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!((answer.header("x-accel-buffering"), answer.header("cache-control")), ("no", "no-store"));
    let ids: Vec<&str> = answer.text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert!(answer.text.ends_with("event: complete\ndata: {}\n\n"), "{}", answer.text);
    // As a browser reconnects: the same URL, and what it has seen.
    let ask = rig.ask_as(VIEWER, "GET", "/api/v1/events?tail=5&snapshot&selectors=web&node=a&types=instance.*");
    let answer = ask.header("last-event-id", "2").send().await;
    assert_eq!(answer.text.matches("id: ").count(), 1, "{}", answer.text);
    let watched = rig.registry.0.watched.lock().unwrap().clone().unwrap();
    assert_eq!((watched.from_revision, watched.tail), (3, 0));
    assert_eq!((watched.snapshot, watched.node.as_str()), (false, "a"), "the snapshot was complete");
    assert_eq!((watched.selectors, watched.types), (vec!["web".to_owned()], vec!["instance.*".to_owned()]));
}

#[tokio::test]
async fn a_refusal_before_the_first_event_is_a_plain_problem() {
    let rig = Rig::start().await;
    let answer = rig.ask("GET", "/api/v1/events?from_revision=999").send().await;
    answer.problem(400, reason::REVISION_COMPACTED);
    rig.ask("GET", "/api/v1/instances/api-1/logs").send().await.problem(404, reason::NOT_FOUND);
}

#[tokio::test]
async fn an_error_in_the_middle_is_the_last_event() {
    let rig = Rig::start().await;
    let answer = rig.ask("GET", "/api/v1/events?from_revision=3&types=break").send().await;
    let (before, problem) = answer.text.split_once("event: problem\ndata: ").unwrap();
    assert!(before.contains("id: 3"), "{before}");
    let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
    assert_eq!((&problem["reason"], &problem["status"]), (&reason::WATCHER_TOO_SLOW.into(), &429.into()));
}

#[tokio::test]
async fn logs_are_chunks_with_their_text() {
    let rig = Rig::start().await;
    let answer =
        rig.ask_as(VIEWER, "GET", "/api/v1/instances/web-1/logs?tail=3&follow=true&stream=stderr").send().await;
    let data = answer.text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["text"], "tail Some(3) stream 2 follow true\n");
    assert_eq!((&data["chunk"]["instanceId"], &data["chunk"]["offset"]), (&"web-1".into(), &"5".into()));
    assert!(answer.text.contains("event: chunk\n") && answer.text.contains("event: end\n"), "{}", answer.text);
}

#[tokio::test]
async fn a_client_that_goes_ends_the_stream_at_the_backend() {
    let rig = Rig::start().await;
    let (_, _, mut stream) = rig.ask("GET", "/api/v1/events?from_revision=3&follow").stream().await;
    stream.until("id: 3").await;
    drop(stream);
    soon("the end at the backend", rig.registry.0.watch_dropped.notified()).await;
}
