//! A log file: bytes appended to whatever has the name. A file that was renamed
//! away, deleted or cut short by somebody is followed; what the disk does not
//! take is counted, and told in the file once it can be (or, where the policy
//! says so, not taken: the program waits).

use super::active::{Active, ends_with_a_line};
use super::gap::Trouble;
use super::index::Kind;
use super::json::Json;
use super::kept::Silent;
use super::rotation::{Cut, Keeping, NotRotated};
use crate::diary::say;
use crate::run::wall_nanos;
use process_model::spec::{LogPolicy, WhenFull};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Something that the runner is to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// A file was rotated away.
    Rotated(PathBuf),
    /// Output cannot be written (`message` says why) or can be again (it is
    /// empty).
    Trouble { message: String, dropped: u64 },
}

/// What is to be written: bytes, or lines of which each stands for some bytes
/// of the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) bytes: &'a [u8],
    /// End of each line in `bytes`, and what it stands for.
    pub(super) lines: Option<&'a [(usize, usize)]>,
}

#[derive(Debug)]
pub(super) struct LogFile {
    /// Without symbolic links: a file that takes this one's place is no link.
    pub(super) path: PathBuf,
    /// `None`: it could not be opened, and is tried again.
    pub(super) active: Option<Active>,
    /// Bytes in it, as far as we know.
    pub(super) size: u64,
    pub(super) at_line_start: bool,
    /// When the path was last looked at; `None`: look at the next write.
    pub(super) looked: Option<Instant>,
    /// `None`: not kept by a policy, or silent.
    pub(super) keeping: Option<Box<Keeping>>,
    pub(super) silent: Option<Box<Silent>>,
    pub(super) trouble: Option<Box<Trouble>>,
    /// Bytes go to a file that has the name no more, because none can be made
    /// that has.
    pub(super) astray: bool,
    /// Bytes of the program that are missing, since this was opened.
    pub(super) lost: u64,
    pub(super) news: Vec<News>,
}

