//! What follows from the whole state at a moment, whatever was seen last: who
//! is suspended, who is asked, who gets a yes after all, who stands. And when
//! to look again.

use super::{Ballot, Do, Elections, Evidence, HandOverEnd, Mandate, Why};
use crate::{Millis, ReplicaId};

impl Elections {
    /// Brings everything into order. Doing so twice in the same moment does nothing the second time.
    pub(super) fn settle(&mut self, now: Millis, wanted: &mut Vec<Do>) {
        if self.leading.is_some() {
            self.settle_leading(now, wanted);
            return;
        }
        self.settle_take_over(now, wanted);
        match self.suspects(now).filter(|_| self.is_fit()) {
            None => self.bid.close(),
            Some(evidence) => {
                // A lost election is noticed by all that voted in it at once.
                self.bid.open(evidence == Evidence::Vacant, now, &mut self.chance);
                self.settle_petitions(now, wanted);
                self.settle_bid(now, wanted);
            }
        }
    }

    /// When to step with [`Saw::Tick`](super::Saw::Tick), if nothing is seen before: always after the last step.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        let now = self.stepped;
        let mut moments = Vec::new();
        if let Some(leading) = &self.leading {
            moments.extend(leading.next(self.is_alone()));
            moments.extend(self.hand_over.map(|hand_over| hand_over.until));
            moments.extend(self.hand_over.filter(|hand_over| !hand_over.sent).map(|_| leading.ripe_at()));
        } else if self.is_fit() {
            moments.extend(self.take_over.wish.map(|wish| wish.until));
            if self.bid.is_open() {
                moments.extend(self.bid.ask_due());
                moments.extend(self.bid.winnable_from(self.me, &self.standing.voters, now));
                moments.extend(self.bid.first_round_ends().filter(|_| !self.petitions.open(now).is_empty()));
            } else {
                moments.extend(self.suspicion.from(self.standing.leader, now).map(|(at, _)| at));
            }
            // Often enough to notice that we slept.
            moments.push(now.plus(self.timing.silence / 4));
        }
        moments.into_iter().filter(|at| *at > now).min()
    }

    /// Whether this peer may stand as far as we are concerned.
    pub(super) fn grants(&self, from: ReplicaId, ballot: &Ballot, now: Millis) -> bool {
        if self.is_blank() {
            return self.disk_fault().is_none();
        }
        let both_vote = self.is_fit() && self.standing.voters.contains(from);
        if !both_vote || self.suspects(now).is_none() || ballot.last < self.standing.last {
            return false;
        }
        // Of two equals the greater id goes first, for one round. `first_round_ends` is none in the very step that
        // begins to suspect; the question is looked at again right after, when it is known.
        let we_go_first = ballot.last == self.standing.last && from < self.me;
        !we_go_first || self.bid.first_round_ends().is_some_and(|end| now >= end)
    }

    /// Never heard of any members, and of no leader: a fresh replica, whose founder is the only one that can ask. When
    /// nobody who is blank said yes, a founder that failed at the first try would never win.
    fn is_blank(&self) -> bool {
        self.standing.voters.all().is_empty() && self.standing.leader.is_none()
    }

    /// Fit to vote and to stand: a voter whose disk takes the vote.
    pub(super) fn is_fit(&self) -> bool {
        self.standing.voters.contains(self.me) && self.disk_fault().is_none()
    }

    fn disk_fault(&self) -> Option<Why> {
        let full = self.disk_full.then_some(Why::DiskFull);
        full.or(self.disk_stalled.then_some(Why::DiskStalled))
    }

    pub(super) fn is_alone(&self) -> bool {
        self.standing.voters.majority(|id| id == self.me)
    }

    fn settle_leading(&mut self, now: Millis, wanted: &mut Vec<Do>) {
        let (disk, alone, term) = (self.disk_fault(), self.is_alone(), self.standing.term);
        if let Some(leading) = &mut self.leading {
            wanted.extend(leading.settle(term, disk, alone, now));
        }
        let Some(mut hand_over) = self.hand_over else { return };
        let ripe = self.leading.as_ref().is_some_and(|leading| now >= leading.ripe_at());
        if now >= hand_over.until {
            self.end_hand_over(HandOverEnd::TimedOut(hand_over.to), wanted);
        } else if ripe && !hand_over.sent && hand_over.is_level(&self.standing) {
            wanted.push(Do::SendTakeOver { to: hand_over.to, term: hand_over.term, last: self.standing.last });
            hand_over.sent = true;
            self.hand_over = Some(hand_over);
        }
    }

    fn settle_take_over(&mut self, now: Millis, wanted: &mut Vec<Do>) {
        let Some(wish) = self.take_over.wish else { return };
        if !self.is_fit() || now >= wish.until {
            self.take_over.wish = None;
            wanted.push(Do::RefuseTakeOver { to: wish.from });
        } else if self.standing.last >= wish.last {
            // The leader votes at once, its own vote being older than a lease; the others still have theirs.
            let enough = self.standing.voters.majority(|id| id == self.me || id == wish.from);
            self.take_over.heed(self.standing.term);
            self.bid.stood(now, &mut self.chance);
            wanted.push(Do::Stand(Mandate::Leader { past_leases: !enough }));
        }
    }

    /// Those who asked before we suspected get their yes now.
    fn settle_petitions(&mut self, now: Millis, wanted: &mut Vec<Do>) {
        for (from, ballot) in self.petitions.open(now) {
            if self.grants(from, &ballot, now) {
                self.petitions.asked(from, ballot, true, now);
                self.answer(from, ballot, true, now, wanted);
            }
        }
    }

    fn settle_bid(&mut self, now: Millis, wanted: &mut Vec<Do>) {
        if self.bid.ask_due().is_some_and(|due| now >= due) {
            let ballot = Ballot { term: self.standing.term, last: self.standing.last, asked: now };
            self.bid.asked(now, &mut self.chance);
            if !self.is_alone() {
                wanted.push(Do::AskPreVote(ballot));
            }
        }
        let winnable = self.bid.winnable_from(self.me, &self.standing.voters, now);
        if winnable.is_some_and(|at| now >= at) {
            self.bid.stood(now, &mut self.chance);
            wanted.push(Do::Stand(Mandate::Majority));
        }
    }
}
