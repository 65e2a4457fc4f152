//! A log file whose name went to another: renamed away, deleted, or its folder
//! removed. What comes next is in whatever has the name then, made anew if
//! nothing has; the history goes on.

use super::active::{self, Active};
use super::file::{LogFile, News};
use super::index::Header;
use super::json::Json;
use super::names::index_of;
use crate::run::wall_nanos;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// A path is looked at this often at most, and only when there is something
/// to write: a look costs one stat(2).
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl LogFile {
    /// Opens the path anew when it is no longer this file's.
    pub(super) fn follow(&mut self, json: Option<&Json>, now: Instant) {
        if self.active.is_some() && self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        match (fs::symlink_metadata(&self.path), &self.active) {
            (Ok(there), Some(active)) if active::id(&there) == active.id => return self.is_found(),
            // A look that fails says nothing about the file.
            (Err(e), Some(_)) if e.kind() != io::ErrorKind::NotFound => return,
            (_, _) => {}
        }
        let was_deleted = self.active.as_ref().is_some_and(Active::is_deleted);
        match Active::open(&self.path, libc::O_NOFOLLOW) {
            Ok(new) => {
                if self.active.is_some() && self.trouble.as_ref().is_some_and(|trouble| trouble.dropped > 0) {
                    // They are missing there, if the disk takes the line.
                    self.mark_gap(json, now);
                }
                self.replace(new, now);
                self.is_found();
                if was_deleted {
                    let message = format!("{} was deleted; output goes on in a new one", self.path.display());
                    self.news.push(News::Trouble { message, dropped: self.lost });
                    self.news.push(News::Trouble { message: String::new(), dropped: self.lost });
                }
            }
            Err(e) if self.active.is_none() => self.begin_trouble(format!("cannot be opened: {e}"), now),
            // As long as there is nothing better, the old file is the right one.
            Err(e) => {
                if !std::mem::replace(&mut self.astray, true) {
                    let message = format!("{} is another file, and cannot be made anew: {e}", self.path.display());
                    self.news.push(News::Trouble { message, dropped: self.lost });
                }
            }
        }
    }

    fn is_found(&mut self) {
        if std::mem::take(&mut self.astray) {
            self.news.push(News::Trouble { message: String::new(), dropped: self.lost });
        }
    }

    fn replace(&mut self, new: Active, now: Instant) {
        let size = self.active.as_ref().map_or(self.size, |active| active.len().max(self.size));
        self.wake(now);
        let before = self.keeping.take().map(|keeping| (keeping.policy, keeping.index.header));
        let Some((policy, mut header)) = before else { return self.take(new, None, now) };
        let there = Header::read(&index_of(&self.path)).ok();
        self.take(new, Some(policy), now);
        self.wake(now);
        // Another writer of ours may have gone on already: then the index is of the new file.
        let is_ours = there.is_none_or(|there| (there.lineage, there.base) == (header.lineage, header.base));
        if is_ours && let Some(keeping) = &mut self.keeping {
            header.base += size;
            header.created = wall_nanos();
            keeping.index.begin(header);
        }
    }
}
