//! The registry session: heartbeats and reports up, assignments and actions
//! down. Dialled by the runner, again and again for as long as it lives; to
//! whichever replica leads, and to no leader that was replaced.

mod conversation;

use super::boot;
use super::journal::Journal;
use super::redial::Redial;
use crate::options::Options;
use crate::roster::Roster;
use conversation::Conversation;
use pm_proto::convert::{WireFault, duration_from_wire};
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use process_model::spec::limits;
use process_model::{ActionVerb, InstanceId};
use runner_domain::{Leadership, Order};
use service_host::client::{ClientContext, ServiceChannel};
use service_host::transport::{AnyChannel, Dial, MAX_ENDPOINTS, TransportError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic_types::StatusExt as _;

/// Messages on their way to the transport: a heartbeat and a report at a time.
const OUTGOING: usize = 4;

/// A registry that does not answer `hello` within this time is not one.
const WELCOME: Duration = Duration::from_secs(10);

/// Between heartbeats, whatever the registry asks for.
const HEARTBEAT: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

pub(crate) struct Session {
    dial: Dial,
    /// Of the client: knows whom to ask.
    channel: AnyChannel,
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
    Contract(#[from] WireFault),
    #[error(
        "this node belongs to cluster {known}, the registry to {theirs}; move the runner's journal away to join another cluster"
    )]
    OtherCluster { known: String, theirs: String },
    #[error(
        "the registry speaks for {said}, but this node has obeyed {known}: a leader that was replaced, or a registry that was set back by hand"
    )]
    Overruled { known: Leadership, said: Leadership },
    #[error("the registry did not say welcome within {} s", WELCOME.as_secs())]
    NoWelcome,
    #[error("the registry sent something before its welcome")]
    TooEarly,
    #[error("told to end")]
    Shutdown,
}

