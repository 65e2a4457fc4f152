//! The chores thread: decides what is due and when to look again. Nothing
//! that it does is waited for by an answer, except that a new segment may be.

use super::keeping::Keeping;
use super::shared::Shared;
use super::state::State;
use crate::Fault;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// How often room is looked for while there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chore {
    /// A mark, now.
    Mark,
    /// The next segment.
    Segment,
    /// The reserve.
    Reserve,
    /// The log is closed and everything is written down.
    End,
    /// Nothing before this moment; `None`: until something changes.
    Rest(Option<Instant>),
}

/// The thread's own things.
pub(super) struct Chores {
    shared: Arc<Shared>,
    keeping: Keeping,
    /// Room is not looked for before then.
    look_again: Instant,
}

impl Chores {
    pub(super) fn new(shared: Arc<Shared>, keeping: Keeping) -> Self {
        Self { shared, keeping, look_again: Instant::now() }
    }

    /// Until the log is closed or fails.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        while state.fault.is_none() {
            let chore = self.next(&state);
            if let Chore::Rest(until) = chore {
                state = match until {
                    None => shared.chores.wait(state).unwrap_or_else(PoisonError::into_inner),
                    Some(until) => {
                        let time = until.saturating_duration_since(Instant::now());
                        shared.chores.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
                    }
                };
                continue;
            }
            drop(state);
            match self.carry_out(chore) {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => return shared.fail(fault),
            }
            state = shared.lock();
        }
    }

    fn next(&self, state: &State) -> Chore {
        let now = Instant::now();
        if state.closing {
            return match (state.writer_is_done, self.keeping.is_behind(state)) {
                (false, _) => Chore::Rest(None),
                (true, true) => Chore::Mark,
                (true, false) => Chore::End,
            };
        }
        if state.frees_before > self.keeping.first() {
            return Chore::Mark;
        }
        // A freed segment is room; else the disk has to be asked.
        let may_look = now >= self.look_again;
        if !state.layout.has_ready() && (may_look || self.keeping.has_freed()) {
            return Chore::Segment;
        }
        if state.mark_due.is_some_and(|due| due <= now) {
            return Chore::Mark;
        }
        let wants_reserve = !self.keeping.has_reserve();
        if wants_reserve && may_look {
            return Chore::Reserve;
        }
        let waits_for_room = wants_reserve || !state.layout.has_ready();
        let looks = waits_for_room.then_some(self.look_again);
        Chore::Rest(match (state.mark_due, looks) {
            (Some(due), Some(looks)) => Some(due.min(looks)),
            (due, looks) => due.or(looks),
        })
    }

    fn carry_out(&mut self, chore: Chore) -> Result<bool, Fault> {
        match chore {
            Chore::Mark => self.keeping.mark(&self.shared)?,
            Chore::Segment => {
                if !self.keeping.make_segment(&self.shared)? {
                    self.look_again = Instant::now() + LOOK_AGAIN;
                }
            }
            Chore::Reserve => {
                if !self.keeping.take_reserve(&self.shared)? {
                    self.look_again = Instant::now() + LOOK_AGAIN;
                }
            }
            Chore::End => return Ok(false),
            Chore::Rest(_) => {}
        }
        Ok(true)
    }
}
