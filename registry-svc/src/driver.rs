//! The one way to change something: command → one Raft entry for all commands
//! that wait → reply to each.
//!
//! openraft syncs its log once for every proposal, so a proposer that has one
//! outstanding and takes everything that came meanwhile into the next is what
//! makes group commit: measured four times the throughput at 64 writers.

use crate::clock;
use crate::io::type_config::{Batch, Raft};
use crate::numbers::Numbers;
use openraft::error::{ClientWriteError, Fatal, RaftError};
use registry_domain::{Command, Header, Order, Refusal, Reply};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Commands that wait. One command is one waiting call or report, so this is
/// also how many of them are taken in before callers have to wait.
const QUEUE: usize = 1_024;
/// Commands in one entry; with more, the first would wait for the last.
const BATCH: usize = 256;
/// Bytes in one entry, about: it has to reach a follower within a heartbeat
/// interval. A single larger command goes alone.
const BATCH_BYTES: usize = 1 << 20;
/// Without a quorum a commit waits for ever; the caller does not.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the registry itself signs with.
pub(crate) const OWN_ACTOR: &str = "registry";

/// Why there is no reply.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ProposeError {
    /// Another replica leads, or none does.
    #[error("this replica does not lead the cluster")]
    NotLeader {
        /// The leader's address, when it is known.
        leader: Option<String>,
    },
    /// It may or may not be committed later.
    #[error("the change was not committed in time; whether it will be is open")]
    Timeout,
    /// The registry is closing.
    #[error("the registry is closing")]
    Closing,
}

/// The answer to a command.
pub(crate) type Answer = Result<Result<Reply, Refusal>, ProposeError>;

struct Proposal {
    command: Command,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

/// A handle to the driver.
#[derive(Clone)]
pub(crate) struct Driver {
    queue: mpsc::Sender<Proposal>,
}

/// A command that is on its way.
pub(crate) struct Pending(oneshot::Receiver<Answer>);

impl Pending {
    /// The answer.
    pub(crate) async fn answer(self) -> Answer {
        match tokio::time::timeout(COMMIT_TIMEOUT, self.0).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(ProposeError::Closing),
            Err(_elapsed) => Err(ProposeError::Timeout),
        }
    }
}

impl Driver {
    /// Starts the driver; it ends with `stop`.
    pub(crate) fn start(
        raft: Raft,
        numbers: Arc<Numbers>,
        stop: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue }, tokio::spawn(run(raft, waiting, numbers, stop)))
    }

    /// Hands a command in. Commands of one caller take effect in the order in
    /// which they are handed in.
    pub(crate) async fn submit(&self, command: Command, bytes: usize) -> Result<Pending, ProposeError> {
        let (answer, pending) = oneshot::channel();
        self.queue.send(Proposal { command, bytes, answer }).await.map_err(|_| ProposeError::Closing)?;
        Ok(Pending(pending))
    }

    /// Hands a command in and waits until it has been committed and applied.
    pub(crate) async fn propose(&self, command: Command, bytes: usize) -> Answer {
        let commit = tracing::info_span!("registry.commit", reply.revision = tracing::field::Empty);
        async move {
            let answer = self.submit(command, bytes).await?.answer().await;
            if let Ok(Ok(reply)) = &answer {
                tracing::Span::current().record("reply.revision", reply.revision());
            }
            answer
        }
        .instrument(commit)
        .await
    }

    /// A command of the registry's own or of a node.
    pub(crate) async fn note(&self, actor: &str, order: Order) -> Answer {
        self.propose(note(actor, order), 0).await
    }
}

/// A command that no request stands behind.
pub(crate) fn note(actor: &str, order: Order) -> Command {
    Command { header: Header { actor: actor.to_owned(), time: clock::now(), ..Header::default() }, order }
}

async fn run(raft: Raft, mut waiting: mpsc::Receiver<Proposal>, numbers: Arc<Numbers>, stop: CancellationToken) {
    let mut backlog = VecDeque::new();
    let mut received = Vec::new();
    loop {
        if backlog.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                count = waiting.recv_many(&mut received, BATCH) => if count == 0 { return },
            }
            backlog.extend(received.drain(..));
        }
        commit(&raft, next_batch(&mut backlog), &numbers, &stop).await;
    }
}

fn next_batch(backlog: &mut VecDeque<Proposal>) -> Vec<Proposal> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(next) = backlog.front() {
        bytes += next.bytes;
        if !batch.is_empty() && bytes > BATCH_BYTES {
            break;
        }
        batch.extend(backlog.pop_front());
    }
    batch
}

async fn commit(raft: &Raft, batch: Vec<Proposal>, numbers: &Numbers, stop: &CancellationToken) {
    let began = Instant::now();
    let (commands, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|p| (p.command, p.answer)).unzip();
    let size = commands.len();
    let written = tokio::select! {
        () = stop.cancelled() => Err(ProposeError::Closing),
        written = raft.client_write(Batch { commands }) => written.map_err(|error| refused(error, stop)),
    };
    match written {
        Ok(response) => {
            numbers.committed(size, began.elapsed());
            for (answer, reply) in answers.into_iter().zip(response.data.replies) {
                // Whoever asked may have gone; the change stands.
                let _ = answer.send(Ok(reply));
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

fn refused(
    error: RaftError<u64, ClientWriteError<u64, openraft::BasicNode>>,
    stop: &CancellationToken,
) -> ProposeError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            ProposeError::NotLeader { leader: forward.leader_node.map(|node| node.addr) }
        }
        // Commands never change members.
        RaftError::APIError(ClientWriteError::ChangeMembershipError(_)) | RaftError::Fatal(Fatal::Stopped) => {
            ProposeError::Closing
        }
        RaftError::Fatal(_) if stop.is_cancelled() => ProposeError::Closing,
        // Memory and disk may disagree from here on.
        RaftError::Fatal(fatal @ (Fatal::StorageError(_) | Fatal::Panicked)) => service_host::fatal::abort_on(fatal),
    }
}
