//! Which log files there are: those that the keeper keeps an index of. What has
//! none, or not our kind of name, is somebody else's and is left alone.

use super::compress::UNFINISHED;
use super::rules::{Kept, State};
use runner_keeper::log::index::{Header, Index, Kind};
use runner_keeper::log::names::{INDEX_SUFFIX, Part, RotatedName, index_of, with_suffix};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything in some folders.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) files: Vec<Kept>,
    /// All parts of each of `files`.
    pub(crate) parts: Vec<Vec<PathBuf>>,
    /// Plain files that are to be compressed, with how; the oldest first.
    pub(crate) plain: Vec<(PathBuf, Part)>,
    /// Left behind by a compression that was broken off.
    pub(crate) unfinished: Vec<PathBuf>,
}

/// Looks through folders; one that cannot be read has nothing.
pub(crate) fn take(folders: &BTreeSet<PathBuf>) -> Inventory {
    let mut inventory = Inventory::default();
    for folder in folders {
        inventory.add(folder);
    }
    inventory
}

/// Files of one log file, with their sizes.
type Parts = Vec<(PathBuf, Part, u64)>;

impl Inventory {
    fn add(&mut self, folder: &Path) {
        // By active file's name and time; the active one itself has none.
        let mut found: BTreeMap<(String, Option<i64>), Parts> = BTreeMap::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), entry.metadata()) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let part = |part: Part| (entry.path(), part, metadata.len());
            if name.strip_suffix(UNFINISHED).is_some_and(|name| RotatedName::parse(name).is_some()) {
                self.unfinished.push(entry.path());
            } else if let Some(rotated) = RotatedName::parse(&name) {
                found.entry((rotated.active.to_owned(), Some(rotated.at))).or_default().push(part(rotated.part));
            } else if let Some(active) = name.strip_suffix(INDEX_SUFFIX) {
                found.entry((active.to_owned(), None)).or_default().push(part(Part::Index));
            }
        }
        for ((active, at), mut parts) in found {
            let output = folder.join(&active);
            let plain = match at {
                Some(at) => runner_keeper::log::names::rotated(&output, at),
                None => output.clone(),
            };
            if at.is_none()
                && let Ok(metadata) = std::fs::metadata(&output)
            {
                parts.push((output.clone(), Part::Plain, metadata.len()));
            }
            let Ok(header) = Header::read(&index_of(&plain)) else { continue };
            let has = |part: Part| parts.iter().any(|(_, other, _)| *other == part);
            let compressed = Part::of(header.compress);
            if at.is_some() && has(Part::Plain) && compressed != Part::Plain {
                self.plain.push((plain.clone(), compressed));
            }
            let state = match at {
                Some(at) => State::Rotated(at.saturating_mul(1000)),
                None => closed(&plain).map_or(State::Active, State::Closed),
            };
            self.files.push(Kept {
                process: process_of(&active).map_or_else(|| output.to_string_lossy().into_owned(), str::to_owned),
                output: output.to_string_lossy().into_owned(),
                state,
                bytes: parts.iter().map(|(_, _, bytes)| bytes).sum(),
                made: header.created,
                retention: (header.retention > 0).then(|| Duration::from_secs(header.retention)),
                quota: (header.quota > 0).then_some(header.quota),
            });
            self.parts.push(parts.into_iter().map(|(path, _, _)| path).collect());
        }
        self.plain.sort();
    }
}

/// When the writer of an active file closed it.
pub(crate) fn closed(active: &Path) -> Option<i64> {
    let index = Index::read(&index_of(active));
    index.last().filter(|record| matches!(record.kind, Kind::Closed)).map(|record| record.time)
}

/// The process of `web-1.stdout.log`.
fn process_of(active: &str) -> Option<&str> {
    let instance = active.strip_suffix(".stdout.log").or_else(|| active.strip_suffix(".stderr.log"))?;
    let (process, index) = instance.rsplit_once('-')?;
    (!process.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())).then_some(process)
}

/// Deletes all parts of a file; the index last, so that what is left after a
/// failure is still known for what it is.
pub(crate) fn delete(parts: &[PathBuf]) -> std::io::Result<()> {
    let is_index = |path: &&PathBuf| path.to_string_lossy().ends_with(INDEX_SUFFIX);
    for path in parts.iter().filter(|path| !is_index(path)).chain(parts.iter().filter(is_index)) {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
    }
    // Compressed since it was looked at.
    if let Some(plain) = parts.first().filter(|path| {
        RotatedName::parse(&path.file_name().unwrap_or_default().to_string_lossy())
            .is_some_and(|name| name.part == Part::Plain)
    }) {
        for part in [Part::Gzip, Part::Zstd] {
            let _ = std::fs::remove_file(with_suffix(plain, part.suffix()));
        }
    }
    Ok(())
}
