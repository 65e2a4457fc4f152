//! Reads a directory once, from the oldest record to the newest, and decides
//! whether it can be trusted. Changes nothing on the disk.

use super::remains::Remains;
use super::replay::{Flaw, Replay};
use crate::content::{Contents, Layout};
use crate::disk::{Directory, MarksFile, SegmentFile};
use crate::format::{BLOCK, Mark, SegmentHeader};
use crate::{Cut, Damage, Floor, Identity, Lsn, OpenError, Survey};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A sound log.
pub(crate) struct Scan {
    pub(crate) survey: Survey,
    pub(crate) mark: Mark,
    pub(crate) contents: Contents,
    /// The last record, and its checksum.
    pub(crate) lsn: Lsn,
    pub(crate) crc: u32,
    /// Segment and offset behind it.
    pub(crate) end: (u64, u64),
    pub(crate) layout: Layout,
    pub(crate) files: BTreeMap<u64, Arc<SegmentFile>>,
    /// Files that no mark lists: before the first segment, and after the last.
    pub(crate) freed: Vec<PathBuf>,
    pub(crate) unlisted: Vec<PathBuf>,
}

/// Reads and judges. `expected`: whose log it must be; `None` takes anybody's.
pub(crate) fn scan(
    directory: &Directory,
    marks: &MarksFile,
    expected: Option<&Identity>,
    floor: &Floor,
    writable: bool,
) -> Result<Scan, OpenError> {
    let mark = marks.read()?;
    is_ours(marks.path().clone(), &mark.identity, expected.unwrap_or(&mark.identity))?;
    let found = directory.segments().map_err(OpenError::io("list", directory.path()))?;
    if let Some(missing) = (mark.first..=mark.last).find(|number| !found.contains_key(number)) {
        return Err(OpenError::Missing(directory.segment(missing)));
    }
    let mut reader = Reader { directory, mark, files: BTreeMap::new(), bytes: Vec::new() };
    let (replay, remains) = reader.replay(writable)?;
    let (freed, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|(number, _)| *number < mark.first);
    let unlisted: Vec<_> = rest.into_iter().filter(|(number, _)| *number > mark.last).collect();
    for (number, path) in &unlisted {
        if reader.is_begun(*number, path)? {
            return Err(OpenError::OldMarks { marks: marks.path().clone(), file: path.clone() });
        }
    }
    let (lsn, crc, end, records) = (replay.lsn(), replay.crc(), replay.end(), replay.records());
    let file = directory.segment(end.0);
    if remains.prove_durable(lsn) {
        return Err(OpenError::Damaged { file, offset: end.1, damage: Damage::Record });
    }
    if lsn < mark.durable {
        return Err(OpenError::LostTail { file, offset: end.1, found: lsn, durable: mark.durable });
    }
    let contents = replay.into_contents();
    if contents.boot() > mark.boot {
        return Err(OpenError::OldMarks { marks: marks.path().clone(), file });
    }
    if let Some(expected) = contents.missing() {
        return Err(OpenError::LostHead { file: directory.segment(mark.first), expected });
    }
    is_above(floor, &mark, &contents, directory)?;
    let files = reader.files;
    let cut = remains.are_torn(lsn).then_some(Cut { file, offset: end.1 });
    let survey = survey_of(&mark, &contents, records, &files, cut);
    let layout = layout_of(end, &files);
    let paths = |found: Vec<(u64, PathBuf)>| found.into_iter().map(|(_, path)| path).collect();
    let (freed, unlisted) = (paths(freed), paths(unlisted));
    Ok(Scan { survey, mark, contents, lsn, crc, end, layout, files, freed, unlisted })
}

/// Reads segment files, one at a time in the same memory.
struct Reader<'a> {
    directory: &'a Directory,
    mark: Mark,
    files: BTreeMap<u64, Arc<SegmentFile>>,
    bytes: Vec<u8>,
}

