//! What the gateway adds to a change, and to nothing else.

use crate::support::{ADMIN, Rig};
use pm_proto::v1;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use service_host::transport::REQUEST_ID_KEY;
use tonic::Request;

fn seen(rig: &Rig, key: &str) -> Vec<String> {
    let metadata = rig.registry.0.metadata.lock().unwrap().clone();
    metadata.get_all(key).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_change_gets_a_request_id_and_its_source_and_a_read_gets_neither() {
    let rig = Rig::start().await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut request = Request::new(v1::StopProcessesRequest::default());
        request.metadata_mut().insert("pm-source", "203.0.113.9:1".parse().unwrap());
        client.stop_processes(request).await.unwrap();
        let source: std::net::SocketAddr = seen(&rig, "pm-source").join(" ").parse().unwrap();
        assert!(source.ip().is_loopback() && source.port() != 0 && source.port() != rig.address.port(), "{source}");
        ids.extend(seen(&rig, REQUEST_ID_KEY));
    }
    assert!(ids.len() == 2 && ids[0] != ids[1] && ids.iter().all(|id| id.len() == 36), "{ids:?}");

    let mut request = Request::new(v1::ListProcessesRequest::default());
    request.metadata_mut().insert("pm-source", "203.0.113.9:1".parse().unwrap());
    request.metadata_mut().insert(REQUEST_ID_KEY, "mine".parse().unwrap());
    client.list_processes(request).await.unwrap();
    assert!(seen(&rig, REQUEST_ID_KEY).is_empty() && seen(&rig, "pm-source").is_empty());
}

#[tokio::test]
async fn a_client_s_own_request_id_goes_on_unchanged() {
    let rig = Rig::start().await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let mut request = Request::new(v1::StopProcessesRequest::default());
    request.metadata_mut().insert(REQUEST_ID_KEY, "mine".parse().unwrap());
    client.stop_processes(request).await.unwrap();
    assert_eq!(seen(&rig, REQUEST_ID_KEY), ["mine"]);
}

#[tokio::test]
async fn a_change_over_http_is_signed_the_same_way() {
    let rig = Rig::start().await;
    let answer = rig.ask("POST", "/api/v1/processes/web:stop").send().await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    assert_eq!(seen(&rig, REQUEST_ID_KEY).join("").len(), 36);
    assert!(seen(&rig, "pm-source").join("").starts_with("127.0.0.1:"));
}

#[test]
fn the_names_are_the_contract_s() {
    assert_eq!(REQUEST_ID_KEY, pm_proto::metadata::REQUEST_ID);
}
