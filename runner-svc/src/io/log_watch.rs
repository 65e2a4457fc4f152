//! The log-activity watchdog's eyes (S2.1, S2.5, S2.7): looks at the file each
//! interval and lets the domain judge.

use super::users;
use crate::clock;
use crate::instance::Message;
use crate::notice::{Notice, NoticeKind};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use process_model::InstanceId;
use runner_domain::silence::{Finding, Look, Silence};
use runner_domain::{Input, RunId};
use runner_keeper::protocol::Identity;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

/// A file that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) path: PathBuf,
    pub(crate) maker: Maker,
}

/// Who makes a file that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Maker {
    /// The keeper: it writes to the file. One that we made would stay empty
    /// while it writes to the one it has.
    Keeper,
    /// The watch, as this user of the spec: the program is to write to it.
    Watch { user: Option<String> },
}

pub(crate) struct LogWatch {
    /// Activity in any of them counts.
    pub(crate) files: Vec<Watched>,
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
        let mut judges: Vec<Silence> = self.files.iter().map(|_| Silence::new(self.timeout, begun)).collect();
        // Only to be compared with.
        for (judge, look) in judges.iter_mut().zip(look(&self.files).await) {
            judge.look(look, begun);
        }
        loop {
            let now = clock::monotonic();
            // Wakes at the end of the time allowed even when that is within an interval.
            let left = judges.iter().map(|judge| judge.remaining(now)).max().unwrap_or(self.interval);
            tokio::time::sleep(self.interval.min(left)).await;
            let looks = look(&self.files).await;
            let now = clock::monotonic();
            let findings: Vec<Finding> =
                judges.iter_mut().zip(looks).map(|(judge, look)| judge.look(look, now)).collect();
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

/// What a file looks like that nobody has: when one appears, or goes, that is
/// a change; as long as there is none, nothing is written to it.
const MISSING: Look = Look { file: (0, 0), len: 0, modified: 0 };

/// Looks at the files, on a thread that may block: they may be anywhere.
async fn look(files: &[Watched]) -> Vec<Option<Look>> {
    let (count, files) = (files.len(), files.to_vec());
    let looks = tokio::task::spawn_blocking(move || files.iter().map(Watched::look).collect()).await;
    looks.unwrap_or_else(|_| vec![None; count])
}

impl Watched {
    /// Looks at the file; makes it and its folders when that is ours to do.
    fn look(&self) -> Option<Look> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == io::ErrorKind::NotFound => match &self.maker {
                Maker::Keeper => return Some(MISSING),
                Maker::Watch { user } => match make(&self.path, user.as_deref()) {
                    Ok(metadata) => metadata,
                    // The program's user may not make it either: it is not going to be written.
                    Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Some(MISSING),
                    Err(_) => return None,
                },
            },
            Err(_) => return None,
        };
        Some(Look {
            file: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        })
    }
}

/// Makes a file and its folders with the rights of the program's user: it has
/// to be able to write there, and a path that it can change must not lead us
/// where it may not go.
fn make(path: &Path, user: Option<&str>) -> io::Result<Metadata> {
    let account = users::account(user).map_err(|e| io::Error::other(e.to_string()))?;
    let _guise = account.identity.map(|identity| Guise::take(&identity)).transpose()?;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::OpenOptions::new().append(true).create_new(true).open(path)?.metadata()
}

/// This thread's identity at the file system (setfsuid(2)), until dropped.
struct Guise {
    user: Uid,
    group: Gid,
}

impl Guise {
    fn take(identity: &Identity) -> io::Result<Self> {
        let (user, group) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        // The group first: as the user we may not change it.
        let before_group = setfsgid(group);
        let guise = Self { user: setfsuid(user), group: before_group };
        // Neither call tells of a failure; setting the same again tells what is set.
        if (setfsuid(user), setfsgid(group)) == (user, group) {
            Ok(guise)
        } else {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "cannot act as the program's user"))
        }
    }
}

impl Drop for Guise {
    fn drop(&mut self) {
        setfsuid(self.user);
        setfsgid(self.group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(path: PathBuf, maker: Maker) -> Watched {
        Watched { path, maker }
    }

    #[test]
    fn a_file_that_the_keeper_writes_to_is_never_made_by_the_watch() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web-1.stdout.log");
        let file = watched(path.clone(), Maker::Keeper);
        assert_eq!(file.look(), Some(MISSING));
        assert!(!path.exists(), "made");
        std::fs::write(&path, "x").unwrap();
        assert_eq!(file.look().unwrap().len, 1);
    }

    #[test]
    fn a_log_that_is_gone_is_activity_once_and_silence_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web-1.stdout.log");
        std::fs::write(&path, "x").unwrap();
        let file = watched(path.clone(), Maker::Keeper);
        let mut judge = Silence::new(Duration::from_secs(3), Duration::ZERO);
        judge.look(file.look(), Duration::ZERO);
        std::fs::rename(&path, dir.path().join("web-1.stdout.log.1")).unwrap();
        assert_eq!(judge.look(file.look(), Duration::from_secs(2)), Finding::Changed);
        assert!(matches!(judge.look(file.look(), Duration::from_secs(5)), Finding::Silent { .. }));
    }

    #[test]
    fn a_missing_file_is_made_with_its_folders_and_belongs_to_the_programs_user() {
        if !Uid::effective().is_root() {
            // Only root can act as somebody else.
            return;
        }
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let maker = Maker::Watch { user: Some("nobody".to_owned()) };
        // Nobody may write in a folder of root's: nothing is made there by way of us.
        std::fs::create_dir(dir.path().join("root")).unwrap();
        let path = dir.path().join("root/app.log");
        std::os::unix::fs::chown(dir.path(), Some(nobody.uid.as_raw()), None).unwrap();
        assert_eq!(watched(path.clone(), maker.clone()).look(), Some(MISSING));
        assert!(!path.exists(), "made where its user may not");
        let path = dir.path().join("new/folder/app.log");
        assert_ne!(watched(path.clone(), maker).look(), Some(MISSING));
        let owners: Vec<u32> = [path.as_path(), path.parent().unwrap()]
            .iter()
            .map(|path| std::fs::metadata(path).unwrap().uid())
            .collect();
        assert_eq!(owners, [nobody.uid.as_raw(); 2]);
        std::fs::write(dir.path().join("root/mine"), "").expect("the thread kept the other identity");
    }
}
