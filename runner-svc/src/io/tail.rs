//! Reading one output's history for somebody: what of it is wanted, to the end
//! of what is there or for as long as somebody follows.
//!
//! Every call on files is made on a thread that may block: a path comes from a
//! user and may lead to a file system that hangs.

use super::log_store::plan::{LONGEST_SEARCHED, Wanted, chomp, plan};
use super::log_store::reader::{Manner, Piece, Reader, Step};
use super::log_store::watch::Watch;
use regex::bytes::Regex;
use std::collections::VecDeque;
use std::io;
use std::path::Path;

/// Longest chunk; a line that is longer is cut.
pub(crate) const CHUNK: usize = 32 * 1024;

/// An output that is being read.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Lent to a thread while it reads.
    search: Option<Search>,
    /// `None`: what is there is all that is wanted.
    watch: Option<Watch>,
    ready: VecDeque<Piece>,
}

/// The part that blocks.
#[derive(Debug)]
struct Search {
    reader: Reader,
    grep: Option<Regex>,
    /// Matching lines that are passed over.
    skip: u64,
}

impl Tail {
    /// Opens a file that may not be there yet.
    pub(crate) async fn open(path: &Path, wanted: Wanted) -> io::Result<Self> {
        let path = path.to_owned();
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let _entered = runtime.enter();
            // Watched before it is read: a change in between is told, not missed.
            let watch = wanted.follow.then(|| Watch::new([path.as_path()]));
            let plan = plan(&path, &wanted)?;
            let searches = wanted.grep.is_some();
            let size = if searches { LONGEST_SEARCHED } else { CHUNK };
            let manner = Manner { size, whole: searches && wanted.follow, timed: wanted.timestamps };
            let mut reader = Reader::new(&path, manner, plan.end, watch.as_ref().map(Watch::again));
            reader.begin(plan.start.0, plan.start.1, plan.place)?;
            let search = Some(Search { reader, grep: wanted.grep, skip: plan.skip });
            Ok(Self { search, watch, ready: VecDeque::new() })
        })
        .await?
    }

    /// The next piece, of [`CHUNK`] at most; `None` at the end of what is
    /// wanted. Ends at a line end unless a line is longer than a chunk or the
    /// file ends without one. A call that was given up is the last one.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            let Some(mut search) = self.search.take() else {
                return Err(io::Error::other("a reading that was given up cannot go on"));
            };
            let (search, step) = tokio::task::spawn_blocking(move || {
                let step = search.reader.next();
                let found = step.map(|step| match step {
                    Step::Piece(piece) => Ok(search.sift(piece)),
                    end @ (Step::Wait | Step::Over) => Err(end),
                });
                (search, found)
            })
            .await?;
            self.search = Some(search);
            match (step?, &mut self.watch) {
                (Ok(pieces), _) => self.ready.extend(pieces),
                (Err(Step::Over), _) | (Err(_), None) => return Ok(None),
                (Err(_), Some(watch)) => watch.changed().await,
            }
        }
    }
}

impl Search {
    /// What of a piece is wanted, in chunks.
    fn sift(&mut self, piece: Piece) -> Vec<Piece> {
        let Some(grep) = &self.grep else { return vec![piece] };
        let mut found: Vec<Piece> = Vec::new();
        let mut offset = piece.offset;
        for line in piece.data.split_inclusive(|byte| *byte == b'\n') {
            let at = offset;
            offset += line.len() as u64;
            if !grep.is_match(chomp(line)) {
                continue;
            }
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            for (i, part) in line.chunks(CHUNK).enumerate() {
                match found.last_mut() {
                    Some(last) if i == 0 && last.data.len() + part.len() <= CHUNK => last.data.extend_from_slice(part),
                    Some(_) | None => found.push(Piece {
                        file: piece.file.clone(),
                        offset: at + (i * CHUNK) as u64,
                        data: part.to_vec(),
                        time: piece.time,
                        // Going on behind a part of a line would be in the middle of it.
                        after: piece.after.back(piece.offset + piece.data.len() as u64 - offset),
                    }),
                }
                if let Some(last) = found.last_mut() {
                    last.after = piece.after.back(piece.offset + piece.data.len() as u64 - offset);
                }
            }
        }
        if let Some(last) = found.last_mut() {
            // Nothing behind it in this piece is wanted.
            last.after = piece.after;
        }
        found
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
