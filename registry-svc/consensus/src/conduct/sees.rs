//! What the conductor tells the elections before each step: everything that
//! the hot paths, the library and the disk have left since the last one.

use super::{Conductor, Word};
use crate::LinkEvent;
use crate::library::{broken, members_of, position, vote_of};
use crate::standing::{Role, Standing};
use openraft::ServerState;
use registry_log::{Notice, Space};
use registry_quorum::elections::{self, Saw};
use registry_quorum::{Position, ReplicaId};

impl Conductor {
    pub(super) fn link(&mut self, event: LinkEvent) {
        self.step(match event {
            LinkEvent::Up { peer, boot } => Saw::LinkUp { peer, boot },
            LinkEvent::Down { peer, refused } => Saw::LinkDown { peer, refused },
        });
    }

    pub(super) fn word(&mut self, word: Word) {
        match word {
            Word::Saw(saw) => self.step(saw),
            Word::HandOver { to, answer } => {
                self.handing_over.push(answer);
                self.step(Saw::HandOverAsked { to });
            }
        }
    }

    pub(super) fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Space(space) => {
                let full = *space == Space::Full;
                self.inner.edge.set_full(full);
                self.step(Saw::DiskFull(full));
                if *space == Space::Low {
                    self.policy.want_now();
                }
            }
            // Whether a request waits too long is seen when it has: every step looks.
            Notice::Busy => {}
            // Whoever waits for the disk is told by the disk, and the engine ends by that.
            Notice::Failed(fault) => tracing::error!(%fault, "the log failed"),
        }
    }

    /// Takes up what was seen, and everything that was left since.
    pub(super) fn step(&mut self, saw: Saw) {
        let signs = self.inner.signs.clone();
        if let Some(heard) = signs.take_heard() {
            self.take(Saw::Heard { from: heard.from, term: heard.term }, heard.at);
        }
        let now = signs.now();
        let standing = self.look();
        if standing != self.told {
            if standing.leader == Some(self.inner.me) && self.told.leader != Some(self.inner.me) {
                signs.forget_acks();
            }
            self.told = standing.clone();
            self.take(Saw::Standing(standing), now);
        }
        if self.told.leader == Some(self.inner.me)
            && let Some(sent) = signs.quorum_acked(self.inner.me, &self.told.voters)
        {
            self.take(Saw::QuorumAcked { sent }, now);
        }
        let stalled = self.inner.disk.durable().oldest_waiting.is_some_and(|waits| waits >= self.patience);
        if std::mem::replace(&mut self.disk_stalled, stalled) != stalled {
            self.take(Saw::DiskStalled(stalled), now);
        }
        self.take(saw, now);
        signs.set_doubting(self.elections.suspects(now).is_some());
        self.publish();
    }

    /// The library's view, as the elections want it.
    fn look(&self) -> elections::Standing {
        let server = self.inner.raft.server_metrics();
        let server = server.borrow();
        let vote = vote_of(&server.vote);
        let leader = vote.voted_for.filter(|_| vote.committed).map(ReplicaId);
        let last = self
            .inner
            .disk
            .extent()
            .last
            .map_or_else(Position::default, |at| Position { term: at.term, index: at.index });
        let voters = members_of(server.membership_config.membership()).voters;
        // Only a hand-over asks for it, and it changes with every entry.
        let matched = if self.handing_over.is_empty() { Default::default() } else { self.matched() };
        elections::Standing { term: vote.term, leader, last, voters, matched }
    }

    fn matched(&self) -> std::collections::BTreeMap<ReplicaId, u64> {
        let data = self.inner.raft.data_metrics();
        let data = data.borrow();
        let known = data.replication.iter().flatten();
        known.filter_map(|(id, at)| Some((ReplicaId(*id), (*at)?.index))).collect()
    }

    /// Tells everybody else.
    pub(super) fn publish(&self) {
        let server = self.inner.raft.server_metrics();
        let server = server.borrow();
        let vote = vote_of(&server.vote);
        let config = &server.membership_config;
        let role = match server.state {
            ServerState::Leader => Role::Leader,
            ServerState::Candidate => Role::Candidate,
            ServerState::Follower => Role::Follower,
            ServerState::Learner | ServerState::Shutdown => Role::Learner,
        };
        let standing = Standing {
            me: self.inner.me,
            role,
            term: vote.term,
            leader: vote.voted_for.filter(|_| vote.committed).map(ReplicaId),
            suspended: self.elections.suspended(),
            holds: !self.handing_over.is_empty(),
            members: members_of(config.membership()),
            members_at: config.log_id().map(position),
            fault: broken(&self.inner.raft),
        };
        self.standing.send_if_modified(|last| {
            let news = *last != standing;
            if news {
                *last = standing;
            }
            news
        });
    }
}