impl Reader<'_> {
    /// All listed segments, and what lies behind the end of each.
    fn replay(&mut self, writable: bool) -> Result<(Replay, Remains), OpenError> {
        let mut replay = Replay::new(self.mark);
        let mut remains = Remains::default();
        let mut has_ended = false;
        for number in self.mark.first..=self.mark.last {
            let path = self.directory.segment(number);
            let file = SegmentFile::open(&path, writable).map_err(OpenError::io("open", &path))?;
            file.read_all(&mut self.bytes).map_err(OpenError::io("read", &path))?;
            let bytes = self.bytes.as_slice();
            let header = check_header(bytes, &path, number, &self.mark.identity)?;
            let begun = replay.segment(number, header.tag, bytes).map_err(|flaw| self.damaged(flaw))?;
            if has_ended && begun {
                let (segment, offset) = replay.end();
                return Err(self.damaged(Flaw { segment, offset, damage: Damage::Record }));
            }
            has_ended |= !begun;
            let from = if begun { replay.end().1 } else { BLOCK };
            if begun {
                // What lay behind the segments before this one is no matter:
                // they were complete.
                remains = Remains::default();
            }
            remains.look(bytes, from as usize, header.tag, replay.lsn());
            self.files.insert(number, Arc::new(file.tagged(&header)));
        }
        Ok((replay, remains))
    }

    /// Whether an unlisted segment was written to. It was given its name when
    /// it was whole, so it has to be sound, listed or not.
    fn is_begun(&mut self, number: u64, path: &Path) -> Result<bool, OpenError> {
        let file = SegmentFile::open(path, false).map_err(OpenError::io("open", path))?;
        file.read_all(&mut self.bytes).map_err(OpenError::io("read", path))?;
        let header = check_header(&self.bytes, path, number, &self.mark.identity)?;
        let mut remains = Remains::default();
        remains.look(&self.bytes, BLOCK as usize, header.tag, 0);
        Ok(remains.prove_durable(0) || remains.are_torn(0))
    }

    fn damaged(&self, flaw: Flaw) -> OpenError {
        let Flaw { segment, offset, damage } = flaw;
        OpenError::Damaged { file: self.directory.segment(segment), offset, damage }
    }
}

fn is_ours(file: PathBuf, found: &Identity, expected: &Identity) -> Result<(), OpenError> {
    if found == expected {
        return Ok(());
    }
    Err(OpenError::Foreign { file, found: Box::new(*found), expected: Box::new(*expected) })
}

fn check_header(bytes: &[u8], path: &Path, number: u64, identity: &Identity) -> Result<SegmentHeader, OpenError> {
    let file = path.to_owned();
    let header = match SegmentHeader::read(bytes) {
        None => return Err(OpenError::Damaged { file, offset: 0, damage: Damage::Header }),
        Some(Err(found)) => return Err(OpenError::UnknownFormat { file, found }),
        Some(Ok(header)) => header,
    };
    is_ours(file.clone(), &header.identity, identity)?;
    if header.number != number {
        let damage = Damage::WrongSegment { found: header.number };
        return Err(OpenError::Damaged { file, offset: 0, damage });
    }
    let found = bytes.len() as u64;
    if found != header.bytes {
        return Err(OpenError::WrongLength { file, found, expected: header.bytes });
    }
    Ok(header)
}

/// Whether the log holds what others know that it held.
fn is_above(floor: &Floor, mark: &Mark, contents: &Contents, directory: &Directory) -> Result<(), OpenError> {
    let purged = contents.extent().purged;
    let holds = |wanted: &crate::Position| {
        purged.is_some_and(|purged| wanted.index <= purged.index)
            || contents.index().term(wanted.index) == Some(wanted.term)
    };
    if mark.boot < floor.boot || floor.committed.is_some_and(|wanted| !holds(&wanted)) {
        let dir = directory.path().to_owned();
        return Err(OpenError::WentBack { dir, boot: mark.boot, known_floor: *floor });
    }
    Ok(())
}

fn survey_of(
    mark: &Mark,
    contents: &Contents,
    records: u64,
    files: &BTreeMap<u64, Arc<SegmentFile>>,
    cut: Option<Cut>,
) -> Survey {
    let extent = contents.extent();
    Survey {
        identity: mark.identity,
        boot: mark.boot,
        extent,
        vote: contents.vote(),
        // It was told by others and may be ahead of what reached this disk.
        committed: mark.committed.and_then(|at| if extent.last?.index < at.index { extent.last } else { Some(at) }),
        records,
        segments: files.len() as u64,
        bytes: files.values().map(|file| file.bytes()).sum(),
        cut,
    }
}

fn layout_of(end: (u64, u64), files: &BTreeMap<u64, Arc<SegmentFile>>) -> Layout {
    let bytes = files.get(&end.0).map_or(0, |file| file.bytes());
    let mut layout = Layout::new(end.0, end.1, bytes);
    for (number, file) in files.range(end.0 + 1..) {
        layout.add(*number, file.bytes());
    }
    layout
}
