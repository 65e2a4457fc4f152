//! The link to the keeper: requests out, events to the task whose run they are
//! about. When the keeper is gone, a new one is started, what the old one's
//! runs left behind is ended, and only then are their instances told that they
//! are lost.
//!
//! | file | what |
//! |---|---|
//! | `wire` | one connection |
//! | `ledger` | what was asked and answered, so what a break means for each run |
//! | `routes` | which task hears of which run |

mod ledger;
mod routes;
mod wire;

use super::leftovers::{self, MainProcess};
use super::{limits, orphans};
use crate::clock;
use ledger::Ledger;
use process_model::Timestamp;
use process_model::spec::Signal;
use routes::Routes;
use runner_domain::{Input, RunId, SpawnError};
use runner_keeper::protocol::{Ending, Event, Request, RunRecord};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use wire::Wire;

/// Between two tries to reach a keeper: at first, and at most.
const SHORTEST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// A connection that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(1);

/// What the keeper says, for the instance that it is about.
#[derive(Debug)]
pub(crate) enum KeeperNews {
    /// An input for the machine; boxed, because a channel keeps room for 32.
    Input(Box<Input>),
    /// The main process of a run, with its identity.
    Main(MainProcess),
    /// The keeper is gone, and the run with it: what it left has been ended.
    Lost(RunId),
}

/// Cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct KeeperLink {
    requests: mpsc::UnboundedSender<Request>,
    routes: Routes,
    /// True once the keeper has ended because it was told to.
    ended: watch::Receiver<bool>,
}

impl KeeperLink {
    /// Connects to the keeper of `state_dir`, starting one when there is none.
    /// Returns what it holds.
    pub(crate) async fn open(state_dir: &Path) -> io::Result<(Self, Vec<RunRecord>)> {
        orphans::adopt();
        let (wire, records) = Wire::open(state_dir).await?;
        // After the keeper: it hands our limit on to programs.
        limits::raise_open_files();
        // Unbounded: the producers are instance tasks, each with at most a few requests outstanding.
        let (requests, outbox) = mpsc::unbounded_channel();
        let routes = Routes::starting_with(records.iter().map(|record| record.run));
        let (ended_tx, ended) = watch::channel(false);
        let mut ledger = Ledger::default();
        ledger.reconcile(&records, true);
        let conversation =
            Conversation { state_dir: state_dir.to_owned(), wire, outbox, routes: routes.clone(), ledger };
        tokio::spawn(conversation.run(ended_tx));
        Ok((Self { requests, routes, ended }, records))
    }

    /// From now on, news of `run` go to `inbox`.
    pub(crate) fn route(&self, run: RunId, inbox: mpsc::UnboundedSender<KeeperNews>) {
        self.routes.claim(run.0, inbox);
    }

    /// Queues a request. It is lost only with the keeper itself, which the
    /// instance is told.
    pub(crate) fn send(&self, request: Request) {
        if let Request::Forget { run } = &request {
            self.routes.release(*run);
        }
        let _ = self.requests.send(request);
    }

    /// Tells the keeper to end, and waits until it has. It stays when
    /// something of a run is still alive.
    pub(crate) async fn shutdown(&mut self, patience: Duration) -> bool {
        self.send(Request::Shutdown);
        matches!(tokio::time::timeout(patience, self.ended.wait_for(|ended| *ended)).await, Ok(Ok(_)))
    }
}

/// Why a conversation is over.
enum Over {
    /// Nobody has anything to say any more.
    NoSpeaker,
    /// The connection has ended.
    Broken,
}

/// Owns the connection for as long as the runner lives.
struct Conversation {
    state_dir: PathBuf,
    wire: Wire,
    outbox: mpsc::UnboundedReceiver<Request>,
    routes: Routes,
    ledger: Ledger,
}

impl Conversation {
    async fn run(mut self, ended: watch::Sender<bool>) {
        let mut delay = SHORTEST_DELAY;
        loop {
            let begun = clock::monotonic();
            match self.converse().await {
                Ok(Over::NoSpeaker) => return,
                Ok(Over::Broken) => {}
                Err(e) => tracing::error!(error = %e, "keeper connection broke"),
            }
            if clock::monotonic() - begun < STEADY {
                // A connection that breaks again and again is no reason to be busy.
                pause(&mut delay).await;
            } else {
                delay = SHORTEST_DELAY;
            }
            if let ControlFlow::Break(gone) = self.reconnect().await {
                let _ = ended.send(gone);
                return;
            }
        }
    }

    /// Until the stream ends or breaks.
    async fn converse(&mut self) -> io::Result<Over> {
        loop {
            if self.ledger.has_unsent() {
                let (taken, outcome) = self.wire.write(&self.ledger.burst()).await;
                self.ledger.written(taken);
                outcome?;
            }
            tokio::select! {
                event = self.wire.next() => match event? {
                    Some(event) => self.hear(event),
                    None => return Ok(Over::Broken),
                },
                request = self.outbox.recv() => {
                    let Some(request) = request else { return Ok(Over::NoSpeaker) };
                    self.queue(request);
                    self.take_in_requests();
                }
            }
        }
    }

