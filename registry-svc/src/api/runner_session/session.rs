//! One session: one task that reads, commits, and writes what changed. It
//! never waits for its runner to read while it should be reading itself.

use super::beats::Beats;
use super::introduction::Introduction;
use super::neighbours::Neighbours;
use super::orders::{Told, in_term};
use super::{Said, inbox, is_lost};
use crate::api::status::{bad_field, closing, not_proposed, refused};
use crate::driver::{Answer as Committed, ProposeError};
use crate::office::Office;
use crate::sessions::Place;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{Stream, StreamExt, TryStreamExt as _};
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message;
use pm_proto::v1::run_session_response::Message as Answer;
use registry_domain::{Order, State};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// Reports that are being committed. More are not read until the first is
/// through; heartbeats wait with them, so it is more than a healthy disk ever
/// has outstanding.
const IN_FLIGHT: usize = 64;
/// Answers that the runner has not read. A runner that reads nothing is not
/// read either.
const UNREAD: usize = 256;

type Outgoing = Sender<Result<v1::RunSessionResponse, Status>>;

/// A command on its way, and the number of the report that it came from.
type InFlight = BoxFuture<'static, (Option<u64>, Committed)>;

pub(super) struct Session {
    registry: Arc<Office>,
    hello: Introduction,
    place: Place,
    outgoing: Outgoing,
    outbox: VecDeque<v1::RunSessionResponse>,
    told: Told,
    /// `None`: it takes in nothing of other nodes.
    neighbours: Option<Neighbours>,
    /// What the welcome said. A replica that leads again in another term still
    /// orders nothing that a runner of that term would refuse.
    said: Said,
    /// Actions in the outbox, to be marked once it is empty.
    undelivered: Vec<String>,
    in_flight: FuturesOrdered<InFlight>,
    beats: Beats,
}

/// Why a session ended.
enum End {
    /// The runner has gone; it comes back, or its lease runs out.
    Gone,
    /// We end it, and say why.
    Told(Status),
}

impl From<ProposeError> for End {
    fn from(error: ProposeError) -> Self {
        Self::Told(not_proposed(&error))
    }
}

impl Session {
    pub(super) fn new(
        registry: Arc<Office>,
        hello: Introduction,
        place: Place,
        outgoing: Outgoing,
        (welcome, said): (v1::RunSessionResponse, Said),
    ) -> Self {
        registry.numbers.sessions.inc();
        let beats = Beats::new(registry.assurance.clone(), said.pace);
        let neighbours = hello
            .hears_neighbours
            .then(|| Neighbours::new(hello.node().clone(), registry.view.feed().clone(), registry.lines.clone()));
        Self {
            registry,
            hello,
            place,
            outgoing,
            outbox: VecDeque::from([welcome]),
            told: Told::default(),
            neighbours,
            said,
            undelivered: Vec::new(),
            in_flight: FuturesOrdered::new(),
            beats,
        }
    }

    pub(super) async fn run<S>(mut self, incoming: S, shutdown: CancellationToken)
    where
        S: Stream<Item = Result<v1::RunSessionRequest, Status>> + Unpin,
    {
        let end = match self.converse(incoming, shutdown).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        let node = self.hello.node();
        match end {
            End::Gone => tracing::info!(%node, "a runner disconnected"),
            End::Told(status) => {
                tracing::info!(%node, code = ?status.code(), reason = status.message(), "a runner's session ended");
                // A runner that does not read learns it from the end of the
                // stream.
                let _ = self.outgoing.try_send(Err(status));
            }
        }
    }

