//! The library's network over [`Peers`](crate::Peers). It also notes what the
//! elections want to know of a leader: who acknowledged what, and when that
//! was sent.

// The errors are the library's own, and its traits want them unboxed.
#![allow(clippy::result_large_err)]

use super::type_config::{LogId, TypeConfig};
use super::went_back::Acknowledged;
use super::words::{append_answer, position, raft_vote, told_append, vote_answer, vote_of, vote_question};
use crate::edge::Edge;
use crate::news::News;
use crate::signs::Signs;
use crate::{Answer, Call, LogDisk, PeerFault, Peers, ReplicaId};
use openraft::error::{Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::{EmptyNode, OptionalSend, Vote};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Wait before a peer that could not be reached is tried again. The links
/// re-dial by themselves; this is only how late the library notices.
const RETRY: Duration = Duration::from_millis(50);

/// Who was asked so lately and has answered lives, and need not show it again.
const LATELY: Duration = Duration::from_millis(10);

type Rpc<T, E = RaftError<u64>> = Result<T, RPCError<u64, EmptyNode, E>>;

/// Makes the way to each peer.
pub(crate) struct Network {
    peers: Arc<dyn Peers>,
    disk: Arc<dyn LogDisk>,
    edge: Arc<Edge>,
    signs: Arc<Signs>,
    news: Arc<News>,
    acknowledged: Arc<Acknowledged>,
}

/// The way to one peer.
pub(crate) struct Way {
    to: ReplicaId,
    acknowledged: Arc<Acknowledged>,
    disk: Arc<dyn LogDisk>,
    peers: Arc<dyn Peers>,
    edge: Arc<Edge>,
    signs: Arc<Signs>,
    news: Arc<News>,
    /// Up to where it agreed, and when it was asked.
    agreed: Option<(Option<LogId>, Instant)>,
    /// Set while it is asked, and left so when the library waits no longer. Asked for the same again it answers what
    /// it was asked first, which may have said less.
    asked: bool,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Way;

    async fn new_client(&mut self, target: u64, _: &EmptyNode) -> Way {
        let (peers, edge, signs) = (self.peers.clone(), self.edge.clone(), self.signs.clone());
        let (disk, acknowledged) = (self.disk.clone(), self.acknowledged.clone());
        Way {
            to: ReplicaId(target),
            acknowledged,
            disk,
            peers,
            edge,
            signs,
            news: self.news.clone(),
            agreed: None,
            asked: false,
        }
    }
}

impl Network {
    pub(crate) fn new(
        peers: Arc<dyn Peers>,
        disk: Arc<dyn LogDisk>,
        edge: Arc<Edge>,
        signs: Arc<Signs>,
        news: Arc<News>,
    ) -> Self {
        Self { peers, disk, edge, signs, news, acknowledged: Arc::default() }
    }
}

impl Way {
    /// Whether the peer said in this session, and lately, that it has everything up to here.
    fn agreed_lately(&self, upto: Option<LogId>) -> bool {
        self.agreed.is_some_and(|(agreed, asked)| agreed == upto && asked.elapsed() < LATELY)
    }
}

fn unreachable<E: std::error::Error>(fault: &PeerFault) -> RPCError<u64, EmptyNode, E> {
    RPCError::Unreachable(Unreachable::new(fault))
}

/// This leader keeps silent for now.
#[derive(Debug, thiserror::Error)]
#[error("this replica does not lead at present")]
struct Suspended;

/// The peer takes nothing now; or it answered something else than was asked.
#[derive(Debug, thiserror::Error)]
#[error("replica {0} takes no entries at present")]
struct Busy(ReplicaId);

impl RaftNetwork<TypeConfig> for Way {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Rpc<AppendEntriesResponse<u64>> {
        if self.signs.is_suspended() {
            return Err(RPCError::Unreachable(Unreachable::new(&Suspended)));
        }
        // The library lets those who send go on when it leads no more. Its word for it ends them.
        if let Some(mine) = self.disk.vote().map(raft_vote).filter(|mine| *mine > rpc.vote) {
            return Ok(AppendEntriesResponse::HigherVote(mine));
        }
        let committed = self.edge.tellable(rpc.leader_commit.map(position));
        let word = committed.map(|at| at.index);
        // What the library takes this for, that the peer lives and has everything up to there, is so.
        if rpc.entries.is_empty() && self.agreed_lately(rpc.prev_log_id) && self.news.rests(self.to, word) {
            return Ok(AppendEntriesResponse::Success);
        }
        let (sent, began) = (self.signs.now(), Instant::now());
        let first = !std::mem::replace(&mut self.asked, true);
        self.news.leaves(self.to);
        committed.into_iter().for_each(|at| self.edge.show(at));
        let call = Call::Append(told_append(&rpc, committed));
        let last = rpc.entries.last().map(|entry| entry.log_id);
        let range = (rpc.prev_log_id.map(position), last.map(position));
        let answer = self.peers.call(self.to, call).await;
        self.asked = false;
        match answer {
            Ok(Answer::Appended(answer)) => {
                let lost = self.acknowledged.answered(self.to, rpc.vote.leader_id.term, range, &answer);
                if let Err(went_back) = lost {
                    tracing::error!(%went_back, "a replica gets no more entries");
                    return Err(RPCError::Unreachable(Unreachable::new(&went_back)));
                }
                let answer = append_answer(answer);
                if !matches!(answer, AppendEntriesResponse::HigherVote(_)) {
                    self.signs.acked(self.to, sent);
                }
                self.agreed = match &answer {
                    AppendEntriesResponse::Success if first => Some((last.or(rpc.prev_log_id), began)),
                    AppendEntriesResponse::PartialSuccess(upto) if first => Some((*upto, began)),
                    AppendEntriesResponse::Success
                    | AppendEntriesResponse::PartialSuccess(_)
                    | AppendEntriesResponse::Conflict
                    | AppendEntriesResponse::HigherVote(_) => None,
                };
                if self.agreed.is_some() {
                    self.news.told(self.to, word);
                }
                Ok(answer)
            }
            // Not a network error: the library would ask again without a pause.
            Ok(_) => Err(RPCError::Unreachable(Unreachable::new(&Busy(self.to)))),
            Err(fault) => Err(unreachable(&fault)),
        }
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, _: RPCOption) -> Rpc<VoteResponse<u64>> {
        match self.peers.call(self.to, Call::Vote(vote_question(&rpc))).await {
            Ok(Answer::Vote(answer)) => Ok(vote_answer(&answer)),
            Ok(_) => Err(RPCError::Network(NetworkError::new(&PeerFault::Nonsense(self.to)))),
            Err(fault) => Err(unreachable(&fault)),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<u64>,
        snapshot: openraft::Snapshot<TypeConfig>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Fatal<u64>>> {
        let sent = self.peers.send_snapshot(self.to, vote_of(&vote), *snapshot.snapshot);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = sent => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(raft_vote(vote))),
                Err(fault) => Err(StreamingError::Unreachable(Unreachable::new(&fault))),
            },
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(RETRY))
    }
}
