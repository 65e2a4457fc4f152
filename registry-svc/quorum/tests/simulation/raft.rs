//! A little model of Raft as openraft 0.9 votes (`single-term-leader`), so
//! that `Elections` meets the library's habits and not a textbook's:
//! - a voter whose vote is a leader's refuses every candidate while its lease
//!   runs, and looks at nothing else before that (`handle_vote_req`);
//! - a leader's own vote is not refreshed by its heartbeats: it is past its
//!   lease soon after the election and votes for a challenger at once;
//! - a refused candidate takes over a higher vote, as a vote, never as a leader;
//! - a candidate forgets answers after `election_timeout_min`, lease - 1;
//! - after a start a leader's vote is only a vote (our own downgrade), and no lease is remembered.
//!
//! The log is the list of its entries' terms: by log matching that is enough to
//! compare two logs. An append carries all of it.

use registry_quorum::{Millis, Position, ReplicaId, Voters};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    pub term: u64,
    pub whose: Option<ReplicaId>,
    pub committed: bool,
}

impl Vote {
    /// openraft's partial order: two candidates of one term do not compare unless one has won.
    fn order(self, other: Self) -> Option<Ordering> {
        let ids = match self.term.cmp(&other.term) {
            Ordering::Equal => match (self.whose, other.whose) {
                (a, b) if a == b => Some(Ordering::Equal),
                (Some(_), None) => Some(Ordering::Greater),
                (None, Some(_)) => Some(Ordering::Less),
                _ => None,
            },
            unequal => Some(unequal),
        };
        match ids {
            Some(Ordering::Equal) => Some(self.committed.cmp(&other.committed)),
            None => match (self.committed, other.committed) {
                (false, false) => None,
                (true, false) => Some(Ordering::Greater),
                (false, true) => Some(Ordering::Less),
                (true, true) => panic!("two leaders of one term: {self:?} {other:?}"),
            },
            unequal => unequal,
        }
    }

    fn at_least(self, other: Self) -> bool {
        matches!(self.order(other), Some(Ordering::Greater | Ordering::Equal))
    }
}

pub type Log = Rc<Vec<u64>>;

#[derive(Clone, Debug)]
pub enum Rpc {
    Vote { vote: Vote, last: Position, past_leases: bool },
    Voted { of: Vote, vote: Vote, granted: bool },
    Append { vote: Vote, log: Log, commit: usize, sent: Millis },
    Appended { of: Vote, matched: usize, sent: Millis },
    Higher { of: Vote, vote: Vote },
}

#[derive(Debug)]
pub struct Leader {
    pub matched: BTreeMap<ReplicaId, usize>,
    pub acked: BTreeMap<ReplicaId, Millis>,
}

#[derive(Debug)]
struct Candidate {
    granted: BTreeSet<ReplicaId>,
    since: Millis,
}

#[derive(Debug)]
pub struct Raft {
    pub me: ReplicaId,
    pub voters: Voters,
    pub vote: Vote,
    voted_at: Option<Millis>,
    pub log: Log,
    pub commit: usize,
    pub leader: Option<Leader>,
    candidate: Option<Candidate>,
    lease: u64,
}

pub type Outbox = Vec<(ReplicaId, Rpc)>;

impl Raft {
    /// As read from the disk.
    pub fn start(me: ReplicaId, voters: Voters, vote: Vote, log: Log, lease: u64) -> Self {
        let committed = vote.committed && vote.whose != Some(me);
        let vote = Vote { committed, ..vote };
        Self { me, voters, vote, voted_at: None, log, commit: 0, leader: None, candidate: None, lease }
    }

    pub fn last(&self) -> Position {
        Position { term: self.log.last().copied().unwrap_or(0), index: self.log.len() as u64 }
    }

    fn others(&self) -> Vec<ReplicaId> {
        self.voters.all().into_iter().filter(|id| *id != self.me).collect()
    }

    fn take(&mut self, vote: Vote, now: Millis) -> bool {
        if !vote.at_least(self.vote) {
            return false;
        }
        self.vote = vote;
        self.voted_at = Some(now);
        if vote.whose != Some(self.me) {
            self.leader = None;
            self.candidate = None;
        }
        true
    }

    /// `Trigger::elect`.
    pub fn elect(&mut self, past_leases: bool, now: Millis) -> Outbox {
        if self.leader.is_some() || !self.voters.contains(self.me) {
            return Vec::new();
        }
        let vote = Vote { term: self.vote.term + 1, whose: Some(self.me), committed: false };
        self.candidate = Some(Candidate { granted: BTreeSet::from([self.me]), since: now });
        assert!(self.take(vote, now));
        let last = self.last();
        let asks: Outbox = self.others().into_iter().map(|to| (to, Rpc::Vote { vote, last, past_leases })).collect();
        if asks.is_empty() { self.count(now) } else { asks }
    }

