//! The handle: what the service above and the transport below hold.

use crate::conduct::{Conductor, SnapshotPolicy, Word};
use crate::edge::Edge;
use crate::library::{ConsensusError, Covered, LogStore, MachinePort, Network, Raft, config, nodes_of};
use crate::news::News;
use crate::propose::ProposeFault;
use crate::reading::Reads;
use crate::settings::Settings;
use crate::signs::Signs;
use crate::standing::{Role, Standing};
use crate::{Answers, LogDisk, Machine, Payload, Peers, ReplicaId};
use registry_log::Notice;
use registry_quorum::Elections;
use registry_quorum::elections::{self, HandOverEnd, Saw, Timing};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a consensus stands on.
pub struct Ports {
    /// The log.
    pub disk: Arc<dyn LogDisk>,
    /// What the disk says of itself.
    pub notices: mpsc::UnboundedReceiver<Notice>,
    /// What is replicated.
    pub machine: Arc<dyn Machine>,
    /// The way to the others.
    pub peers: Arc<dyn Peers>,
}

/// A replica's part in the consensus; clones share it.
#[derive(Clone)]
pub struct Consensus {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) me: ReplicaId,
    pub(crate) raft: Raft,
    pub(crate) disk: Arc<dyn LogDisk>,
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) edge: Arc<Edge>,
    pub(crate) covered: Covered,
    pub(crate) signs: Arc<Signs>,
    pub(crate) news: Arc<News>,
    pub(crate) standing: watch::Receiver<Standing>,
    pub(crate) applied: watch::Receiver<Option<u64>>,
    pub(crate) reads: Reads,
    /// Who will take part, before the log says so.
    pub(crate) expected: watch::Sender<BTreeSet<ReplicaId>>,
    pub(crate) stop: CancellationToken,
    words: mpsc::UnboundedSender<Word>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Inner {
    pub(crate) fn tell(&self, saw: Saw) {
        self.say(Word::Saw(saw));
    }

    pub(crate) fn say(&self, word: Word) {
        // The conductor ends before everything else does.
        let _ = self.words.send(word);
    }

    pub(crate) fn voters(&self) -> BTreeSet<ReplicaId> {
        self.standing.borrow().members.voters.all()
    }

    pub(crate) fn applied_index(&self) -> Option<u64> {
        *self.applied.borrow()
    }

    /// Bytes of the newest snapshot; 0 when there is none that can be read.
    pub(crate) fn snapshot_size(&self) -> u64 {
        self.machine.newest_snapshot().ok().flatten().map_or(0, |snapshot| snapshot.source.len())
    }
}

impl Consensus {
    /// Takes part from what the disk and the machine hold. Without members it
    /// waits until [`found`](Self::found) is called, or a leader sends some.
    ///
    /// # Errors
    /// The disk or the machine failed.
    pub async fn start(me: ReplicaId, settings: Settings, ports: Ports) -> Result<Self, ConsensusError> {
        let Ports { disk, notices, machine, peers } = ports;
        let timing = Timing::of_election_timeout(u64::try_from(settings.election_timeout.as_millis()).unwrap_or(1_000));
        let edge = Edge::new(disk.clone());
        crate::opening::open(me, &*disk, &*machine, &edge).await?;
        let covered = Covered::new(machine.applied().at.map(|at| at.index));
        let (signs, news) = (Arc::new(Signs::new()), Arc::new(News::default()));
        let (applied_sender, applied) = watch::channel(None);
        let raft = Raft::new(
            me.0,
            Arc::new(config(&timing).map_err(|error| ConsensusError::Refused(error.to_string()))?),
            Network::new(peers.clone(), disk.clone(), edge.clone(), signs.clone(), news.clone()),
            LogStore::new(disk.clone(), edge.clone(), covered.clone()),
            MachinePort::new(machine.clone(), edge.clone(), covered.clone(), applied_sender),
        )
        .await
        .map_err(|fatal| ConsensusError::Stopped(fatal.to_string()))?;

        let stop = CancellationToken::new();
        let (words, heard) = mpsc::unbounded_channel();
        let (standing_sender, standing) = watch::channel(Standing { me, ..Standing::default() });
        let (reads, waiting) = Reads::new();
        let links = peers.events();
        // One segment is being written, and one lies ready.
        let backlog = disk.figures().disk_bytes.saturating_sub(2 * disk.largest_append());
        let inner = Arc::new(Inner {
            me,
            raft,
            disk,
            machine,
            peers,
            edge,
            covered,
            signs: signs.clone(),
            news,
            standing,
            applied,
            reads,
            expected: watch::Sender::default(),
            stop,
            words,
            tasks: Mutex::default(),
        });
        let told = elections::Standing::default();
        let conductor = Conductor {
            inner: inner.clone(),
            elections: Elections::new(me, timing, settings.seed, told.clone(), signs.now()),
            words: heard,
            links,
            notices,
            standing: standing_sender,
            handing_over: Vec::new(),
            told,
            disk_stalled: false,
            disk_full: false,
            policy: SnapshotPolicy::new(&settings, backlog),
            finishing: None,
            patience: settings.election_timeout,
        };
        let consensus = Self { inner: inner.clone() };
        let tasks = vec![
            tokio::spawn(conductor.run()),
            tokio::spawn(crate::reading::run(consensus.clone(), waiting)),
            tokio::spawn(crate::membership::follow(consensus.clone())),
            tokio::spawn(crate::news::run(inner.clone())),
        ];
        *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(consensus)
    }

