//! The one entrance. A step writes down what was seen, then brings everything
//! that depends on time or on several things at once into order (`settle`). So
//! a tick is a step that saw nothing, and a step repeated does nothing.

use super::bid::Bid;
use super::hand_over::{HandOver, heir};
use super::leading::Leading;
use super::petitions::Petitions;
use super::suspicion::Suspicion;
use super::take_over::{TakeOver, Wish};
use super::{Ballot, Do, Evidence, HandOverEnd, Opinion, Saw, Standing, Timing, Why};
use crate::{Chance, Millis, Position, ReplicaId};

/// Who may stand for leader, and when, as one replica sees it.
#[derive(Clone, Debug)]
pub struct Elections {
    pub(super) me: ReplicaId,
    pub(super) timing: Timing,
    pub(super) chance: Chance,
    pub(super) standing: Standing,
    pub(super) suspicion: Suspicion,
    pub(super) petitions: Petitions,
    pub(super) bid: Bid,
    /// Present while we lead.
    pub(super) leading: Option<Leading>,
    pub(super) hand_over: Option<HandOver>,
    pub(super) take_over: TakeOver,
    pub(super) disk_stalled: bool,
    pub(super) disk_full: bool,
    /// The last step.
    pub(super) stepped: Millis,
}

impl Elections {
    /// A process that has just started at `now`; `standing` is what its disk says. It waits a whole election timeout
    /// for the leader of others before it suspects anything.
    #[must_use]
    pub fn new(me: ReplicaId, timing: Timing, seed: u64, standing: Standing, now: Millis) -> Self {
        Self {
            me,
            timing,
            chance: Chance::new(seed),
            leading: (standing.leader == Some(me)).then(|| Leading::new(timing, now)),
            standing,
            suspicion: Suspicion::new(timing, now),
            petitions: Petitions::new(timing.grant),
            bid: Bid::new(timing),
            hand_over: None,
            take_over: TakeOver::default(),
            disk_stalled: false,
            disk_full: false,
            stepped: now,
        }
    }

    /// Takes up what was seen and says what to do. A `now` before that of the last step counts as that.
    pub fn step(&mut self, saw: Saw, now: Millis) -> Vec<Do> {
        let now = now.max(self.stepped);
        let mut wanted = Vec::new();
        self.wake(now);
        match saw {
            // Time alone is settled below.
            Saw::Tick => {}
            Saw::Heard { from, term } => self.heard(from, term, now, &mut wanted),
            Saw::LinkUp { peer, boot } => self.suspicion.link_up(peer, boot, self.standing.leader),
            Saw::LinkDown { peer, refused } => self.link_down(peer, refused, now, &mut wanted),
            Saw::Standing(standing) => self.stands(standing, now, &mut wanted),
            Saw::PreVoteAsked { from, ballot } => self.asked(from, ballot, now, &mut wanted),
            Saw::PreVoteAnswered { from, opinion } => {
                // An answer to what we were in another term says nothing about this one.
                if opinion.ballot.term == self.standing.term {
                    self.bid.answered(from, opinion, now);
                }
            }
            Saw::Resigned { from, term } => {
                if self.standing.leader == Some(from) && self.standing.term == term && from != self.me {
                    self.suspicion.testifies(Evidence::Resigned);
                }
            }
            Saw::QuorumAcked { sent } => {
                if let Some(leading) = &mut self.leading {
                    leading.acked(sent);
                }
            }
            Saw::TermSeen(term) => self.term_seen(term, now),
            Saw::DiskStalled(stalled) => self.disk_stalled = stalled,
            Saw::DiskFull(full) => self.disk_full = full,
            Saw::HandOverAsked { to } => self.hand_over_asked(to, now, &mut wanted),
            Saw::TakeOverAsked { from, term, last } => self.take_over_asked(from, term, last, now, &mut wanted),
            Saw::TakeOverRefused { from } => {
                if self.hand_over.is_some_and(|hand_over| hand_over.to == from) {
                    self.end_hand_over(HandOverEnd::Refused(from), &mut wanted);
                }
            }
        }
        self.settle(now, &mut wanted);
        wanted
    }