    fn queue(&mut self, request: Request) {
        if let Some(answer) = self.ledger.queue(request) {
            self.hear(answer);
        }
    }

    fn take_in_requests(&mut self) {
        while let Ok(request) = self.outbox.try_recv() {
            self.queue(request);
        }
    }

    fn hear(&mut self, event: Event) {
        self.ledger.heard(&event);
        let (run, over, news) = match event {
            Event::Spawned { run, pid, start_time, started_at } => {
                self.routes.give(run, KeeperNews::Main(MainProcess { pid, start_time }));
                (run, false, Input::Spawned { run: RunId(run), pid, started: Timestamp(started_at) })
            }
            Event::SpawnFailed { run, stage, message } => {
                (run, true, Input::SpawnFailed { run: RunId(run), error: SpawnError { stage, message } })
            }
            Event::Exited { run, ending } => (run, ending.tree_empty, exited(run, ending)),
            Event::TreeEmptied { run } => (run, true, Input::TreeEmptied { run: RunId(run) }),
            Event::ShutdownRefused { alive } => {
                return tracing::warn!(alive, "the keeper stays: something is still alive");
            }
            Event::Welcome { .. } => return,
        };
        if !self.routes.give(run, KeeperNews::Input(Box::new(news))) {
            self.disown(run, over);
        }
    }

    /// A run that is nobody's must not go on unseen, beside another of the
    /// same instance.
    fn disown(&mut self, run: u64, over: bool) {
        if !over {
            tracing::warn!(run, "the keeper holds a run that is nobody's; ending it");
            self.queue(Request::SignalTree { run, signal: Signal::KILL.number() });
        }
        // Taken only once it is over: then its last event leads here again.
        self.queue(Request::Forget { run });
    }

    /// Connects anew, for as long as it takes, starting a keeper when there is
    /// none. A keeper that was told to end is not started again; whether it is
    /// gone is the end of this link.
    async fn reconnect(&mut self) -> ControlFlow<bool> {
        let mut delay = SHORTEST_DELAY;
        loop {
            self.take_in_requests();
            let to_end = self.ledger.is_shutting_down();
            let connected = if to_end { Wire::join(&self.state_dir).await } else { Wire::open(&self.state_dir).await };
            match connected {
                Ok((wire, records)) => {
                    let same_keeper = wire.keeper == self.wire.keeper;
                    self.wire = wire;
                    self.catch_up(&records, same_keeper).await;
                    return ControlFlow::Continue(());
                }
                Err(e) if to_end && wire::is_nobody(&e) => {
                    // The socket goes before the process is gone; whoever waits wants it gone.
                    let dir = self.state_dir.clone();
                    let waited = tokio::task::spawn_blocking(move || runner_keeper::wait_until_gone(&dir)).await;
                    self.catch_up(&[], false).await;
                    return ControlFlow::Break(matches!(waited, Ok(Ok(()))));
                }
                Err(e) if to_end => {
                    tracing::error!(error = %e, "the keeper does not end");
                    return ControlFlow::Break(false);
                }
                Err(e) => {
                    tracing::error!(error = %e, "cannot reach a keeper; trying again");
                    pause(&mut delay).await;
                }
            }
        }
    }

    /// Brings the instances up to date after a break: a new keeper does not
    /// have the runs of the old one, the same keeper may have seen endings
    /// meanwhile.
    async fn catch_up(&mut self, records: &[RunRecord], same_keeper: bool) {
        self.take_in_requests();
        let (runs, lost): (Vec<u64>, Vec<_>) = self.ledger.reconcile(records, same_keeper).into_iter().unzip();
        if !same_keeper && !runs.is_empty() {
            let ended = leftovers::end(lost).await;
            tracing::warn!(
                runs = runs.len(),
                processes = ended,
                "runs lost with their keeper; their processes were ended"
            );
        }
        for run in runs {
            self.routes.give(run, KeeperNews::Lost(RunId(run)));
            self.routes.release(run);
        }
        for record in records {
            let (run, pid, start_time, started_at) = (record.run, record.pid, record.start_time, record.started_at);
            if !self.routes.knows(run) {
                self.disown(run, record.ending.as_ref().is_some_and(|ending| ending.tree_empty));
                continue;
            }
            self.hear(Event::Spawned { run, pid, start_time, started_at });
            if let Some(ending) = record.ending.clone() {
                self.hear(Event::Exited { run, ending });
            }
        }
    }
}

/// Waits, longer each time.
async fn pause(delay: &mut Duration) {
    tokio::time::sleep(delay.mul_f64(0.5 + clock::roll())).await;
    *delay = (*delay * 2).min(LONGEST_DELAY);
}

/// What the keeper says of an ending, for the machine.
pub(crate) fn exited(run: u64, ending: Ending) -> Input {
    Input::Exited { run: RunId(run), status: ending.status, at: Timestamp(ending.at), tree_empty: ending.tree_empty }
}
