//! What is asked of nodes through the registry's service, with a runner played
//! by hand.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;
mod town;

use pm_proto::error::reason;
use pm_proto::v1;
use pm_proto::v1::node_service_client::NodeServiceClient;
use pm_proto::v1::run_session_request::Message;
use service_host::client::ServiceChannel;
use std::time::Duration;
use tonic::Code;
use town::*;

fn nodes(town: &Town) -> NodeServiceClient<ServiceChannel> {
    NodeServiceClient::new(town.channel.clone())
}

async fn node(town: &Town, name: &str) -> v1::Node {
    let request = v1::GetNodeRequest { name: name.into(), stale: false };
    nodes(town).get_node(request).await.unwrap().into_inner().node.unwrap()
}

fn drain(name: &str, seconds: Option<i64>) -> v1::DrainNodeRequest {
    let deadline = seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
    v1::DrainNodeRequest { name: name.into(), deadline, ..Default::default() }
}

fn label(name: &str, labels: &[(&str, &str)]) -> v1::LabelNodeRequest {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    v1::LabelNodeRequest { name: name.into(), labels, ..Default::default() }
}

fn remove(name: &str, force: bool) -> v1::RemoveNodeRequest {
    v1::RemoveNodeRequest { name: name.into(), force, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_cordoned_labelled_drained_and_given_back() {
    let town = Town::open().await;
    let _runner = town.runner("alpha").await;
    town.apply(vec![spec("web", 1)]).await;
    let answer = nodes(&town).label_node(label("alpha", &[("zone", "eu")])).await.unwrap().into_inner();
    assert_eq!(answer.node.unwrap().labels["zone"], "eu");
    let cordon = v1::SetNodeSchedulableRequest { name: "alpha".into(), ..Default::default() };
    let answer = nodes(&town).set_node_schedulable(cordon.clone()).await.unwrap().into_inner();
    assert!(answer.node.unwrap().cordoned);
    let answer = nodes(&town).drain_node(drain("alpha", Some(3600))).await.unwrap().into_inner();
    let drained = answer.node.unwrap().drain.unwrap();
    assert_eq!((drained.left, drained.overdue, drained.done_time), (1, false, None));
    assert!(drained.deadline.is_some() && !node(&town, "alpha").await.takes_new);
    let request = v1::GetPlacementRequest { name: "web-1".into(), stale: false };
    let told = nodes(&town).get_placement(request).await.unwrap().into_inner();
    assert_eq!(told.instances[0].why, "it is on alpha and stays for now: no other node can take it");
    assert_eq!((told.exclusions[0].reason.as_str(), told.exclusions[0].nodes), ("draining", 1));
    let request = v1::SetNodeSchedulableRequest { schedulable: true, ..cordon };
    let answer = nodes(&town).set_node_schedulable(request).await.unwrap().into_inner();
    let given_back = answer.node.unwrap();
    assert!(given_back.takes_new && given_back.drain.is_none());
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deadline_of_a_drain_comes_by_itself() {
    let town = Town::open().await;
    let mut runner = town.runner("alpha").await;
    town.apply(vec![spec("web", 1)]).await;
    let answer = nodes(&town).drain_node(drain("alpha", Some(1))).await.unwrap().into_inner();
    let mut watcher = town.watch(answer.revision + 1).await;
    watcher.until("instance.moving").await;
    let removed = loop {
        let update = runner.assignments().await;
        if !update.removed.is_empty() {
            break update.removed;
        }
    };
    assert_eq!(removed, ["web-1"]);
    let gone = v1::InstanceReport { gone: true, ..seen("web-1", 1, "instance.stopped", v1::InstancePhase::Stopped) };
    runner.report(1, vec![gone], vec![]).await;
    watcher.until("node.drained").await;
    assert_eq!(town.instances().await[0].node, "", "it waits");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_about_nodes_name_the_field_and_change_nothing() {
    let town = Town::open().await;
    let _runner = town.runner("alpha").await;
    let revision = nodes(&town).list_nodes(v1::ListNodesRequest::default()).await.unwrap().into_inner().revision;
    let status = nodes(&town).drain_node(drain("aplha", None)).await.unwrap_err();
    assert_eq!(fault(&status), (Code::NotFound, reason::NOT_FOUND.into()));
    let status = nodes(&town).drain_node(drain("alpha", Some(8 * 86_400))).await.unwrap_err();
    assert!(status.message().contains("deadline") && status.code() == Code::InvalidArgument, "{status}");
    let status = nodes(&town).drain_node(drain("alpha", Some(-1))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    for labels in [&[][..], &[("node.cpus", "9")], &[("zone", " eu")], &[("a/b", "")]] {
        let status = nodes(&town).label_node(label("alpha", labels)).await.unwrap_err();
        assert!(status.message().contains("labels") && status.code() == Code::InvalidArgument, "{status}");
    }
    let request = v1::GetPlacementRequest { name: "nobody".into(), stale: false };
    assert_eq!(nodes(&town).get_placement(request).await.unwrap_err().code(), Code::NotFound);
    let status = nodes(&town).remove_node(remove("alpha", false)).await.unwrap_err();
    assert_eq!(fault(&status), (Code::FailedPrecondition, reason::NODE_IN_USE.into()));
    let after = nodes(&town).list_nodes(v1::ListNodesRequest::default()).await.unwrap().into_inner().revision;
    assert_eq!(after, revision);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_removed_is_told_in_a_new_session_that_it_has_nothing() {
    let town = Town::open().await;
    let mut runner = town.runner("alpha").await;
    town.apply(vec![spec("web", 1)]).await;
    while runner.assignments().await.set.is_empty() {}
    let request = v1::SetNodeSchedulableRequest { name: "alpha".into(), ..Default::default() };
    nodes(&town).set_node_schedulable(request).await.unwrap();
    nodes(&town).remove_node(remove("alpha", true)).await.unwrap();
    let status = loop {
        if let Err(status) = runner.next().await {
            break status;
        }
    };
    assert_eq!(fault(&status), (Code::Aborted, reason::SESSION_REPLACED.into()));
    assert_eq!(town.instances().await[0].node, "", "nobody is there to take it");
    let mut again = town.runner("alpha").await;
    let update = again.assignments().await;
    assert!(update.full && update.set.len() == 1 && !node(&town, "alpha").await.cordoned, "{update:?}");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_runner_says_of_its_node_is_shown_with_its_labels() {
    let town = Town::open().await;
    // Every change that needs the level waits for it.
    let _beta = town.runner("beta").await;
    nodes(&town).label_node(label("beta", &[("x", "1")])).await.unwrap();
    let (send, stream) = tokio::sync::mpsc::channel(8);
    let hello = v1::SessionHello {
        node: "alpha".into(),
        labels: [("zone".to_owned(), "eu".to_owned())].into(),
        os: "linux".into(),
        arch: "x86_64".into(),
        kernel: "6.1.0".into(),
        ..Default::default()
    };
    send.send(v1::RunSessionRequest { message: Some(Message::Hello(hello)) }).await.unwrap();
    let mut client = v1::runner_session_service_client::RunnerSessionServiceClient::new(town.channel.clone());
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let mut session = client.run_session(stream).await.unwrap().into_inner();
    tokio::time::timeout(Duration::from_secs(20), session.message()).await.unwrap().unwrap().unwrap();
    let alpha = node(&town, "alpha").await;
    assert_eq!((alpha.labels["zone"].as_str(), alpha.kernel.as_str(), alpha.takes_new), ("eu", "6.1.0", true));
    let health = town.cluster().get_cluster_health(v1::GetClusterHealthRequest {}).await.unwrap().into_inner();
    assert_eq!((health.mode(), health.feature_level), (v1::RegistryMode::Normal, 3));
    town.close().await;
}
