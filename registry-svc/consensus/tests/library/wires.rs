//! Calls between the replicas of one process; cut, or late.

use super::{Raft, Words};
use openraft::error::{Fatal, RPCError, RaftError, RemoteError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::{EmptyNode, OptionalSend, Snapshot, Vote};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
pub(crate) struct Wires(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    rafts: BTreeMap<u64, Raft>,
    cut: BTreeSet<u64>,
    votes: u64,
    late: u64,
    appends: u64,
}

impl Wires {
    pub(crate) fn of(&self, me: u64) -> Way {
        Way { wires: self.clone(), me, to: 0 }
    }

    pub(crate) fn open(&self, id: u64, raft: Raft) {
        self.0.lock().unwrap().rafts.insert(id, raft);
    }

    pub(crate) fn cut(&self, id: u64, cut: bool) {
        let mut inner = self.0.lock().unwrap();
        if cut {
            inner.cut.insert(id)
        } else {
            inner.cut.remove(&id)
        };
    }

    pub(crate) fn delay_votes(&self, ms: u64) {
        self.0.lock().unwrap().votes = ms;
    }

    pub(crate) fn delay_appends(&self, ms: u64) {
        self.0.lock().unwrap().late = ms;
    }

    pub(crate) fn appends(&self) -> u64 {
        self.0.lock().unwrap().appends
    }
}

pub(crate) struct Way {
    wires: Wires,
    me: u64,
    to: u64,
}

impl Way {
    // The errors are the library's own, and its traits want them unboxed.
    #[allow(clippy::result_large_err)]
    fn peer<E: std::error::Error>(&self) -> Result<Raft, RPCError<u64, EmptyNode, E>> {
        let inner = self.wires.0.lock().unwrap();
        let cut = inner.cut.contains(&self.me) || inner.cut.contains(&self.to);
        let peer = inner.rafts.get(&self.to).filter(|_| !cut).cloned();
        peer.ok_or_else(|| RPCError::Unreachable(Unreachable::new(&io::Error::other("cut"))))
    }

    fn failed<E: std::error::Error>(&self, error: E) -> RPCError<u64, EmptyNode, E> {
        RPCError::RemoteError(RemoteError::new(self.to, error))
    }
}

impl RaftNetworkFactory<Words> for Way {
    type Network = Self;

    async fn new_client(&mut self, to: u64, _: &EmptyNode) -> Self {
        Self { wires: self.wires.clone(), me: self.me, to }
    }
}

impl RaftNetwork<Words> for Way {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Words>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, EmptyNode, RaftError<u64>>> {
        let late = {
            let mut inner = self.wires.0.lock().unwrap();
            inner.appends += 1;
            inner.late
        };
        let peer = self.peer()?;
        super::pause(late).await;
        peer.append_entries(rpc).await.map_err(|error| self.failed(error))
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        _: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, EmptyNode, RaftError<u64>>> {
        let peer = self.peer()?;
        let answer = peer.vote(rpc).await.map_err(|error| self.failed(error))?;
        let late = self.wires.0.lock().unwrap().votes;
        super::pause(late).await;
        Ok(answer)
    }

    async fn full_snapshot(
        &mut self,
        _: Vote<u64>,
        _: Snapshot<Words>,
        _: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<Words, Fatal<u64>>> {
        Err(StreamingError::Unreachable(Unreachable::new(&io::Error::other("snapshots are brought by hand"))))
    }
}
