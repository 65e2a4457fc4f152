//! Reading an output's history from some place on: to the end of what is
//! there, and on with what comes, across rotation, truncation and replacement.
//!
//! ```text
//!            nothing more in this file
//!  reading ────────────────────────────▶ is it over? ──no──▶ Wait
//!     ▲                                      │ rotated away, or another has the name
//!     └── the file after it ◀── read to its end, once more
//! ```
//! Whether the keeper has left a file is told by the index beside the active
//! one, not by the name: whoever renames a file by hand leaves the keeper
//! writing to it for up to a second.

use super::cursor::Cursor;
use super::plan::locate;
use super::segment::{self, Segment, Source};
use super::watch::Again;
use runner_keeper::log::index::{Header, Index};
use runner_keeper::log::names::index_of;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of one output and where they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Name of the file.
    pub(crate) file: String,
    /// Of the first byte, in the file.
    pub(crate) offset: u64,
    pub(crate) data: Vec<u8>,
    /// When the first byte was written, in nanoseconds since 1970, to a second;
    /// only when asked for and known.
    pub(crate) time: Option<i64>,
    /// Where the next piece begins.
    pub(crate) after: Cursor,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Piece(Piece),
    /// Nothing now.
    Wait,
    /// Nothing any more: the end that was asked for is reached.
    Over,
}

/// How to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Longest piece; a line that is longer is cut.
    pub(crate) size: usize,
    /// Pieces hold whole lines: the begun one at the end waits for its end.
    pub(crate) whole: bool,
    /// Pieces carry their times, and end where the time changes.
    pub(crate) timed: bool,
}

#[derive(Debug)]
pub(crate) struct Reader {
    active: PathBuf,
    manner: Manner,
    end: Option<Cursor>,
    current: Option<Opened>,
    /// The file before, while there is no current one.
    before: Option<Header>,
    again: Option<Again>,
}

#[derive(Debug)]
struct Opened {
    segment: Segment,
    source: Source,
    id: (u64, u64),
    header: Option<Header>,
    index: Option<Index>,
    offset: u64,
    /// Nothing is added to it any more.
    over: bool,
}

impl Reader {
    pub(crate) fn new(active: &Path, manner: Manner, end: Option<Cursor>, again: Option<Again>) -> Self {
        Self { active: active.to_owned(), manner, end, current: None, before: None, again }
    }

    /// Begins at a place; in the next file when this one was deleted. `place`
    /// is the same, whatever happened to the active file since.
    pub(crate) fn begin(&mut self, segment: Segment, offset: u64, place: Option<Cursor>) -> io::Result<()> {
        let at = segment.at;
        self.current = Opened::open(segment, offset)?;
        match (&self.current, at, place) {
            (None, Some(at), _) => self.open_after(at).map(drop),
            (current, None, Some(place)) if !current.as_ref().is_some_and(|opened| opened.is_at(place)) => {
                self.go_to(place)
            }
            (_, _, _) => Ok(()),
        }
    }

