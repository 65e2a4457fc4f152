//! One replica on the bench: told what a test wants it to see.

use registry_quorum::elections::{Ballot, Do, Elections, Evidence, Opinion, Saw, Standing, Timing};
use registry_quorum::{Millis, Position, ReplicaId, Voters};
use std::collections::BTreeSet;

pub const ME: ReplicaId = ReplicaId(2);
pub const LEADER: ReplicaId = ReplicaId(1);
pub const OTHER: ReplicaId = ReplicaId(3);

pub fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

pub fn voters(ids: &[u64]) -> Voters {
    Voters::of(ids.iter().map(|id| ReplicaId(*id)))
}

pub fn half(ids: &[u64]) -> BTreeSet<ReplicaId> {
    ids.iter().map(|id| ReplicaId(*id)).collect()
}

pub struct Bench {
    pub elections: Elections,
    pub standing: Standing,
    pub now: u64,
}

impl Bench {
    pub fn of(voters: Voters) -> Self {
        let standing = Standing { term: 5, last: at(5, 10), voters, ..Standing::default() };
        let elections = Elections::new(ME, Timing::default(), 1, standing.clone(), Millis(1_000));
        Self { elections, standing, now: 1_000 }
    }

    /// Follows 1, to which it has a link, as to 3.
    pub fn following(voters: Voters) -> Self {
        let mut bench = Self::of(voters);
        for peer in [LEADER, OTHER] {
            bench.sees(Saw::LinkUp { peer, boot: 1 });
        }
        bench.hears();
        bench
    }

    pub fn sees(&mut self, saw: Saw) -> Vec<Do> {
        self.elections.step(saw, Millis(self.now))
    }

    pub fn hears(&mut self) {
        self.sees(Saw::Heard { from: LEADER, term: 5 });
    }

    pub fn stands(&mut self, change: impl FnOnce(&mut Standing)) -> Vec<Do> {
        change(&mut self.standing);
        self.sees(Saw::Standing(self.standing.clone()))
    }

    /// Time passes; stops at every deadline, as the service does.
    pub fn passes(&mut self, ms: u64) -> Vec<Do> {
        let end = self.now + ms;
        let mut wanted = Vec::new();
        while let Some(next) = self.elections.next_deadline().filter(|next| next.0 <= end) {
            self.now = next.0;
            wanted.extend(self.sees(Saw::Tick));
        }
        self.now = end;
        wanted.extend(self.sees(Saw::Tick));
        wanted
    }

    /// The leader's process is gone.
    pub fn leader_is_killed(&mut self) -> Vec<Do> {
        let mut wanted = self.sees(Saw::LinkDown { peer: LEADER, refused: false });
        wanted.extend(self.sees(Saw::LinkDown { peer: LEADER, refused: true }));
        wanted
    }

    pub fn suspects(&self) -> Option<Evidence> {
        self.elections.suspects(Millis(self.now))
    }

    /// What it answers to a ballot of that log.
    pub fn asked(&mut self, from: u64, last: Position) -> bool {
        let ballot = Ballot { term: 5, last, asked: Millis(7) };
        let wanted = self.sees(Saw::PreVoteAsked { from: ReplicaId(from), ballot });
        wanted.iter().any(|it| matches!(it, Do::AnswerPreVote { opinion, .. } if opinion.granted))
    }

    /// A peer answers the newest ballot.
    pub fn answered(&mut self, from: u64, granted: bool, lease_left: u64) -> Vec<Do> {
        let ballot = Ballot { term: self.standing.term, last: self.standing.last, asked: Millis(self.now) };
        let opinion = Opinion { ballot, granted, lease_left };
        self.sees(Saw::PreVoteAnswered { from: ReplicaId(from), opinion })
    }
}

pub fn asks(wanted: &[Do]) -> bool {
    wanted.iter().any(|it| matches!(it, Do::AskPreVote(_)))
}

pub fn stood(wanted: &[Do]) -> bool {
    wanted.iter().any(|it| matches!(it, Do::Stand(_)))
}
