//! Calls through the whole host: real HTTP/2, over TCP and over memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod fixture;

use std::time::{Duration, Instant};

use fixture::{ask, client, listen, start};
use futures::StreamExt;
use service_host::client::{ClientContext, service_channel};
use service_host::secret::Secret;
use service_host::server::{GrpcHost, STOP_GRACE, ServeError};
use service_host::transport::{Dial, Incoming, memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};
use tonic_types::StatusExt;

#[tokio::test]
async fn a_call_without_or_with_a_wrong_token_is_refused_with_its_reason() {
    let (listener, address) = listen().await;
    let token = Secret::generate();
    let mut server = start(Incoming::Tcp(listener), &token);
    let dial = Dial::Tcp(address);

    let none = client(dial.channel().unwrap()).check(ask("")).await.unwrap_err();
    let wrong = client(service_channel(&dial, &Secret::generate()).unwrap()).check(ask("")).await.unwrap_err();
    for (status, hint) in [(none, "no token"), (wrong, "wrong")] {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.message().contains(hint), "{status:?}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("UNAUTHENTICATED", "pm.v1"));
    }
    // Neither health nor reflection nor an unknown method is exempt.
    let channel = dial.channel().unwrap();
    let health = HealthClient::new(channel.clone()).check(ask("")).await.unwrap_err();
    assert_eq!(health.code(), Code::Unauthenticated);
    let reflection = ServerReflectionClient::new(channel).server_reflection_info(futures::stream::empty()).await;
    assert_eq!(reflection.unwrap_err().code(), Code::Unauthenticated);
    assert!(server.seen.try_recv().is_err(), "a refused call reached the handler");

    client(service_channel(&dial, &token).unwrap()).check(ask("")).await.unwrap();
    assert!(server.seen.recv().await.unwrap().remote.is_some());
    server.stop().await;
}

#[tokio::test]
async fn a_host_without_a_token_does_not_serve() {
    let (_connector, incoming) = memory();
    let served = GrpcHost::new(&[]).serve(Incoming::Memory(incoming), CancellationToken::new()).await;
    assert!(matches!(served, Err(ServeError::NoToken)));
}

#[tokio::test]
async fn the_actor_reaches_the_handler() {
    let (connector, incoming) = memory();
    let token = Secret::generate();
    let mut server = start(Incoming::Memory(incoming), &token);
    let channel = Dial::Memory(connector).channel().unwrap();
    let context = ClientContext::new(&token).unwrap();
    let mut plain = client(InterceptedService::new(channel.clone(), context.clone()));
    let mut named = client(InterceptedService::new(channel, context.with_actor("zoë@example.org".into())));
    plain.check(ask("")).await.unwrap();
    assert_eq!(server.seen.recv().await.unwrap().actor, "service");
    named.check(ask("")).await.unwrap();
    assert_eq!(server.seen.recv().await.unwrap().actor, "zoë@example.org");
    server.stop().await;
}