    /// Begins where a cursor says.
    pub(crate) fn go_to(&mut self, place: Cursor) -> io::Result<()> {
        for round in 0..ROUNDS {
            if round > 0 {
                // In the middle of a rotation, which takes microseconds.
                std::thread::sleep(Duration::from_millis(1));
            }
            let segments = segment::list(&self.active);
            let (i, offset) = locate(&segments, place);
            let Some(segment) = segments.get(i) else { continue };
            self.current = Opened::open(segment.clone(), offset)?;
            if self.current.as_ref().is_some_and(|opened| opened.is_at(place)) {
                return Ok(());
            }
        }
        // It is no longer there: the nearest place, which is a file's beginning.
        if let Some(opened) = &mut self.current {
            opened.offset = 0;
        }
        Ok(())
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> io::Result<Step> {
        loop {
            if self.current.is_none() && !self.go_on()? {
                return Ok(Step::Wait);
            }
            match self.read()? {
                Some(step) => return Ok(step),
                None if self.advance()? => {}
                None => return Ok(Step::Wait),
            }
        }
    }

    /// `None`: nothing more in this file, as far as can be seen.
    fn read(&mut self) -> io::Result<Option<Step>> {
        let Some(open) = &mut self.current else { return Ok(None) };
        let mut size = self.manner.size;
        let limit = open.limit(self.end);
        match limit {
            Some(limit) if limit <= open.offset => return Ok(Some(Step::Over)),
            Some(limit) => size = size.min(usize::try_from(limit - open.offset).unwrap_or(size)),
            None => {}
        }
        let mut data = open.source.read(open.offset, size)?;
        if data.is_empty() {
            return Ok(None);
        }
        let full = data.len() == self.manner.size;
        let is_last = open.over || limit.is_some_and(|limit| open.offset + data.len() as u64 >= limit);
        let time = if self.manner.timed { open.cut_by_time(&mut data) } else { None };
        if full || (self.manner.whole && !is_last) {
            match data.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => data.truncate(end + 1),
                None if full => {}
                None => return Ok(None),
            }
        }
        let offset = open.offset;
        open.offset += data.len() as u64;
        let file = open.segment.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Some(Step::Piece(Piece { file, offset, data, time, after: open.cursor() })))
    }

    /// True when there may be something to read again.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(open) = &mut self.current else { return Ok(false) };
        if open.segment.at.is_some() {
            open.over = true;
            return if self.manner.whole && self.read_rest()? { Ok(true) } else { self.leave() };
        }
        let there = segment::look(&self.active)?;
        let now = Header::read(&index_of(&self.active)).ok();
        let same_file = there.as_ref().is_some_and(|there| segment::id(there) == open.id);
        let left = match (open.header, now) {
            (Some(ours), Some(now)) => (ours.lineage, ours.base) != (now.lineage, now.base),
            // Its index was not there yet when it was opened.
            (None, Some(now)) if same_file => {
                open.header = Some(now);
                return Ok(false);
            }
            (_, _) if same_file => {
                let truncated = there.is_some_and(|there| there.len() < open.offset);
                if truncated {
                    open.offset = 0;
                }
                return Ok(truncated);
            }
            // Moved away; the next one will come.
            (_, _) => there.is_some(),
        };
        if let Some(again) = &self.again
            && !same_file
        {
            again.watch(&self.active);
        }
        if !left {
            return Ok(false);
        }
        if !std::mem::replace(&mut open.over, true) {
            // What was written before it was left.
            return Ok(true);
        }
        self.leave()
    }

    /// Whether a begun line at the end of a file is to be read now.
    fn read_rest(&mut self) -> io::Result<bool> {
        let Some(open) = &mut self.current else { return Ok(false) };
        Ok(!open.source.read(open.offset, 1)?.is_empty())
    }

    /// On to the file after the current one.
    fn leave(&mut self) -> io::Result<bool> {
        let Some(open) = self.current.take() else { return Ok(false) };
        self.before = open.header;
        let at = match open.segment.at {
            Some(at) => Some(at),
            // Rotated away meanwhile: known by its inode as long as it is not compressed.
            None => {
                segment::list(&self.active).iter().find(|s| s.at.is_some() && s.is_file(open.id)).and_then(|s| s.at)
            }
        };
        match at {
            Some(at) => self.open_after(at),
            None => self.go_on(),
        }
    }

    /// Opens the file after the one that was rotated away at this time.
    fn open_after(&mut self, at: i64) -> io::Result<bool> {
        // One that vanishes between listing and opening was deleted: what is there now?
        for _ in 0..ROUNDS {
            let next = segment::list(&self.active).into_iter().find(|s| s.at.is_none_or(|other| other > at));
            let Some(next) = next else { break };
            let is_active = next.at.is_none();
            self.current = Opened::open(next, 0)?;
            if self.current.is_some() {
                return Ok(true);
            }
            if is_active {
                break;
            }
        }
        Ok(false)
    }

    /// Opens the file after the last one; false when there is none yet.
    fn go_on(&mut self) -> io::Result<bool> {
        for _ in 0..ROUNDS {
            let next = match self.before {
                Some(before) => successor(&self.active, before),
                None => None,
            };
            let next = next.unwrap_or_else(|| Segment::active(&self.active));
            let is_active = next.at.is_none();
            self.current = Opened::open(next, 0)?;
            if self.current.is_some() {
                if let Some(again) = &self.again {
                    again.watch(&self.active);
                }
                return Ok(true);
            }
            if is_active {
                break;
            }
        }
        Ok(false)
    }
}

