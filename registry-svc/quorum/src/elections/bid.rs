//! Our own candidacy: when to ask the others, what they answered, and from when
//! a majority would really vote for us.
//!
//! A voter that grants says how long its lease still runs. So the candidate
//! stands the moment the last lease that it needs is over: earlier would burn a
//! term and a round of waiting, later would lengthen the fail-over.

use super::{Opinion, Timing};
use crate::{Chance, Millis, ReplicaId, Voters};
use std::collections::BTreeMap;

/// The newest answer of a peer.
#[derive(Clone, Copy, Debug)]
struct Answer {
    asked: Millis,
    granted: bool,
    lease_over: Millis,
}

/// A candidacy, from the first suspicion to its end.
#[derive(Clone, Debug)]
pub(super) struct Bid {
    timing: Timing,
    /// Suspecting since then; none while there is nothing to suspect.
    since: Option<Millis>,
    ask_at: Millis,
    /// We stood: until then the votes may still come in.
    rest: Millis,
    /// Rounds without a leader: each widens the chance of the next.
    tries: u32,
    answers: BTreeMap<ReplicaId, Answer>,
    /// A better candidate asked and was granted: it goes first.
    gave_way: bool,
}

impl Bid {
    pub(super) fn new(timing: Timing) -> Self {
        let (ask_at, rest) = (Millis(0), Millis(0));
        Self { timing, since: None, ask_at, rest, tries: 0, answers: BTreeMap::new(), gave_way: false }
    }

    /// There is evidence. The first round begins at once unless `spread`, when others begin in the same moment.
    pub(super) fn open(&mut self, spread: bool, now: Millis, chance: &mut Chance) {
        if self.since.is_none() {
            let delay = if spread { chance.up_to(self.spread()) } else { 0 };
            self.ask_at = self.ask_at.max(now.plus(delay));
            self.since = Some(now);
        }
    }

    /// The evidence is gone.
    pub(super) fn close(&mut self) {
        self.since = None;
        self.answers.clear();
        self.gave_way = false;
    }

    /// Somebody leads: what went before is over.
    pub(super) fn forget(&mut self, now: Millis) {
        self.close();
        self.tries = 0;
        self.ask_at = now;
        self.rest = now;
    }

    pub(super) fn is_open(&self) -> bool {
        self.since.is_some()
    }

    /// Within this time the better of two equal candidates goes first.
    pub(super) fn first_round_ends(&self) -> Option<Millis> {
        self.since.map(|since| since.plus(self.timing.retry))
    }

    pub(super) fn give_way(&mut self) {
        self.gave_way = true;
    }

    pub(super) fn ask_due(&self) -> Option<Millis> {
        self.since.map(|_| self.ask_at)
    }

    pub(super) fn asked(&mut self, now: Millis, chance: &mut Chance) {
        self.ask_at = now.plus(self.timing.retry + chance.up_to(self.spread()));
    }

    /// We stand: the answers are used up, and the Raft library has `retry` for the votes.
    pub(super) fn stood(&mut self, now: Millis, chance: &mut Chance) {
        self.tries = self.tries.saturating_add(1);
        self.asked(now, chance);
        self.rest = self.ask_at;
        self.answers.clear();
    }

    pub(super) fn answered(&mut self, from: ReplicaId, opinion: Opinion, now: Millis) {
        let asked = opinion.ballot.asked;
        let too_late = asked > now || now.since(asked) > self.timing.grant;
        if !self.is_open() || too_late {
            return;
        }
        let known = self.answers.get(&from);
        // To one question the better answer counts: it came second and may arrive first. A newer question replaces both.
        let better = known.is_none_or(|known| asked > known.asked || (asked == known.asked && opinion.granted));
        if better {
            let lease_over = now.plus(opinion.lease_left);
            self.answers.insert(from, Answer { asked, granted: opinion.granted, lease_over });
        }
    }

    /// From when a majority would vote for us, as far as is known now.
    pub(super) fn winnable_from(&self, me: ReplicaId, voters: &Voters, now: Millis) -> Option<Millis> {
        let since = self.since?;
        let earliest = if self.gave_way { since.plus(self.timing.retry) } else { since };
        let free = |id: ReplicaId| {
            if id == me {
                return Some(since);
            }
            let answer = self.answers.get(&id).filter(|answer| answer.granted);
            answer.filter(|answer| now.since(answer.asked) <= self.timing.grant).map(|answer| answer.lease_over)
        };
        let mut moments: Vec<Millis> = voters.all().into_iter().filter_map(free).collect();
        moments.sort_unstable();
        let moment = moments.into_iter().find(|at| voters.majority(|id| free(id).is_some_and(|free| free <= *at)))?;
        Some(moment.max(earliest).max(self.rest))
    }

    fn spread(&self) -> u64 {
        self.timing.jitter << self.tries.min(3)
    }
}
