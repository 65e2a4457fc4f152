//! One replica of the simulation: a process with its own clock, a disk that
//! outlives it, the Raft model and the `Elections` under test.

use crate::network::{MS, Micros};
use crate::raft::{Log, Raft, Rpc, Vote};
use registry_quorum::elections::{Ballot, Elections, Opinion, Standing, Timing};
use registry_quorum::{Millis, Position, ReplicaId, Voters};
use std::collections::BTreeSet;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub enum Message {
    Rpc(Rpc),
    PreVote(Ballot),
    Opinion(Opinion),
    Resigned { term: u64 },
    Confirm { term: u64, sent: Millis },
    Confirmed { term: u64, sent: Millis },
    Denied { term: u64 },
    TakeOver { term: u64, last: Position },
    NoTakeOver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Runs,
    /// SIGSTOP.
    Paused,
    /// `kill -9`: the host refuses dials.
    Killed,
    /// The host is gone: nobody answers.
    Gone,
}

#[derive(Debug)]
pub struct Node {
    pub id: ReplicaId,
    pub life: Life,
    pub boot: u64,
    offset: u64,
    /// Parts per million that its clock runs fast or slow.
    drift: i64,
    pub fsync: Micros,
    pub stalled: bool,
    pub full: bool,
    pub holding: bool,
    pub raft: Raft,
    pub elections: Elections,
    pub told: Standing,
    pub links: BTreeSet<ReplicaId>,
    /// The confirmation round that is out, and who said yes.
    pub confirmed: (Millis, BTreeSet<ReplicaId>),
    /// The tick that counts; older ones are void.
    pub tick: u64,
    /// It cannot do its part since then (dead, paused, stalled, full).
    pub ill: Option<Micros>,
    /// When its last process died.
    pub ended: Micros,
    /// It could not until then.
    pub ill_until: Micros,
    /// Leads, and is not suspended.
    pub led_since: Option<Micros>,
    /// When its elections last held that nobody leads.
    pub suspected: Option<Micros>,
    pub seed: u64,
}

impl Node {
    pub fn new(id: ReplicaId, voters: Voters, timing: Timing, seed: u64, offset: u64, drift: i64) -> Self {
        let raft = Raft::start(id, voters, Vote::default(), Log::default(), timing.lease);
        let mut node = Self {
            id,
            life: Life::Runs,
            boot: 1,
            offset,
            drift,
            fsync: MS,
            stalled: false,
            full: false,
            holding: false,
            elections: Elections::new(id, timing, seed, Standing::default(), Millis(0)),
            raft,
            told: Standing::default(),
            links: BTreeSet::new(),
            confirmed: (Millis(0), BTreeSet::new()),
            tick: 0,
            ill: None,
            ended: 0,
            ill_until: 0,
            led_since: None,
            suspected: None,
            seed,
        };
        node.begin(timing, 0);
        node
    }

    /// The process starts over what its disk holds.
    pub fn begin(&mut self, timing: Timing, now: Micros) {
        self.life = Life::Runs;
        self.boot += 1;
        let (voters, vote, log) = (self.raft.voters.clone(), self.raft.vote, Rc::clone(&self.raft.log));
        self.raft = Raft::start(self.id, voters, vote, log, timing.lease);
        self.told = self.standing();
        self.elections = Elections::new(self.id, timing, self.seed ^ self.boot, self.told.clone(), self.clock(now));
        self.links.clear();
        self.holding = false;
        self.led_since = None;
    }

    /// Its own monotonic clock.
    pub fn clock(&self, now: Micros) -> Millis {
        let drifted = now as i64 + now as i64 * self.drift / 1_000_000;
        Millis(self.offset + drifted as u64 / MS)
    }

    /// When its clock will show this.
    pub fn real(&self, at: Millis) -> Micros {
        let shown = (at.0.saturating_sub(self.offset) * MS) as i64;
        // Half a millisecond on top, as rounding must not wake it early.
        (shown * 1_000_000 / (1_000_000 + self.drift)) as u64 + MS / 2
    }

    pub fn falls_ill(&mut self, now: Micros) {
        self.ill.get_or_insert(now);
    }

    pub fn recovers(&mut self, now: Micros) {
        if self.ill.take().is_some() {
            self.ill_until = now;
        }
    }

    pub fn well_for(&self, now: Micros) -> Micros {
        if self.ill.is_some() { 0 } else { now - self.ill_until }
    }

    pub fn runs(&self) -> bool {
        self.life == Life::Runs
    }

    pub fn leads(&self) -> bool {
        self.raft.leader.is_some()
    }

    /// Leads, and does not hold back.
    pub fn serves(&self) -> bool {
        self.runs() && self.leads() && !self.stalled && self.elections.suspended().is_none()
    }

    /// Whether `standing` differs from what was told; asked after every event, so without building it.
    pub fn has_news(&self) -> bool {
        let (vote, told) = (self.raft.vote, &self.told);
        let matched = self.raft.leader.iter().flat_map(|leader| &leader.matched);
        let same = (vote.term, vote.whose.filter(|_| vote.committed)) == (told.term, told.leader)
            && self.raft.last() == told.last
            && matched.map(|(id, index)| (*id, *index as u64)).eq(told.matched.iter().map(|(id, index)| (*id, *index)));
        !same
    }

    pub fn standing(&self) -> Standing {
        let leader = self.raft.vote.whose.filter(|_| self.raft.vote.committed);
        let matched = self.raft.leader.as_ref().map(|leader| &leader.matched);
        Standing {
            term: self.raft.vote.term,
            leader,
            last: self.raft.last(),
            voters: self.raft.voters.clone(),
            matched: matched.into_iter().flatten().map(|(id, index)| (*id, *index as u64)).collect(),
        }
    }
}