/// How often a file may vanish before it is looked for at the next change.
const ROUNDS: usize = 4;

/// The file that goes on where `before` ended.
fn successor(active: &Path, before: Header) -> Option<Segment> {
    let mut found = None;
    for segment in segment::list(active).into_iter().rev() {
        match segment.header() {
            Some(header) if header.lineage == before.lineage && header.base > before.base => found = Some(segment),
            Some(header) if header.lineage == before.lineage => break,
            Some(_) | None => {}
        }
    }
    found
}

impl Opened {
    fn open(segment: Segment, offset: u64) -> io::Result<Option<Self>> {
        let mut header = segment.header();
        for _ in 0..ROUNDS {
            let Some(source) = segment.open()? else { return Ok(None) };
            let now = segment.header();
            // The name of the active file, and that of its index, may go to another in between.
            if segment.at.is_some() || now == header {
                let id = segment::id(&source.metadata()?);
                return Ok(Some(Self { segment, source, id, header: now, index: None, offset, over: false }));
            }
            header = now;
        }
        Err(io::Error::other("it is rotated faster than it can be opened"))
    }

    /// Whether this is the place.
    fn is_at(&self, place: Cursor) -> bool {
        match (place, self.header) {
            (Cursor::History { lineage, position }, Some(header)) => {
                lineage == header.lineage && position == header.base + self.offset
            }
            (Cursor::History { .. }, None) => false,
            (Cursor::File { id, offset }, _) => id == self.id && offset == self.offset,
        }
    }

    fn cursor(&self) -> Cursor {
        match self.header {
            Some(header) => Cursor::History { lineage: header.lineage, position: header.base + self.offset },
            None => Cursor::File { id: self.id, offset: self.offset },
        }
    }

    /// Where reading ends in this file.
    fn limit(&self, end: Option<Cursor>) -> Option<u64> {
        match (end?, self.header) {
            (Cursor::History { lineage, position }, Some(header)) if header.lineage == lineage => {
                Some(position.saturating_sub(header.base))
            }
            (Cursor::File { id, offset }, _) if id == self.id => Some(offset),
            (Cursor::History { .. } | Cursor::File { .. }, _) => None,
        }
    }

    /// Leaves what was written at the time of the first byte: whole lines.
    fn cut_by_time(&mut self, data: &mut Vec<u8>) -> Option<i64> {
        let found = self.index.as_ref().and_then(|index| index.time_at(self.offset));
        let (time, next) = match found {
            Some((time, Some(next))) => (time, Some(next)),
            // More may be known by now.
            Some(_) | None => {
                let index = self.segment.index();
                let found = index.time_at(self.offset);
                self.index = Some(index);
                found?
            }
        };
        if let Some(same) = next.and_then(|next| usize::try_from(next.checked_sub(self.offset)?).ok())
            && same < data.len()
        {
            // A line belongs to the time of its first byte.
            let (before, after) = data.split_at(same);
            let end = match (before.iter().rposition(|b| *b == b'\n'), after.iter().position(|b| *b == b'\n')) {
                _ if before.ends_with(b"\n") => same,
                (Some(end), _) => end + 1,
                (None, Some(end)) => same + end + 1,
                (None, None) => data.len(),
            };
            data.truncate(end);
        }
        Some(time)
    }
}

impl Segment {
    /// The active file.
    pub(crate) fn active(path: &Path) -> Self {
        Self { path: path.to_owned(), at: None, part: runner_keeper::log::names::Part::Plain }
    }

    /// Whether this name is of that file.
    pub(crate) fn is_file(&self, id: (u64, u64)) -> bool {
        segment::look(&self.path).ok().flatten().is_some_and(|metadata| segment::id(&metadata) == id)
    }
}
