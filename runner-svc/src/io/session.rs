//! The registry session: heartbeats and reports up, assignments and actions
//! down. Dialled by the runner, again and again for as long as it lives.

use super::boot;
use super::journal::{Journal, Reported};
use super::redial::Redial;
use crate::clock;
use crate::options::Options;
use crate::roster::Roster;
use pm_proto::convert::duration_from_wire;
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use process_model::{ActionReport, ActionState, Assignment, InstanceId};
use runner_domain::Order;
use service_host::client::{ServiceChannel, service_channel};
use service_host::transport::{Dial, TransportError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Reports in one message: small enough for one Raft entry, large enough that
/// a thousand starts are a few commits.
const BATCH: usize = 512;

/// Messages on their way to the transport: a heartbeat and a report at a time.
const OUTGOING: usize = 4;

pub(crate) struct Session {
    client: RunnerSessionServiceClient<ServiceChannel>,
    hello: v1::SessionHello,
    roster: Roster,
    journal: Journal,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the registry closed the stream")]
    Closed,
    #[error("{}: {}", .0.code(), .0.message())]
    Status(Box<tonic::Status>),
    #[error("the registry sent something that breaks the contract: {0}")]
    Contract(#[from] pm_proto::convert::WireFault),
    #[error(
        "this node belongs to cluster {known}, the registry to {theirs}; move the runner's journal away to join another cluster"
    )]
    OtherCluster { known: String, theirs: String },
    #[error("told to end")]
    Shutdown,
}

impl From<tonic::Status> for Ended {
    fn from(status: tonic::Status) -> Self {
        Self::Status(Box::new(status))
    }
}

/// State of one session.
struct Conversation {
    up: mpsc::Sender<v1::RunSessionRequest>,
    heartbeat: tokio::time::Interval,
    beats: u64,
    /// Highest sequence number that is on its way; nothing more is sent until
    /// it is confirmed, so that reports arriving meanwhile share a commit.
    in_flight: Option<u64>,
    /// Parts of a full set that has not come to its end.
    parts: Vec<Assignment>,
    /// Whether that set is everything.
    full: bool,
}

impl Session {
    pub(crate) fn new(
        options: &Options,
        dial: &Dial,
        boot_id: &str,
        roster: Roster,
        journal: Journal,
    ) -> Result<Self, TransportError> {
        let channel = service_channel(dial, &options.token)?;
        Ok(Self {
            client: RunnerSessionServiceClient::new(channel).max_decoding_message_size(64 << 20),
            hello: v1::SessionHello {
                node: options.node.to_string(),
                boot_id: boot_id.to_owned(),
                runner_version: env!("CARGO_PKG_VERSION").to_owned(),
                cpus: boot::cpus(),
                memory_bytes: boot::memory_bytes(),
            },
            roster,
            journal,
        })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut redial = Redial::new("registry");
        loop {
            redial.begin();
            match self.converse(&shutdown).await {
                Ended::Shutdown => return,
                ended @ (Ended::Closed | Ended::Status(_) | Ended::Contract(_) | Ended::OtherCluster { .. }) => {
                    if !redial.ended(&ended, &shutdown).await {
                        return;
                    }
                }
            }
        }
    }

