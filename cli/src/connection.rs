//! Calling the service: one channel to whichever gateway answers, every client
//! over it, and what a refusal means to the user.

use crate::error::Failure;
use crate::exit::Exit;
use crate::state_dir::StateDir;
use crate::target::{Target, Wish};
use crate::up_record::UpRecord;
use pm_proto::error::reason_of;
use pm_proto::v1::action_service_client::ActionServiceClient;
use pm_proto::v1::backup_service_client::BackupServiceClient;
use pm_proto::v1::cluster_service_client::ClusterServiceClient;
use pm_proto::v1::event_service_client::EventServiceClient;
use pm_proto::v1::instance_service_client::InstanceServiceClient;
use pm_proto::v1::join_token_service_client::JoinTokenServiceClient;
use pm_proto::v1::log_service_client::LogServiceClient;
use pm_proto::v1::node_service_client::NodeServiceClient;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::rollout_service_client::RolloutServiceClient;
use pm_proto::v1::sample_service_client::SampleServiceClient;
use service_host::client::{ClientContext, ServiceChannel};
use service_host::identity::{Identity, Role, Secured, TlsFiles};
use service_host::secret::Secret;
use service_host::transport::NobodyAnswers;
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Response, Status};

/// Longest wait for one answer; streams have none.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// A way to call the gateway. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    channel: ServiceChannel,
    target: Target,
}

impl Connection {
    /// Finds the service. No connection is made before the first call, except
    /// to find out what to complain about when there is no token.
    ///
    /// # Errors
    /// There is no usable token, or nothing answers.
    pub async fn find(wish: &Wish, state: &StateDir) -> Result<Self, Failure> {
        let record = UpRecord::read(&state.up_record());
        let record = record.as_ref().map(|record| (record, record.identity.is_alive()));
        let target = Target::discover(wish, record, state)?;
        let Some(path) = &target.token_file else {
            if target.tls_dir.is_some() && target.endpoints.is_tls() {
                return Self::with(target, ClientContext::without_token());
            }
            return Err(match probe(&target).await {
                Ok(()) => target.no_token(),
                Err(why) => target.unreachable(&why),
            });
        };
        let token = read_token(path)?;
        Self::to(target, &token)
    }

    /// A connection to a known place with a known token.
    ///
    /// # Errors
    /// The endpoint is malformed.
    pub fn to(target: Target, token: &Secret) -> Result<Self, Failure> {
        let context = ClientContext::new(token)
            .map_err(|e| Failure::usage(format!("cannot use the endpoint {}: {e}", target.endpoints)))?;
        Self::with(target, context)
    }

    fn with(target: Target, context: ClientContext) -> Result<Self, Failure> {
        let unusable =
            |e: &dyn std::fmt::Display| Failure::usage(format!("cannot use the endpoint {}: {e}", target.endpoints));
        let dial = if target.endpoints.is_tls() {
            let files = target.tls_dir.as_deref().map(TlsFiles::in_dir);
            let identity = files.map(|files| Identity::load(files, Role::Operator)).transpose();
            let identity = identity.map_err(|e| unusable(&e).help("--tls-dir needs an operator's certificate"))?;
            if target.ca.is_none() && identity.is_none() {
                return Err(unusable(&"it is encrypted, and nothing says whose certificate is to be trusted")
                    .help("name the CA's certificate with --ca or PM_CA_FILE"));
            }
            let secured = Secured::public(target.ca.as_deref(), identity.as_ref()).map_err(|e| unusable(&e))?;
            target.endpoints.secured(secured)
        } else {
            target.endpoints.plain()
        };
        let channel = dial.and_then(|dial| dial.channel()).map_err(|e| unusable(&e))?;
        Ok(Self { channel: InterceptedService::new(channel, context), target })
    }

