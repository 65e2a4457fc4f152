//! The HTTP door: routes, fields, answers.

use crate::support::{Rig, VIEWER};
use pm_proto::error::reason;
use serde_json::json;

#[tokio::test]
async fn a_list_is_canonical_json() {
    let rig = Rig::start().await;
    let answer = rig.ask("GET", "/api/v1/processes?selectors=a&selectors=b&stale").send().await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let json = answer.json();
    assert_eq!(json["processes"][0]["spec"]["name"], "a");
    assert_eq!(json["processes"][1]["spec"]["name"], "b");
    // 2^53 + 1: a number would lose its last digit in a browser.
    assert_eq!(json["revision"], "9007199254740993");
    assert_eq!(
        rig.ask("GET", "/api/v1/instances").send().await.json()["instances"][0]["phase"],
        "INSTANCE_PHASE_RUNNING"
    );
}

#[tokio::test]
async fn an_etag_from_get_is_the_condition_of_put() {
    let rig = Rig::start().await;
    let etag = rig.ask("GET", "/api/v1/processes/web").send().await.header("etag").to_owned();
    assert_eq!(etag, "\"e-3\"");
    let body = r#"{"shell":"sleep 1","restart":{"mode":"RESTART_MODE_ALWAYS"}}"#;
    let answer = rig.ask("PUT", "/api/v1/processes/web").header("if-match", &etag).send_json(body).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"e-3\""), "{answer:?}");
    let applied = rig.registry.0.applied.lock().unwrap().clone().unwrap();
    assert_eq!((applied.specs[0].name.as_str(), applied.etags["web"].as_str()), ("web", "e-3"));
    let old = rig.ask("PUT", "/api/v1/processes/web").header("if-match", "\"e-2\"").send_json(body).await;
    old.problem(412, reason::ETAG_MISMATCH);
    let in_body = r#"{"specs":[{"name":"web"}],"etags":{"web":"e-2"}}"#;
    rig.ask("POST", "/api/v1/processes").send_json(in_body).await.problem(409, reason::ETAG_MISMATCH);
}