    /// Where this replica stands, and each change of it.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.inner.standing.clone()
    }

    /// Index of the last applied entry, and each change of it.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<Option<u64>> {
        self.inner.applied.clone()
    }

    /// Proposes a batch, and waits until it is committed and applied here.
    ///
    /// # Errors
    /// See [`ProposeFault`].
    pub async fn propose(&self, batch: Payload) -> Result<Answers, ProposeFault> {
        crate::propose::propose(&self.inner, batch, None).await
    }

    /// The same for another replica, which will wait until it knows that this is committed.
    ///
    /// # Errors
    /// As [`propose`](Self::propose).
    pub async fn propose_for(&self, from: ReplicaId, batch: Payload) -> Result<Answers, ProposeFault> {
        let _awaited = self.inner.news.awaits(from);
        let done = self.propose(batch).await;
        if let Some(at) = self.inner.edge.shown() {
            self.inner.news.wants(from, at.index);
        }
        done
    }

    /// As [`propose`](Self::propose) as leader of this term, and of no other one.
    ///
    /// # Errors
    /// As [`propose`](Self::propose).
    pub async fn propose_in(&self, term: u64, batch: Payload) -> Result<Answers, ProposeFault> {
        crate::propose::propose(&self.inner, batch, Some(term)).await
    }

    /// These will found a cluster, or are the cluster that this replica will
    /// join: keeps links to them until the log says who the members are. Called
    /// after each start: who has no links cannot answer a candidate, and a
    /// founder that nobody answers never leads.
    pub fn expect(&self, members: &BTreeSet<ReplicaId>) {
        self.inner.expected.send_replace(members.clone());
    }

    /// Founds a cluster of these. Only ever called on one of them, and only
    /// when all of them are empty; all of them [expect](Self::expect) it.
    ///
    /// # Errors
    /// It has members already, or is none of these.
    pub async fn found(&self, members: &BTreeSet<ReplicaId>) -> Result<(), ConsensusError> {
        self.expect(members);
        let founded = self.inner.raft.initialize(nodes_of(members)).await;
        founded.map_err(|error| ConsensusError::Refused(error.to_string()))
    }

    /// Hands leadership over, to this replica or to the best one.
    pub async fn hand_over(&self, to: Option<ReplicaId>) -> HandOverEnd {
        let (answer, end) = oneshot::channel();
        if self.inner.words.send(Word::HandOver { to, answer }).is_err() {
            return HandOverEnd::NotLeading;
        }
        end.await.unwrap_or(HandOverEnd::NotLeading)
    }

    /// Ends it. What was not committed may or may not be later.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        let tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "the consensus engine did not end by itself");
        }
    }

    /// Whether this replica led when it was last looked at; for tests and dumps.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.inner.standing.borrow().role == Role::Leader
    }
}
