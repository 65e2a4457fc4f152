//! Nodes over REST: what stands in the path and the body reaches the registry.

use crate::support::{Rig, VIEWER};
use pm_proto::error::reason;
use serde_json::json;

#[tokio::test]
async fn what_nodes_are_used_for_is_changed_by_posts() {
    let rig = Rig::start().await;
    let post = async |path: &'static str, body: &'static str| rig.ask("POST", path).send_json(body).await.json();
    let cordoned = post("/api/v1/nodes/n1:set-schedulable", r#"{"schedulable": false}"#).await;
    assert_eq!((&cordoned["node"]["name"], &cordoned["node"]["cordoned"]), (&json!("n1"), &json!(true)));
    let drained = post("/api/v1/nodes/n1:drain", r#"{"deadline": "600s"}"#).await;
    assert_eq!(drained["node"]["drain"]["left"], 600);
    let drained = post("/api/v1/nodes/n1:drain", "{}").await;
    assert_eq!(drained["node"]["drain"]["left"], 0);
    let labelled = post("/api/v1/nodes/n1:label", r#"{"labels": {"zone": "eu-1", "gpu": ""}}"#).await;
    assert_eq!(labelled["node"]["labels"], json!({ "zone": "eu-1", "gpu": "" }));
    let removed = post("/api/v1/nodes/n1:remove", r#"{"force": true}"#).await;
    assert_eq!(removed["revision"], "8");
    rig.ask("POST", "/api/v1/nodes/n1:remove").send_json("{}").await.problem(400, reason::NODE_IN_USE);
    rig.ask_as(VIEWER, "POST", "/api/v1/nodes/n1:drain").send_json("{}").await.problem(403, reason::PERMISSION_DENIED);
}

#[tokio::test]
async fn a_node_and_a_placement_are_read_by_every_role() {
    let rig = Rig::start().await;
    let node = rig.ask_as(VIEWER, "GET", "/api/v1/nodes/n2").send().await.json();
    assert_eq!(node["node"]["name"], "n2");
    let told = rig.ask_as(VIEWER, "GET", "/api/v1/processes/web/placement").send().await.json();
    assert_eq!((&told["process"], &told["nodeCount"]), (&json!("web"), &json!(3)));
}