    async fn converse(&mut self, shutdown: &CancellationToken) -> Ended {
        match self.try_converse(shutdown).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn try_converse(&mut self, shutdown: &CancellationToken) -> Result<std::convert::Infallible, Ended> {
        let (up, outgoing) = mpsc::channel(OUTGOING);
        let hello = v1::RunSessionRequest { message: Some(Up::Hello(self.hello.clone())) };
        up.send(hello).await.map_err(|_| Ended::Closed)?;
        let opening = self.client.run_session(ReceiverStream::new(outgoing));
        let mut down = tokio::select! {
            response = opening => response?.into_inner(),
            () = shutdown.cancelled() => return Err(Ended::Shutdown),
        };
        let heartbeat = tokio::time::interval(Duration::from_secs(1));
        let mut conversation =
            Conversation { up, heartbeat, beats: 0, in_flight: None, parts: Vec::new(), full: false };
        let mut news = self.journal.news();
        loop {
            tokio::select! {
                message = down.message() => {
                    let message = message?.and_then(|m| m.message).ok_or(Ended::Closed)?;
                    self.hear(message, &mut conversation)?;
                }
                _ = conversation.heartbeat.tick() => conversation.beat().await?,
                changed = news.changed(), if conversation.in_flight.is_none() => {
                    changed.map_err(|_| Ended::Shutdown)?;
                }
                () = shutdown.cancelled() => return Err(Ended::Shutdown),
            }
            if conversation.in_flight.is_none() {
                conversation.report(&self.journal).await?;
            }
        }
    }

    fn hear(&self, message: Down, conversation: &mut Conversation) -> Result<(), Ended> {
        match message {
            Down::Welcome(welcome) => self.welcomed(&welcome, conversation),
            Down::Assignments(update) => self.assigned(&update, conversation),
            Down::Action(order) => self.ordered(order),
            Down::ReportAck(ack) => {
                self.journal.acknowledged(ack.seq);
                if conversation.in_flight.is_some_and(|seq| seq <= ack.seq) {
                    conversation.in_flight = None;
                }
                Ok(())
            }
            // The transport's keep-alive notices a dead registry; the answer is for tracing delays.
            Down::HeartbeatAck(_) => Ok(()),
        }
    }

    fn welcomed(&self, welcome: &v1::SessionWelcome, conversation: &mut Conversation) -> Result<(), Ended> {
        match self.journal.cluster() {
            Some(known) if known != welcome.cluster_id => {
                return Err(Ended::OtherCluster { known, theirs: welcome.cluster_id.clone() });
            }
            Some(_) => {}
            None => self.journal.joined(&welcome.cluster_id),
        }
        if let Some(interval) = &welcome.heartbeat_interval {
            let interval = duration_from_wire("heartbeat_interval", interval)?.max(Duration::from_millis(10));
            conversation.heartbeat = tokio::time::interval(interval);
            conversation.heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        tracing::info!(node = self.hello.node, cluster = welcome.cluster_id, "registry session begun");
        Ok(())
    }

    fn assigned(&self, update: &v1::AssignmentUpdate, conversation: &mut Conversation) -> Result<(), Ended> {
        for assignment in &update.set {
            let mut assignment = Assignment::try_from(assignment)?;
            // Instances of a process come one after the other: they share one spec.
            if let Some(last) = conversation.parts.last().filter(|last| last.spec == assignment.spec) {
                assignment.spec = last.spec.clone();
            }
            conversation.parts.push(assignment);
        }
        conversation.full |= update.full;
        if update.more {
            return Ok(());
        }
        let full = std::mem::take(&mut conversation.full);
        let set = std::mem::take(&mut conversation.parts);
        let removed: Vec<InstanceId> = update.removed.iter().filter_map(|id| id.parse().ok()).collect();
        self.roster.assign(full, set, &removed);
        Ok(())
    }

    fn ordered(&self, order: v1::ActionOrder) -> Result<(), Ended> {
        let stop_timeout = order.stop_timeout.as_ref().map(|t| duration_from_wire("stop_timeout", t)).transpose()?;
        let verb = order.verb().try_into()?;
        let action = order.action_id;
        let there = order.instance_id.parse().is_ok_and(|instance| {
            let order = Order { action: action.clone(), verb, restart_count: order.restart_count };
            self.roster.order(&instance, order, stop_timeout)
        });
        if !there {
            self.journal.action(ActionReport {
                action,
                state: ActionState::Failed,
                message: format!("instance {} is not on this node", order.instance_id),
                time: clock::wall(),
            });
        }
        Ok(())
    }
}

impl Conversation {
    async fn send(&self, message: Up) -> Result<(), Ended> {
        self.up.send(v1::RunSessionRequest { message: Some(message) }).await.map_err(|_| Ended::Closed)
    }

    async fn beat(&mut self) -> Result<(), Ended> {
        self.beats += 1;
        self.send(Up::Heartbeat(v1::Heartbeat { seq: self.beats })).await
    }

    async fn report(&mut self, journal: &Journal) -> Result<(), Ended> {
        let batch = journal.unconfirmed(BATCH);
        let Some((newest, _)) = batch.last() else { return Ok(()) };
        let mut report = v1::Report { seq: *newest, instances: Vec::new(), actions: Vec::new() };
        self.in_flight = Some(*newest);
        for (_, reported) in &batch {
            match reported {
                Reported::Instance(instance) => report.instances.push(instance.into()),
                Reported::Action(action) => report.actions.push(action.into()),
            }
        }
        self.send(Up::Report(report)).await
    }
}
