//! One file of an output's history: the active one, or one that was rotated
//! away. Its bytes have the same offsets whether it is compressed or not.
//!
//! A path comes from a user and may lead anywhere: to a pipe that nobody
//! writes to, to a file system that hangs. Only regular files are opened, and
//! every call here is made on a thread that may block.

use flate2::read::MultiGzDecoder;
use runner_keeper::log::index::{Header, Index};
use runner_keeper::log::names::{self, Part, RotatedName};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// When it was rotated away, in microseconds since 1970; `None`: it is the
    /// active one.
    pub(crate) at: Option<i64>,
    pub(crate) part: Part,
}

/// The history of the active file at `active`, oldest first. The active file
/// is the last one, whether it is there or not.
pub(crate) fn list(active: &Path) -> Vec<Segment> {
    let mut found = Vec::new();
    if let (Some(folder), Some(name)) = (active.parent(), active.file_name().and_then(|name| name.to_str())) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let entry_name = entry.file_name();
            let Some(rotated) = entry_name.to_str().and_then(RotatedName::parse) else { continue };
            if rotated.active == name && rotated.part != Part::Index {
                found.push(Segment { path: entry.path(), at: Some(rotated.at), part: rotated.part });
            }
        }
    }
    found.sort_by_key(|segment| (segment.at, segment.part));
    // A plain file beside a compressed one: that one is being made.
    found.dedup_by_key(|segment| segment.at);
    found.push(Segment { path: active.to_owned(), at: None, part: Part::Plain });
    found
}

impl Segment {
    fn index_path(&self) -> PathBuf {
        let plain = self.path.to_string_lossy();
        match plain.strip_suffix(self.part.suffix()) {
            Some(plain) if self.part != Part::Plain => names::index_of(Path::new(plain)),
            Some(_) | None => names::index_of(&self.path),
        }
    }

    pub(crate) fn index(&self) -> Index {
        Index::read(&self.index_path())
    }

    pub(crate) fn header(&self) -> Option<Header> {
        Header::read(&self.index_path()).ok()
    }

    /// Opens it; `None`: it is not there, or no longer. One that was compressed
    /// since it was listed is there.
    pub(crate) fn open(&self) -> io::Result<Option<Source>> {
        let found = open_as(&self.path, self.part)?;
        if found.is_some() || self.at.is_none() || self.part != Part::Plain {
            return Ok(found);
        }
        for part in [Part::Zstd, Part::Gzip] {
            let found = open_as(&names::with_suffix(&self.path, part.suffix()), part)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Bytes in it; compressed ones are counted, which takes a while.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self.open()? {
            Some(Source::Plain(file)) => Ok(file.metadata()?.len()),
            Some(Source::Packed(mut packed, _)) => io::copy(&mut packed.decoder, &mut io::sink()),
            None => Ok(0),
        }
    }
}

fn open_as(path: &Path, part: Part) -> io::Result<Option<Source>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    Ok(Some(match part {
        Part::Plain | Part::Index => Source::Plain(file),
        Part::Gzip | Part::Zstd => {
            let decoder = decoder(part, file.try_clone()?)?;
            Source::Packed(Box::new(Packed { decoder, at: 0, kept: Vec::new(), part }), file)
        }
    }))
}

/// An open segment.
pub(crate) enum Source {
    Plain(File),
    Packed(Box<Packed>, File),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(file) => f.debug_tuple("Plain").field(file).finish(),
            Self::Packed(packed, _) => f.debug_tuple("Packed").field(&packed.at).finish(),
        }
    }
}

/// A compressed segment, read from front to back.
pub(crate) struct Packed {
    decoder: Box<dyn Read + Send>,
    /// What has come out of the decoder.
    at: u64,
    /// The last of it: readers come back for the line that they cut.
    kept: Vec<u8>,
    part: Part,
}

fn decoder(part: Part, file: File) -> io::Result<Box<dyn Read + Send>> {
    Ok(match part {
        Part::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        Part::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
        Part::Plain | Part::Index => Box::new(file),
    })
}

impl Source {
    /// Reads up to `size` bytes from `offset` on; empty at the end.
    pub(crate) fn read(&mut self, offset: u64, size: usize) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        match self {
            Self::Plain(file) => {
                file.seek(SeekFrom::Start(offset))?;
                file.take(size as u64).read_to_end(&mut data)?;
            }
            Self::Packed(packed, file) => {
                if packed.at - (packed.kept.len() as u64) > offset {
                    file.seek(SeekFrom::Start(0))?;
                    packed.decoder = decoder(packed.part, file.try_clone()?)?;
                    packed.at = 0;
                    packed.kept.clear();
                }
                let back = packed.at.saturating_sub(offset);
                let from = packed.kept.len() - usize::try_from(back).unwrap_or(0).min(packed.kept.len());
                data.extend(packed.kept.get(from..).unwrap_or_default().iter().take(size));
                let ahead = offset.saturating_sub(packed.at);
                if ahead > 0 {
                    packed.kept.clear();
                }
                packed.at += io::copy(&mut packed.decoder.by_ref().take(ahead), &mut io::sink())?;
                let missing = (size - data.len()) as u64;
                let read = packed.decoder.by_ref().take(missing).read_to_end(&mut data)?;
                packed.at += read as u64;
                if offset + data.len() as u64 == packed.at {
                    packed.kept.clone_from(&data);
                }
            }
        }
        Ok(data)
    }

    /// What the active file is known by and how long it is.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Self::Plain(file) | Self::Packed(_, file) => file.metadata(),
        }
    }
}

/// Device and inode.
pub(crate) fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The regular file that has this name, if anybody has.
pub(crate) fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => regular(metadata).map(Some),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn open_regular(path: &Path) -> io::Result<Option<File>> {
    // Looked at before it is opened: opening alone may wake whoever is at a pipe's other end.
    if look(path)?.is_none() {
        return Ok(None);
    }
    // It may have been replaced since: O_NONBLOCK has no effect on regular files.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
        Ok(file) => regular(file.metadata()?).map(|_| Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn regular(metadata: Metadata) -> io::Result<Metadata> {
    if metadata.is_file() { Ok(metadata) } else { Err(io::Error::other("it is not a regular file")) }
}
