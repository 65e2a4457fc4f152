//! A gateway on a free port with pretended services behind it.

use super::fake_monitor::FakeMonitor;
use super::{Ask, FakeRegistry, soon};
use gateway::{Gateway, Options};
use pm_proto::v1;
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::{Dial, Incoming, memory};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

pub(crate) const ADMIN: &str = "admin-token-0123456789abcdef";
pub(crate) const VIEWER: &str = "viewer-token-0123456789abcdef";
pub(crate) const SERVICE: &str = "service-token-0123456789abcdef";

type Shown = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;
pub(crate) type Client = InterceptedService<Channel, Shown>;

pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Gateway,
    pub(crate) registry: FakeRegistry,
    pub(crate) shutdown: CancellationToken,
    /// Ends the registry and nothing else.
    pub(crate) registry_shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with_service_token(SERVICE).await
    }

    /// `service_token`: what the gateway shows; the services want [`SERVICE`].
    pub(crate) async fn with_service_token(service_token: &str) -> Self {
        Self::build(service_token, None).await
    }

    /// Before registries of the test's own.
    pub(crate) async fn before(registry: Dial) -> Self {
        Self::build(SERVICE, Some(registry)).await
    }

    async fn build(service_token: &str, elsewhere: Option<Dial>) -> Self {
        let secret = |text: &str| Secret::new(text).unwrap();
        let (registry_dial, registry_incoming) = memory();
        let (monitor_dial, monitor_incoming) = memory();
        let registry = FakeRegistry::default();
        let registry_shutdown = CancellationToken::new();
        let host = GrpcHost::new(pm_proto::DESCRIPTORS)
            .token(secret(SERVICE))
            .service(v1::process_service_server::ProcessServiceServer::new(registry.clone()))
            .service(v1::instance_service_server::InstanceServiceServer::new(registry.clone()))
            .service(v1::node_service_server::NodeServiceServer::new(registry.clone()))
            .service(v1::cluster_service_server::ClusterServiceServer::new(registry.clone()))
            .service(v1::event_service_server::EventServiceServer::new(registry.clone()))
            .service(v1::registry_internal_service_server::RegistryInternalServiceServer::new(registry.clone()));
        let ends = registry_shutdown.clone();
        tokio::spawn(async move { host.serve(Incoming::Memory(registry_incoming), ends).await });
        let host = GrpcHost::new(pm_proto::DESCRIPTORS)
            .token(secret(SERVICE))
            .service(v1::log_service_server::LogServiceServer::new(FakeMonitor))
            .service(v1::sample_service_server::SampleServiceServer::new(FakeMonitor));
        tokio::spawn(host.serve(Incoming::Memory(monitor_incoming), CancellationToken::new()));

        let gateway = Gateway::new(Options {
            identity: None,
            registry: elsewhere.unwrap_or(Dial::Memory(registry_dial)),
            monitor: Dial::Memory(monitor_dial),
            service_token: secret(service_token),
            admin_token: secret(ADMIN),
            viewer_token: Some(secret(VIEWER)),
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let (served, stop) = (gateway.clone(), shutdown.clone());
        let serving = tokio::spawn(async move { served.serve(listener, stop).await.unwrap() });
        Self { address, gateway, registry, shutdown, registry_shutdown, serving }
    }

    /// A gRPC channel that shows this token; empty: none.
    pub(crate) async fn grpc(&self, token: &str) -> Client {
        let channel = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        let channel = soon("connecting", channel.connect()).await.unwrap();
        let bearer: Option<MetadataValue<_>> = (!token.is_empty()).then(|| format!("Bearer {token}").parse().unwrap());
        InterceptedService::new(
            channel,
            Box::new(move |mut request: Request<()>| {
                if let Some(bearer) = bearer.clone() {
                    request.metadata_mut().insert("authorization", bearer);
                }
                Ok(request)
            }),
        )
    }

    /// An HTTP request with the admin's token.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.address, method, path).header("authorization", &format!("Bearer {ADMIN}"))
    }

    /// An HTTP request with this token.
    pub(crate) fn ask_as(&self, token: &str, method: &str, path: &str) -> Ask {
        Ask::new(self.address, method, path).header("authorization", &format!("Bearer {token}"))
    }

    /// An HTTP request without a token.
    pub(crate) fn ask_bare(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.address, method, path)
    }
}
