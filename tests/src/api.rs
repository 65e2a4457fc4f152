//! A gRPC client of the gateway, as any client in Rust would write one.

use crate::{Credentials, EventWatch};
use pm_proto::v1::event_service_client::EventServiceClient;
use pm_proto::v1::instance_service_client::InstanceServiceClient;
use pm_proto::v1::watch_events_response::Frame;
use pm_proto::v1::{Instance, ListInstancesRequest, WatchEventsRequest};
use std::sync::OnceLock;
use tokio::runtime::Runtime;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// One runtime for all clients of a test program; tests stay plain functions.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be built")
    })
}

/// Puts the token on each call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Calls of the gateway; each waits for its answer.
pub struct Api {
    channel: InterceptedService<Channel, Bearer>,
}

impl Api {
    /// A client with these credentials. Connects with the first call.
    #[must_use]
    pub fn new(credentials: &Credentials) -> Self {
        let endpoint = Channel::from_shared(credentials.endpoint.clone()).expect("the endpoint is an address");
        let channel = {
            let _inside = runtime().enter();
            endpoint.timeout(crate::DEADLINE).connect_lazy()
        };
        let bearer = format!("Bearer {}", credentials.token).parse().expect("a token is plain text");
        Self { channel: InterceptedService::new(channel, Bearer(bearer)) }
    }

    /// The channel, for calls that are not listed here.
    #[must_use]
    pub fn channel(&self) -> InterceptedService<Channel, Bearer> {
        self.channel.clone()
    }

    /// Runs a call to its end.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        runtime().block_on(call)
    }

    /// All instances.
    ///
    /// # Panics
    /// When the call fails.
    #[must_use]
    pub fn instances(&self) -> Vec<Instance> {
        let mut client = InstanceServiceClient::new(self.channel());
        let answer = self.wait(client.list_instances(ListInstancesRequest::default()));
        answer.expect("instances can be listed").into_inner().instances
    }

    /// One instance.
    ///
    /// # Panics
    /// When there is none of that id.
    #[track_caller]
    #[must_use]
    pub fn instance(&self, id: &str) -> Instance {
        let instances = self.instances();
        let ids: Vec<_> = instances.iter().map(|instance| instance.id.clone()).collect();
        instances.into_iter().find(|instance| instance.id == id).unwrap_or_else(|| panic!("{id} is not among {ids:?}"))
    }

    /// Every event from `revision` on; 1 is the first of all.
    ///
    /// # Panics
    /// When the call fails.
    #[must_use]
    pub fn events_from(&self, revision: u64) -> EventWatch {
        let mut client = EventServiceClient::new(self.channel());
        let request = WatchEventsRequest { from_revision: revision, follow: true, ..WatchEventsRequest::default() };
        // A stream has no end, so the deadline of calls must not cut it.
        let answer = self.wait(client.watch_events(request));
        EventWatch::new(answer.expect("events can be watched").into_inner())
    }

    /// Revisions of all events there have been, in their order.
    ///
    /// # Panics
    /// When the call fails.
    #[must_use]
    pub fn events_so_far(&self) -> Vec<u64> {
        let mut client = EventServiceClient::new(self.channel());
        let request = WatchEventsRequest { from_revision: 1, ..WatchEventsRequest::default() };
        let mut stream = self.wait(client.watch_events(request)).expect("events can be watched").into_inner();
        let mut revisions = Vec::new();
        while let Some(message) = self.wait(stream.message()).expect("they come to their end") {
            if let Some(Frame::Event(event)) = message.frame {
                revisions.push(event.revision);
            }
        }
        revisions
    }

    /// The newest revision.
    ///
    /// # Panics
    /// When the call fails.
    #[must_use]
    pub fn revision(&self) -> u64 {
        let mut client = InstanceServiceClient::new(self.channel());
        let answer = self.wait(client.list_instances(ListInstancesRequest::default()));
        answer.expect("instances can be listed").into_inner().revision
    }
}