    fn count(&mut self, now: Millis) -> Outbox {
        let won = self.candidate.as_ref().is_some_and(|it| self.voters.majority(|id| it.granted.contains(&id)));
        if !won {
            return Vec::new();
        }
        self.candidate = None;
        self.leader = Some(Leader { matched: BTreeMap::new(), acked: BTreeMap::new() });
        assert!(self.take(Vote { committed: true, ..self.vote }, now));
        self.write(now)
    }

    /// One more entry: a client's, or the blank one of a new leader.
    pub fn write(&mut self, now: Millis) -> Outbox {
        if self.leader.is_none() {
            return Vec::new();
        }
        Rc::make_mut(&mut self.log).push(self.vote.term);
        self.replicate(now)
    }

    pub fn replicate(&mut self, now: Millis) -> Outbox {
        if self.leader.is_none() {
            return Vec::new();
        }
        self.advance();
        let (vote, log, commit) = (self.vote, self.log.clone(), self.commit);
        let append = Rpc::Append { vote, log, commit, sent: now };
        self.others().into_iter().map(|to| (to, append.clone())).collect()
    }

    fn advance(&mut self) {
        let Some(leader) = &self.leader else { return };
        let mut marks: Vec<usize> = leader.matched.values().copied().chain([self.log.len()]).collect();
        marks.sort_unstable();
        let has = |id, mark| id == self.me || leader.matched.get(&id).is_some_and(|matched| *matched >= mark);
        let reached = marks.into_iter().rev().find(|mark| self.voters.majority(|id| has(id, *mark)));
        if let Some(mark) = reached.filter(|mark| *mark > self.commit && self.log[*mark - 1] == self.vote.term) {
            self.commit = mark;
        }
    }

    /// The newest moment of sending that a majority has acknowledged.
    pub fn quorum_acked(&self) -> Option<Millis> {
        let leader = self.leader.as_ref()?;
        let mut moments: Vec<Millis> = leader.acked.values().copied().collect();
        moments.sort_unstable();
        let acked = |id, at| id == self.me || leader.acked.get(&id).is_some_and(|sent| *sent >= at);
        moments.into_iter().rev().find(|at| self.voters.majority(|id| acked(id, *at)))
    }

    pub fn receive(&mut self, from: ReplicaId, rpc: Rpc, now: Millis) -> Outbox {
        match rpc {
            Rpc::Vote { vote, last, past_leases } => {
                if past_leases {
                    // The lease-breaker: an empty append of that term without a leader, which can only raise a promise.
                    self.take(Vote { whose: None, ..vote }, now);
                }
                let leased = self.voted_at.is_some_and(|at| now <= at.plus(self.lease));
                let granted = !(self.vote.committed && leased) && last >= self.last() && self.take(vote, now);
                vec![(from, Rpc::Voted { of: vote, vote: self.vote, granted })]
            }
            Rpc::Voted { of, vote, granted } => {
                let current =
                    of == self.vote && self.candidate.as_ref().is_some_and(|it| now.since(it.since) < self.lease);
                if !current {
                    return Vec::new();
                }
                if granted && vote == self.vote {
                    if let Some(candidate) = &mut self.candidate {
                        candidate.granted.insert(from);
                    }
                    return self.count(now);
                }
                self.take(Vote { committed: false, ..vote }, now);
                Vec::new()
            }
            Rpc::Append { vote, log, commit, sent } => {
                if !self.take(vote, now) {
                    return vec![(from, Rpc::Higher { of: vote, vote: self.vote })];
                }
                // What came from this very leader is never taken back by an older append of its own.
                if self.log.last() != Some(&vote.term) || log.len() > self.log.len() {
                    self.log = log.clone();
                }
                self.commit = self.commit.max(commit);
                vec![(from, Rpc::Appended { of: vote, matched: log.len(), sent })]
            }
            Rpc::Appended { of, matched, sent } => {
                if of == self.vote
                    && let Some(leader) = &mut self.leader
                {
                    let known = leader.matched.entry(from).or_default();
                    *known = (*known).max(matched);
                    let known = leader.acked.entry(from).or_default();
                    *known = (*known).max(sent);
                    self.advance();
                }
                Vec::new()
            }
            Rpc::Higher { of, vote } => {
                if of == self.vote && self.leader.is_some() {
                    self.take(vote, now);
                }
                Vec::new()
            }
        }
    }
}
