//! The heartbeats of a session that have not been answered, with the moments at
//! which they were sent: an answer confirms the node from then on, and no
//! answer for half of a lease means that nobody is there, whatever the
//! connection says. Half, as the other half is for finding whoever leads: a node
//! whose leader hangs is heard by the next one before its lease is over.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Unanswered heartbeats that are remembered; a lease is a handful of them.
const REMEMBERED: usize = 256;
/// Until the registry says otherwise.
const LEASE: Duration = Duration::from_secs(10);

/// Heartbeats that wait for their answer.
#[derive(Debug)]
pub(super) struct Beats {
    sent: VecDeque<Beat>,
    newest: u64,
    /// What belongs on this node has been told in this session: only then its answer says that it still does.
    told: bool,
    lease: Duration,
}

#[derive(Debug)]
struct Beat {
    seq: u64,
    at: Instant,
    /// The same by the clock of leases.
    boot: Duration,
    counts: bool,
}

impl Beats {
    pub(super) fn new() -> Self {
        Self { sent: VecDeque::new(), newest: 0, told: false, lease: LEASE }
    }

    /// Silence after which whoever leads takes this node for gone.
    pub(super) fn set_lease(&mut self, lease: Duration) {
        self.lease = lease;
    }

    /// What belongs here was told. True when that is the first time.
    pub(super) fn told(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// Sends one now; returns its number.
    pub(super) fn send(&mut self, at: Instant, boot: Duration) -> u64 {
        self.newest += 1;
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Beat { seq: self.newest, at, boot, counts: self.told });
        self.newest
    }

    /// One was answered, and with it those before it. Returns since when this
    /// node is confirmed, if it is.
    pub(super) fn answered(&mut self, seq: u64) -> Option<Duration> {
        let answered = self.sent.iter().rev().find(|beat| beat.seq == seq)?;
        let confirmed = answered.counts.then_some(answered.boot);
        self.sent.retain(|beat| beat.seq > seq);
        confirmed
    }

    /// When to take the other side for gone.
    pub(super) fn gone_at(&self) -> Option<Instant> {
        self.sent.front().map(|oldest| oldest.at + self.lease / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn an_answer_confirms_from_when_its_heartbeat_was_sent_and_not_before_the_assignments_were_told() {
        let (mut beats, now) = (Beats::new(), Instant::now());
        assert_eq!(beats.send(now, seconds(100)), 1);
        assert!(beats.told() && !beats.told());
        assert_eq!(beats.send(now, seconds(102)), 2);
        assert_eq!(beats.answered(1), None, "sent before it was known what belongs here");
        assert_eq!(beats.send(now, seconds(104)), 3);
        assert_eq!(beats.answered(2), Some(seconds(102)));
        assert_eq!(beats.answered(2), None, "said twice");
        assert_eq!(beats.answered(77), None, "never sent");
        assert_eq!(beats.answered(3), Some(seconds(104)));
    }

    #[tokio::test]
    async fn the_oldest_unanswered_heartbeat_decides_when_nobody_is_there() {
        let (mut beats, now) = (Beats::new(), Instant::now());
        beats.set_lease(seconds(10));
        assert_eq!(beats.gone_at(), None);
        beats.send(now, seconds(1));
        beats.send(now + seconds(2), seconds(3));
        assert_eq!(beats.gone_at(), Some(now + seconds(5)));
        beats.answered(1);
        assert_eq!(beats.gone_at(), Some(now + seconds(7)));
        beats.answered(2);
        assert_eq!(beats.gone_at(), None);
    }

    #[tokio::test]
    async fn a_registry_that_answers_nothing_costs_no_more_than_so_much() {
        let (mut beats, now) = (Beats::new(), Instant::now());
        for _ in 0..10_000 {
            beats.send(now, seconds(1));
        }
        assert_eq!(beats.sent.len(), REMEMBERED);
    }
}
