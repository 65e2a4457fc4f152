//! The keeper's loop: its part about output. A turn moves a bounded amount; a
//! disk that takes nothing is tried again by the clock, not by turning.

use super::file::News;
use super::output::{Drained, Output};
use crate::diary::say;
use crate::epoll::Source;
use crate::keeper::Keeper;
use crate::protocol::Event;
use process_model::spec::LogPolicy;
use std::time::Instant;

/// Outputs of a run.
const OUTPUTS: usize = 2;

/// Looks at most at a pipe whose program has ended.
const ROUNDS: usize = 16;

impl Keeper {
    /// An output has something.
    pub(crate) fn pump(&mut self, run: u64, index: usize) {
        let Some(slot) = self.runs.get_mut(&run).and_then(|r| r.outputs.get_mut(index)) else { return };
        let Some(output) = slot else { return };
        let drained = output.pump(&mut self.buffer);
        self.tell_logs(run, index, drained);
    }

    /// Writes out what is in the pipes of a run now.
    pub(crate) fn drain(&mut self, run: u64) {
        for index in 0..OUTPUTS {
            let Some(output) = self.runs.get_mut(&run).and_then(|r| r.outputs.get_mut(index)?.as_mut()) else {
                continue;
            };
            output.look_again();
            // A pipe holds 1 MiB at most: a few rounds empty it even while somebody else goes on writing.
            let drained = (0..ROUNDS).map(|_| output.pump(&mut self.buffer)).find(|drained| *drained != Drained::More);
            self.tell_logs(run, index, drained.unwrap_or(Drained::More));
        }
    }

    /// What follows from having pumped an output: the runner hears of it, and
    /// a pipe that cannot be read now, or never again, is waited for no more.
    pub(crate) fn tell_logs(&mut self, run: u64, index: usize, drained: Drained) {
        let Some(record) = self.runs.get_mut(&run) else { return };
        let Some(slot) = record.outputs.get_mut(index) else { return };
        let Some(output) = slot else { return };
        let mut news = output.news();
        match drained {
            Drained::More | Drained::Empty => {}
            Drained::Blocked => {
                // Told of an end, too, as long as it is waited for: taken out as a whole.
                if !std::mem::replace(&mut output.parked, true) {
                    self.epoll.remove(&output.pipe);
                }
            }
            Drained::Closed => {
                // Others may hold its pipe as well: closing our end is not enough.
                self.epoll.remove(&output.pipe);
                output.finish();
                news.extend(output.news());
            }
        }
        if let Some(retry) = output.retry() {
            self.log_due = Some(self.log_due.map_or(retry, |due| due.min(retry)));
        }
        if drained == Drained::Closed {
            *slot = None;
        }
        if news.is_empty() {
            return;
        }
        let instance = record.instance.clone();
        for news in news {
            let event = match news {
                News::Rotated(path) => {
                    Event::Rotated { instance: instance.clone(), path: path.to_string_lossy().into_owned() }
                }
                News::Trouble { message, dropped } => {
                    self.to_hand.insert(run);
                    Event::LogTrouble { run, message, dropped }
                }
            };
            self.send(&event);
        }
    }

    /// Tries again where the disk took nothing.
    pub(crate) fn retry_logs(&mut self) {
        let now = Instant::now();
        let waiting: Vec<(u64, usize)> = self
            .runs
            .iter()
            .flat_map(|(id, run)| run.outputs.iter().enumerate().map(move |(index, output)| (*id, index, output)))
            .filter(|(_, _, output)| output.as_ref().is_some_and(|output| output.retry().is_some() || output.parked))
            .map(|(id, index, _)| (id, index))
            .collect();
        for (run, index) in waiting {
            let Some(output) = self.runs.get_mut(&run).and_then(|r| r.outputs.get_mut(index)?.as_mut()) else {
                continue;
            };
            output.try_again(now);
            let freed = output.parked && output.retry().is_none();
            if freed {
                output.parked = false;
                if let Err(e) = self.epoll.add(&output.pipe, Source::Output { run, index }) {
                    say!("cannot read an output again: {e}");
                }
            }
            self.tell_logs(run, index, Drained::Empty);
        }
    }

    /// Output of a run is kept by another policy.
    pub(crate) fn set_logs(&mut self, id: u64, logs: &LogPolicy) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.outputs.iter_mut().flatten().for_each(|output: &mut Output| output.keep_by(logs.clone()));
        // A keeper after this one keeps them so, too.
        self.to_hand.insert(id);
    }
}
