//! One session of a simulated runner: hello, welcome, heartbeats as often as it is told, reports of what it was told to
//! run.

use super::programs::Programs;
use super::tally::Tally;
use pm_proto::convert::duration_from_wire;
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use service_host::client::ServiceChannel;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic_types::StatusExt as _;

/// Messages on their way to the transport: a heartbeat and a report at a time.
const OUTGOING: usize = 4;
/// A registry that has not welcomed anybody by then is none.
const WELCOME: Duration = Duration::from_secs(10);
/// Between heartbeats, whatever the registry asks for.
const LEAST: Duration = Duration::from_millis(10);

/// Why a session ended, as far as the next one depends on it.
pub(super) enum Ended {
    /// Come again after so long.
    ToldToWait(Duration),
    /// Somebody else leads.
    Elsewhere(Option<String>),
    /// The connection, or the call on it, broke.
    Broken,
    /// The other side ended it without a word, or says nothing any more.
    Silent,
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        if let Some(wait) = status.get_details_retry_info().and_then(|info| info.retry_delay) {
            return Self::ToldToWait(wait);
        }
        if reason_of(&status).as_deref() == Some(reason::NO_LEADER) {
            let info = status.get_details_error_info();
            return Self::Elsewhere(info.and_then(|info| info.metadata.get("leader").cloned()));
        }
        Self::Broken
    }
}

/// A session that was asked for.
pub(super) struct Conversation<'m> {
    pub(super) hello: v1::SessionHello,
    pub(super) programs: &'m mut Programs,
    pub(super) tally: &'m Tally,
}

/// What a welcome said, as it holds now.
struct Pace {
    beats: Interval,
    lease: Duration,
    heard: Instant,
}

impl Conversation<'_> {
    /// Until its end.
    pub(super) async fn hold(self, client: &mut RunnerSessionServiceClient<ServiceChannel>) -> Ended {
        let Self { hello, programs, tally } = self;
        programs.begin();
        let mut welcomed = false;
        let Err(ended) = converse(client, hello, programs, tally, &mut welcomed).await;
        if welcomed {
            tally.note(|counts| counts.connected -= 1);
        }
        ended
    }
}

async fn converse(
    client: &mut RunnerSessionServiceClient<ServiceChannel>,
    hello: v1::SessionHello,
    programs: &mut Programs,
    tally: &Tally,
    welcomed: &mut bool,
) -> Result<std::convert::Infallible, Ended> {
    let (up, outgoing) = mpsc::channel(OUTGOING);
    let send = async |message| {
        let request = v1::RunSessionRequest { message: Some(message) };
        up.send(request).await.map_err(|_| Ended::Broken)
    };
    send(Up::Hello(hello)).await?;
    let opening = tokio::time::timeout(WELCOME, client.run_session(ReceiverStream::new(outgoing))).await;
    let mut down = opening.map_err(|_| Ended::Silent)??.into_inner();
    let first = tokio::time::timeout(WELCOME, down.message()).await.map_err(|_| Ended::Silent)??;
    let Some(Down::Welcome(welcome)) = first.and_then(|first| first.message) else { return Err(Ended::Silent) };
    let mut pace = Pace::of(&welcome);
    (*welcomed, pace.heard) = (true, Instant::now());
    tally.welcomed();
    let mut seq = 0;
    loop {
        if let Some(report) = programs.report() {
            send(Up::Report(report)).await?;
        }
        tokio::select! {
            _ = pace.beats.tick() => {
                if pace.heard.elapsed() > pace.lease {
                    return Err(Ended::Silent);
                }
                seq += 1;
                send(Up::Heartbeat(v1::Heartbeat { seq })).await?;
            }
            message = down.message() => match told(message, tally)? {
                Down::Assignments(update) => {
                    let new = programs.told(update);
                    tally.note(|counts| counts.assigned += new);
                }
                Down::ReportAck(ack) => {
                    let reported = programs.acknowledged(ack.seq);
                    tally.note(|counts| counts.reported += reported);
                }
                Down::HeartbeatAck(ack) => {
                    pace.heard = Instant::now();
                    let wire = |wire| duration_from_wire("heartbeat_ack", wire).ok();
                    pace.change(ack.heartbeat_interval.as_ref().and_then(wire), ack.lease.as_ref().and_then(wire));
                    tally.beat();
                }
                // There is nothing here that an action could be done to, nor that depends on others.
                Down::Action(_) | Down::Neighbours(_) | Down::Welcome(_) => {}
            },
        }
    }
}

/// What the registry said, or why it says nothing more.
fn told(message: Result<Option<v1::RunSessionResponse>, Status>, tally: &Tally) -> Result<Down, Ended> {
    match message {
        Ok(Some(v1::RunSessionResponse { message: Some(message) })) => Ok(message),
        Ok(_) => Err(Ended::Silent),
        Err(status) => {
            if reason_of(&status).as_deref() == Some(reason::NODE_LOST) {
                tally.note(|counts| counts.told_lost += 1);
            }
            Err(status.into())
        }
    }
}

impl Pace {
    fn of(welcome: &v1::SessionWelcome) -> Self {
        let lease = Duration::from_secs(10);
        let mut pace = Self { beats: every(Duration::from_secs(1)), lease, heard: Instant::now() };
        let wire = |wire| duration_from_wire("welcome", wire).ok();
        pace.change(welcome.heartbeat_interval.as_ref().and_then(wire), welcome.lease.as_ref().and_then(wire));
        pace
    }

    fn change(&mut self, interval: Option<Duration>, lease: Option<Duration>) {
        if let Some(interval) = interval {
            self.beats = every(interval.max(LEAST));
        }
        self.lease = lease.unwrap_or(self.lease);
    }
}

fn every(interval: Duration) -> Interval {
    let mut beats = tokio::time::interval(interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats
}