impl From<tonic::Status> for Ended {
    fn from(status: tonic::Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl Session {
    pub(crate) fn new(
        options: &Options,
        dial: &Dial,
        boot_id: &str,
        roster: Roster,
        journal: Journal,
    ) -> Result<Self, TransportError> {
        let channel = dial.channel()?;
        channel.learn(&journal.registries());
        let calling = InterceptedService::new(channel.clone(), ClientContext::new(&options.token)?);
        Ok(Self {
            dial: dial.clone(),
            channel,
            client: RunnerSessionServiceClient::new(calling).max_decoding_message_size(64 << 20),
            hello: v1::SessionHello {
                node: options.node.to_string(),
                boot_id: boot_id.to_owned(),
                runner_version: env!("CARGO_PKG_VERSION").to_owned(),
                cpus: boot::cpus(),
                memory_bytes: boot::memory_bytes(),
                ..v1::SessionHello::default()
            },
            roster,
            journal,
        })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut redial = Redial::new("registry", &self.dial).over(self.channel.clone());
        while redial.reach(&shutdown).await {
            match self.converse(&shutdown).await {
                Ended::Shutdown => return,
                Ended::NoWelcome => {
                    // As long as it took, it was no conversation.
                    redial.begin();
                    if !redial.ended(&Ended::NoWelcome, &shutdown).await {
                        return;
                    }
                }
                ended @ (Ended::Closed
                | Ended::Status(_)
                | Ended::Contract(_)
                | Ended::OtherCluster { .. }
                | Ended::Overruled { .. }
                | Ended::TooEarly) => {
                    if self.looks_elsewhere(&ended) && redial.follow() {
                        continue;
                    }
                    if !redial.ended(&ended, &shutdown).await {
                        return;
                    }
                }
            }
        }
    }

    /// Whom to dial next, by why the last conversation ended. Returns whether
    /// somebody was named.
    fn looks_elsewhere(&self, ended: &Ended) -> bool {
        let leader = match ended {
            Ended::Status(status) if reason_of(status).as_deref() == Some(reason::NO_LEADER) => {
                status.get_details_error_info().and_then(|info| info.metadata.get("leader").cloned())
            }
            // What broke, the channel has seen itself.
            Ended::Status(_) | Ended::NoWelcome | Ended::Shutdown => return false,
            Ended::Closed
            | Ended::Contract(_)
            | Ended::OtherCluster { .. }
            | Ended::Overruled { .. }
            | Ended::TooEarly => None,
        };
        let named = leader.is_some_and(|leader| self.channel.prefer(&leader));
        if !named {
            self.channel.pass_over();
        }
        named
    }

    async fn converse(&mut self, shutdown: &CancellationToken) -> Ended {
        match self.try_converse(shutdown).await {
            Ok(never) => match never {},
            Err(ended) => {
                self.roster.counters().registry_connected(false);
                ended
            }
        }
    }

    async fn try_converse(&mut self, shutdown: &CancellationToken) -> Result<std::convert::Infallible, Ended> {
        let (up, outgoing) = mpsc::channel(OUTGOING);
        let known = self.journal.leadership();
        let hello = v1::SessionHello { epoch: known.epoch, term: known.term, ..self.hello.clone() };
        let hello = v1::RunSessionRequest { message: Some(Up::Hello(hello)) };
        up.send(hello).await.map_err(|_| Ended::Closed)?;
        let too_late = tokio::time::Instant::now() + WELCOME;
        let opening = tokio::time::timeout_at(too_late, self.client.run_session(ReceiverStream::new(outgoing)));
        let mut down = tokio::select! {
            response = opening => response.map_err(|_| Ended::NoWelcome)??.into_inner(),
            () = shutdown.cancelled() => return Err(Ended::Shutdown),
        };
        let mut conversation = Conversation::new(up);
        let mut news = self.journal.news();
        loop {
            tokio::select! {
                message = down.message() => {
                    let message = message?.and_then(|m| m.message).ok_or(Ended::Closed)?;
                    self.hear(message, &mut conversation)?;
                }
                _ = conversation.heartbeat.tick(), if conversation.welcomed => conversation.beat().await?,
                changed = news.changed(), if conversation.may_report() => {
                    changed.map_err(|_| Ended::Shutdown)?;
                    conversation.linger();
                }
                () = sleep_until(conversation.lingers), if conversation.lingers.is_some() => conversation.lingers = None,
                () = tokio::time::sleep_until(too_late), if !conversation.welcomed => return Err(Ended::NoWelcome),
                () = shutdown.cancelled() => return Err(Ended::Shutdown),
            }
            conversation.tell_inventory().await?;
            if conversation.may_report() {
                conversation.report(&self.journal).await?;
            }
        }
    }

    fn hear(&self, message: Down, conversation: &mut Conversation) -> Result<(), Ended> {
        match message {
            Down::Welcome(welcome) => return self.welcomed(&welcome, conversation),
            // Whoever it is, it has not said so.
            Down::Assignments(_) | Down::Action(_) | Down::ReportAck(_) | Down::HeartbeatAck(_)
                if !conversation.welcomed =>
            {
                return Err(Ended::TooEarly);
            }
            Down::Assignments(part) => {
                self.obey(Leadership { epoch: conversation.epoch, term: part.term })?;
                if let Some(update) = conversation.update(part) {
                    self.roster.assign(update);
                }
            }
            Down::Action(order) => {
                self.obey(Leadership { epoch: conversation.epoch, term: order.term })?;
                self.ordered(order);
            }
            Down::ReportAck(ack) => {
                if let Some(seq) = conversation.confirmed(ack.seq) {
                    self.journal.acknowledged(seq);
                }
            }
            // The transport's keep-alive notices a dead registry; the answer is for tracing delays.
            Down::HeartbeatAck(_) => {}
        }
        Ok(())
    }

    fn welcomed(&self, welcome: &v1::SessionWelcome, conversation: &mut Conversation) -> Result<(), Ended> {
        match self.journal.cluster() {
            Some(known) if known != welcome.cluster_id => {
                return Err(Ended::OtherCluster { known, theirs: welcome.cluster_id.clone() });
            }
            Some(_) => {}
            None => self.journal.joined(&welcome.cluster_id),
        }
        self.obey(Leadership { epoch: welcome.epoch, term: welcome.term })?;
        conversation.epoch = welcome.epoch;
        // One that does not say has not forgotten them: it is of an earlier version, or has no address itself.
        if !welcome.registries.is_empty() {
            let known: Vec<String> = welcome.registries.iter().take(MAX_ENDPOINTS).cloned().collect();
            self.channel.learn(&known);
            self.journal.found_registries(known);
        }
        if welcome.observe {
            tracing::info!("the registry only looks on; what runs is left as it is until it was confirmed there");
            conversation.inventory = self.roster.inventory();
        }
        if let Some(interval) = &welcome.heartbeat_interval {
            let interval = duration_from_wire("heartbeat_interval", interval)?;
            conversation.beat_every(interval.clamp(*HEARTBEAT.start(), *HEARTBEAT.end()));
        }
        conversation.welcomed = true;
        self.roster.counters().registry_connected(true);
        tracing::info!(node = self.hello.node, cluster = welcome.cluster_id, "registry session begun");
        Ok(())
    }

    /// Takes note of who speaks; refuses who was replaced.
    fn obey(&self, said: Leadership) -> Result<(), Ended> {
        let known = self.journal.leadership();
        if known.outranks(said) {
            tracing::warn!(%said, %known, "refused what a replaced leader of the registry says");
            return Err(Ended::Overruled { known, said });
        }
        if said > known {
            self.journal.obeyed(said);
        }
        Ok(())
    }

    /// An order that makes no sense fails by itself; the session goes on.
    fn ordered(&self, wire: v1::ActionOrder) {
        match read(&wire) {
            Ok((instance, order, stop_timeout)) => self.roster.order(&instance, order, stop_timeout),
            Err(why) => {
                tracing::error!(action = wire.action_id, why, "cannot read an action");
                self.roster.fail(wire.action_id, why);
            }
        }
    }
}

/// Until then; there is no then: at once.
async fn sleep_until(then: Option<tokio::time::Instant>) {
    if let Some(then) = then {
        tokio::time::sleep_until(then).await;
    }
}

fn read(wire: &v1::ActionOrder) -> Result<(InstanceId, Order, Option<Duration>), String> {
    let told = |fault: WireFault| format!("this runner cannot read the action: {fault}");
    let stop_timeout = wire.stop_timeout.as_ref().map(|t| duration_from_wire("stop_timeout", t)).transpose();
    let stop_timeout = stop_timeout.map_err(told)?.map(|timeout| timeout.min(*limits::STOP_TIMEOUT.end()));
    let verb = ActionVerb::try_from(wire.verb()).map_err(told)?;
    let instance =
        wire.instance_id.parse().map_err(|_| format!("instance {} is not on this node", wire.instance_id))?;
    Ok((instance, Order { action: wire.action_id.clone(), verb, restart_count: wire.restart_count }, stop_timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> v1::ActionOrder {
        v1::ActionOrder {
            action_id: "a".into(),
            verb: v1::ActionVerb::Stop.into(),
            instance_id: "web-1".into(),
            ..v1::ActionOrder::default()
        }
    }

    #[test]
    fn a_stop_timeout_without_an_end_becomes_the_longest_one() {
        let day = pm_proto::convert::duration_to_wire(Duration::from_secs(86_400));
        let (_, _, timeout) = read(&v1::ActionOrder { stop_timeout: Some(day), ..order() }).unwrap();
        assert_eq!(timeout, Some(*limits::STOP_TIMEOUT.end()));
    }

    #[test]
    fn an_action_that_cannot_be_read_says_why() {
        assert!(read(&order()).is_ok());
        let unknown = v1::ActionOrder { verb: 99, ..order() };
        assert!(read(&unknown).unwrap_err().contains("verb"));
        let nobody = v1::ActionOrder { instance_id: "?".into(), ..order() };
        assert!(read(&nobody).unwrap_err().contains("is not on this node"));
    }
}
