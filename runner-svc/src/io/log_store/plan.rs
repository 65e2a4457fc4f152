//! From what somebody wants to see of an output to where reading its history
//! begins and ends.

use super::cursor::Cursor;
use super::reader::{Manner, Reader, Step};
use super::segment::{self, Segment, Source};
use regex::bytes::Regex;
use std::io;
use std::path::Path;

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Only the last so many lines (of those that match).
    pub(crate) tail: Option<u32>,
    /// Written at this time or later, in nanoseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Written at this time or earlier.
    pub(crate) until: Option<i64>,
    /// Only lines that match.
    pub(crate) grep: Option<Regex>,
    /// What the run before the last one wrote.
    pub(crate) previous: bool,
    /// Go on from here: `tail`, `since` and `previous` say nothing then.
    pub(crate) cursor: Option<Cursor>,
    /// Times with the bytes.
    pub(crate) timestamps: bool,
    /// Go on with what is written later.
    pub(crate) follow: bool,
}

/// Where to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) start: (Segment, u64),
    /// The same place, whatever happens to the active file.
    pub(crate) place: Option<Cursor>,
    /// `None`: as far as it goes.
    pub(crate) end: Option<Cursor>,
    /// Lines that match and are passed over.
    pub(crate) skip: u64,
}

/// A place: which segment, and where in it.
type Spot = (usize, u64);

/// How much is read at once where only line ends are counted.
const BLOCK: usize = 64 * 1024;

/// Longest line that is searched as a whole.
pub(crate) const LONGEST_SEARCHED: usize = 1 << 20;

/// How often a plan is made anew because the active file was rotated away
/// meanwhile.
const ROUNDS: usize = 8;

/// Decides; reads indexes, and files as far as lines have to be counted.
pub(crate) fn plan(active: &Path, wanted: &Wanted) -> io::Result<Plan> {
    let identity = || {
        let file = segment::look(active).ok().flatten().map(|metadata| segment::id(&metadata));
        (Segment::active(active).header(), file)
    };
    let mut before = identity();
    for _ in 0..ROUNDS {
        let plan = plan_once(active, wanted);
        let now = identity();
        if now == before {
            return plan;
        }
        before = now;
    }
    plan_once(active, wanted)
}

/// Nothing was written to this output before the last run.
#[derive(Debug, thiserror::Error)]
#[error("there is no run before the last one")]
struct NoRunBefore;

/// Whether a plan failed because there is no run before the last one.
pub(crate) fn has_no_run_before(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<NoRunBefore>())
}

fn plan_once(active: &Path, wanted: &Wanted) -> io::Result<Plan> {
    let segments = segment::list(active);
    let last = segments.len() - 1;
    let len = segments.get(last).map_or(Ok(0), Segment::len)?;
    let whole = (0, 0);
    let (mut start, mut end): (Spot, Spot) = (whole, (last, len));
    if let Some(cursor) = wanted.cursor {
        start = locate(&segments, cursor);
    } else {
        if wanted.previous {
            (start, end) = run_before(&segments).ok_or_else(|| io::Error::other(NoRunBefore))?;
        }
        if let Some(since) = wanted.since {
            start = start.max(first_since(&segments, since, len));
        }
    }
    if let Some(until) = wanted.until {
        let mut ends = segments.iter().enumerate();
        let found = ends.find_map(|(i, segment)| Some((i, segment.index().end(until)?)));
        end = found.map_or(end, |found| end.min(found));
    }
    let bounded = !wanted.follow || wanted.until.is_some() || wanted.previous;
    start = start.min(end);
    let end_cursor = segments.get(end.0).map(|segment| cursor_of(segment, end.1)).transpose()?.flatten();
    let mut skip = 0;
    if let Some(lines) = wanted.tail
        && wanted.cursor.is_none()
    {
        match &wanted.grep {
            None => start = last_lines(&segments, start, end, lines)?,
            Some(grep) => {
                let matching = count(active, &segments, start, end_cursor, grep)?;
                skip = matching.saturating_sub(u64::from(lines));
            }
        }
    }
    let segment = segments.get(start.0).cloned().unwrap_or_else(|| Segment::active(active));
    let place = cursor_of(&segment, start.1)?;
    Ok(Plan { start: (segment, start.1), place, end: end_cursor.filter(|_| bounded), skip })
}

/// The same place, as a cursor; `None`: the file is not there.
fn cursor_of(segment: &Segment, offset: u64) -> io::Result<Option<Cursor>> {
    if let Some(header) = segment.header() {
        return Ok(Some(Cursor::History { lineage: header.lineage, position: header.base + offset }));
    }
    Ok(segment
        .open()?
        .map(|source| source.metadata())
        .transpose()?
        .map(|m| Cursor::File { id: segment::id(&m), offset }))
}

/// The place that a cursor names, or the nearest after which nothing is left
/// out.
pub(crate) fn locate(segments: &[Segment], cursor: Cursor) -> Spot {
    let last = segments.len().saturating_sub(1);
    match cursor {
        Cursor::History { lineage, position } => {
            let mut nearest = (0, 0);
            for (i, segment) in segments.iter().enumerate().rev() {
                let Some(header) = segment.header().filter(|header| header.lineage == lineage) else { continue };
                if header.base <= position {
                    return (i, position - header.base);
                }
                nearest = (i, 0);
            }
            nearest
        }
        Cursor::File { id, offset } => {
            let found = segments.iter().position(|segment| segment.is_file(id));
            found.map_or((last, 0), |i| (i, offset))
        }
    }
}

