//! Logs and traces of a whole call, seen from outside: a child process (this binary again) makes a call to a server in
//! itself, the test reads its stderr and receives its spans by OTLP/gRPC.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod fixture;

use std::collections::HashMap;
use std::process::{Output, Stdio};
use std::time::Duration;

use fixture::{ask, client, listen, start};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use service_host::client::service_channel;
use service_host::secret::Secret;
use service_host::telemetry::{self, LogFormat, TelemetryError, TelemetryOptions};
use service_host::trace_context;
use service_host::transport::{Dial, Incoming, memory};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};
use tracing::Instrument;

const TOKEN: &str = "s3cr3t-0f-the-s3rvice";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const EVERYTHING: &str = "trace,h2=trace,hyper=trace,hyper_util=trace,tonic=trace,tower=trace,axum=trace";

/// What the child does: logs, is called with a right and a wrong token, continues a stored trace.
async fn work(format: LogFormat, level: &str) {
    let options = TelemetryOptions { service_name: "example-svc".into(), log_format: format, level: level.into() };
    let telemetry = telemetry::init(options.clone()).unwrap();
    assert!(matches!(telemetry::init(options), Err(TelemetryError::AlreadySet(_))));

    let token = Secret::new(TOKEN).unwrap();
    let (connector, incoming) = memory();
    let mut server = start(Incoming::Memory(incoming), &token);
    let dial = Dial::Memory(connector);
    let channel = service_channel(&dial, &token).unwrap();
    tracing::info!(target: "service_host::test", ?token, ?channel, "a line\nwith a break");

    let span = tracing::info_span!(target: "service_host::test", "calling", instance = "web-1");
    trace_context::set_parent(&span, PARENT);
    let ours = trace_context::traceparent_of(&span).unwrap();
    let mut caller = client(channel);
    caller.check(ask("")).instrument(span.clone()).await.unwrap();
    caller.check(ask("missing")).instrument(span.clone()).await.unwrap_err();

    span.in_scope(|| tracing::info!(target: "service_host::test", "called"));

    // The handler ran in a span of its own in the same trace.
    let seen = server.seen.recv().await.unwrap().traceparent.unwrap();
    assert_eq!(seen[..35], PARENT[..35]);
    assert_eq!(ours[..35], PARENT[..35]);
    assert_ne!(seen, ours);
    assert_ne!(ours, PARENT);

    // A caller without a trace starts a new one where spans go somewhere; elsewhere nobody pays for one.
    caller.check(ask("")).await.unwrap();
    server.seen.recv().await.unwrap();
    let fresh = server.seen.recv().await.unwrap().traceparent;
    assert_eq!(fresh.is_some(), telemetry.is_exporting());
    assert!(fresh.is_none_or(|fresh| fresh[..35] != PARENT[..35]));

    let wrong = service_channel(&dial, &Secret::new("wrong-token").unwrap()).unwrap();
    client(wrong).check(ask("")).await.unwrap_err();
    drop(span);
    server.stop().await;
    telemetry.shutdown();
}

#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn in_child_human() {
    work(LogFormat::Human, "info").await;
}

#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn in_child_human_everything() {
    work(LogFormat::Human, EVERYTHING).await;
}

#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn in_child_json() {
    work(LogFormat::Json, "info").await;
}

#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn in_child_json_everything() {
    work(LogFormat::Json, EVERYTHING).await;
}

#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn in_child_shutdown_with_nobody_listening() {
    let telemetry = telemetry::init(TelemetryOptions::new("example-svc")).unwrap();
    assert!(telemetry.is_exporting());
    tracing::info_span!(target: "service_host::test", "lost").in_scope(|| {});
    telemetry.shutdown();
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn in_child_fatal_after_many_lines() {
    let _telemetry = telemetry::init(TelemetryOptions::new("example-svc")).unwrap();
    for line in 0..2_000 {
        tracing::info!(target: "service_host::test", line, "one of many");
    }
    service_host::fatal::abort_on("the disk is gone");
}

#[test]
fn the_last_line_of_a_program_that_aborts_gets_out() {
    let output = tokio_command("in_child_fatal_after_many_lines").output().unwrap();
    let log = stderr(&output);
    assert!(!output.status.success());
    assert_eq!(log.matches("one of many").count(), 2_000);
    assert!(log.lines().last().unwrap().contains("the disk is gone"), "{log}");
}

