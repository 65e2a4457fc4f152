//! A client of one replica of ours, over the generated clients of the contract.

use super::door::Standing;
use super::workload;
use pm_proto::v1::cluster_service_client::ClusterServiceClient;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::{ApplyProcessesRequest, GetClusterStatusRequest, GetProcessRequest};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Puts the service token on each call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    /// Calls with this token.
    pub(crate) fn new(token: &str) -> anyhow::Result<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A connection to one replica; clones share it.
#[derive(Clone)]
pub(crate) struct OurDoor {
    processes: ProcessServiceClient<InterceptedService<Channel, Bearer>>,
    cluster: ClusterServiceClient<InterceptedService<Channel, Bearer>>,
}

impl OurDoor {
    /// Calls over this channel.
    pub(crate) fn new(channel: Channel, bearer: Bearer) -> Self {
        let channel = InterceptedService::new(channel, bearer);
        Self { processes: ProcessServiceClient::new(channel.clone()), cluster: ClusterServiceClient::new(channel) }
    }

    /// Applies one spec that differs from the one before. The same serial is
    /// the same request, which takes effect once.
    pub(crate) async fn write(&mut self, key: usize, serial: u64) -> Result<(), Status> {
        let request = ApplyProcessesRequest {
            specs: vec![workload::spec(key, serial)],
            request_id: workload::request_id(serial),
            ..ApplyProcessesRequest::default()
        };
        self.processes.apply_processes(request).await.map(drop)
    }

    /// Looks at one process; linearizable.
    pub(crate) async fn read(&mut self, key: usize) -> Result<(), Status> {
        let request = GetProcessRequest { name: workload::name(key), ..GetProcessRequest::default() };
        self.processes.get_process(request).await.map(drop)
    }

    /// Who it is and whom it follows.
    pub(crate) async fn standing(&mut self) -> Result<Standing, Status> {
        let answer = self.cluster.get_cluster_status(GetClusterStatusRequest {}).await?.into_inner();
        Ok(Standing { me: answer.id, leader: answer.leader_id, term: answer.term })
    }
}
