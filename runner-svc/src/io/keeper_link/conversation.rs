//! Owns the connection for as long as the runner lives: writes what is to be
//! asked, passes on what is said, and finds or starts another keeper when the
//! connection breaks.

use super::health::Health;
use super::ledger::{Ledger, Reconciled};
use super::routes::Routes;
use super::wire::{self, Wire};
use super::{KeeperNews, Rotated, exited};
use crate::clock;
use crate::io::leftovers::{self, Lost, MainProcess};
use crate::io::orphans;
use process_model::Timestamp;
use process_model::spec::Signal;
use runner_domain::{Input, RunId, SpawnError};
use runner_keeper::protocol::{Event, Request, RunRecord};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};

/// Between two tries to reach a keeper: at first, and at most.
const SHORTEST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// A keeper that is gone has said everything; one that cut us off hangs up at once.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(1);

/// Why a conversation is over.
enum Over {
    /// Nobody has anything to say any more.
    NoSpeaker,
    /// The connection has ended.
    Broken,
}

/// Owns the connection for as long as the runner lives.
pub(super) struct Conversation {
    state_dir: PathBuf,
    wire: Wire,
    /// Who of a lost keeper's ended, and was collected by us.
    endings: mpsc::UnboundedReceiver<orphans::Ended>,
    outbox: mpsc::UnboundedReceiver<Request>,
    routes: Routes,
    ledger: Ledger,
    rotations: broadcast::Sender<Rotated>,
    health: Health,
}

impl Conversation {
    pub(super) fn new(
        state_dir: &Path,
        wire: Wire,
        endings: mpsc::UnboundedReceiver<orphans::Ended>,
        outbox: mpsc::UnboundedReceiver<Request>,
        rotations: broadcast::Sender<Rotated>,
        health: Health,
    ) -> Self {
        let (state_dir, routes, ledger) = (state_dir.to_owned(), Routes::default(), Ledger::default());
        Self { state_dir, wire, endings, outbox, routes, ledger, rotations, health }
    }

    pub(super) fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// Takes in what the keeper holds; what is left of `records` is for the
    /// instances.
    pub(super) fn begin(&mut self, records: &mut Vec<RunRecord>) {
        self.greeted();
        self.ledger.reconcile(records, true);
        // Hooks and probes of the runner before: whoever waited for them is gone.
        for task in records.extract_if(.., |record| record.is_task) {
            tracing::info!(instance = task.instance, pid = task.pid, "ending a command of the runner before");
            self.disown(task.run, task.ending.as_ref().is_some_and(|ending| ending.tree_empty));
        }
        self.routes.expect(records.iter().map(|record| record.run));
        self.upgrade();
    }

    fn greeted(&mut self) {
        let wire = &self.wire;
        self.health.connected(wire.keeper.0, wire.version, &wire.build, (&wire.containment, &wire.containment_note));
        self.ledger.heard(&wire.greeting(), Vec::new());
    }