impl LogFile {
    /// Opens the file; makes it and its folders when missing.
    /// Nothing may be written before it is known how it is kept (`begin`).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { active: Some(Active::open(path, 0)?), ..Self::closed(path.to_owned()) })
    }

    /// Looks at what was opened, and begins to keep it.
    pub(super) fn begin(&mut self, policy: Option<LogPolicy>) {
        let Some(active) = self.active.take() else {
            self.silent = policy.map(|policy| Box::new(Silent { policy, run: None }));
            return;
        };
        self.path = active.path().or_else(|| fs::canonicalize(&self.path).ok()).unwrap_or_else(|| self.path.clone());
        self.take(active, policy, Instant::now());
    }

    /// One that is opened with the first write.
    pub(super) fn closed(path: PathBuf) -> Self {
        Self {
            path,
            active: None,
            size: 0,
            at_line_start: true,
            looked: None,
            keeping: None,
            silent: None,
            trouble: None,
            astray: false,
            lost: 0,
            news: Vec::new(),
        }
    }

    /// From now on this file is written to.
    pub(super) fn take(&mut self, active: Active, policy: Option<LogPolicy>, now: Instant) {
        self.size = active.len();
        self.at_line_start = self.size == 0 || ends_with_a_line(&self.path, self.size);
        // Only what has a size and an end can be rotated.
        let policy = policy.filter(|_| active.is_regular);
        (self.keeping, self.silent) = (None, None);
        if let Some(policy) = policy {
            self.keep(policy, now);
        }
        self.active = Some(active);
        self.looked = Some(now);
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// When something is wrong: when to try again.
    pub(super) fn retry(&self) -> Option<Instant> {
        self.trouble.as_ref().map(|trouble| trouble.retry)
    }

    /// Lets the next write look at the path, however recent the last look is.
    pub(super) fn look_again(&mut self) {
        self.looked = None;
    }

    /// Appends; returns how many of the bytes need not come again: all, unless
    /// the program is to wait.
    pub(super) fn write(&mut self, batch: Batch<'_>, json: Option<&Json>, now: Instant) -> usize {
        self.wake(now);
        if !self.is_ready(json, now) {
            return self.refuse(batch, 0);
        }
        let mut done = 0;
        while let Some(rest) = batch.bytes.get(done..).filter(|rest| !rest.is_empty()) {
            self.measure(now);
            let cut = match &self.keeping {
                Some(keeping) => keeping.cut(self.size, self.at_line_start, rest, now),
                None => Cut { len: rest.len(), rotate: false },
            };
            let (written, error) = self.append(rest.get(..cut.len).unwrap_or(rest));
            done += written;
            if let Some(error) = error {
                done = self.whole_lines(batch, done);
                self.begin_trouble(error.to_string(), now);
                return self.refuse(batch, done);
            }
            if cut.rotate {
                self.rotate(now);
            }
        }
        self.end_trouble();
        batch.bytes.len()
    }

    /// Tries again what was not possible, with nothing new to write.
    pub(super) fn try_again(&mut self, json: Option<&Json>, now: Instant) {
        if self.trouble.is_some() && self.is_ready(json, now) {
            self.end_trouble();
        }
    }

    fn policy_waits(&self) -> Option<()> {
        (self.policy()?.when_full == WhenFull::Block).then_some(())
    }

    /// There is a file, and it tells of everything that is missing.
    fn is_ready(&mut self, json: Option<&Json>, now: Instant) -> bool {
        if self.trouble.as_ref().is_some_and(|trouble| now < trouble.retry) {
            return false;
        }
        self.follow(json, now);
        if self.active.is_none() {
            return false;
        }
        self.trouble.as_ref().is_none_or(|trouble| trouble.dropped == 0) || self.mark_gap(json, now)
    }

    /// Bytes from `done` on are not written: dropped, or left to the caller.
    fn refuse(&mut self, batch: Batch<'_>, done: usize) -> usize {
        if self.policy_waits().is_some() {
            return done;
        }
        let dropped = match batch.lines {
            Some(lines) => lines.iter().filter(|(end, _)| *end > done).map(|(_, stands_for)| stands_for).sum(),
            None => batch.bytes.len() - done,
        };
        self.lost += dropped as u64;
        if let Some(trouble) = &mut self.trouble {
            trouble.dropped += dropped as u64;
        }
        batch.bytes.len()
    }

    /// An object is there as a whole or not at all.
    fn whole_lines(&mut self, batch: Batch<'_>, done: usize) -> usize {
        let Some(lines) = batch.lines else { return done };
        let begun = lines.iter().map(|(end, _)| *end).take_while(|end| *end <= done).last().unwrap_or(0);
        let fragment = done - begun;
        if let Some(active) = &self.active
            && fragment > 0
            && active.take_back(self.size - fragment as u64, fragment)
        {
            self.size -= fragment as u64;
            self.at_line_start = true;
        }
        begun
    }

    fn append(&mut self, bytes: &[u8]) -> (usize, Option<io::Error>) {
        let Some(active) = &mut self.active else { return (0, Some(io::ErrorKind::NotFound.into())) };
        let mut done = 0;
        let mut error = None;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match active.file.write(rest) {
                Ok(0) => {
                    error = Some(io::ErrorKind::WriteZero.into());
                    break;
                }
                Ok(written) => done += written,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        self.size += done as u64;
        if let Some(last) = bytes.get(..done).and_then(<[u8]>::last) {
            self.at_line_start = *last == b'\n';
        }
        (done, error)
    }

    /// Brings the index up to date, and what we think of the file's size:
    /// others append to it, or cut it short (copytruncate).
    fn measure(&mut self, now: Instant) {
        let (Some(keeping), Some(active)) = (&mut self.keeping, &self.active) else { return };
        if !keeping.index.is_due(self.size, now) {
            return;
        }
        let size = active.len();
        let wall = wall_nanos();
        if size < self.size {
            let mut header = keeping.index.header;
            header.base += self.size;
            header.created = wall;
            keeping.index.begin(header);
            self.at_line_start = true;
        }
        self.size = size;
        keeping.index.written(&self.path, size, now, wall);
    }

    fn rotate(&mut self, now: Instant) {
        let (Some(keeping), Some(active)) = (&mut self.keeping, &self.active) else { return };
        match keeping.rotate(&self.path, active, now, wall_nanos()) {
            Ok((new, old)) => {
                if std::mem::take(&mut keeping.stuck) {
                    self.news.push(News::Trouble { message: String::new(), dropped: self.lost });
                }
                (self.active, self.size, self.at_line_start) = (Some(new), 0, true);
                self.looked = Some(now);
                self.news.push(News::Rotated(old));
            }
            // Somebody else was faster: the next look finds the new one.
            Err(NotRotated::Moved) => self.looked = None,
            Err(NotRotated::Failed(e)) => {
                // Everything goes on in the same file; somebody has to know that it grows.
                if !std::mem::replace(&mut keeping.stuck, true) {
                    let message = format!("cannot rotate {}: {e}", self.path.display());
                    self.news.push(News::Trouble { message, dropped: self.lost });
                }
            }
        }
    }

    /// So many bytes were dropped before anybody could ask the disk to take them.
    pub(super) fn missed(&mut self, bytes: u64, why: &str, now: Instant) {
        self.lost += bytes;
        let trouble = self.trouble.get_or_insert_with(|| Box::new(Trouble::new(why.to_owned(), now)));
        trouble.dropped += bytes;
        trouble.retry = now;
    }

    pub(super) fn begin_trouble(&mut self, reason: String, now: Instant) {
        match &mut self.trouble {
            Some(trouble) => {
                trouble.reason = reason;
                trouble.retry = now + super::gap::RETRY;
            }
            None => {
                let trouble = Trouble::new(reason, now);
                let message = trouble.words(&self.path, wall_nanos());
                self.news.push(News::Trouble { message, dropped: self.lost });
                self.trouble = Some(Box::new(trouble));
            }
        }
    }

    fn end_trouble(&mut self) {
        if self.trouble.take().is_some() {
            self.news.push(News::Trouble { message: String::new(), dropped: self.lost });
        }
    }

    /// Writes the line that tells of missing bytes, as a whole or not at all;
    /// false when the disk does not take it.
    pub(super) fn mark_gap(&mut self, json: Option<&Json>, now: Instant) -> bool {
        let Some(trouble) = &self.trouble else { return true };
        let line = trouble.line(self.at_line_start, json, wall_nanos());
        let was_at_line_start = self.at_line_start;
        let before = self.active.as_ref().map_or(0, Active::len);
        let (written, error) = self.append(&line);
        if let Some(error) = error {
            if self.active.as_ref().is_some_and(|active| active.take_back(before, written)) {
                self.size -= written as u64;
                self.at_line_start = was_at_line_start;
            }
            self.begin_trouble(error.to_string(), now);
            return false;
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.dropped = 0;
        }
        true
    }

    /// Bytes that nobody has been told of.
    pub(super) fn dropped(&self) -> (u64, String) {
        self.trouble.as_ref().map_or((0, String::new()), |trouble| (trouble.dropped, trouble.reason.clone()))
    }

    /// Opens the file where another process was; one that cannot be opened now
    /// is tried again with the next write.
    pub(super) fn reopen(path: &Path, policy: Option<LogPolicy>) -> Self {
        let mut this = Self::open(path).unwrap_or_else(|_| Self::closed(path.to_owned()));
        this.begin(policy);
        this
    }

    /// Goes on with what another has counted.
    pub(super) fn resume(&mut self, lost: u64, dropped: u64, reason: String, pending_index: Vec<u8>) {
        self.lost = lost;
        if !pending_index.is_empty() {
            self.wake(Instant::now());
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.index.resume(pending_index);
        }
        if !reason.is_empty() {
            let mut trouble = Trouble::new(reason, Instant::now());
            trouble.dropped = dropped;
            self.trouble = Some(Box::new(trouble));
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self, json: Option<&Json>) {
        if self.dropped().0 > 0 {
            if self.mark_gap(json, Instant::now()) {
                self.end_trouble();
            } else {
                say!("{} bytes are missing at the end of {}", self.dropped().0, self.path.display());
            }
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.index.mark(&self.path, Kind::Closed, self.size, wall_nanos());
        }
    }

    #[cfg(test)]
    pub(super) fn use_file(&mut self, file: fs::File) {
        if let Some(active) = &mut self.active {
            active.file = file;
        }
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
