//! Stopping: streams end at once and say so, begun calls are finished, and it
//! all takes bounded time.

use crate::support::{ADMIN, Rig, soon};
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

#[tokio::test]
async fn streams_end_with_a_reason_when_the_gateway_goes() {
    let rig = Rig::start().await;
    let mut client = v1::event_service_client::EventServiceClient::new(rig.grpc(ADMIN).await);
    let request = v1::WatchEventsRequest { from_revision: 3, follow: true, ..Default::default() };
    let mut stream = client.watch_events(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let (_, _, mut events) = rig.ask("GET", "/api/v1/events?from_revision=3&follow").stream().await;
    events.until("id: 3").await;
    let begun = Instant::now();
    rig.shutdown.cancel();
    let status = soon("the stream's end", stream.message()).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some(reason::SHUTTING_DOWN), "{status:?}");
    let last = events.until("event: problem").await;
    assert!(last.contains(reason::SHUTTING_DOWN) || events.until("\n\n").await.contains(reason::SHUTTING_DOWN));
    drop((client, stream, events));
    soon("the gateway's end", rig.serving).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_call_that_has_begun_is_answered_before_the_end() {
    let rig = Rig::start().await;
    let mut client = v1::process_service_client::ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let call = tokio::spawn(async move { client.restart_processes(v1::RestartProcessesRequest::default()).await });
    soon("the call's arrival", rig.registry.0.arrived.notified()).await;
    rig.shutdown.cancel();
    rig.registry.0.release.notify_one();
    let answer = soon("the answer", call).await.unwrap().unwrap();
    assert_eq!(answer.into_inner().revision, 11);
    soon("the gateway's end", rig.serving).await.unwrap();
}

#[tokio::test]
async fn neither_a_silent_connection_nor_an_unanswered_call_holds_up_the_end_for_ever() {
    let rig = Rig::start().await;
    let silent = TcpStream::connect(rig.address).await.unwrap();
    let mut client = v1::process_service_client::ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let call = tokio::spawn(async move { client.restart_processes(v1::RestartProcessesRequest::default()).await });
    soon("the call's arrival", rig.registry.0.arrived.notified()).await;
    rig.shutdown.cancel();
    soon("the gateway's end", rig.serving).await.unwrap();
    assert!(soon("the call's end", call).await.unwrap().is_err());
    drop(silent);
}
