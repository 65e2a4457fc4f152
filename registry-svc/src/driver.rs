//! The one way to change something: command → one Raft entry for all commands
//! that wait → reply to each.
//!
//! A proposer has one batch outstanding and takes everything that came
//! meanwhile into the next: that is what makes group commit. On a replica that
//! does not lead the batch goes to the one that does (`driver/way`).

#[cfg(test)]
mod tests;
mod way;

use crate::clock::Clock;
use crate::machine::payload;
use crate::numbers::Numbers;
use registry_domain::{Command, Header, Order, Refusal, Reply};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
pub(crate) use way::{Way, answer_peer};

/// Commands that wait. One command is one waiting call or report, so this is
/// also how many of them are taken in before callers have to wait.
const QUEUE: usize = 1_024;
/// Commands in one entry; with more, the first would wait for the last.
const BATCH: usize = 256;
/// Bytes in one entry, about. A single larger command goes alone.
const BATCH_BYTES: usize = 1 << 20;
/// A disk that hangs answers nothing for as long as it hangs; the caller does
/// not wait so long.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the registry itself signs with.
pub(crate) const OWN_ACTOR: &str = "registry";

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// No replica leads, or none that leads could be reached; nothing was changed.
    #[error("the registry has no leader now; nothing was changed; try again")]
    NoLeader {
        /// The leader's address, when another replica is known to lead.
        leader: Option<String>,
    },
    /// It may or may not be committed, or may be later.
    #[error(
        "the leader was lost before it answered; repeat the request with the same request id to learn whether it was done"
    )]
    Unknown,
    /// The registry is closing.
    #[error("the registry is closing")]
    Closing,
}

/// The answer to a command.
pub type Answer = Result<Result<Reply, Refusal>, ProposeError>;

struct Proposal {
    command: Command,
    /// What only the leader of this term may say: what it has seen itself, or heard from a node. None: anybody's.
    term: Option<u64>,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

/// A handle to the driver.
#[derive(Clone)]
pub(crate) struct Driver {
    queue: mpsc::Sender<Proposal>,
    clock: Clock,
}

/// A command that is on its way.
pub(crate) struct Pending(oneshot::Receiver<Answer>);

impl Pending {
    /// The answer.
    pub(crate) async fn answer(self) -> Answer {
        match tokio::time::timeout(COMMIT_TIMEOUT, self.0).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(ProposeError::Closing),
            Err(_elapsed) => Err(ProposeError::Unknown),
        }
    }
}

impl Driver {
    /// Starts the driver; it ends with `stop`.
    pub(crate) fn start(
        way: Arc<Way>,
        numbers: Arc<Numbers>,
        clock: Clock,
        stop: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue, clock }, tokio::spawn(run(way, waiting, numbers, stop)))
    }

    /// Hands a command in. Commands of one caller take effect in the order in
    /// which they are handed in.
    pub(crate) async fn submit(&self, command: Command, bytes: usize) -> Result<Pending, ProposeError> {
        self.hand_in(command, None, bytes).await
    }

    /// The same for what only the leader of this term may say. A leader that was replaced while it stood still decides
    /// by what it saw then, and reads what nodes told it then: nothing of that is handed to its successor, or written
    /// by itself in a later term.
    pub(crate) async fn submit_as_leader(
        &self,
        term: u64,
        command: Command,
        bytes: usize,
    ) -> Result<Pending, ProposeError> {
        self.hand_in(command, Some(term), bytes).await
    }

    async fn hand_in(&self, command: Command, term: Option<u64>, bytes: usize) -> Result<Pending, ProposeError> {
        let (answer, pending) = oneshot::channel();
        self.queue.send(Proposal { command, term, bytes, answer }).await.map_err(|_| ProposeError::Closing)?;
        Ok(Pending(pending))
    }

    /// Hands a command in and waits until it has been committed and applied.
    pub(crate) async fn propose(&self, command: Command, bytes: usize) -> Answer {
        // Part of a trace, or nothing: a span costs as much as deciding a small command.
        let commit = match tracing::Span::current().is_none() {
            true => tracing::Span::none(),
            false => tracing::info_span!("registry.commit", reply.revision = tracing::field::Empty),
        };
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
        self.propose(self.noted(actor, order), 0).await
    }

    /// A command that no request stands behind.
    pub(crate) fn noted(&self, actor: &str, order: Order) -> Command {
        Command { header: Header { actor: actor.to_owned(), time: self.clock.now(), ..Header::default() }, order }
    }
}

async fn run(way: Arc<Way>, mut waiting: mpsc::Receiver<Proposal>, numbers: Arc<Numbers>, stop: CancellationToken) {
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
        let batch = next_batch(&mut backlog);
        tokio::select! {
            () = stop.cancelled() => return,
            () = commit(&way, batch, &numbers) => {}
        }
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

/// Commits a batch, however often the leader changes meanwhile. A command with
/// a request id is sent again and takes effect once; of any other nobody could
/// tell whether it did, so its sender is told that.
async fn commit(way: &Way, mut batch: Vec<Proposal>, numbers: &Numbers) {
    let began = Instant::now();
    let mut failing = None;
    let mut sent = false;
    loop {
        let (standing, fallen): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|p| p.term.is_none_or(|term| way.leads_in(term)));
        refuse(fallen, &way.no_leader());
        batch = standing;
        if batch.is_empty() {
            return;
        }
        let payload = match payload::encode(batch.iter().map(|p| &p.command)) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::error!(%error, "commands cannot be written down");
                return refuse(batch, &ProposeError::Closing);
            }
        };
        match way.write(payload, batch.iter().find_map(|p| p.term)).await {
            Ok(replies) if replies.len() == batch.len() => {
                numbers.committed(replies.len(), began.elapsed());
                for (proposal, reply) in batch.into_iter().zip(replies) {
                    // The call may have been given up.
                    let _ = proposal.answer.send(Ok(reply));
                }
                return;
            }
            Ok(replies) => {
                tracing::error!(commands = batch.len(), replies = replies.len(), "replies do not fit their commands");
                return refuse(batch, &ProposeError::Unknown);
            }
            Err(ProposeError::Closing) => return refuse(batch, &ProposeError::Closing),
            Err(ProposeError::Unknown) => {
                sent = true;
                let (again, over): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(|p| !p.command.header.request_id.is_empty());
                refuse(over, &ProposeError::Unknown);
                batch = again;
            }
            Err(ProposeError::NoLeader { .. }) => {}
        }
        let since = *failing.get_or_insert_with(Instant::now);
        if began.elapsed() >= way::PATIENCE && since.elapsed() >= way::ELECTION {
            let error = if sent { ProposeError::Unknown } else { way.no_leader() };
            return refuse(batch, &error);
        }
        way.changed().await;
    }
}

fn refuse(proposals: Vec<Proposal>, error: &ProposeError) {
    for proposal in proposals {
        let _ = proposal.answer.send(Err(error.clone()));
    }
}