#[tokio::test]
async fn memory_carries_unary_calls_and_streams() {
    let (connector, incoming) = memory();
    let token = Secret::generate();
    let server = start(Incoming::Memory(incoming), &token);
    let mut client = client(service_channel(&Dial::Memory(connector), &token).unwrap());
    assert_eq!(client.check(ask("")).await.unwrap().into_inner().status, 1);
    assert_eq!(client.check(ask("missing")).await.unwrap_err().code(), Code::NotFound);
    let mut watch = client.watch(ask("")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    // More than a pipe holds goes through, in both directions of flow control.
    client.check(ask(&"x".repeat(1024 * 1024))).await.unwrap();
    drop(watch);
    server.stop().await;
}

#[tokio::test]
async fn a_memory_channel_reconnects_when_the_service_is_back() {
    let (connector, incoming) = memory();
    let token = Secret::generate();
    let first = start(Incoming::Memory(incoming), &token);
    let mut client = client(service_channel(&Dial::Memory(connector.clone()), &token).unwrap());
    client.check(ask("")).await.unwrap();
    first.stop().await;
    assert_eq!(client.check(ask("")).await.unwrap_err().code(), Code::Unavailable);
    let second = start(Incoming::Memory(connector.listen_again()), &token);
    client.check(ask("")).await.unwrap();
    second.stop().await;
}

#[tokio::test]
async fn a_tcp_channel_made_before_the_server_connects_and_reconnects() {
    // Nobody else is given the port as long as this is held.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.set_reuseaddr(true).unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = reserved.local_addr().unwrap();
    let address = format!("http://{port}");
    let token = Secret::generate();
    let mut client = client(service_channel(&Dial::Tcp(address), &token).unwrap());
    assert_eq!(client.check(ask("")).await.unwrap_err().code(), Code::Unavailable);
    for _ in 0..2 {
        let server = start(Incoming::Tcp(tokio::net::TcpListener::bind(port).await.unwrap()), &token);
        client.check(ask("")).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn many_watchers_who_do_not_read_leave_room_for_other_calls() {
    let (connector, incoming) = memory();
    let token = Secret::generate();
    let mut server = start(Incoming::Memory(incoming), &token);
    let mut client = client(service_channel(&Dial::Memory(connector), &token).unwrap());
    // 24 times 256 KiB is more than the 5 MiB that a connection gets by default.
    let mut watches = Vec::new();
    for _ in 0..24 {
        watches.push(client.watch(ask("flood")).await.unwrap());
    }
    let all = async {
        for _ in &watches {
            server.seen.recv().await.unwrap();
        }
        client.check(ask("")).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("the connection has no credit left");
    drop(watches);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_open_streams_only_for_its_grace_period() {
    for tcp in [true, false] {
        let token = Secret::generate();
        let (server, dial) = if tcp {
            let (listener, address) = listen().await;
            (start(Incoming::Tcp(listener), &token), Dial::Tcp(address))
        } else {
            let (connector, incoming) = memory();
            (start(Incoming::Memory(incoming), &token), Dial::Memory(connector))
        };
        let mut client = client(service_channel(&dial, &token).unwrap());
        let mut watch = client.watch(ask("")).await.unwrap().into_inner();
        watch.message().await.unwrap().unwrap();

        let started = Instant::now();
        server.stop().await;
        let took = started.elapsed();
        assert!(took >= STOP_GRACE && took < STOP_GRACE + Duration::from_secs(15), "{took:?}");
        // The stream was cut, not forgotten: its reader learns of it.
        let ended = tokio::time::timeout(Duration::from_secs(20), watch.message()).await.unwrap();
        assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
    }
}

#[tokio::test]
async fn a_stop_ends_health_watches_at_once_after_saying_not_serving() {
    let (listener, address) = listen().await;
    let token = Secret::generate();
    let server = start(Incoming::Tcp(listener), &token);
    let mut health = HealthClient::new(service_channel(&Dial::Tcp(address), &token).unwrap());
    let watch = health.watch(ask(fixture::NAME)).await.unwrap().into_inner();
    let started = Instant::now();
    let mut watch = std::pin::pin!(watch);
    assert_eq!(watch.next().await.unwrap().unwrap().status, 1);
    server.stop().await;
    assert!(started.elapsed() < STOP_GRACE, "{:?}", started.elapsed());
    assert_eq!(watch.next().await.unwrap().unwrap().status, 2);
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_service_can_say_that_it_does_not_serve() {
    let (connector, incoming) = memory();
    let token = Secret::generate();
    let server = start(Incoming::Memory(incoming), &token);
    let mut health = HealthClient::new(service_channel(&Dial::Memory(connector), &token).unwrap());
    let mut status = async |service: &str| health.check(ask(service)).await.map(|answer| answer.into_inner().status);
    assert_eq!((status("").await.unwrap(), status(fixture::NAME).await.unwrap()), (1, 1));
    server.health.not_serving(fixture::NAME).await;
    assert_eq!((status("").await.unwrap(), status(fixture::NAME).await.unwrap()), (1, 2));
    server.health.serving(fixture::NAME).await;
    assert_eq!(status(fixture::NAME).await.unwrap(), 1);
    assert_eq!(status("test.v1.Unknown").await.unwrap_err().code(), Code::NotFound);
    server.stop().await;
}

#[tokio::test]
async fn reflection_lists_health_and_itself() {
    let (connector, incoming) = memory();
    let token = Secret::generate();
    let server = start(Incoming::Memory(incoming), &token);
    let mut reflection = ServerReflectionClient::new(service_channel(&Dial::Memory(connector), &token).unwrap());
    let list = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let answers = reflection.server_reflection_info(futures::stream::iter([request])).await.unwrap().into_inner();
    let answers: Vec<_> = answers.collect().await;
    let Some(MessageResponse::ListServicesResponse(list)) = answers[0].as_ref().unwrap().message_response.clone()
    else {
        panic!("{answers:?}");
    };
    for name in ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"] {
        assert!(list.service.contains(&ServiceResponse { name: name.into() }), "{name}: {list:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_and_the_next_call_works() {
    let (connector, incoming) = memory();
    let token = Secret::generate();
    let server = start(Incoming::Memory(incoming), &token);
    let mut client = client(service_channel(&Dial::Memory(connector), &token).unwrap());
    let huge = "x".repeat(service_host::server::MAX_MESSAGE_BYTES + 1);
    assert_eq!(client.check(ask(&huge)).await.unwrap_err().code(), Code::OutOfRange);
    client.check(ask("")).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn garbage_on_the_port_disturbs_nobody() {
    let (listener, address) = listen().await;
    let token = Secret::generate();
    let server = start(Incoming::Tcp(listener), &token);
    let mut client = client(service_channel(&Dial::Tcp(address.clone()), &token).unwrap());
    client.check(ask("")).await.unwrap();
    for garbage in
        [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), vec![0xff; 4096], b"PRI * HTTP/2.0\r\n\r\nSM".to_vec()]
    {
        let mut stream = tokio::net::TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
        stream.write_all(&garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Closed or reset, but never left open.
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
        client.check(ask("")).await.unwrap();
    }
    server.stop().await;
}
