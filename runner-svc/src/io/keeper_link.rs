//! The link to the keeper: requests out, events to the task whose run they are
//! about. When the keeper is gone, a new one is started and asked to take over
//! what the old one held, with the states and descriptors that it had handed
//! to us: their instances hear nothing of it. Only what was in the middle of
//! being started is ended, and then its instance told that it is lost.
//!
//! | file | what |
//! |---|---|
//! | `conversation` | who owns the connection for as long as the runner lives |
//! | `wire` | one connection |
//! | `ledger` | what was asked and answered, so what a break means for each run |
//! | `older` | what a keeper of an older version cannot be asked |
//! | `routes` | which task hears of which run |
//! | `health` | what people are told of the keeper |

mod conversation;
mod health;
mod ledger;
mod older;
mod routes;
mod wire;

pub(crate) use health::KeeperHealth;

use super::leftovers::MainProcess;
use super::{limits, orphans};
use crate::mailbox;
use conversation::Conversation;
use health::Health;
use process_model::Timestamp;
use routes::Routes;
use runner_domain::{Input, RunId};
use runner_keeper::protocol::{Ending, Request, RunRecord};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use wire::Wire;

/// What the keeper says, for the instance that it is about.
#[derive(Debug)]
pub(crate) enum KeeperNews {
    /// An input for the machine; boxed, because it is larger than all others.
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
    rotations: broadcast::Sender<Rotated>,
    health: Health,
}

/// A log file was rotated away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The instance, as `web-1`.
    pub(crate) instance: String,
    /// Absolute path of the file that may be compressed now.
    pub(crate) path: String,
}

/// Rotations that whoever compresses may be behind; it looks at the folder
/// when it missed some.
const ROTATIONS: usize = 64;

impl KeeperLink {
    /// Connects to the keeper of `state_dir`, starting one when there is none.
    /// Returns what it holds, and the highest number of a run that it knows: of
    /// commands, too, which are in no journal, and are ended before they are told
    /// of here. To use such a number again would be to ask for what is there.
    pub(crate) async fn open(state_dir: &Path) -> io::Result<(Self, Vec<RunRecord>, u64)> {
        orphans::adopt();
        let endings = orphans::endings();
        let (wire, mut records) = Wire::open(state_dir).await?;
        let newest = records.iter().map(|record| record.run).max().unwrap_or(0);
        // After the keeper: it hands our limit on to programs.
        limits::raise_open_files();
        // Unbounded: the producers are instance tasks, each with at most a few requests outstanding.
        let (requests, outbox) = mpsc::unbounded_channel();
        let (ended_tx, ended) = watch::channel(false);
        let (rotations, _) = broadcast::channel(ROTATIONS);
        let health = Health::default();
        let mut conversation = Conversation::new(state_dir, wire, endings, outbox, rotations.clone(), health.clone());
        conversation.begin(&mut records);
        let routes = conversation.routes();
        tokio::spawn(conversation.run(ended_tx));
        Ok((Self { requests, routes, ended, rotations, health }, records, newest))
    }

    /// What people are told of the keeper.
    pub(crate) fn health(&self) -> KeeperHealth {
        self.health.get()
    }

    /// Log files that are rotated away from now on.
    pub(crate) fn rotations(&self) -> broadcast::Receiver<Rotated> {
        self.rotations.subscribe()
    }

    /// From now on, news of `run` go to `inbox`.
    pub(crate) fn route(&self, run: RunId, inbox: mailbox::Sender<KeeperNews>) {
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

/// What the keeper says of a run that ended while nobody listened: first whether its lease was over.
pub(crate) fn ended(run: u64, fenced: bool, ending: Ending) -> impl Iterator<Item = Input> {
    let fenced = fenced.then_some(Input::Fenced { run: RunId(run) });
    fenced.into_iter().chain([exited(run, ending)])
}

/// What the keeper says of an ending, for the machine.
pub(crate) fn exited(run: u64, ending: Ending) -> Input {
    let Ending { status, at, tree_empty, out_of_memory } = ending;
    Input::Exited { run: RunId(run), status, at: Timestamp(at), tree_empty, out_of_memory }
}
