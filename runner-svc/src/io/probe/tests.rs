//! Questions to servers that answer well, badly, or not at all.

use super::question::connect;
use super::{grpc, http};
use process_model::spec::HttpCheck;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic_health::ServingStatus;

/// Longer than any question here takes, unless it waits for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that does the same to everybody who connects.
async fn server<F>(act: impl Fn(TcpStream, String) -> F + Send + 'static) -> u16
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            tokio::spawn(act(stream, String::from_utf8_lossy(&head).into_owned()));
        }
    });
    port
}

/// A server that answers everybody with this.
async fn answering(answer: impl Into<String>) -> u16 {
    let answer = answer.into();
    server(move |mut stream, _| {
        let answer = answer.clone();
        async move { stream.write_all(answer.as_bytes()).await }
    })
    .await
}

async fn ask(check: HttpCheck) -> Result<(), String> {
    tokio::time::timeout(PATIENCE, http::Request::new(check).send()).await.expect("no end to it")
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn the_status_decides() {
    for (line, default, only_204) in [
        ("200 OK", true, false),
        ("204 No Content", true, true),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", true, false),
        ("404 Not Found", false, false),
        ("503 Service Unavailable", false, false),
    ] {
        let port = answering(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n")).await;
        let outcome = ask(HttpCheck::get(port, "/")).await;
        assert_eq!(outcome.is_ok(), default, "{line}: {outcome:?}");
        let check = HttpCheck { status: vec![(204, 204)], ..HttpCheck::get(port, "/x") };
        let outcome = ask(check).await;
        assert_eq!(outcome.is_ok(), only_204, "{line}: {outcome:?}");
        if !only_204 {
            let expected = format!("GET /x on port {port}: status {}", &line[..3]);
            assert_eq!(outcome.unwrap_err(), expected);
        }
    }
}

#[tokio::test]
async fn method_and_headers_are_those_of_the_spec_over_ours() {
    let port = server(|mut stream, head| async move {
        let body = head.replace("\r\n", "|");
        stream.write_all(ok(&body).as_bytes()).await
    })
    .await;
    let sees = |pattern: &str| HttpCheck {
        method: Some("POST".into()),
        headers: vec![
            ("host".into(), "example.org".into()),
            ("X-Token".into(), "secret".into()),
            ("x-token".into(), "second".into()),
        ],
        body: Some(pattern.into()),
        ..HttpCheck::get(port, "/health?deep=1")
    };
    for pattern in [
        r"^POST /health\?deep=1 HTTP/1\.1\|",
        r"(?i)\|host: example\.org\|",
        r"(?i)\|x-token: secret\|x-token: second\|",
        r"(?i)\|user-agent: pm/",
        r"(?i)\|connection: close\|",
    ] {
        ask(sees(pattern)).await.unwrap_or_else(|e| panic!("{pattern}: {e}"));
    }
    let error = ask(sees("localhost")).await.unwrap_err();
    assert!(error.contains("the body has no match") && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_told_without_its_value() {
    let check =
        HttpCheck { headers: vec![("x".into(), "sec\nret".into())], ..HttpCheck::get(answering("").await, "/") };
    let error = ask(check).await.unwrap_err();
    assert!(error.contains("header \"x\" has a value that cannot be sent") && !error.contains("ret\""), "{error}");
}

#[tokio::test]
async fn a_body_is_looked_at_as_far_as_its_bound() {
    let with = |port, pattern: &str| HttpCheck { body: Some(pattern.into()), ..HttpCheck::get(port, "/") };
    let port = answering(ok("all is well")).await;
    assert!(ask(with(port, "is w[ea]ll")).await.is_ok());
    assert!(ask(with(port, "^well")).await.is_err());
    let port = answering(ok(&format!("{}end", "x".repeat(64 * 1024 - 3)))).await;
    assert!(ask(with(port, "end$")).await.is_ok(), "the last bytes that are looked at");
    let port = answering(ok(&format!("{}end", "x".repeat(64 * 1024)))).await;
    assert!(ask(with(port, "end")).await.is_err(), "beyond the bound");
    // No end, and more than anybody wants to hold.
    let port = server(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        loop {
            stream.write_all(&[b'x'; 4096]).await?;
        }
    })
    .await;
    assert!(ask(with(port, "never")).await.is_err());
}

#[tokio::test]
async fn a_match_is_enough_when_the_body_does_not_end() {
    let port = server(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nalive").await?;
        std::future::pending().await
    })
    .await;
    ask(HttpCheck { body: Some("^alive".into()), ..HttpCheck::get(port, "/") }).await.unwrap();
}

#[tokio::test]
async fn what_is_no_http_is_a_failure_and_no_wait() {
    for answer in ["", "SSH-2.0-OpenSSH_9\r\n", "HTTP/1.1 200", "\0\0\0\0\r\n\r\n"] {
        assert!(ask(HttpCheck::get(answering(answer).await, "/")).await.is_err(), "{answer:?}");
    }
    // Nobody else is given the port of a socket that does not listen.
    let unheard = tokio::net::TcpSocket::new_v4().unwrap();
    unheard.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = unheard.local_addr().unwrap().port();
    let error = ask(HttpCheck::get(port, "/")).await.unwrap_err();
    assert_eq!(error, format!("connect to port {port}: Connection refused (os error 111)"));
    assert_eq!(connect(port).await.unwrap_err(), error);
}

#[tokio::test]
async fn grpc_health_says_whether_a_service_serves() {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("pm.Web", ServingStatus::Serving).await;
    reporter.set_service_status("pm.Slow", ServingStatus::NotServing).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let serving = tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    assert_eq!(grpc::ask(port, "").await, Ok(()));
    assert_eq!(grpc::ask(port, "pm.Web").await, Ok(()));
    let prefix = format!("gRPC health on port {port}: ");
    assert_eq!(grpc::ask(port, "pm.Slow").await, Err(format!("{prefix}NOT_SERVING")));
    let unknown = grpc::ask(port, "pm.Other").await.unwrap_err();
    assert!(unknown.starts_with(&prefix) && unknown.contains("not"), "{unknown}");
    serving.abort();
    let _ = serving.await;
    // A child that another test begins listens, too, until it is a program.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "somebody listens still");
        tokio::task::yield_now().await;
    }
    let refused = grpc::ask(port, "").await.unwrap_err();
    assert!(refused.contains("Connection refused"), "{refused}");
}

#[tokio::test]
async fn a_server_that_speaks_no_grpc_fails() {
    let port = answering(ok("hello")).await;
    let outcome = tokio::time::timeout(PATIENCE, grpc::ask(port, "")).await.expect("no end to it");
    assert!(outcome.is_err());
}
