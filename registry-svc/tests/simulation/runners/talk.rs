//! The session of a node with whoever leads, as the runner has it: dials one
//! replica after the other, follows whom it is told to, obeys nobody whose
//! successor it has heard.

use super::journal::Reported;
use super::roster::Update;
use super::{Node, host};
use crate::replica::{LEASE, Replica};
use crate::rig::{Pipe, World};
use crate::town::at_address;
use futures::StreamExt as _;
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use process_model::{ActionVerb, Assignment};
use runner_domain::{Leadership, Order};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic_types::StatusExt as _;

/// Orders of earlier sessions that are remembered, to be said once more.
const REMEMBERED: usize = 30;
/// A registry that does not say welcome within this time is not one.
const WELCOME: Duration = Duration::from_secs(4);
const HEARTBEAT: Duration = Duration::from_millis(300);

/// Until the runner ends.
pub(super) async fn run(node: Arc<Node>, world: World<Replica>) {
    let mut next = None;
    let mut heard = VecDeque::new();
    loop {
        let to = next.take().unwrap_or_else(|| node.dice.one_of(&world.ids()));
        next = Talk::begin(&node, &world, to, &mut heard).await;
        if next.is_none() {
            sleep(node.dice.millis(20, 300)).await;
        }
    }
}

struct Talk<'a> {
    node: &'a Arc<Node>,
    to: u64,
    up: Pipe<Result<v1::RunSessionRequest, Status>>,
    /// What was said before, by this leader and those before it.
    heard: &'a mut VecDeque<(Leadership, Down)>,
    epoch: Option<u64>,
    in_flight: Option<u64>,
    parts: Update,
    beats: u64,
    /// Heartbeats without an answer: when they were sent, and whether what belongs here was told before.
    sent: VecDeque<(u64, Instant, bool)>,
    told: bool,
}

type Told = Result<v1::RunSessionResponse, Status>;

impl<'a> Talk<'a> {
    /// One conversation, from its dial to its end; whom to dial next, if somebody was named.
    async fn begin(
        node: &'a Arc<Node>,
        world: &World<Replica>,
        to: u64,
        heard: &'a mut VecDeque<(Leadership, Down)>,
    ) -> Option<u64> {
        let from = host(node.number);
        let life = world.net.reach(from, to).await?;
        let ended = CancellationToken::new();
        // The runner may be gone in the middle of it.
        let _ends = ended.clone().drop_guard();
        let (up, incoming) = world.net.pipe((from, to), (to, life), &ended);
        let (down, told) = world.net.pipe((to, from), (to, life), &ended);
        let (net, falls) = (world.net.clone(), ended.clone());
        tokio::spawn(async move { net.until_it_falls(from, (to, life), &falls).await });
        serve(world, (to, life), incoming, down, ended.clone());
        let (parts, sent) = Default::default();
        let mut talk = Self { node, to, up, heard, epoch: None, in_flight: None, parts, beats: 0, sent, told: false };
        let status = tokio::select! {
            biased;
            () = ended.cancelled() => None,
            status = talk.converse(told) => status,
        };
        ended.cancel();
        node.judge.oracle.count("connection of a runner ended");
        let details = status?.get_details_error_info()?;
        node.judge.oracle.count("runner turned away");
        details.metadata.get("leader").and_then(|leader| at_address(leader))
    }