    /// Where it goes.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Awaits one answer, at most 30 s. `what` completes "cannot …".
    ///
    /// # Errors
    /// Nothing answers in time, or the call is refused.
    pub async fn call<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(CALL_DEADLINE, answer).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.refused(what, &status)),
            Err(_) => Err(self.target.unreachable("no answer in 30 s")),
        }
    }

    /// What a status means to the user.
    #[must_use]
    pub fn refused(&self, what: &str, status: &Status) -> Failure {
        // Without a reason of ours it is the transport that speaks.
        if let Some(nobody) = NobodyAnswers::of(status) {
            return self.target.nobody(nobody);
        }
        if status.code() == Code::Unavailable && reason_of(status).is_none() {
            return self.target.unreachable(&transport_cause(status));
        }
        let failure = Failure::of_status(what, status);
        match failure.exit() {
            Exit::NotAllowed => match &self.target.token_file {
                Some(path) => {
                    failure.help(format!("the token of {} was used; --token-file names another", path.display()))
                }
                None => failure,
            },
            Exit::NotFound => failure.help("`pmctl list` shows what there is"),
            Exit::Done
            | Exit::Failed
            | Exit::Usage
            | Exit::Conflict
            | Exit::TimedOut
            | Exit::Unreachable
            | Exit::Partial
            | Exit::Untrue
            | Exit::RolloutFailed
            | Exit::Interrupted => failure,
        }
    }

    /// Invitations.
    #[must_use]
    pub fn join_tokens(&self) -> JoinTokenServiceClient<ServiceChannel> {
        JoinTokenServiceClient::new(self.channel.clone())
    }

    /// Processes.
    #[must_use]
    pub fn processes(&self) -> ProcessServiceClient<ServiceChannel> {
        ProcessServiceClient::new(self.channel.clone())
    }

    /// Rollouts.
    #[must_use]
    pub fn rollouts(&self) -> RolloutServiceClient<ServiceChannel> {
        RolloutServiceClient::new(self.channel.clone())
    }

    /// Instances.
    #[must_use]
    pub fn instances(&self) -> InstanceServiceClient<ServiceChannel> {
        InstanceServiceClient::new(self.channel.clone())
    }

    /// Nodes.
    #[must_use]
    pub fn nodes(&self) -> NodeServiceClient<ServiceChannel> {
        NodeServiceClient::new(self.channel.clone())
    }

    /// Events and the audit log.
    #[must_use]
    pub fn events(&self) -> EventServiceClient<ServiceChannel> {
        EventServiceClient::new(self.channel.clone())
    }

    /// Actions.
    #[must_use]
    pub fn actions(&self) -> ActionServiceClient<ServiceChannel> {
        ActionServiceClient::new(self.channel.clone())
    }

    /// Samples.
    #[must_use]
    pub fn samples(&self) -> SampleServiceClient<ServiceChannel> {
        SampleServiceClient::new(self.channel.clone())
    }

    /// Logs.
    #[must_use]
    pub fn logs(&self) -> LogServiceClient<ServiceChannel> {
        LogServiceClient::new(self.channel.clone())
    }

    /// Backups.
    #[must_use]
    pub fn backups(&self) -> BackupServiceClient<ServiceChannel> {
        BackupServiceClient::new(self.channel.clone())
    }

    /// The registry's replicas.
    #[must_use]
    pub fn cluster(&self) -> ClusterServiceClient<ServiceChannel> {
        ClusterServiceClient::new(self.channel.clone())
    }
}

fn read_token(path: &Path) -> Result<Secret, Failure> {
    Secret::from_file(path).map_err(|e| {
        Failure::new(Exit::NotAllowed, crate::error::chain(&e))
            .help("name another with --token-file or PM_TOKEN_FILE; only you may be able to read it (chmod 600)")
    })
}

/// Whether anybody listens there; else why nobody does, by address if there
/// are several.
async fn probe(target: &Target) -> Result<(), String> {
    let mut whys = Vec::new();
    for address in target.socket_addresses() {
        let why = match tokio::time::timeout(Duration::from_secs(3), tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(e)) => e.to_string(),
            Err(_) => "no answer in 3 s".to_owned(),
        };
        whys.push((address, why));
    }
    match whys.as_slice() {
        [(_, why)] => Err(why.clone()),
        several => Err(several.iter().map(|(address, why)| format!("{address}: {why}")).collect::<Vec<_>>().join("; ")),
    }
}

/// The innermost cause, which is what the system said.
fn transport_cause(status: &Status) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(status);
    let mut text = status.message().to_owned();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}
