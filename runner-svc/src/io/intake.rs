//! The monitor's intake: samples and the inventory up, log readings asked for
//! from above. Dialled by the runner, again and again for as long as it lives.

use super::redial::Redial;
use super::sampler::Sampler;
use super::tails::Tails;
use crate::options::Options;
use crate::roster::Roster;
use pm_proto::v1;
use pm_proto::v1::monitor_intake_service_client::MonitorIntakeServiceClient;
use pm_proto::v1::run_intake_request::Message as Up;
use pm_proto::v1::run_intake_response::Message as Down;
use service_host::client::{ServiceChannel, service_channel};
use service_host::transport::{Dial, TransportError};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Messages on their way to the transport: each log reading may have a chunk
/// waiting without holding up samples for long.
const OUTGOING: usize = 16;

/// Time that a new instance gets before it is first measured: a start takes
/// milliseconds, many at once take longer.
const SETTLING: Duration = Duration::from_secs(1);

pub(crate) struct Intake {
    dial: Dial,
    client: MonitorIntakeServiceClient<ServiceChannel>,
    node: String,
    log_dir: PathBuf,
    interval: Duration,
    roster: Roster,
    /// Lent to the measuring thread while it works.
    sampler: Option<Sampler>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the monitor closed the stream")]
    Closed,
    #[error("{}: {}", .0.code(), .0.message())]
    Status(Box<tonic::Status>),
    #[error("told to end")]
    Shutdown,
}

impl From<tonic::Status> for Ended {
    fn from(status: tonic::Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl Intake {
    pub(crate) fn new(options: &Options, dial: &Dial, roster: Roster) -> Result<Self, TransportError> {
        let channel = service_channel(dial, &options.token)?;
        Ok(Self {
            dial: dial.clone(),
            client: MonitorIntakeServiceClient::new(channel),
            node: options.node.to_string(),
            log_dir: options.log_dir.clone(),
            interval: options.sample_interval,
            roster,
            sampler: Some(Sampler::new(options.node.clone())),
        })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut redial = Redial::new("monitor", &self.dial);
        while redial.reach(&shutdown).await {
            match self.converse(&shutdown).await {
                Ok(never) => match never {},
                Err(Ended::Shutdown) => return,
                Err(ended) => {
                    if !redial.ended(&ended, &shutdown).await {
                        return;
                    }
                }
            }
        }
    }

    async fn converse(&mut self, shutdown: &CancellationToken) -> Result<std::convert::Infallible, Ended> {
        let (up, outgoing) = mpsc::channel(OUTGOING);
        send(&up, Up::Hello(v1::IntakeHello { node: self.node.clone() })).await?;
        let mut changes = self.roster.changes();
        send(&up, self.inventory()).await?;
        let opening = self.client.run_intake(ReceiverStream::new(outgoing));
        let mut down = tokio::select! {
            response = opening => response?.into_inner(),
            () = shutdown.cancelled() => return Err(Ended::Shutdown),
        };
        let mut tails = Tails::new(up.clone(), self.log_dir.clone());
        let mut rounds = tokio::time::interval(self.interval);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What has just been started is measured soon, not after a whole interval.
        let mut soon: Option<Instant> = None;
        loop {
            tokio::select! {
                message = down.message() => {
                    let message = message?.and_then(|m| m.message).ok_or(Ended::Closed)?;
                    self.hear(message, &mut tails);
                }
                _ = rounds.tick() => {
                    let batch = self.measure().await;
                    send(&up, Up::Samples(batch)).await?;
                }
                changed = changes.changed() => {
                    changed.map_err(|_| Ended::Shutdown)?;
                    send(&up, self.inventory()).await?;
                    soon.get_or_insert_with(|| Instant::now() + SETTLING);
                }
                () = sleep_until(soon) => {
                    soon = None;
                    rounds.reset_immediately();
                }
                () = shutdown.cancelled() => return Err(Ended::Shutdown),
            }
        }
    }

    fn hear(&self, message: Down, tails: &mut Tails) {
        match message {
            Down::Tail(request) => {
                let seen = request.instance_id.parse().ok().and_then(|id| self.roster.seen_of(&id));
                tails.begin(&request, seen.as_ref());
            }
            Down::Credit(credit) => tails.credit(credit),
            Down::Cancel(cancel) => tails.cancel(cancel.request_id),
        }
    }

    fn inventory(&self) -> Up {
        let items = self
            .roster
            .seen()
            .into_iter()
            .map(|(id, _)| v1::InventoryItem { process: id.process.to_string(), instance_id: id.to_string() });
        Up::Inventory(v1::Inventory { items: items.collect() })
    }

    /// Measures on a thread of its own: with many instances it takes
    /// milliseconds, and supervision does not wait for it.
    async fn measure(&mut self) -> v1::SampleBatch {
        let instances = self.roster.seen();
        let Some(mut sampler) = self.sampler.take() else { return v1::SampleBatch::default() };
        let measured = tokio::task::spawn_blocking(move || {
            let measured = sampler.measure(&instances);
            (sampler, measured)
        });
        match measured.await {
            Ok((sampler, (instances, node))) => {
                self.sampler = Some(sampler);
                v1::SampleBatch {
                    instances: instances.iter().map(Into::into).collect(),
                    node: node.as_ref().map(Into::into),
                }
            }
            Err(e) => {
                tracing::error!(error = %e, "measuring ended; no more samples from this runner");
                v1::SampleBatch::default()
            }
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn send(up: &mpsc::Sender<v1::RunIntakeRequest>, message: Up) -> Result<(), Ended> {
    up.send(v1::RunIntakeRequest { message: Some(message) }).await.map_err(|_| Ended::Closed)
}