    async fn converse(&mut self, mut told: UnboundedReceiver<Told>) -> Option<Status> {
        let known = self.node.lock().journal.leadership;
        self.say(Up::Hello(v1::SessionHello {
            node: self.node.name.to_string(),
            boot_id: format!("boot-{}", self.node.lock().keeper.boot),
            runner_version: "1".to_owned(),
            cpus: 2,
            memory_bytes: 1 << 30,
            fences: true,
            epoch: known.epoch,
            term: known.term,
            ..v1::SessionHello::default()
        }));
        let too_late = Instant::now() + WELCOME;
        let mut beats = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                biased;
                message = told.recv() => match message? {
                    Ok(message) => self.hear(message.message?)?,
                    Err(status) => return Some(status),
                },
                _ = beats.tick(), if self.epoch.is_some() => {
                    self.beats += 1;
                    self.sent.push_back((self.beats, Instant::now(), self.told));
                    self.say(Up::Heartbeat(v1::Heartbeat { seq: self.beats }));
                }
                () = self.node.news.notified(), if self.epoch.is_some() => {}
                () = tokio::time::sleep_until(too_late), if self.epoch.is_none() => return None,
                // The connection may look well.
                () = tokio::time::sleep_until(self.gone_at()), if !self.sent.is_empty() => return None,
            }
            self.report();
        }
    }

    /// When the other side is taken for gone.
    fn gone_at(&self) -> Instant {
        self.sent.front().map_or_else(Instant::now, |(_, sent, _)| *sent + LEASE)
    }

    fn say(&self, message: Up) {
        // The end of the connection is told elsewhere.
        self.up.send(Ok(v1::RunSessionRequest { message: Some(message) }));
    }

    fn report(&mut self) {
        if self.epoch.is_none() || self.in_flight.is_some() {
            return;
        }
        let batch = self.node.lock().journal.unconfirmed();
        let Some((newest, _)) = batch.last() else { return };
        let mut report = v1::Report { seq: *newest, ..Default::default() };
        self.in_flight = Some(*newest);
        for (_, reported) in &batch {
            match reported {
                Reported::Instance(instance) => report.instances.push(instance.into()),
                Reported::Action(action) => report.actions.push(action.into()),
                Reported::Run(run) => report.runs.push(run.into()),
            }
        }
        self.say(Up::Report(report));
    }

    /// None: this conversation is over.
    fn hear(&mut self, message: Down) -> Option<()> {
        match message {
            Down::Welcome(welcome) => {
                let said = Leadership { epoch: welcome.epoch, term: welcome.term };
                let known = self.node.lock().journal.cluster.get_or_insert(welcome.cluster_id.clone()).clone();
                if known != welcome.cluster_id {
                    self.node.judge.oracle.violated(format!("cluster {:?} is not {known:?}", welcome.cluster_id));
                }
                self.obey(said, Some(self.to))?;
                self.epoch = Some(welcome.epoch);
                if self.node.lock().journal.has_reports() {
                    self.node.judge.oracle.count("report sent again");
                }
            }
            Down::ReportAck(ack) => {
                let sent = self.in_flight?;
                if sent <= ack.seq {
                    self.in_flight = None;
                }
                self.node.lock().journal.acknowledged(ack.seq.min(sent));
            }
            Down::HeartbeatAck(ack) => {
                let answered = self.sent.iter().find(|(seq, ..)| *seq == ack.seq).copied();
                self.sent.retain(|(seq, ..)| *seq > ack.seq);
                if let Some((_, sent, true)) = answered {
                    self.node.confirm(sent);
                }
            }
            // It says that it takes none of these in.
            Down::Neighbours(_) => {}
            order @ (Down::Assignments(_) | Down::Action(_)) => {
                let epoch = self.epoch?;
                let said = Leadership { epoch, term: term(&order) };
                self.node.judge.oracle.note(|| format!("{} hears {}", self.node.name, in_words(&order)));
                self.heard.push_back((said, order.clone()));
                if self.heard.len() > REMEMBERED {
                    self.heard.pop_front();
                }
                self.obey(said, Some(self.to))?;
                self.order(order);
                self.hear_old()?;
            }
        }
        Some(())
    }

    /// Somebody says once more what a leader before has said.
    fn hear_old(&mut self) -> Option<()> {
        let replays = self.node.lock().replays;
        if replays == 0 || !self.node.dice.permille(replays) {
            return Some(());
        }
        let known = self.node.lock().journal.leadership;
        let old: Vec<_> = self.heard.iter().filter(|(said, _)| *said < known).cloned().collect();
        if old.is_empty() {
            return Some(());
        }
        let (said, order) = self.node.dice.one_of(&old);
        self.obey(said, None)?;
        self.order(order);
        Some(())
    }

    fn obey(&self, said: Leadership, by: Option<u64>) -> Option<()> {
        let known = self.node.lock().journal.leadership;
        if known.outranks(said) {
            self.node.judge.oracle.count("order of a deposed leader refused");
            return None;
        }
        self.node.judge.obeys(&self.node.name, said, by);
        self.node.lock().journal.leadership = known.max(said);
        Some(())
    }

    fn order(&mut self, message: Down) {
        match message {
            Down::Assignments(part) => {
                let set = part.set.iter().map(|assignment| Assignment::try_from(assignment).unwrap());
                self.parts.set.extend(set);
                let removed = part.removed.iter().map(|id| id.parse().unwrap());
                self.parts.removed.extend(removed.zip(part.removed_generations));
                self.parts.full |= part.full;
                if !part.more {
                    self.node.assign(std::mem::take(&mut self.parts));
                    self.told = true;
                }
            }
            Down::Action(action) => {
                let verb = ActionVerb::try_from(action.verb()).unwrap();
                let order = Order {
                    action: action.action_id,
                    verb,
                    restart_count: action.restart_count,
                    signal: action.signal.parse().ok(),
                };
                self.node.ordered(&action.instance_id.parse().unwrap(), order, None);
            }
            Down::Welcome(_) | Down::ReportAck(_) | Down::HeartbeatAck(_) | Down::Neighbours(_) => {}
        }
    }
}

fn in_words(order: &Down) -> String {
    match order {
        Down::Assignments(update) => {
            let set: Vec<_> =
                update.set.iter().map(|a| format!("{} {} {}", a.instance_id, a.generation, a.wanted)).collect();
            format!("term {}: {set:?}, gone {:?}, full {}", update.term, update.removed, update.full)
        }
        Down::Action(action) => format!("term {}: {} of {}", action.term, action.action_id, action.instance_id),
        Down::Welcome(_) | Down::ReportAck(_) | Down::HeartbeatAck(_) | Down::Neighbours(_) => String::new(),
    }
}

fn term(order: &Down) -> u64 {
    match order {
        Down::Assignments(update) => update.term,
        Down::Action(action) => action.term,
        Down::Welcome(_) | Down::ReportAck(_) | Down::HeartbeatAck(_) | Down::Neighbours(_) => 0,
    }
}

/// The registry's end of the connection.
fn serve(
    world: &World<Replica>,
    (to, life): (u64, u64),
    incoming: UnboundedReceiver<Result<v1::RunSessionRequest, Status>>,
    down: Pipe<Told>,
    ended: CancellationToken,
) {
    let running = world.running(to).filter(|running| running.number == life);
    let office = running.and_then(|running| running.service().map(|service| service.office.clone()));
    let Some(office) = office else { return ended.cancel() };
    tokio::spawn(async move {
        let conversation = async {
            match office.receive_runner(UnboundedReceiverStream::new(incoming), ended.clone()).await {
                Ok(mut told) => {
                    while let Some(message) = told.next().await {
                        if !down.send(message) {
                            return;
                        }
                    }
                }
                Err(status) => {
                    down.send(Err(status));
                }
            }
            // What was said last is still on its way.
            let _ = timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
        };
        tokio::select! { biased; () = ended.cancelled() => {} () = conversation => ended.cancel() }
    });
}
