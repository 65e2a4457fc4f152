//! What the gateway answers itself: gRPC health, and reflection of the public
//! services only.

use crate::access::{INTERNAL, PUBLIC};
use crate::grpc::reply::Reply;
use crate::meters::Observation;
use http::{Request, Response};
use hyper::body::Incoming;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};
use tower::Service as _;

/// Why reflection cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The embedded descriptors are damaged.
    #[error("reading the contract's descriptors")]
    Descriptors(#[from] prost::DecodeError),
    /// The reflection service refuses them.
    #[error("building the reflection service")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Health and reflection.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    routes: Routes,
    health: HealthReporter,
}

impl Local {
    /// Builds both services.
    pub(crate) fn new() -> Result<Self, LocalError> {
        let health = HealthReporter::new();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_file_descriptor_set(public(FileDescriptorSet::decode(pm_proto::DESCRIPTORS)?))
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()?;
        let health_service = HealthService::from_health_reporter(health.clone());
        let routes = Routes::new(tonic_health::pb::health_server::HealthServer::new(health_service))
            .add_service(reflection)
            .prepare();
        Ok(Self { routes, health })
    }

    /// Says of every public service, and of the whole, whether it serves.
    pub(crate) async fn set_serving(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in PUBLIC.iter().map(|access| access.service).chain([""]) {
            self.health.set_service_status(name, status).await;
        }
    }

    /// Answers a call of one of [`crate::access::LOCAL`].
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        shutdown: CancellationToken,
        observation: Observation,
    ) -> Response<Body> {
        let mut routes = self.routes.clone();
        match routes.call(request.map(Body::new)).await {
            Ok(response) => Reply::wrap_local(response.map(Body::new), shutdown, observation),
            Err(never) => match never {},
        }
    }
}

/// The descriptors without the files of internal services. No public file
/// imports those; a test holds it.
fn public(mut set: FileDescriptorSet) -> FileDescriptorSet {
    set.file.retain(|file| {
        let package = file.package();
        !file.service.iter().any(|service| INTERNAL.contains(&format!("{package}.{}", service.name()).as_str()))
    });
    set
}

#[cfg(test)]
mod tests {
    use super::{FileDescriptorSet, PUBLIC, public};
    use prost::Message as _;

    #[test]
    fn public_descriptors_are_complete_without_the_internal_ones() {
        let set = public(FileDescriptorSet::decode(pm_proto::DESCRIPTORS).unwrap());
        let pool = prost_reflect::DescriptorPool::from_file_descriptor_set(set).unwrap();
        let mut listed: Vec<String> = pool.services().map(|service| service.full_name().to_owned()).collect();
        let mut expected: Vec<String> = PUBLIC.iter().map(|access| access.service.to_owned()).collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
    }
}
