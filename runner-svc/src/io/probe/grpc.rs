//! `grpc.health.v1.Health/Check` on the loopback address, on a connection of
//! its own: one that was kept open would not tell that no new one is taken.

use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// An answer is a number; whatever is longer is none.
const MAX_BYTES: usize = 4096;

pub(super) async fn ask(port: u16, service: &str) -> Result<(), String> {
    let describe = |what: &dyn std::fmt::Display| format!("gRPC health on port {port}: {what}");
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).map_err(|e| describe(&e))?;
    let channel = endpoint.connect().await.map_err(|e| describe(&root(&e)))?;
    let mut client = HealthClient::new(channel).max_decoding_message_size(MAX_BYTES);
    let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await;
    // Not the whole status: a server may put anything into its metadata.
    let answer = answer.map_err(|status| describe(&format_args!("{}: {}", status.code(), status.message())))?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        status @ (ServingStatus::Unknown | ServingStatus::NotServing | ServingStatus::ServiceUnknown) => {
            Err(describe(&status.as_str_name()))
        }
    }
}

/// The first cause: what is around it says "transport error".
fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at
}