    pub(super) async fn run(mut self, ended: watch::Sender<bool>) {
        let mut delay = SHORTEST_DELAY;
        loop {
            let begun = clock::monotonic();
            match self.converse().await {
                Ok(Over::NoSpeaker) => return,
                Ok(Over::Broken) => {}
                Err(e) => tracing::error!(error = %e, "keeper connection broke"),
            }
            self.last_words().await;
            self.health.broken();
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
            self.write().await?;
            tokio::select! {
                event = self.wire.next() => match event? {
                    Some((event, descriptors)) => self.take(event, descriptors).await,
                    None => return Ok(Over::Broken),
                },
                Some(ended) = self.endings.recv() => self.ledger.collected(ended.process, ended.status),
                request = self.outbox.recv() => {
                    let Some(request) = request else { return Ok(Over::NoSpeaker) };
                    self.queue(request);
                    self.take_in_requests();
                }
            }
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        while self.ledger.has_unsent() {
            let burst = self.ledger.burst();
            let (taken, outcome) = self.wire.write(&burst.bytes, &burst.descriptors).await;
            self.ledger.written(taken);
            outcome?;
        }
        Ok(())
    }

    /// Asks a keeper of another build to become this one, once for each
    /// connection: two builds never take turns.
    fn upgrade(&mut self) {
        let own = runner_keeper::build();
        if self.wire.version < 2 || self.wire.build == own {
            return;
        }
        match self.wire.own_program() {
            Ok(program) => {
                tracing::info!(from = self.wire.build, to = own, "upgrading the keeper");
                self.queue(Request::Upgrade { program });
            }
            Err(e) => tracing::warn!(error = %e, "cannot tell the keeper which program to become"),
        }
    }

    /// Takes in what the keeper has said before it went: that a write failed
    /// may be noticed first.
    async fn last_words(&mut self) {
        while let Ok(Ok(Some((event, descriptors)))) = tokio::time::timeout(LAST_WORDS, self.wire.next()).await {
            self.take(event, descriptors).await;
        }
    }

    fn queue(&mut self, request: Request) {
        if let Some(answer) = self.ledger.queue(request) {
            self.hear(answer, Vec::new());
        }
    }

    fn take_in_requests(&mut self) {
        while let Ok(request) = self.outbox.try_recv() {
            self.queue(request);
        }
    }

    /// What the keeper says, of which some takes longer.
    async fn take(&mut self, event: Event, descriptors: Vec<OwnedFd>) {
        if let Event::AdoptFailed { run, message } = &event {
            tracing::error!(run, message, "the new keeper cannot take a run over");
            if let Some(lost) = self.ledger.give_up(*run) {
                self.lose(vec![lost]).await;
            }
        }
        self.hear(event, descriptors);
    }

    fn hear(&mut self, event: Event, descriptors: Vec<OwnedFd>) {
        self.ledger.heard(&event, descriptors);
        let (run, over, news) = match event {
            Event::Spawned { run, pid, start_time, started_at } => {
                self.routes.give(run, KeeperNews::Main(MainProcess { pid, start_time }));
                (run, false, Input::Spawned { run: RunId(run), pid, started: Timestamp(started_at) })
            }
            Event::SpawnFailed { run, stage, message } => {
                (run, true, Input::SpawnFailed { run: RunId(run), error: SpawnError { stage, message } })
            }
            Event::Exited { run, ending } => (run, ending.tree_empty, exited(run, ending)),
            Event::Fenced { run } => (run, false, Input::Fenced { run: RunId(run) }),
            Event::TreeEmptied { run } => (run, true, Input::TreeEmptied { run: RunId(run) }),
            Event::ShutdownRefused { alive } => {
                return tracing::warn!(alive, "the keeper stays: something is still alive");
            }
            Event::Notified { run, text } => {
                (run, false, Input::Notified { run: RunId(run), words: runner_domain::notify::parse(&text) })
            }
            Event::LimitReached { run, message } => (run, false, Input::LimitReached { run: RunId(run), message }),
            Event::LogTrouble { run, message, dropped } => {
                (run, false, Input::LogTrouble { run: RunId(run), message, dropped })
            }
            Event::Rotated { instance, path } => {
                // Nobody listens, or too slowly: whoever compresses looks at the folder now and then.
                let _ = self.rotations.send(Rotated { instance, path });
                return;
            }
            Event::UpgradeFailed { message } => {
                return tracing::warn!(message, "the keeper stays as it was: it cannot become this version");
            }
            Event::Welcome { version, pid, build, containment, containment_note, .. } => {
                tracing::info!(pid, build, "the keeper is another program now");
                return self.health.connected(pid, version, &build, (&containment, &containment_note));
            }
            Event::Survivors { run, pids } => {
                // Whoever reports that a stop has failed looks who is left by then.
                return tracing::warn!(run, ?pids, "still there after SIGKILL");
            }
            Event::Handed { .. } | Event::AdoptFailed { .. } => return,
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
                    self.greeted();
                    self.catch_up(&records, same_keeper).await;
                    self.upgrade();
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

    /// Ends what is left of lost runs, and then tells their instances.
    async fn lose(&mut self, lost: Vec<Lost>) {
        if lost.is_empty() {
            return;
        }
        let runs: Vec<u64> = lost.iter().map(Lost::run).collect();
        let ended = leftovers::end(&self.state_dir, lost, self.ledger.kept()).await;
        tracing::warn!(runs = runs.len(), processes = ended, "runs lost with their keeper; their processes were ended");
        for run in runs {
            self.routes.give(run, KeeperNews::Lost(RunId(run)));
            self.routes.release(run);
        }
    }

    /// Brings the instances up to date after a break: a new keeper has yet to
    /// take over the runs of the old one, the same keeper may have seen
    /// endings meanwhile.
    async fn catch_up(&mut self, records: &[RunRecord], same_keeper: bool) {
        self.take_in_requests();
        // Who ended since is told to the new keeper, with the run.
        while let Ok(ended) = self.endings.try_recv() {
            self.ledger.collected(ended.process, ended.status);
        }
        let Reconciled { lost, handed_on } = self.ledger.reconcile(records, same_keeper);
        if !same_keeper {
            self.health.lost();
        }
        if handed_on > 0 {
            tracing::warn!(runs = handed_on, "the keeper was lost; a new one takes its runs over");
            // At once: their pipes fill meanwhile. What goes wrong here is met again by who writes next.
            let _ = self.write().await;
        }
        self.lose(lost).await;
        for record in records {
            let (run, pid, start_time, started_at) = (record.run, record.pid, record.start_time, record.started_at);
            if !self.routes.knows(run) {
                self.disown(run, record.ending.as_ref().is_some_and(|ending| ending.tree_empty));
                continue;
            }
            self.hear(Event::Spawned { run, pid, start_time, started_at }, Vec::new());
            if let Some(ending) = record.ending.clone() {
                self.hear(Event::Exited { run, ending }, Vec::new());
            }
        }
    }
}

/// Waits, longer each time.
async fn pause(delay: &mut Duration) {
    tokio::time::sleep(delay.mul_f64(0.5 + clock::roll())).await;
    *delay = (*delay * 2).min(LONGEST_DELAY);
}
