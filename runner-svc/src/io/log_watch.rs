//! The log-activity watchdog's eyes (S2.1, S2.5, S2.7): looks at the files when
//! the kernel says that something happened to them, and each interval in any
//! case, and lets the domain judge. Time in which we slept ourselves is nobody's
//! silence.
//!
//! | file | what |
//! |---|---|
//! | `log_watch` | when to look, and what follows |
//! | `look` | one look at one file; making one that is missing |
//! | `alarm` | inotify(7) over all of them, for as long as the kernel lets us |

mod alarm;
mod look;
#[cfg(test)]
mod tests;

use super::slumber::Slumber;
use crate::clock;
use crate::instance::Message;
use crate::mailbox;
use crate::notice::{Notice, NoticeKind};
use alarm::Alarm;
pub(crate) use look::{Maker, Watched};
use process_model::InstanceId;
use runner_domain::silence::{Finding, Look, Silence};
use runner_domain::{Input, RunId};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// A program that writes all the time is looked at this often, and no more.
const CALM: Duration = Duration::from_millis(500);

pub(crate) struct LogWatch {
    /// Activity in any of them counts.
    pub(crate) files: Vec<Watched>,
    pub(crate) timeout: Duration,
    pub(crate) interval: Duration,
    pub(crate) run: RunId,
    pub(crate) instance: InstanceId,
    pub(crate) inbox: mailbox::Sender<Message>,
    pub(crate) notices: broadcast::Sender<Notice>,
}

/// What is made of the looks at one file.
struct Judge {
    /// Decides: hears of every look.
    silence: Silence,
    /// Tells: hears of one look an interval.
    told: Silence,
}

impl Judge {
    fn new(timeout: Duration, now: Duration) -> Self {
        Self { silence: Silence::new(timeout, now), told: Silence::new(timeout, now) }
    }
}

impl LogWatch {
    /// Looks until the files have been silent for too long, or until dropped.
    pub(crate) async fn run(self) {
        // Before the first look: what happens between the two is not missed.
        let mut alarm = Alarm::new(&self.files).await;
        self.tell_alarm(&mut alarm);
        let mut judges = self.begin().await;
        let mut slumber = Slumber::new();
        let mut interval_over = Instant::now() + self.interval;
        loop {
            let now = clock::monotonic();
            // Wakes at the end of the time allowed even when that is within an interval.
            let left = judges.iter().map(|judge| judge.silence.remaining(now)).max().unwrap_or(self.interval);
            let due = interval_over.min(Instant::now() + left);
            tokio::select! {
                // First: whether we slept has to be known before anything is made of what is seen then.
                biased;
                asleep = slumber.until(due) => {
                    if asleep {
                        // Nobody wrote while everybody slept, and whoever wakes first need not be the program.
                        tracing::debug!(instance = %self.instance, "we slept; the log has its whole time again");
                        judges = self.begin().await;
                        interval_over = Instant::now() + self.interval;
                        continue;
                    }
                }
                () = alarm.rings() => {
                    if slumber.until(Instant::now() + CALM).await {
                        judges = self.begin().await;
                    }
                    alarm.calm_down(&self.files).await;
                    self.glance(&mut judges).await;
                    self.tell_alarm(&mut alarm);
                    continue;
                }
            }
            let findings = self.look(&mut judges).await;
            interval_over = Instant::now() + self.interval;
            if self.judge(&findings) {
                return;
            }
        }
    }

    /// Judges that have seen the files as they are now, so that they have
    /// something to compare with.
    async fn begin(&self) -> Vec<Judge> {
        let now = clock::monotonic();
        let mut judges: Vec<Judge> = self.files.iter().map(|_| Judge::new(self.timeout, now)).collect();
        for (judge, look) in judges.iter_mut().zip(look::at(&self.files).await) {
            judge.silence.look(look, now);
            judge.told.look(look, now);
        }
        judges
    }

    /// Takes activity in, and tells nobody.
    async fn glance(&self, judges: &mut [Judge]) {
        let looks = look::at(&self.files).await;
        let now = clock::monotonic();
        for (judge, look) in judges.iter_mut().zip(looks) {
            judge.silence.look(look, now);
        }
    }

    /// The look of an interval: whether it is silent, or else what happened
    /// since the one before.
    async fn look(&self, judges: &mut [Judge]) -> Vec<Finding> {
        let looks: Vec<Option<Look>> = look::at(&self.files).await;
        let now = clock::monotonic();
        let judge = |(judge, look): (&mut Judge, Option<Look>)| {
            let told = judge.told.look(look, now);
            match (judge.silence.look(look, now), told) {
                (silent @ Finding::Silent { .. }, _) => silent,
                // What was seen in between is what there is to tell.
                (_, Finding::Grew { .. } | Finding::Changed) => told,
                (now, Finding::Quiet { .. } | Finding::Silent { .. } | Finding::Unreadable) => now,
            }
        };
        judges.iter_mut().zip(looks).map(judge).collect()
    }

    /// Tells what was found; true when the watch is over.
    fn judge(&self, findings: &[Finding]) -> bool {
        let mut silence = None;
        for finding in findings {
            match finding {
                Finding::Grew { from, to } => {
                    self.tell(
                        NoticeKind::LogGrew { from: *from, to: *to },
                        format!("log grew from {from} to {to} bytes"),
                    );
                    return false;
                }
                Finding::Changed => {
                    self.tell(NoticeKind::LogChanged, "log file was replaced, truncated or touched".to_owned());
                    return false;
                }
                Finding::Unreadable => {
                    self.tell(NoticeKind::LogUnreadable, "log file cannot be read; trying again".to_owned());
                    return false;
                }
                Finding::Quiet { silence } => {
                    let (silence, timeout) = (*silence, self.timeout);
                    let text = format!(
                        "waiting: no log activity for {:.0} s of {:.0} s",
                        silence.as_secs_f64(),
                        timeout.as_secs_f64()
                    );
                    self.tell(NoticeKind::LogQuiet { silence, timeout }, text);
                    return false;
                }
                Finding::Silent { silence: this } => {
                    silence = Some(silence.map_or(*this, |other: Duration| other.min(*this)));
                }
            }
        }
        if let Some(silence) = silence {
            let _ = self.inbox.send(Input::WentSilent { run: self.run, silence }.into());
            return true;
        }
        false
    }

    /// Says once that the kernel gives us no more watches.
    fn tell_alarm(&self, alarm: &mut Alarm) {
        if let Some(why) = alarm.news() {
            tracing::warn!(instance = %self.instance, error = why, "cannot watch the log file; looking at it each interval");
            let every = humantime::format_duration(self.interval);
            let text = format!("log file cannot be watched ({why}); looking at it every {every}");
            self.tell(NoticeKind::LogPolled, text);
        }
    }

    fn tell(&self, kind: NoticeKind, text: String) {
        let _ = self.notices.send(Notice { time: clock::wall(), instance: self.instance.clone(), kind, text });
    }
}