    async fn converse<S>(
        &mut self,
        mut incoming: S,
        shutdown: CancellationToken,
    ) -> Result<std::convert::Infallible, End>
    where
        S: Stream<Item = Result<v1::RunSessionRequest, Status>> + Unpin,
    {
        let mut orders = self.registry.view.orders(self.hello.node());
        let mut standing = self.registry.consensus.standing();
        standing.mark_changed();
        let registry = self.registry.clone();
        let replaced = self.place.replaced.clone();
        let outgoing = self.outgoing.clone();
        loop {
            let reading = self.in_flight.len() < IN_FLIGHT && self.outbox.len() < UNREAD;
            tokio::select! {
                () = replaced.cancelled() => return Err(End::Told(why_replaced(&registry))),
                () = shutdown.cancelled() => return Err(End::Told(closing())),
                () = registry.stopped().cancelled() => return Err(End::Told(closing())),
                message = incoming.try_next(), if reading => match message {
                    Ok(Some(request)) => self.take_in(request.message).await?,
                    Ok(None) | Err(_) => return Err(End::Gone),
                },
                Some((seq, committed)) = self.in_flight.next() => self.committed(seq, committed)?,
                known = self.beats.confirmed(), if self.beats.is_waiting() => match known {
                    true => self.answer_beats()?,
                    false => return Err(End::Told(closing())),
                },
                permit = outgoing.reserve(), if !self.outbox.is_empty() => {
                    let permit = permit.map_err(|_| End::Gone)?;
                    if let Some(message) = self.outbox.pop_front() {
                        permit.send(Ok(message));
                    }
                    self.mark_delivered().await?;
                }
                changed = orders.changed(), if self.outbox.is_empty() => match changed {
                    true => self.tell_news()?,
                    false => return Err(End::Told(closing())),
                },
                changed = news_of(&mut self.neighbours), if self.outbox.is_empty() => match changed {
                    true => self.tell_neighbours(),
                    false => return Err(End::Told(closing())),
                },
                changed = standing.changed() => {
                    changed.map_err(|_| End::Told(closing()))?;
                    // A replica that no longer leads grants no leases: the runner has to go to the one that does.
                    if !standing.borrow_and_update().leads() {
                        return Err(End::from(registry.no_leader()));
                    }
                }
            }
        }
    }

    async fn take_in(&mut self, message: Option<Message>) -> Result<(), End> {
        // Whatever it says, it says that it lives.
        match message {
            Some(Message::Heartbeat(beat)) => {
                self.beats.beat(self.hello.node(), beat.seq, &self.registry.leases);
                if is_lost(&self.registry, self.hello.node()) {
                    return Err(End::Told(was_lost()));
                }
                // It was suspected while this sign of life was on its way.
                let order = {
                    let replicated = self.registry.view.read();
                    self.still_there(&replicated.state)?;
                    let news = !self.hello.is_known(&replicated.state);
                    news.then(|| self.hello.order(&replicated.state))
                };
                if let Some(order) = order {
                    self.submit(None, order, 0).await?;
                }
                Ok(())
            }
            Some(Message::Report(report)) => {
                self.beats.heard(self.hello.node(), &self.registry.leases);
                let bytes = prost::Message::encoded_len(&report);
                if let Some(inventory) = inbox::inventory(&self.hello.hello, &report).filter(|_| self.said.observes) {
                    self.submit(None, Order::Inventory(inventory), bytes).await?;
                }
                self.hear_lines(&report);
                if report.seq == 0 {
                    return Ok(());
                }
                // First: who says that an instance is gone has said all of its runs. A replica that does not know of runs
                // could not go on.
                let runs = inbox::runs(&self.hello.hello, &report).map(Order::Runs);
                if let Some(runs) = runs.filter(|runs| crate::levels::has(&self.registry.view, runs)) {
                    self.submit(None, runs, bytes).await?;
                }
                let order = Order::Report(inbox::report(&self.hello.hello, &report));
                self.submit(Some(report.seq), order, bytes).await
            }
            Some(Message::Hello(_)) => {
                Err(End::Told(bad_field("hello", "it came twice", "open another session instead")))
            }
            None => {
                self.beats.heard(self.hello.node(), &self.registry.leases);
                tracing::debug!(node = %self.hello.node(), "a runner says something that only later registries know");
                Ok(())
            }
        }
    }

    async fn submit(&mut self, seq: Option<u64>, order: Order, bytes: usize) -> Result<(), End> {
        let command = self.registry.driver.noted(&format!("node:{}", self.hello.node()), order);
        let pending = self.registry.driver.submit_as_leader(self.said.term, command, bytes).await?;
        self.in_flight.push_back(Box::pin(async move { (seq, pending.answer().await) }));
        Ok(())
    }

    fn committed(&mut self, seq: Option<u64>, committed: Committed) -> Result<(), End> {
        committed?.map_err(|refusal| End::Told(refused(&refusal)))?;
        if let Some(seq) = seq {
            self.answer(Answer::ReportAck(v1::ReportAck { seq }));
        }
        Ok(())
    }

