//! Who is asked first, second, third. Pure: the time comes in.
//!
//! ```text
//!   good(i)   ─▶ i is first, and awake       it answered
//!   prefer(i) ─▶ i is first, unless it rests   a replica says that i leads
//!   rest(i)   ─▶ i is behind all others for a while    it broke, or is silent
//! ```

use std::time::{Duration, Instant};

/// How long one that broke stays behind the others. Longer than an election, so that the next calls do not run into a
/// dead leader that its followers still name; short beside the start of a replica.
pub(super) const REST: Duration = Duration::from_secs(5);

/// The order of a list of members, which are numbers here.
#[derive(Debug, Default)]
pub(super) struct Preference {
    first: usize,
    /// Until when each rests.
    rests: Vec<Option<Instant>>,
}

impl Preference {
    /// One more, at the end.
    pub(super) fn add(&mut self) {
        self.rests.push(None);
    }

    /// One less; those behind it move up.
    pub(super) fn remove(&mut self, member: usize) {
        if member >= self.rests.len() {
            return;
        }
        self.rests.remove(member);
        if self.first > member || self.first >= self.rests.len() {
            self.first = self.first.saturating_sub(1);
        }
    }

    /// It answered: it stays first.
    pub(super) fn good(&mut self, member: usize) {
        if let Some(rest) = self.rests.get_mut(member) {
            (*rest, self.first) = (None, member);
        }
    }

    /// Others say that it is the one to ask. Whoever broke a moment ago is not believed to be.
    pub(super) fn prefer(&mut self, member: usize, now: Instant) -> bool {
        let fits = member < self.rests.len() && !self.is_resting(member, now);
        if fits {
            self.first = member;
        }
        fits
    }

    /// It broke, or says nothing.
    pub(super) fn rest(&mut self, member: usize, now: Instant) {
        if let Some(rest) = self.rests.get_mut(member) {
            *rest = Some(now + REST);
        }
    }

    fn is_resting(&self, member: usize, now: Instant) -> bool {
        self.rests.get(member).copied().flatten().is_some_and(|until| until > now)
    }

    /// Everybody once: the first, those behind it in their order, then those that rest, the longest rested first.
    pub(super) fn order(&self, now: Instant) -> Vec<usize> {
        let count = self.rests.len();
        let mut order: Vec<usize> = (0..count).map(|step| (self.first + step) % count).collect();
        // Stable: whoever is awake keeps the order of the circle.
        order.sort_by_key(|member| self.rests.get(*member).copied().flatten().filter(|until| *until > now));
        order
    }

    /// The one who is asked first.
    pub(super) fn first(&self, now: Instant) -> Option<usize> {
        if !self.is_resting(self.first, now) && self.first < self.rests.len() {
            return Some(self.first);
        }
        self.order(now).first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> (Preference, Instant) {
        let mut preference = Preference::default();
        (0..3).for_each(|_| preference.add());
        (preference, Instant::now())
    }

    #[test]
    fn whoever_answered_stays_first_and_the_others_follow_in_a_circle() {
        let (mut preference, now) = three();
        assert_eq!(preference.order(now), [0, 1, 2]);
        preference.good(1);
        assert_eq!(preference.order(now), [1, 2, 0]);
        assert_eq!(preference.first(now), Some(1));
    }

    #[test]
    fn whoever_broke_is_last_for_a_while_even_when_it_is_said_to_lead() {
        let (mut preference, now) = three();
        preference.rest(0, now);
        assert_eq!(preference.order(now), [1, 2, 0]);
        assert!(!preference.prefer(0, now));
        assert_eq!(preference.first(now), Some(1));
        let later = now + REST;
        assert!(preference.prefer(0, later));
        assert_eq!(preference.order(later), [0, 1, 2]);
        preference.rest(0, later);
        preference.rest(1, later + Duration::from_millis(1));
        preference.rest(2, later + Duration::from_millis(2));
        assert_eq!(preference.order(later), [0, 1, 2], "all rest: the longest rested first");
        preference.good(2);
        assert_eq!(preference.order(later), [2, 0, 1]);
    }

    #[test]
    fn a_member_that_goes_takes_nobody_else_s_place() {
        let (mut preference, now) = three();
        preference.good(2);
        preference.remove(0);
        assert_eq!(preference.order(now), [1, 0]);
        preference.remove(1);
        assert_eq!(preference.order(now), [0]);
        assert!(!preference.prefer(7, now));
    }
}
