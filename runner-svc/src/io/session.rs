//! The registry session: heartbeats and reports up, assignments and actions
//! down. Dialled by the runner, again and again for as long as it lives; to
//! whichever replica leads, and to no leader that was replaced.

mod beats;
mod conversation;
mod neighbours;
mod ordered;

use super::boot;
use super::journal::Journal;
use super::redial::Redial;
use crate::lease::NodeLease;
use crate::options::Options;
use crate::roster::Roster;
use crate::units::Units;
use conversation::Conversation;
use ordered::{Ordered, read};
use pm_proto::convert::{WireFault, duration_from_wire};
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use runner_domain::Leadership;
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

/// Whoever answers within this time is there, whatever lease it gives.
const LEAST_LEASE: Duration = Duration::from_millis(500);

/// Nobody is sent away for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(crate) struct Session {
    dial: Dial,
    /// Of the client: knows whom to ask.
    channel: AnyChannel,
    client: RunnerSessionServiceClient<ServiceChannel>,
    hello: v1::SessionHello,
    roster: Roster,
    journal: Journal,
    units: Units,
    lease: NodeLease,
    /// The registry may have forgotten what it was told: it was restored, or
    /// recovered by force. It hears it again once it says what belongs here.
    tells_again: bool,
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
    #[error("the registry has answered no heartbeat for half of the lease")]
    Silent,
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
        lease: NodeLease,
    ) -> Result<Self, TransportError> {
        let channel = dial.channel()?;
        channel.learn(&journal.registries());
        let calling = InterceptedService::new(channel.clone(), ClientContext::over(dial, &options.token)?);
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
                fences: true,
                hears_neighbours: true,
                labels: options.labels.clone(),
                os: std::env::consts::OS.to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
                kernel: boot::kernel(),
                ..v1::SessionHello::default()
            },
            units: Units::new(journal.clone(), roster.surroundings()),
            roster,
            journal,
            lease,
            tells_again: false,
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
                | Ended::Silent
                | Ended::TooEarly) => {
                    if let Some(wait) = told_to_wait(&ended) {
                        if !redial.later(wait, &ended, &shutdown).await {
                            return;
                        }
                        continue;
                    }
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
            | Ended::Silent
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
        let mut lines = self.roster.lines();
        // What was told in an earlier session was told to somebody else.
        lines.mark_changed();
        loop {
            tokio::select! {
                message = down.message() => match message?.ok_or(Ended::Closed)?.message {
                    Some(message) => self.hear(message, &mut conversation)?,
                    // Whoever has to be understood asks first whether it is.
                    None => tracing::debug!("the registry says something that only later runners know"),
                },
                _ = conversation.heartbeat.tick(), if conversation.welcomed => conversation.beat().await?,
                changed = news.changed(), if conversation.may_report() => {
                    changed.map_err(|_| Ended::Shutdown)?;
                    conversation.linger();
                }
                changed = lines.changed(), if conversation.lines.is_asked() => {
                    changed.map_err(|_| Ended::Shutdown)?;
                    let seen = lines.borrow_and_update().clone();
                    conversation.tell_lines(&seen).await?;
                }
                () = sleep_until(conversation.lingers), if conversation.lingers.is_some() => conversation.lingers = None,
                () = tokio::time::sleep_until(too_late), if !conversation.welcomed => return Err(Ended::NoWelcome),
                // The connection may look well for as long as its keep-alive, and a registry that hangs for ever.
                () = sleep_until(conversation.beats.gone_at()), if conversation.beats.gone_at().is_some() => {
                    return Err(Ended::Silent);
                }
                () = shutdown.cancelled() => return Err(Ended::Shutdown),
            }
            conversation.tell_inventory().await?;
            if conversation.may_report() {
                conversation.report(&self.journal).await?;
            }
        }
    }

    fn hear(&mut self, message: Down, conversation: &mut Conversation) -> Result<(), Ended> {
        match message {
            Down::Welcome(welcome) => return self.welcomed(&welcome, conversation),
            // Whoever it is, it has not said so.
            Down::Assignments(_)
            | Down::Action(_)
            | Down::ReportAck(_)
            | Down::HeartbeatAck(_)
            | Down::Neighbours(_)
                if !conversation.welcomed =>
            {
                return Err(Ended::TooEarly);
            }
            Down::Assignments(part) => {
                self.obey(Leadership { epoch: conversation.epoch, term: part.term })?;
                if let Some(update) = conversation.update(part) {
                    self.roster.assign(update);
                    if std::mem::take(&mut self.tells_again) {
                        self.roster.tell_again();
                    }
                    conversation.told();
                }
            }
            Down::Action(order) => {
                self.obey(Leadership { epoch: conversation.epoch, term: order.term })?;
                self.ordered(order);
            }
            Down::Neighbours(update) => {
                self.obey(Leadership { epoch: conversation.epoch, term: update.term })?;
                self.roster.hear(neighbours::read(&update));
                conversation.lines.ask();
            }
            Down::ReportAck(ack) => {
                if let Some(seq) = conversation.confirmed(ack.seq) {
                    self.journal.acknowledged(seq);
                }
            }
            Down::HeartbeatAck(ack) => {
                if let Some(sent) = conversation.beats.answered(ack.seq) {
                    self.lease.confirm(sent);
                }
                Self::paced(ack.heartbeat_interval.as_ref(), ack.lease.as_ref(), conversation)?;
            }
        }
        Ok(())
    }

    fn welcomed(&mut self, welcome: &v1::SessionWelcome, conversation: &mut Conversation) -> Result<(), Ended> {
        match self.journal.cluster() {
            Some(known) if known != welcome.cluster_id => {
                return Err(Ended::OtherCluster { known, theirs: welcome.cluster_id.clone() });
            }
            Some(_) => {}
            None => self.journal.joined(&welcome.cluster_id),
        }
        let known = self.journal.leadership().epoch;
        self.obey(Leadership { epoch: welcome.epoch, term: welcome.term })?;
        conversation.epoch = welcome.epoch;
        self.tells_again |= welcome.observe || known != 0 && welcome.epoch > known;
        // One that does not say has not forgotten them: it is of an earlier version, or has no address itself.
        if !welcome.registries.is_empty() {
            let known: Vec<String> = welcome.registries.iter().take(MAX_ENDPOINTS).cloned().collect();
            self.channel.learn(&known);
            self.journal.found_registries(known);
        }
        if welcome.observe {
            tracing::info!("the registry only looks on; what runs is left as it is until it was confirmed there");
            conversation.inventory = self.roster.inventory();
            // Nobody is told anything, so nothing is placed elsewhere.
            conversation.told();
        }
        Self::paced(welcome.heartbeat_interval.as_ref(), welcome.lease.as_ref(), conversation)?;
        conversation.welcomed = true;
        self.roster.counters().registry_connected(true);
        tracing::info!(node = self.hello.node, cluster = welcome.cluster_id, "registry session begun");
        Ok(())
    }

    /// How often to show that this node lives, and how long no answer is none.
    fn paced(
        interval: Option<&prost_types::Duration>,
        lease: Option<&prost_types::Duration>,
        conversation: &mut Conversation,
    ) -> Result<(), Ended> {
        if let Some(interval) = interval {
            let interval = duration_from_wire("heartbeat_interval", interval)?;
            conversation.beat_every(interval.clamp(*HEARTBEAT.start(), *HEARTBEAT.end()));
        }
        if let Some(lease) = lease {
            conversation.beats.set_lease(duration_from_wire("lease", lease)?.max(LEAST_LEASE));
        }
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
        // Told again, because the registry has not heard yet what became of it.
        if self.journal.has_ended(&wire.action_id) {
            return;
        }
        match read(&wire) {
            Ok(Ordered::Instance(instance, order, stop_timeout)) => self.roster.order(&instance, order, stop_timeout),
            Ok(Ordered::Unit(order)) => self.units.order(order),
            Err(why) => {
                tracing::error!(action = wire.action_id, why, "cannot read an action");
                self.roster.fail(wire.action_id, why);
            }
        }
    }
}

/// So long whoever leads wants us to wait, as many others come, too.
fn told_to_wait(ended: &Ended) -> Option<Duration> {
    let Ended::Status(status) = ended else { return None };
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay)?;
    Some(wait.min(LONGEST_WAIT))
}

/// Until then; there is no then: at once.
async fn sleep_until(then: Option<tokio::time::Instant>) {
    if let Some(then) = then {
        tokio::time::sleep_until(then).await;
    }
}