#[tokio::test]
async fn custom_verbs_take_the_path_s_selector_and_the_idempotency_key() {
    let rig = Rig::start().await;
    let ask = rig.ask("POST", "/api/v1/processes/web-%2A:stop?reason=night");
    let answer = ask.header("idempotency-key", "\"k-1\"").send_json(r#"{"timeout":"2.5s"}"#).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["revision"]), (200, &json!("10")));
    let stopped = rig.registry.0.stopped.lock().unwrap().clone().unwrap();
    assert_eq!(stopped.selectors, ["web-*"]);
    assert_eq!((stopped.request_id.as_str(), stopped.reason.as_str()), ("k-1", "night"));
    assert_eq!(stopped.timeout.unwrap().nanos, 500_000_000);
    assert_eq!(*rig.registry.0.actor.lock().unwrap(), "admin");
    rig.ask("POST", "/api/v1/processes:stop").send_json(r#"{"selectors":["a","b"]}"#).await;
    assert_eq!(rig.registry.0.stopped.lock().unwrap().clone().unwrap().selectors, ["a", "b"]);
    rig.ask("POST", "/api/v1/instances/web-1:stop").send().await;
    assert_eq!(rig.registry.0.stopped.lock().unwrap().clone().unwrap().selectors, ["web-1"]);
    assert_eq!(rig.ask("DELETE", "/api/v1/processes/web").send().await.json()["names"], json!(["web"]));
}

#[tokio::test]
async fn what_was_is_read_by_a_viewer_and_brought_back_by_an_admin() {
    let rig = Rig::start().await;
    let get = async |path: &str| rig.ask_as(VIEWER, "GET", path).send().await.json();
    let listed = get("/api/v1/processes/web/generations").await;
    assert_eq!(listed["generations"][0]["generation"], "2");
    assert_eq!(get("/api/v1/processes/web/generation?generation=5").await["generation"]["generation"], "5");
    let diff = get("/api/v1/processes/web/diff?from=2&to=4").await;
    assert_eq!((&diff["from"]["generation"], &diff["to"]["generation"]), (&json!("2"), &json!("4")));
    assert_eq!(get("/api/v1/events/history?node=n1").await["events"][0]["node"], "n1");
    let log = rig.ask_as(VIEWER, "GET", "/api/v1/audit/log?from_number=3").header("last-event-id", "9").send().await;
    let kinds: Vec<&str> = log.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, ["anchor", "entry", "head", "complete"], "{}", log.text);
    assert!(log.text.contains(r#""number":"3""#) && !log.text.contains("id: "), "{}", log.text);

    let path = "/api/v1/processes/web:rollback";
    rig.ask_as(VIEWER, "POST", path).send().await.problem(403, reason::PERMISSION_DENIED);
    let answer = rig.ask("POST", path).send_json(r#"{"to":"2","reason":"night"}"#).await;
    assert_eq!(answer.json()["revision"], "13");
    let sent = rig.registry.0.rolled_back.lock().unwrap().clone().unwrap();
    assert_eq!((sent.name.as_str(), sent.to, sent.reason.as_str()), ("web", 2, "night"));
    let late = rig.ask("POST", path).send_json(r#"{"expectedGeneration":"2"}"#).await;
    let problem = late.problem(409, reason::GENERATION_MISMATCH);
    assert_eq!((&problem["metadata"]["actual"], &problem["metadata"]["actor"]), (&json!("3"), &json!("admin")));
}

#[tokio::test]
async fn reload_is_a_custom_verb_as_restart_is() {
    let rig = Rig::start().await;
    let answer = rig.ask("POST", "/api/v1/processes/web:reload?reason=certificate").send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["revision"]), (200, &json!("12")));
    let reloaded = || rig.registry.0.reloaded.lock().unwrap().clone().unwrap();
    assert_eq!((reloaded().selectors, reloaded().reason.as_str()), (vec!["web".to_owned()], "certificate"));
    rig.ask("POST", "/api/v1/processes:reload").send_json(r#"{"selectors":["a","b"]}"#).await;
    assert_eq!(reloaded().selectors, ["a", "b"]);
    rig.ask("POST", "/api/v1/instances/web-2:reload").send().await;
    assert_eq!(reloaded().selectors, ["web-2"]);
    let viewer = rig.ask_as(VIEWER, "POST", "/api/v1/processes/web:reload").send().await;
    viewer.problem(403, reason::PERMISSION_DENIED);
}

#[tokio::test]
async fn a_signal_is_named_in_the_query_or_in_the_body() {
    let rig = Rig::start().await;
    let answer = rig.ask("POST", "/api/v1/processes/web:signal?signal=HUP").send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["revision"]), (200, &json!("13")));
    let signalled = || rig.registry.0.signalled.lock().unwrap().clone().unwrap();
    assert_eq!((signalled().selectors, signalled().signal.as_str()), (vec!["web".to_owned()], "HUP"));
    rig.ask("POST", "/api/v1/instances/web-2:signal").send_json(r#"{"signal":"USR1"}"#).await;
    assert_eq!((signalled().selectors, signalled().signal.as_str()), (vec!["web-2".to_owned()], "USR1"));
    let viewer = rig.ask_as(VIEWER, "POST", "/api/v1/processes/web:signal?signal=HUP").send().await;
    viewer.problem(403, reason::PERMISSION_DENIED);
}

#[tokio::test]
async fn the_status_page_is_one_document() {
    let rig = Rig::start().await;
    let json = rig.ask_as(VIEWER, "GET", "/status").send().await.json();
    assert_eq!(json["cluster"]["leaderId"], "1");
    let nodes: Vec<&str> = json["nodes"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["n1", "n2", "n3"], "of all pages");
    assert_eq!(json["processes"][0]["spec"]["name"], "web");
    assert_eq!(json["instances"][0]["id"], "web-1");
}

#[tokio::test]
async fn a_list_goes_on_after_the_page_before() {
    let rig = Rig::start().await;
    let first = rig.ask_as(VIEWER, "GET", "/api/v1/nodes").send().await.json();
    assert_eq!((&first["nodes"][0]["name"], &first["nextPageToken"]), (&json!("n1"), &json!("after n1")));
    let next = rig.ask_as(VIEWER, "GET", "/api/v1/nodes?page_size=1&page_token=after%20n2&stale").send().await.json();
    assert_eq!((&next["nodes"][0]["name"], &next["nextPageToken"]), (&json!("n3"), &json!("")));
}

#[tokio::test]
async fn metrics_are_the_monitor_s_text_under_its_own_type() {
    let rig = Rig::start().await;
    let answer = rig.ask_as(VIEWER, "GET", "/metrics").send().await;
    assert_eq!(answer.text, "pm_up 1\n# EOF\n");
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
}

#[tokio::test]
async fn samples_and_audit_take_their_query() {
    let rig = Rig::start().await;
    let path = "/api/v1/instances/web-1/samples?since=2026-01-02T03:04:05Z";
    let sample = rig.ask("GET", path).send().await.json()["samples"][0].clone();
    assert_eq!((&sample["instanceId"], &sample["time"]), (&json!("web-1"), &json!("2026-01-02T03:04:05Z")));
    let audit = rig.ask("GET", "/api/v1/audit?page_size=17").send().await.json();
    assert_eq!(audit["entries"][0]["targets"], json!(["17"]));
}

#[tokio::test]
async fn a_viewer_reads_every_get_and_nothing_else() {
    let rig = Rig::start().await;
    assert_eq!(rig.ask_as(VIEWER, "GET", "/api/v1/nodes").send().await.status, 200);
    for (method, path) in [
        ("POST", "/api/v1/processes"),
        ("PUT", "/api/v1/processes/web"),
        ("DELETE", "/api/v1/processes/web"),
        ("POST", "/api/v1/processes/web:stop"),
    ] {
        let problem = rig.ask_as(VIEWER, method, path).send().await.problem(403, reason::PERMISSION_DENIED);
        assert_eq!(problem["metadata"]["needed"], "admin");
    }
}

#[tokio::test]
async fn a_backend_s_field_violations_are_the_problem_s_errors() {
    let rig = Rig::start().await;
    let body = r#"{"specs":[{"name":"web","instances":10001}]}"#;
    let problem = rig.ask("POST", "/api/v1/processes").send_json(body).await.problem(400, reason::INVALID_ARGUMENT);
    assert_eq!(problem["errors"][0]["field"], "specs[0].instances");
    // A status without details still has a code for a reason.
    let problem = rig.ask("POST", "/api/v1/processes/web:start").send().await.problem(400, "FAILED_PRECONDITION");
    assert_eq!(problem["detail"], "not now");
}

#[tokio::test]
async fn a_backend_that_is_down_is_503_and_named() {
    let rig = Rig::start().await;
    rig.registry_shutdown.cancel();
    for path in ["/api/v1/processes", "/status"] {
        let answer = rig.ask("GET", path).send().await;
        let problem = answer.problem(503, reason::BACKEND_UNAVAILABLE);
        assert_eq!(problem["metadata"]["service"], "registry");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(rig.ask("GET", "/metrics").send().await.status, 200);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_code() {
    let rig = Rig::start().await;
    rig.ask("GET", "/api/v1/processes/nope").send().await;
    rig.ask_bare("GET", "/secret/path").send().await;
    let text = rig.gateway.metrics().encode();
    let counted = r#"pm_gateway_requests_total{door="http",route="/api/v1/processes/{name}",code="NOT_FOUND"} 1"#;
    assert!(text.contains(counted), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
