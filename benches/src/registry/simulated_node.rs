//! A runner without programs: holds its session, shows that it lives, and
//! reports of every instance it is given that it runs.

use super::our_door::Bearer;
use anyhow::{Result, bail};
use pm_proto::v1::run_session_request::Message;
use pm_proto::v1::run_session_response::Message as Answer;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use pm_proto::v1::{
    Assignment, AssignmentUpdate, Heartbeat, InstancePhase, InstanceReport, Report, RunSessionRequest, SessionHello,
};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

/// As the runner's own default.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Requests that wait for the connection: a heartbeat and a report or two.
const OUTGOING: usize = 8;

/// What the node tells whoever waits for it.
pub(crate) enum Told {
    /// Its session stands.
    Welcome,
    /// So many more of its instances are reported, and the report committed.
    Reported(usize),
}

/// Runs a node's session; it ends only with an error.
pub(crate) async fn run(
    number: u32,
    channel: InterceptedService<Channel, Bearer>,
    told: mpsc::UnboundedSender<Told>,
) -> Result<()> {
    let (requests, outgoing) = mpsc::channel(OUTGOING);
    let send = async |message| requests.send(RunSessionRequest { message: Some(message) }).await;
    send(Message::Hello(hello(number))).await?;
    let mut client = RunnerSessionServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut answers = client.run_session(ReceiverStream::new(outgoing)).await?.into_inner();
    let mut beats = tokio::time::interval(HEARTBEAT);
    let (mut seq, mut beat, mut open) = (0, 0, 0);
    loop {
        tokio::select! {
            _ = beats.tick() => {
                beat += 1;
                send(Message::Heartbeat(Heartbeat { seq: beat })).await?;
            }
            answer = answers.message() => match answer?.and_then(|answer| answer.message) {
                Some(Answer::Welcome(_)) => told.send(Told::Welcome)?,
                Some(Answer::Assignments(update)) if !update.set.is_empty() => {
                    seq += 1;
                    open += update.set.len();
                    send(Message::Report(report(seq, &update))).await?;
                }
                Some(Answer::ReportAck(ack)) if ack.seq == seq => told.send(Told::Reported(std::mem::take(&mut open)))?,
                Some(Answer::Assignments(_) | Answer::Action(_) | Answer::ReportAck(_) | Answer::HeartbeatAck(_)) => {}
                None => bail!("the session of node {number} ended"),
            },
        }
    }
}

fn hello(number: u32) -> SessionHello {
    SessionHello {
        node: format!("node-{number:05}"),
        boot_id: format!("boot-of-node-{number:05}"),
        runner_version: "simulated".to_owned(),
        cpus: 8,
        memory_bytes: 16 << 30,
        epoch: 0,
        term: 0,
    }
}

fn report(seq: u64, update: &AssignmentUpdate) -> Report {
    Report {
        seq,
        instances: update.set.iter().map(|assignment| runs(seq, assignment)).collect(),
        actions: Vec::new(),
        ..Report::default()
    }
}

/// What a runner says once a program has begun.
fn runs(seq: u64, assignment: &Assignment) -> InstanceReport {
    let now = Some(SystemTime::now().into());
    InstanceReport {
        instance_id: assignment.instance_id.clone(),
        seq,
        generation: assignment.generation,
        event_type: "instance.started".to_owned(),
        time: now,
        phase: InstancePhase::Running.into(),
        ready: true,
        pid: 1_000 + assignment.index,
        start_time: now,
        containment: "cgroup-v2".to_owned(),
        ..InstanceReport::default()
    }
}
