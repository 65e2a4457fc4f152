//! A leader that should not lead now: nobody acknowledges, or its disk does not
//! write. It is suspended, which keeps the term: if nobody took over meanwhile,
//! leading goes on where it stopped.

use super::{Do, Timing, Why};
use crate::Millis;

/// What the leader knows of its own fitness.
#[derive(Clone, Debug)]
pub(super) struct Leading {
    timing: Timing,
    /// Elected at this moment.
    since: Millis,
    /// A majority held us for the leader at this moment.
    acked: Millis,
    suspended: Option<Why>,
    /// When a suspended leader asks around, or says again that it resigned.
    again_at: Millis,
}

impl Leading {
    /// Elected at `now`: a majority has just voted.
    pub(super) fn new(timing: Timing, now: Millis) -> Self {
        Self { timing, since: now, acked: now, suspended: None, again_at: now }
    }

    /// From when on we vote for an heir: the library gives even its own fresh vote a lease, and an heir that is
    /// refused has raised the term for nothing.
    pub(super) fn ripe_at(&self) -> Millis {
        self.since.plus(self.timing.lease + self.timing.margin)
    }

    pub(super) fn acked(&mut self, sent: Millis) {
        self.acked = self.acked.max(sent);
    }

    /// Somebody is in a higher term. While suspended we send nothing that could teach the Raft library so: lead for
    /// one election timeout more, and the first append that is refused ends the term.
    pub(super) fn overruled(&mut self, now: Millis) {
        if self.suspended == Some(Why::NoQuorum) {
            self.acked = now;
        }
    }

    pub(super) fn suspended(&self) -> Option<Why> {
        self.suspended
    }

    /// Compares what should be with what is. `disk` is its fault, `alone` that there is no other voter to ask.
    pub(super) fn settle(&mut self, term: u64, disk: Option<Why>, alone: bool, now: Millis) -> Vec<Do> {
        let lost = !alone && now >= self.quorum_due();
        let why = disk.or(lost.then_some(Why::NoQuorum));
        let mut wanted = Vec::new();
        let mut first = false;
        if why != self.suspended {
            wanted.push(why.map_or(Do::Resume, Do::Suspend));
            self.again_at = now;
            self.suspended = why;
            first = true;
        }
        let Some(why) = why.filter(|_| now >= self.again_at) else { return wanted };
        self.again_at = now.plus(self.timing.confirm);
        match why {
            // Said again and again: an append that was on its way already contradicts the first time.
            Why::DiskFull | Why::DiskStalled => wanted.push(Do::Resign { term }),
            // After a pause everything looks old; one round tells whether it is, and only then others should move.
            Why::NoQuorum if first => wanted.push(Do::Confirm { term }),
            Why::NoQuorum => wanted.extend([Do::Confirm { term }, Do::Resign { term }]),
        }
        wanted
    }

    pub(super) fn next(&self, alone: bool) -> Option<Millis> {
        match self.suspended {
            Some(_) => Some(self.again_at),
            None => (!alone).then(|| self.quorum_due()),
        }
    }

    fn quorum_due(&self) -> Millis {
        self.acked.plus(self.timing.silence)
    }
}