    /// Why this replica holds that nobody leads; none while it leads or follows.
    #[must_use]
    pub fn suspects(&self, now: Millis) -> Option<Evidence> {
        match self.leading {
            Some(_) => None,
            None if self.is_alone() => Some(Evidence::Alone),
            None => self.suspicion.evidence(self.standing.leader, now),
        }
    }

    /// The term that everything is decided in, and its leader. Whoever carries out a [`Do::Stand`] has to see that the
    /// Raft library is still there: if it has gone on, somebody else was quicker, and must not be disturbed.
    #[must_use]
    pub fn term(&self) -> (u64, Option<ReplicaId>) {
        (self.standing.term, self.standing.leader)
    }

    /// Why this leader does not lead at present.
    #[must_use]
    pub fn suspended(&self) -> Option<Why> {
        self.leading.as_ref().and_then(Leading::suspended)
    }

    /// After half an election timeout without a step we were asleep: `next_deadline` is never further than a quarter.
    fn wake(&mut self, now: Millis) {
        let gap = now.since(self.stepped);
        if gap > self.timing.silence / 2 {
            self.suspicion.slept(gap, now);
        }
        self.stepped = now;
    }

    fn link_down(&mut self, peer: ReplicaId, refused: bool, now: Millis, wanted: &mut Vec<Do>) {
        let broke = self.suspicion.link_down(peer, refused, now);
        if broke && !refused && self.standing.leader == Some(peer) {
            wanted.push(Do::Redial(peer));
        }
        if self.hand_over.is_some_and(|hand_over| hand_over.to == peer) {
            self.end_hand_over(HandOverEnd::Refused(peer), wanted);
        }
    }

    fn asked(&mut self, from: ReplicaId, ballot: Ballot, now: Millis, wanted: &mut Vec<Do>) {
        self.term_seen(ballot.term, now);
        if self.standing.leader == Some(from) && ballot.term > self.standing.term {
            self.suspicion.testifies(Evidence::MovedOn);
        }
        let granted = self.grants(from, &ballot, now);
        self.petitions.asked(from, ballot, granted, now);
        self.answer(from, ballot, granted, now, wanted);
    }

    pub(super) fn answer(&mut self, to: ReplicaId, ballot: Ballot, granted: bool, now: Millis, wanted: &mut Vec<Do>) {
        if granted && (ballot.last, to) > (self.standing.last, self.me) {
            self.bid.give_way();
        }
        let opinion = Opinion { ballot, granted, lease_left: self.suspicion.lease_left(now) };
        wanted.push(Do::AnswerPreVote { to, opinion });
    }

    fn term_seen(&mut self, term: u64, now: Millis) {
        if let Some(leading) = self.leading.as_mut().filter(|_| term > self.standing.term) {
            leading.overruled(now);
        }
    }

    fn hand_over_asked(&mut self, to: Option<ReplicaId>, now: Millis, wanted: &mut Vec<Do>) {
        if self.hand_over.is_some() {
            // One at a time; who asks again hears the end of the first.
            return;
        }
        if self.leading.as_ref().is_none_or(|leading| leading.suspended().is_some()) {
            wanted.push(Do::HandOverEnded(HandOverEnd::NotLeading));
            return;
        }
        let is_up = |id| self.suspicion.is_up(id) && to.is_none_or(|to| to == id);
        let Some(to) = heir(&self.standing, self.me, is_up) else {
            wanted.push(Do::HandOverEnded(HandOverEnd::NoHeir));
            return;
        };
        let until = now.plus(self.timing.hand_over);
        self.hand_over = Some(HandOver { to, term: self.standing.term, until, sent: false });
        wanted.push(Do::HoldProposals);
    }

    pub(super) fn end_hand_over(&mut self, end: HandOverEnd, wanted: &mut Vec<Do>) {
        self.hand_over = None;
        wanted.push(Do::HandOverEnded(end));
    }

    fn take_over_asked(&mut self, from: ReplicaId, term: u64, last: Position, now: Millis, wanted: &mut Vec<Do>) {
        if self.take_over.is_heeded(term) {
            // A copy of a message that was followed.
            return;
        }
        if self.is_fit() && self.standing.leader == Some(from) && self.standing.term == term {
            self.take_over.wish = Some(Wish { from, last, until: now.plus(self.timing.hand_over / 2) });
        } else {
            wanted.push(Do::RefuseTakeOver { to: from });
        }
    }
}
