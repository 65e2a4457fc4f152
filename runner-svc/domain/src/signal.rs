//! A signal that somebody asked for. The machine does not care what the program
//! makes of it: an end by it is an end as any other.

use crate::{Effect, Machine, State, Verdict};
use process_model::spec::Signal;

impl Machine {
    pub(crate) fn signal_asked(&mut self, signal: Signal) {
        if let State::Running { run, .. } = &self.state {
            let run = *run;
            self.push(Effect::SignalMain { run, signal });
        }
    }

    /// Done when there is somebody to get it. Of what is being stopped only
    /// children may be left.
    pub(crate) fn judge_signal(&self) -> Verdict {
        match self.state() {
            State::Running { .. } => Verdict::Done,
            State::Stopping(_) => Verdict::Failed("it is being stopped".to_owned()),
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => Verdict::Failed("it does not run".to_owned()),
        }
    }
}