    /// A majority has confirmed this leader after these heartbeats came. Whoever
    /// is not lost by what that majority knows keeps what it has.
    fn answer_beats(&mut self) -> Result<(), End> {
        if is_lost(&self.registry, self.hello.node()) {
            return Err(End::Told(was_lost()));
        }
        let acks = self.beats.answers().map(Answer::HeartbeatAck);
        self.outbox.extend(acks.map(|ack| v1::RunSessionResponse { message: Some(ack) }));
        Ok(())
    }

    fn answer(&mut self, answer: Answer) {
        self.outbox.push_back(v1::RunSessionResponse { message: Some(answer) });
    }

    /// A node that was removed is a new one when it comes again, and is told so
    /// in another session: that it has nothing.
    fn still_there(&self, state: &State) -> Result<(), End> {
        if state.nodes().contains_key(self.hello.node()) { Ok(()) } else { Err(End::Told(removed())) }
    }

    /// Lines of its instances that others wait for.
    fn hear_lines(&self, report: &v1::Report) {
        let Some(neighbours) = self.neighbours.as_ref().filter(|_| !report.lines.is_empty()) else { return };
        let replicated = self.registry.view.read();
        for lines in &report.lines {
            if let Some((instance, started)) = inbox::seen_lines(&self.hello.hello, lines) {
                neighbours.saw(&replicated.state, &instance, started, lines.patterns.clone());
            }
        }
    }

    fn tell_neighbours(&mut self) {
        let registry = self.registry.clone();
        let replicated = registry.view.read();
        let news = self.news_of_neighbours(&replicated.state);
        self.outbox.extend(news);
    }

    fn news_of_neighbours(&mut self, state: &State) -> Option<v1::RunSessionResponse> {
        let update = self.neighbours.as_mut()?.news(state)?;
        let message = v1::RunSessionResponse { message: Some(Answer::Neighbours(update)) };
        Some(in_term(message, self.said.term))
    }

    fn tell_news(&mut self) -> Result<(), End> {
        let registry = self.registry.clone();
        let news = {
            let replicated = registry.view.read();
            if registry.epoch_of(replicated.state.meta()) != self.said.epoch {
                return Err(End::Told(restored()));
            }
            self.still_there(&replicated.state)?;
            if let Some(neighbours) = &mut self.neighbours {
                neighbours.follow(&replicated.state);
            }
            // First what the assignments need to be understood.
            let first = self.news_of_neighbours(&replicated.state);
            self.outbox.extend(first);
            self.told.news(&replicated.state, self.hello.node())
        };
        self.outbox.extend(news.messages.into_iter().map(|message| in_term(message, self.said.term)));
        self.undelivered.extend(news.undelivered);
        Ok(())
    }

    /// The orders are with the connection, which is as much as we can know
    /// before the runner reports.
    async fn mark_delivered(&mut self) -> Result<(), End> {
        if !self.outbox.is_empty() || self.undelivered.is_empty() {
            return Ok(());
        }
        let actions = std::mem::take(&mut self.undelivered);
        let order = Order::ActionsDelivered { node: self.hello.node().clone(), actions };
        self.submit(None, order, 0).await
    }
}

/// Until a node may have to be told something of others.
async fn news_of(neighbours: &mut Option<Neighbours>) -> bool {
    match neighbours {
        Some(neighbours) => neighbours.changed().await,
        None => std::future::pending().await,
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.registry.numbers.sessions.dec();
    }
}

/// The cluster is another one than the node was welcomed in.
fn restored() -> Status {
    let text = "the registry was restored from a backup; begin another session";
    status(Code::Aborted, reason::SESSION_REPLACED, text, &[])
}

/// It was silent for its whole lease; in a new session it learns what still
/// belongs on it before anything is confirmed.
fn was_lost() -> Status {
    let text = "this node was declared lost meanwhile; begin another session";
    status(Code::Aborted, reason::NODE_LOST, text, &[])
}

fn removed() -> Status {
    let text = "the node was removed; begin another session, as a new node";
    status(Code::Aborted, reason::SESSION_REPLACED, text, &[])
}

fn why_replaced(registry: &Office) -> Status {
    if registry.stopped().is_cancelled() {
        return closing();
    }
    status(Code::Aborted, reason::SESSION_REPLACED, "a newer session of this node took over", &[])
}
