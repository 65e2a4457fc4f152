//! The gRPC door.

use crate::support::{ADMIN, Rig, SERVICE, VIEWER, raw_grpc, soon};
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::event_service_client::EventServiceClient;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

#[tokio::test]
async fn a_call_arrives_with_the_gateway_s_identity_instead_of_the_client_s() {
    let rig = Rig::start().await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let mut request = Request::new(v1::ListProcessesRequest { selectors: vec!["api".into()], ..Default::default() });
    request.metadata_mut().insert("pm-actor", "node:evil".parse().unwrap());
    request.metadata_mut().insert("x-note", "kept".parse().unwrap());
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    let answer = soon("the call", client.list_processes(request)).await.unwrap().into_inner();
    assert_eq!(answer.processes[0].spec.as_ref().unwrap().name, "api");
    let seen = rig.registry.0.metadata.lock().unwrap().clone();
    assert_eq!(seen.get("authorization").unwrap(), &format!("Bearer {SERVICE}"));
    assert_eq!(seen.get_all("pm-actor").iter().count(), 1);
    assert_eq!(*rig.registry.0.actor.lock().unwrap(), "admin");
    assert_eq!(seen.get("x-note").unwrap(), "kept");
    assert!(seen.get("traceparent").unwrap().to_str().unwrap().contains("0af7651916cd43dd8448eb211c80319c"));
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let rig = Rig::start().await;
    let mut client = ProcessServiceClient::new(rig.grpc(VIEWER).await);
    client.list_processes(v1::ListProcessesRequest::default()).await.unwrap();
    assert_eq!(*rig.registry.0.actor.lock().unwrap(), "viewer");
    let refusal = client.stop_processes(v1::StopProcessesRequest::default()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    assert_eq!(reason_of(&refusal).as_deref(), Some(reason::PERMISSION_DENIED));
    assert!(refusal.message().contains("admin"), "{}", refusal.message());
    assert!(rig.registry.0.stopped.lock().unwrap().is_none());
}

#[tokio::test]
async fn what_a_role_does_not_allow_is_told_to_the_registry_and_a_wrong_token_is_not() {
    let rig = Rig::start().await;
    let mut viewer = ProcessServiceClient::new(rig.grpc(VIEWER).await);
    for _ in 0..3 {
        viewer.stop_processes(v1::StopProcessesRequest::default()).await.unwrap_err();
    }
    let mut wrong = ProcessServiceClient::new(rig.grpc("wrong").await);
    wrong.stop_processes(v1::StopProcessesRequest::default()).await.unwrap_err();
    rig.ask_as(VIEWER, "DELETE", "/api/v1/processes/web").send().await.problem(403, reason::PERMISSION_DENIED);
    rig.ask_as(VIEWER, "GET", "/api/v1/nodes").send().await;
    soon("word of refusals", rig.registry.0.refusals_told.notified()).await;
    // What is left is told at the end.
    rig.shutdown.cancel();
    soon("the gateway's end", rig.serving).await.unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for attempt in rig.registry.0.refusals.lock().unwrap().iter() {
        assert_eq!((attempt.actor.as_str(), attempt.reason.as_str()), ("viewer", reason::PERMISSION_DENIED));
        assert!(attempt.source.starts_with("127.0.0.1:"), "{attempt:?}");
        *counts.entry(attempt.method.clone()).or_insert(0) += attempt.count;
    }
    let expected = [("DELETE /api/v1/processes/web", 1), ("pm.v1.ProcessService/StopProcesses", 3)];
    assert_eq!(counts, expected.map(|(method, count)| (method.to_owned(), count)).into());
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told() {
    let rig = Rig::start().await;
    for token in ["", "wrong", SERVICE, &ADMIN[..ADMIN.len() - 1]] {
        let mut there = ProcessServiceClient::new(rig.grpc(token).await);
        let mut hidden = v1::raft_service_client::RaftServiceClient::new(rig.grpc(token).await);
        let there = there.get_process(v1::GetProcessRequest { name: "web".into(), stale: false }).await.unwrap_err();
        let hidden = hidden.vote(v1::VoteRequest::default()).await.unwrap_err();
        assert_eq!((there.code(), reason_of(&there)), (Code::Unauthenticated, Some(reason::UNAUTHENTICATED.into())));
        assert_eq!((there.code(), there.message()), (hidden.code(), hidden.message()), "{token:?}");
    }
}

#[tokio::test]
async fn internal_services_do_not_exist_even_for_an_admin() {
    let rig = Rig::start().await;
    let mut raft = v1::raft_service_client::RaftServiceClient::new(rig.grpc(ADMIN).await);
    assert_eq!(raft.vote(v1::VoteRequest::default()).await.unwrap_err().code(), Code::Unimplemented);
    let mut session = v1::runner_session_service_client::RunnerSessionServiceClient::new(rig.grpc(ADMIN).await);
    assert_eq!(session.run_session(tokio_stream::empty()).await.unwrap_err().code(), Code::Unimplemented);
    let mut intake = v1::monitor_intake_service_client::MonitorIntakeServiceClient::new(rig.grpc(ADMIN).await);
    assert_eq!(intake.run_intake(tokio_stream::empty()).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn error_details_are_the_same_through_both_doors() {
    let rig = Rig::start().await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let status = client.get_process(v1::GetProcessRequest { name: "nope".into(), stale: false }).await.unwrap_err();
    let problem = rig.ask("GET", "/api/v1/processes/nope").send().await.problem(404, reason::NOT_FOUND);
    let info = status.get_details_error_info().unwrap();
    assert_eq!((status.code(), status.message()), (Code::NotFound, problem["detail"].as_str().unwrap()));
    assert_eq!(problem["code"], "NOT_FOUND");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason::NOT_FOUND, "pm.v1"));
    assert_eq!(info.metadata["process"], problem["metadata"]["process"]);
}

#[tokio::test]
async fn a_stream_passes_frame_by_frame_and_ends_at_the_backend_when_the_client_goes() {
    let rig = Rig::start().await;
    let mut client = EventServiceClient::new(rig.grpc(VIEWER).await);
    let request = v1::WatchEventsRequest { from_revision: 2, follow: true, ..Default::default() };
    let mut stream = client.watch_events(request).await.unwrap().into_inner();
    for expected in [2, 3] {
        let frame = soon("an event", stream.message()).await.unwrap().unwrap().frame.unwrap();
        let v1::watch_events_response::Frame::Event(event) = frame else { panic!("{frame:?}") };
        assert_eq!(event.revision, expected);
    }
    drop(stream);
    soon("the end at the backend", rig.registry.0.watch_dropped.notified()).await;
}

#[tokio::test]
async fn a_stream_s_own_end_and_error_arrive_as_trailers() {
    let rig = Rig::start().await;
    let mut client = EventServiceClient::new(rig.grpc(VIEWER).await);
    let request = v1::WatchEventsRequest { from_revision: 3, ..Default::default() };
    let mut stream = client.watch_events(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert!(soon("the end", stream.message()).await.unwrap().is_none());
    let request = v1::WatchEventsRequest { from_revision: 3, types: vec!["break".into()], ..Default::default() };
    let mut stream = client.watch_events(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = soon("the error", stream.message()).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some(reason::WATCHER_TOO_SLOW));
}

#[tokio::test]
async fn a_deadline_ends_a_stream_that_would_go_on() {
    let rig = Rig::start().await;
    let mut client = EventServiceClient::new(rig.grpc(VIEWER).await);
    let mut request = Request::new(v1::WatchEventsRequest { from_revision: 3, follow: true, ..Default::default() });
    // By hand: tonic's own `set_timeout` would end it on the client's side. Long enough for the stream to begin on a
    // machine that is busy.
    request.metadata_mut().insert("grpc-timeout", "5S".parse().unwrap());
    let mut stream = client.watch_events(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = soon("the deadline", stream.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    soon("the end at the backend", rig.registry.0.watch_dropped.notified()).await;
}

#[tokio::test]
async fn a_deadline_ends_a_call_that_is_not_answered() {
    let rig = Rig::start().await;
    // Raw, because tonic's client would end it by itself.
    let trailers = raw_grpc(rig.address, "/pm.v1.ProcessService/RestartProcesses", "300m").await;
    assert_eq!(trailers["grpc-status"], (Code::DeadlineExceeded as i32).to_string());
    assert!(trailers.contains_key("grpc-status-details-bin"));
}

#[tokio::test]
async fn a_message_over_four_mebibytes_is_refused_with_its_size() {
    let rig = Rig::start().await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let spec = v1::ProcessSpec { name: "x".repeat(10 << 20), ..Default::default() };
    let request = v1::ApplyProcessesRequest { specs: vec![spec], ..Default::default() };
    let status = soon("the refusal", client.apply_processes(request)).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some(reason::REQUEST_TOO_LARGE), "{status:?}");
    assert!(rig.registry.0.applied.lock().unwrap().is_none());
    client.list_processes(v1::ListProcessesRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_backend_that_is_down_is_named() {
    let rig = Rig::start().await;
    rig.registry_shutdown.cancel();
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    // The registry closes its port before this call or during it.
    let status = soon("the refusal", client.list_processes(v1::ListProcessesRequest::default())).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status)), (Code::Unavailable, Some(reason::BACKEND_UNAVAILABLE.into())));
    assert!(status.message().contains("registry"), "{}", status.message());
    assert_eq!(status.get_details_error_info().unwrap().metadata["service"], "registry");
    let mut samples = v1::sample_service_client::SampleServiceClient::new(rig.grpc(ADMIN).await);
    samples.list_latest_samples(v1::ListLatestSamplesRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_wrong_service_token_is_the_gateway_s_fault_and_not_the_client_s() {
    let rig = Rig::with_service_token("some-other-token-0123456789").await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let status = client.list_processes(v1::ListProcessesRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    rig.ask("GET", "/api/v1/processes").send().await.problem(503, reason::BACKEND_UNAVAILABLE);
}

#[tokio::test]
async fn health_says_serving_to_whoever_has_a_token() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
    let rig = Rig::start().await;
    let mut client = HealthClient::new(rig.grpc(VIEWER).await);
    for service in ["", "pm.v1.ProcessService"] {
        let answer = client.check(HealthCheckRequest { service: service.into() }).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let mut nobody = HealthClient::new(rig.grpc("").await);
    let refusal = nobody.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn reflection_lists_the_public_services_only() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let rig = Rig::start().await;
    let mut client = ServerReflectionClient::new(rig.grpc(VIEWER).await);
    let ask = |what| ServerReflectionRequest { host: String::new(), message_request: Some(what) };
    let asked = tokio_stream::iter([
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("pm.v1.RaftService".into())),
    ]);
    let mut stream = client.server_reflection_info(asked).await.unwrap().into_inner();
    let MessageResponse::ListServicesResponse(list) =
        stream.message().await.unwrap().unwrap().message_response.unwrap()
    else {
        panic!("not a list")
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for expected in ["pm.v1.ProcessService", "pm.v1.LogService", "grpc.health.v1.Health"] {
        assert!(names.contains(&expected), "{expected} in {names:?}");
    }
    for hidden in ["pm.v1.RaftService", "pm.v1.RunnerSessionService", "pm.v1.MonitorIntakeService"] {
        assert!(!names.contains(&hidden), "{hidden} in {names:?}");
    }
    let hidden = soon("the second answer", stream.message()).await;
    assert!(!matches!(
        hidden.map(|answer| answer.and_then(|answer| answer.message_response)),
        Ok(Some(MessageResponse::FileDescriptorResponse(_)))
    ));
}

#[tokio::test]
async fn a_malformed_timeout_is_refused() {
    let rig = Rig::start().await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let mut request = Request::new(v1::ListProcessesRequest::default());
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let refusal = soon("the refusal", client.list_processes(request)).await;
    assert_eq!(refusal.unwrap_err().code(), Code::InvalidArgument);
}
