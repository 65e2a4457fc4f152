//! Entries, from memory where they are, else from the disk. The lock is held
//! only to find out where they are.

use super::shared::Shared;
use crate::content::Place;
use crate::disk::SegmentFile;
use crate::format::{Change, Raw};
use crate::{Damage, Entry, Limit, Position, ReadError};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// Bytes that are read from the disk at once, unless one entry is larger.
const PIECE: u64 = 1 << 20;

/// Entries of one segment that are read at once.
struct Piece {
    file: Arc<SegmentFile>,
    wanted: Vec<(Position, Place)>,
}

impl Piece {
    fn takes(&self, file: &Arc<SegmentFile>, place: Place) -> bool {
        let begin = self.wanted.first().map_or(place.offset, |(_, first)| first.offset);
        Arc::ptr_eq(&self.file, file) && place.end() - u64::from(begin) <= PIECE
    }

    fn read(&self, into: &mut Vec<Entry>) -> Result<(), ReadError> {
        let (Some((_, first)), Some((_, last))) = (self.wanted.first(), self.wanted.last()) else { return Ok(()) };
        let begin = u64::from(first.offset);
        let mut bytes = vec![0; (last.end() - begin) as usize];
        let file = self.file.path();
        self.file.read_at(&mut bytes, begin).map_err(|source| ReadError::Io { file: file.to_owned(), source })?;
        let bytes = Bytes::from(bytes);
        for (at, place) in &self.wanted {
            let damaged = |damage| ReadError::Damaged { file: file.to_owned(), offset: place.offset.into(), damage };
            let from = (place.offset - first.offset) as usize;
            let record = &bytes[from..from + place.size as usize];
            let raw = Raw::read(record, self.file.tag()).map_err(|_| damaged(Damage::Record))?;
            if raw.change() != Some(Change::Entry(*at)) {
                return Err(damaged(Damage::Content));
            }
            into.push(Entry { at: *at, payload: bytes.slice_ref(raw.payload) });
        }
        Ok(())
    }
}

/// Where a run of entries is.
enum Source {
    Memory(Entry),
    Disk(Piece),
}

/// Reads consecutive entries, see [`Log::read`](crate::Log::read).
pub(crate) fn read(shared: &Shared, range: Range<u64>, limit: Limit) -> Result<Vec<Entry>, ReadError> {
    let mut entries = Vec::new();
    for source in find(shared, range, limit)? {
        match source {
            Source::Memory(entry) => entries.push(entry),
            Source::Disk(piece) => piece.read(&mut entries)?,
        }
    }
    Ok(entries)
}

fn find(shared: &Shared, range: Range<u64>, limit: Limit) -> Result<Vec<Source>, ReadError> {
    let state = shared.lock();
    let index = state.contents.index();
    let Some(first) = index.first().or(state.contents.next()) else { return Ok(Vec::new()) };
    if range.start < first && !range.is_empty() {
        return Err(ReadError::Purged { first });
    }
    let (mut sources, mut count, mut bytes) = (Vec::new(), 0, 0);
    for wanted in range {
        // Not there: the log ends before it.
        let (Some(term), Some(place)) = (index.term(wanted), index.place(wanted)) else { break };
        let held = state.tail.get(wanted);
        let payload = held.map_or(place.size as usize, |entry| entry.payload.len());
        if count > 0 && (count == limit.entries || bytes + payload > limit.bytes) {
            break;
        }
        count += 1;
        bytes += payload;
        if let Some(entry) = held {
            sources.push(Source::Memory(entry.clone()));
            continue;
        }
        let Some(file) = state.files.get(&place.segment) else { break };
        let wanted = (Position { term, index: wanted }, place);
        match sources.last_mut() {
            Some(Source::Disk(piece)) if piece.takes(file, place) => piece.wanted.push(wanted),
            Some(Source::Disk(_) | Source::Memory(_)) | None => {
                sources.push(Source::Disk(Piece { file: file.clone(), wanted: vec![wanted] }));
            }
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::running::{Started, create, start, stop};
    use crate::{Floor, Identity, Settings, Write};

    #[test]
    fn a_segment_that_is_being_read_is_not_used_again() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("log");
        let identity = Identity { cluster: [1; 16], replica: 1, epoch: 1, store: [2; 16] };
        let settings = Settings { segment_bytes: 64 << 10, reserve_bytes: 0, tail_bytes: 0, notify: None };
        create(&dir, &identity, &settings).unwrap();
        let Started { shared, threads, .. } = start(&dir, &identity, &settings, &Floor::default()).unwrap();
        let write = |write| shared.wait(shared.submit(write, Box::new(drop)).unwrap()).unwrap();
        let at = |index| Position { term: 1, index };
        let entry = |index: u64| Entry { at: at(index), payload: Bytes::from(vec![index as u8; 1000]) };
        (0..100).for_each(|index| write(Write::Append(vec![entry(index)])));
        let found = find(&shared, 0..40, Limit { entries: 40, bytes: usize::MAX }).unwrap();
        // Everything that was just found is purged, and the log goes on until
        // freed segments were used again.
        write(Write::Purge { upto: at(99) });
        for index in 100..2000 {
            write(Write::Append(vec![entry(index)]));
            if index % 100 == 0 {
                write(Write::Purge { upto: at(index - 1) });
            }
        }
        assert!(shared.figures().segments_recycled > 5);
        let mut entries = Vec::new();
        for source in found {
            match source {
                Source::Memory(entry) => entries.push(entry),
                Source::Disk(piece) => piece.read(&mut entries).unwrap(),
            }
        }
        assert_eq!(entries, (0..40).map(entry).collect::<Vec<_>>());
        stop(&shared, threads);
    }
}
