//! Readiness and liveness probes: each asks the program at its interval and
//! tells the instance's machine, which counts. At most one question of a probe
//! is open, and its time-out covers everything that may happen to it.
//!
//! | file | what is asked |
//! |---|---|
//! | `http` | a request |
//! | `grpc` | `grpc.health.v1.Health/Check` |
//! | `question` | which of them, TCP connections and commands |

mod grpc;
mod http;
mod question;
#[cfg(test)]
mod tests;

use super::slumber::Slumber;
use crate::instance::{Deps, Message};
use crate::mailbox;
use process_model::Assignment;
use process_model::spec::Probe;
use question::{Answer, Question};
use runner_domain::{Input, RunId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Asks again this soon until an instance says for the first time that it is
/// ready, when the spec's interval is longer: a start is not to wait for half
/// an interval. From then on what the spec asks for holds: thresholds count
/// probes at its interval.
const EAGER: Duration = Duration::from_millis(100);

/// The same for commands: each is a process of its own.
const EAGER_COMMAND: Duration = Duration::from_secs(1);

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Readiness,
    Liveness,
}

/// A probe of one run.
pub(crate) struct Prober {
    pub(crate) deps: Arc<Deps>,
    pub(crate) assignment: Arc<Assignment>,
    pub(crate) probe: Probe,
    pub(crate) purpose: Purpose,
    /// Whether a start waits for the first success.
    pub(crate) starting: bool,
    pub(crate) run: RunId,
    pub(crate) inbox: mailbox::Sender<Message>,
}

impl Prober {
    /// Whether a probe asks; otherwise the program or its output tells.
    pub(crate) fn asks(probe: &Probe) -> bool {
        Question::of(&probe.check).is_some()
    }

    /// Probes until dropped.
    pub(crate) async fn run(self) {
        let Some(question) = Question::of(&self.probe.check) else { return };
        let mut slumber = Slumber::new();
        let mut due = Instant::now() + self.probe.initial_delay;
        // Whatever a program that has just been woken fails to do is not held against it.
        let mut excused = None;
        let mut starting = self.starting;
        loop {
            if slumber.until(due).await {
                excused = Some(Instant::now() + self.grace());
            }
            let begun = Instant::now();
            let answer = question.ask(&self).await;
            let late = begun + self.probe.timeout + question.patience();
            if slumber.was_asleep(late) {
                excused = Some(Instant::now() + self.grace());
            }
            let is_excused = excused.is_some_and(|until| Instant::now() < until);
            starting &= answer != Answer::Yes;
            if let Some(input) = self.input(answer, is_excused)
                && self.inbox.send(input.into()).is_err()
            {
                return;
            }
            due = begun + self.interval(&question, starting);
        }
    }

    fn interval(&self, question: &Question, starting: bool) -> Duration {
        let eager = if question.is_command() { EAGER_COMMAND } else { EAGER };
        if starting { self.probe.interval.min(eager) } else { self.probe.interval }
    }

    fn grace(&self) -> Duration {
        self.probe.timeout.max(self.probe.interval)
    }

    /// What an answer means for the machine, if anything.
    fn input(&self, answer: Answer, is_excused: bool) -> Option<Input> {
        let run = self.run;
        match (self.purpose, answer) {
            (Purpose::Readiness, Answer::Yes) => Some(Input::ProbeSucceeded { run }),
            (Purpose::Liveness, Answer::Yes) => Some(Input::LivenessSucceeded { run }),
            (_, Answer::No(why)) if is_excused => {
                tracing::debug!(instance = %self.assignment.instance, why, "a probe failed after we slept; not counted");
                None
            }
            (Purpose::Liveness, Answer::No(why)) => Some(Input::LivenessFailed { run, why }),
            // Nobody is killed because the node could not ask.
            (Purpose::Liveness, Answer::NotAsked(why)) => {
                tracing::warn!(instance = %self.assignment.instance, why, "a liveness probe could not be run; not counted");
                None
            }
            (Purpose::Readiness, Answer::No(why) | Answer::NotAsked(why)) => Some(Input::ProbeFailed { run, why }),
        }
    }
}
