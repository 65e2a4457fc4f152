//! The log-activity watchdog's eyes (S2.1, S2.5, S2.7): looks at the file each
//! interval and lets the domain judge.

use crate::clock;
use crate::instance::Message;
use crate::notice::{Notice, NoticeKind};
use process_model::InstanceId;
use runner_domain::silence::{Finding, Look, Silence};
use runner_domain::{Input, RunId};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

pub(crate) struct LogWatch {
    /// Activity in any of them counts.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) interval: Duration,
    pub(crate) run: RunId,
    pub(crate) instance: InstanceId,
    pub(crate) inbox: mpsc::UnboundedSender<Message>,
    pub(crate) notices: broadcast::Sender<Notice>,
}

impl LogWatch {
    /// Looks until the file has been silent for too long, or until dropped.
    pub(crate) async fn run(self) {
        let begun = clock::monotonic();
        let mut judges: Vec<(PathBuf, Silence)> =
            self.files.iter().map(|file| (file.clone(), Silence::new(self.timeout, begun))).collect();
        for (file, judge) in &mut judges {
            judge.look(look_or_make(file), begun);
        }
        loop {
            let now = clock::monotonic();
            // Wakes at the end of the time allowed even when that is within an interval.
            let left = judges.iter().map(|(_, judge)| judge.remaining(now)).max().unwrap_or(self.interval);
            tokio::time::sleep(self.interval.min(left)).await;
            let now = clock::monotonic();
            let findings: Vec<Finding> =
                judges.iter_mut().map(|(file, judge)| judge.look(look_or_make(file), now)).collect();
            if self.judge(&findings) {
                return;
            }
        }
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

    fn tell(&self, kind: NoticeKind, text: String) {
        let _ = self.notices.send(Notice { time: clock::wall(), instance: self.instance.clone(), kind, text });
    }
}

/// Looks at a file; makes it and its folders when it is missing.
fn look_or_make(file: &Path) -> Option<Look> {
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => make(file).ok()?,
        Err(_) => return None,
    };
    Some(Look {
        file: (metadata.dev(), metadata.ino()),
        len: metadata.len(),
        modified: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
    })
}

fn make(file: &Path) -> io::Result<std::fs::Metadata> {
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::OpenOptions::new().append(true).create(true).open(file)?.metadata()
}
