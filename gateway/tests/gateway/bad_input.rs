//! What must be refused, precisely, without a trace on anybody else.

use crate::support::{Rig, SERVICE, soon};
use pm_proto::error::reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn nothing_is_told_before_the_token_is_right() {
    let rig = Rig::start().await;
    let mut answers = Vec::new();
    for path in ["/api/v1/processes/web", "/api/v1/processes/nope", "/nowhere", "/metrics", "/status", "/"] {
        for method in ["GET", "DELETE", "PATCH"] {
            let answer = rig.ask_bare(method, path).send().await;
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"pm\"");
            answer.problem(401, reason::UNAUTHENTICATED);
            answers.push(answer.text);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "all alike: {answers:?}");
    for token in ["wrong", SERVICE, "Bearer"] {
        rig.ask_as(token, "GET", "/nowhere").send().await.problem(401, reason::UNAUTHENTICATED);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let rig = Rig::start().await;
    for path in ["/", "/api/v1", "/api/v1/nowhere", "/api/v1/processes/web:explode", "/pm.v1.RaftService/Vote"] {
        rig.ask("GET", path).send().await.problem(404, reason::UNKNOWN_ROUTE);
    }
    let answer = rig.ask("PATCH", "/api/v1/processes/web").send().await;
    answer.problem(405, reason::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "GET, PUT, DELETE");
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_with_the_place() {
    let rig = Rig::start().await;
    let ask = || rig.ask("POST", "/api/v1/processes");
    let problem = ask().send_json("{\"specs\": [}").await.problem(400, reason::INVALID_ARGUMENT);
    assert!(problem["detail"].as_str().unwrap().contains("line 1 column 12"), "{problem}");
    let yaml = ask().header("content-type", "application/yaml").send_bytes("specs: []".into()).await;
    yaml.problem(415, reason::UNSUPPORTED_MEDIA_TYPE);
    ask().send_bytes("{}".into()).await.problem(415, reason::UNSUPPORTED_MEDIA_TYPE);
    rig.ask("GET", "/api/v1/nodes").send_json("{}").await.problem(400, reason::INVALID_ARGUMENT);
    let deep = format!("{{\"specs\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    ask().send_json(deep).await.problem(400, reason::INVALID_ARGUMENT);
    assert!(rig.registry.0.applied.lock().unwrap().is_none());
}

#[tokio::test]
async fn unknown_fields_and_parameters_are_named_all_at_once() {
    let rig = Rig::start().await;
    let body = r#"{"specs":[{"name":"web","colour":"red","restart":{"mood":1}}]}"#;
    let answer = rig.ask("POST", "/api/v1/processes?shape=round").send_json(body).await;
    let problem = answer.problem(400, reason::INVALID_ARGUMENT);
    let mut fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["shape", "specs[0].colour", "specs[0].restart.mood"]);
    let problem = rig.ask("GET", "/api/v1/events?tail=many").send().await.problem(400, reason::INVALID_ARGUMENT);
    assert_eq!(problem["errors"][0]["field"], "tail");
}

#[tokio::test]
async fn ten_megabytes_are_answered_with_413() {
    let rig = Rig::start().await;
    let body = format!("{{\"source\":\"{}\"}}", "x".repeat(10 << 20));
    rig.ask("POST", "/api/v1/processes").send_json(body).await.problem(413, reason::REQUEST_TOO_LARGE);
    assert!(rig.registry.0.applied.lock().unwrap().is_none());
}

#[tokio::test]
async fn garbage_on_the_port_disturbs_nobody() {
    let rig = Rig::start().await;
    let (_, _, mut follower) = rig.ask("GET", "/api/v1/events?from_revision=3&follow").stream().await;
    follower.until("id: 3").await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let broken_h2 = [&preface[..], &[0xff; 64]].concat();
    let endless_header = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    for garbage in
        [&[0_u8, 255, 3, 17, 200][..], b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", &broken_h2, &endless_header]
    {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        // The gateway may have hung up before all of it is written.
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = soon("the end of a connection with garbage", stream.read_to_end(&mut answer)).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains("200 OK"), "{text}");
        assert_eq!(rig.ask("GET", "/api/v1/nodes").send().await.status, 200);
    }
    drop(follower);
    soon("the follower's own end", rig.registry.0.watch_dropped.notified()).await;
}

#[tokio::test]
async fn grpc_over_http_1_is_sent_elsewhere() {
    let rig = Rig::start().await;
    let ask = rig.ask("POST", "/pm.v1.ProcessService/ListProcesses").header("content-type", "application/grpc");
    let problem = ask.send().await.problem(400, reason::INVALID_ARGUMENT);
    assert!(problem["detail"].as_str().unwrap().contains("HTTP/2"), "{problem}");
}