/// What was written between the last two beginnings of a run.
fn run_before(segments: &[Segment]) -> Option<(Spot, Spot)> {
    let mut end = None;
    for (i, segment) in segments.iter().enumerate().rev() {
        let runs: Vec<u64> = segment.index().runs().collect();
        for offset in runs.into_iter().rev() {
            match end {
                None => end = Some((i, offset)),
                Some(end) => return Some(((i, offset), end)),
            }
        }
    }
    // Where the run before began is no longer kept: whatever there is of it.
    end.filter(|end| *end > (0, 0)).map(|end| ((0, 0), end))
}

/// Where what was written at `since` or later begins.
fn first_since(segments: &[Segment], since: i64, len: u64) -> Spot {
    let last = segments.len().saturating_sub(1);
    for (i, segment) in segments.iter().enumerate() {
        let index = segment.index();
        if index.header.is_none() && segment.at.is_some_and(|at| at.saturating_mul(1000) < since) {
            continue;
        }
        if let Some(offset) = index.seek(since) {
            return (i, offset);
        }
        if i == last {
            // The newest records may not be written yet; the file tells when it was.
            let written = segment::look(&segment.path).ok().flatten().and_then(|m| m.modified().ok());
            let later = written.is_some_and(|time| process_model::Timestamp::from(time).0 >= since);
            let known = index.last().map_or(0, |record| record.offset);
            return (i, if later { known.min(len) } else { len });
        }
    }
    (last, len)
}

/// Where the last `lines` lines between two places begin. A last line without
/// an end counts.
fn last_lines(segments: &[Segment], start: Spot, end: Spot, lines: u32) -> io::Result<Spot> {
    let mut left = u64::from(lines);
    if left == 0 {
        return Ok(end);
    }
    // The end of the very last line ends that line, it does not begin another.
    let mut is_last = true;
    for i in (start.0..=end.0).rev() {
        let Some(segment) = segments.get(i) else { continue };
        let Some(mut source) = segment.open()? else { continue };
        let from = if i == start.0 { start.1 } else { 0 };
        let to = match (&source, i == end.0) {
            (_, true) => end.1,
            (Source::Plain(file), false) => file.metadata()?.len(),
            (Source::Packed(..), false) => segment.len()?,
        };
        if to > from {
            if let Some(at) = nth_line_from_end(&mut source, (from, to), &mut left, is_last)? {
                return Ok((i, at));
            }
            is_last = false;
        }
    }
    Ok(start)
}

fn nth_line_from_end(source: &mut Source, range: (u64, u64), left: &mut u64, is_last: bool) -> io::Result<Option<u64>> {
    let (from, to) = range;
    let ends = |block: &[u8], at: u64| -> Vec<u64> {
        let found = block.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(i, _)| at + i as u64 + 1);
        found.filter(|begin| !is_last || *begin < to).collect()
    };
    if matches!(source, Source::Packed(..)) {
        // Front to back only: counted first, then gone to.
        let mut total = 0;
        each_block(source, from, to, |block, at| {
            total += ends(block, at).len() as u64;
            true
        })?;
        if total < *left {
            *left -= total;
            return Ok(None);
        }
        let (mut pass, mut found) = (total - *left, None);
        each_block(source, from, to, |block, at| {
            let ends = ends(block, at);
            let here = usize::try_from(pass).ok().and_then(|n| ends.get(n)).copied();
            pass = pass.saturating_sub(ends.len() as u64);
            found = here;
            found.is_none()
        })?;
        return Ok(found);
    }
    let mut position = to;
    while position > from {
        let size = (position - from).min(BLOCK as u64);
        position -= size;
        let block = source.read(position, usize::try_from(size).unwrap_or(BLOCK))?;
        let ends = ends(&block, position);
        let n = ends.len() as u64;
        if n >= *left {
            return Ok(usize::try_from(n - *left).ok().and_then(|n| ends.get(n)).copied());
        }
        *left -= n;
    }
    Ok(None)
}

/// Calls `f` with blocks and their offsets, until it says no.
fn each_block(source: &mut Source, from: u64, to: u64, mut f: impl FnMut(&[u8], u64) -> bool) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let block = source.read(at, usize::try_from(to - at).unwrap_or(BLOCK).min(BLOCK))?;
        if block.is_empty() || !f(&block, at) {
            break;
        }
        at += block.len() as u64;
    }
    Ok(())
}

/// Lines that match between two places.
fn count(active: &Path, segments: &[Segment], start: Spot, end: Option<Cursor>, grep: &Regex) -> io::Result<u64> {
    let manner = Manner { size: LONGEST_SEARCHED, whole: false, timed: false };
    let mut reader = Reader::new(active, manner, end, None);
    if let Some(segment) = segments.get(start.0) {
        reader.begin(segment.clone(), start.1, None)?;
    }
    let mut matching = 0;
    while let Step::Piece(piece) = reader.next()? {
        matching += piece.data.split_inclusive(|byte| *byte == b'\n').filter(|line| grep.is_match(chomp(line))).count();
    }
    Ok(matching as u64)
}

/// A line without its end.
pub(crate) fn chomp(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