async fn child(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = tokio_command(test);
    command.envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn tokio_command(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture"]).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name.starts_with("PM_")) {
        command.env_remove(name);
    }
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn human_logs_are_plain_when_not_on_a_terminal_and_quiet_about_others() {
    let log = stderr(&child("in_child_human", &[]).await);
    assert!(log.contains("INFO") && log.contains("example answered") && log.contains("answer=42"), "{log}");
    assert!(log.contains("calling") && log.contains("web-1"), "the spans around a line are shown: {log}");
    assert!(log.contains("WARN") && log.contains("call refused"), "{log}");
    assert!(!log.contains('\u{1b}'), "colour on a pipe: {log}");
    assert!(!log.contains("h2::") && !log.contains("rpc{"), "{log}");
}

#[tokio::test]
async fn json_logs_are_one_object_a_line_with_the_trace() {
    let log = stderr(&child("in_child_json", &[]).await);
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let answered = lines.iter().find(|line| line["message"] == "example answered").unwrap();
    assert_eq!(answered["service"], "example-svc");
    assert_eq!(answered["level"], "INFO");
    assert_eq!(answered["target"], "service_host::test");
    assert_eq!(answered["fields"]["answer"], 42);
    assert_eq!(answered["trace_id"], PARENT[3..35]);
    let called = lines.iter().find(|line| line["message"] == "called").unwrap();
    assert_eq!(called["spans"], serde_json::json!([{"name": "calling", "instance": "web-1"}]));
    assert_eq!(called["trace_id"], PARENT[3..35]);
    assert_eq!(answered["span_id"].as_str().unwrap().len(), 16);
    assert!(answered["time"].as_str().unwrap().ends_with('Z'), "{answered}");
    assert!(lines.iter().any(|line| line["message"] == "a line\nwith a break"), "{log}");
}

#[tokio::test]
async fn no_log_of_any_level_or_format_shows_the_token() {
    for test in ["in_child_human", "in_child_human_everything", "in_child_json", "in_child_json_everything"] {
        let output = child(test, &[]).await;
        let log = stderr(&output);
        assert!(log.contains("example answered"), "{log}");
        assert_eq!(test.ends_with("everything"), log.contains("h2::"), "{test} does not show what it should: {log}");
        assert!(!log.contains(TOKEN), "{test}: {}", log.lines().find(|line| line.contains(TOKEN)).unwrap());
    }
}

#[tokio::test]
async fn an_exporter_whose_collector_is_away_does_not_hold_up_the_end() {
    let (listener, address) = listen().await;
    drop(listener);
    let started = std::time::Instant::now();
    child("in_child_shutdown_with_nobody_listening", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]).await;
    let bound = telemetry::FLUSH_TIMEOUT + Duration::from_secs(6);
    assert!(started.elapsed() < bound, "{:?}", started.elapsed());
}

struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).ok();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Those that are text.
fn attributes(list: &[KeyValue]) -> HashMap<&str, &str> {
    list.iter()
        .filter_map(|pair| {
            let Some(Value::StringValue(value)) = &pair.value.as_ref()?.value else { return None };
            Some((pair.key.as_str(), value.as_str()))
        })
        .collect()
}

#[tokio::test]
async fn exported_spans_form_one_trace_from_caller_to_handler() {
    let (listener, address) = listen().await;
    let (sender, mut received) = mpsc::unbounded_channel();
    let collector = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let collecting = tokio::spawn(collector.serve_with_incoming(incoming));
    // Ours outranks the standard one, where nobody listens.
    let environment = [("PM_OTLP_ENDPOINT", address.as_str()), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    child("in_child_human", &environment).await;
    collecting.abort();
    let _ = collecting.await;

    let mut spans: Vec<Span> = Vec::new();
    while let Ok(request) = received.try_recv() {
        for of_resource in request.resource_spans {
            let resource = of_resource.resource.unwrap();
            let resource = attributes(&resource.attributes);
            assert_eq!(resource["service.name"], "example-svc");
            assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
            assert_eq!(resource["service.instance.id"].len(), 36);
            assert!(!resource["host.name"].is_empty());
            spans.extend(of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans));
        }
    }
    let calling = spans.iter().find(|span| span.name == "calling").unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&calling.trace_id), PARENT[3..35]);
    assert_eq!(hex(&calling.parent_span_id), PARENT[36..52]);

    let mut children: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == calling.span_id).collect();
    children.sort_by_key(|span| span.start_time_unix_nano);
    let [good, missing] = children[..] else { panic!("{spans:#?}") };
    for (span, status) in [(good, "OK"), (missing, "NOT_FOUND")] {
        assert_eq!(span.trace_id, calling.trace_id);
        assert_eq!(span.name, "test.v1.Example/Check");
        assert_eq!(span.kind, 2, "a server span");
        let attributes = attributes(&span.attributes);
        assert_eq!(attributes["rpc.system.name"], "grpc");
        assert_eq!(attributes["rpc.method"], "test.v1.Example/Check");
        assert_eq!(attributes["rpc.response.status_code"], status);
    }
    // Three calls with the token, one span each; the refused one left none, nor did the exporter's own calls.
    assert_eq!(spans.len(), 4, "{spans:#?}");
    assert!(spans.iter().all(|span| !format!("{span:?}").contains(TOKEN)));
}
