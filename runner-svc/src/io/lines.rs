//! Lines of an instance's output as they are written, for whoever waits for
//! one: event driven, across rotation, truncation and replacement.

use super::log_object;
use super::log_store::cursor::Cursor;
use super::log_store::plan;
use super::log_store::reader::{Manner, Reader, Step};
use super::log_store::segment::{self, Segment};
use super::log_store::watch::Watch;
use super::program::LogFiles;
use pm_proto::v1::LogStream;
use process_model::Timestamp;
use std::collections::VecDeque;
use std::path::Path;
use tokio::task::JoinHandle;

/// Longest line; what is beyond is left out.
const LONGEST: usize = 64 * 1024;

/// Where the two outputs of an instance end, at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    stdout: Option<Cursor>,
    /// `None` when it is the file of standard output, too.
    stderr: Option<Cursor>,
}

impl Position {
    /// As it is now. Looks at files, which is short for any that the keeper
    /// writes.
    pub(crate) fn now(files: &LogFiles) -> Self {
        let stderr = (files.stderr != files.stdout).then(|| end_of(&files.stderr)).flatten();
        Self { stdout: end_of(&files.stdout), stderr }
    }
}

impl Position {
    /// Where what was written at this time or later begins; a little more
    /// rather than less. Looks at files.
    pub(crate) fn since(files: &LogFiles, time: Timestamp) -> Self {
        let begin = |path: &Path| {
            let wanted = plan::Wanted { since: Some(time.0), follow: true, ..plan::Wanted::default() };
            let (segment, offset) = plan::plan(path, &wanted).ok()?.start;
            match segment.header() {
                Some(header) => Some(Cursor::History { lineage: header.lineage, position: header.base + offset }),
                None => {
                    let metadata = segment::look(&segment.path).ok().flatten()?;
                    Some(Cursor::File { id: segment::id(&metadata), offset })
                }
            }
        };
        let stderr = (files.stderr != files.stdout).then(|| begin(&files.stderr)).flatten();
        Self { stdout: begin(&files.stdout), stderr }
    }

    /// Whether a line was there already. One of another file was: what is
    /// rotated away is older.
    pub(crate) fn is_after(&self, line: &Line) -> bool {
        let end = if line.stream == LogStream::Stderr { self.stderr } else { self.stdout };
        match (line.at, end) {
            (Cursor::History { lineage, position }, Some(Cursor::History { lineage: of, position: end })) => {
                lineage != of || position < end
            }
            (Cursor::File { id, offset }, Some(Cursor::File { id: of, offset: end })) => id != of || offset < end,
            (Cursor::History { .. } | Cursor::File { .. }, Some(_)) => true,
            // There was no file then.
            (Cursor::History { .. } | Cursor::File { .. }, None) => false,
        }
    }
}

/// `None`: there is no such file; whatever appears there is new.
fn end_of(path: &Path) -> Option<Cursor> {
    let metadata = segment::look(path).ok().flatten()?;
    let (id, len) = (segment::id(&metadata), metadata.len());
    Some(match Segment::active(path).header() {
        Some(header) => Cursor::History { lineage: header.lineage, position: header.base + len },
        None => Cursor::File { id, offset: len },
    })
}

/// A line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) stream: LogStream,
    /// Without its end.
    pub(crate) bytes: Vec<u8>,
    /// Where it begins.
    pub(crate) at: Cursor,
}

/// Lines from some position on.
#[derive(Debug)]
pub(crate) struct Lines {
    files: LogFiles,
    from: Position,
    ready: VecDeque<Line>,
    watch: Option<Watch>,
    state: State,
}

/// Reading is done on threads that may block; what they return is taken in one
/// step, so that a call which is given up loses nothing.
#[derive(Debug)]
enum State {
    New,
    Beginning(JoinHandle<(Watch, Followers)>),
    Reading(JoinHandle<(Followers, Vec<Line>)>),
    /// There was nothing more to read.
    Waiting(Followers),
    /// It cannot be read any more.
    Over,
}

/// One for each output that has a file of its own.
type Followers = Vec<Follower>;

#[derive(Debug)]
struct Follower {
    stream: LogStream,
    reader: Reader,
    /// The rest of a line that was too long.
    skipping: bool,
}

impl Lines {
    /// Follows both outputs from `from` on.
    pub(crate) fn follow(files: LogFiles, from: Position) -> Self {
        Self { files, from, ready: VecDeque::new(), watch: None, state: State::New }
    }

    /// The next line. `None` when output cannot be read any more. A call that
    /// is given up loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            match &mut self.state {
                State::New => self.state = State::Beginning(begin(self.files.clone(), self.from.clone())),
                State::Beginning(begun) => match begun.await {
                    Ok((watch, followers)) => {
                        self.watch = Some(watch);
                        self.state = State::Reading(read(followers));
                    }
                    Err(_) => self.state = State::Over,
                },
                State::Reading(read_now) => match read_now.await {
                    Ok((followers, lines)) if lines.is_empty() => self.state = State::Waiting(followers),
                    Ok((followers, lines)) => {
                        self.ready.extend(lines);
                        self.state = State::Reading(read(followers));
                    }
                    Err(_) => self.state = State::Over,
                },
                State::Waiting(followers) => {
                    if let Some(watch) = &mut self.watch {
                        watch.changed().await;
                    }
                    self.state = State::Reading(read(std::mem::take(followers)));
                }
                State::Over => return None,
            }
        }
    }
}

fn read(mut followers: Followers) -> JoinHandle<(Followers, Vec<Line>)> {
    tokio::task::spawn_blocking(move || {
        let lines = followers.iter_mut().flat_map(Follower::read).collect();
        (followers, lines)
    })
}

fn begin(files: LogFiles, from: Position) -> JoinHandle<(Watch, Followers)> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let _entered = runtime.enter();
        let mut outputs = vec![(LogStream::Stdout, &files.stdout, from.stdout)];
        if files.stderr != files.stdout {
            outputs.push((LogStream::Stderr, &files.stderr, from.stderr));
        }
        // Watched before it is read: a change in between is told, not missed.
        let watch = Watch::new(outputs.iter().map(|(_, path, _)| path.as_path()));
        let manner = Manner { size: LONGEST, whole: true, timed: false };
        let followers = outputs.into_iter().map(|(stream, path, from)| {
            let mut reader = Reader::new(path, manner, None, Some(watch.again()));
            if let Some(cursor) = from {
                // One that cannot be opened now is tried again from its beginning.
                let _ = reader.go_to(cursor);
            }
            Follower { stream, reader, skipping: false }
        });
        let followers = followers.collect();
        (watch, followers)
    })
}

impl Follower {
    /// Lines that are there now.
    fn read(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        // A file that cannot be read now may be later: the next change tells.
        while lines.is_empty()
            && let Ok(Step::Piece(piece)) = self.reader.next()
        {
            let mut left = piece.data.len() as u64;
            for line in piece.data.split_inclusive(|byte| *byte == b'\n') {
                let at = piece.after.back(left);
                left -= line.len() as u64;
                let skipped = std::mem::replace(&mut self.skipping, !line.ends_with(b"\n"));
                if !skipped {
                    lines.push(Line { stream: self.stream, bytes: log_object::words(plan::chomp(line)), at });
                }
            }
        }
        lines
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
