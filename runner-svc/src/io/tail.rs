//! Reading one log file: from the beginning or from its last lines, to its
//! end or for as long as somebody follows. Goes on across rotation and
//! truncation.
//!
//! A path comes from a user and may lead anywhere: to a pipe that nobody
//! writes to, to a file system that hangs. Only regular files are opened, and
//! every call on them is made on a thread that may block.

use super::file_watch::{FileWatch, WatchAgain};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Longest chunk; a line that is longer is cut.
pub(crate) const CHUNK: usize = 32 * 1024;

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Lent to a thread while it reads.
    reader: Option<Reader>,
    watch: Option<FileWatch>,
}

/// Bytes and where they were.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) data: Vec<u8>,
}

impl Tail {
    /// Opens a file that may not be there yet. `lines`: only the last so many.
    pub(crate) async fn open(path: &Path, lines: Option<u32>, follow: bool) -> io::Result<Self> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || {
            // Watched before it is read: a change in between is told, not missed.
            let watch = if follow { Some(FileWatch::new(&path)?) } else { None };
            let mut file = open_if_there(&path)?;
            let offset = match (&mut file, lines) {
                (Some(file), Some(lines)) => last_lines(file, lines)?,
                (Some(_), None) | (None, _) => 0,
            };
            let again = watch.as_ref().map(FileWatch::again);
            Ok(Self { reader: Some(Reader { path, file, offset, again }), watch })
        })
        .await?
    }

    /// The next piece; `None` at the end of a file that is not followed. Ends
    /// at a line end unless a line is longer than a chunk or the file ends
    /// without one. A call that was given up is the last one.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let Some(mut reader) = self.reader.take() else {
                return Err(io::Error::other("a reading that was given up cannot go on"));
            };
            let (reader, piece) = tokio::task::spawn_blocking(move || {
                let piece = reader.next();
                (reader, piece)
            })
            .await?;
            self.reader = Some(reader);
            if let Some(piece) = piece? {
                return Ok(Some(piece));
            }
            match &mut self.watch {
                Some(watch) => watch.changed().await?,
                None => return Ok(None),
            }
        }
    }
}

/// The part that blocks.
#[derive(Debug)]
struct Reader {
    path: PathBuf,
    /// `None` while nobody has the name.
    file: Option<File>,
    offset: u64,
    again: Option<WatchAgain>,
}

impl Reader {
    /// What is there now.
    fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.read()? {
                return Ok(Some(piece));
            }
            if !self.reopen_if_replaced()? {
                return Ok(None);
            }
        }
    }

    fn read(&mut self) -> io::Result<Option<Piece>> {
        let Some(file) = &mut self.file else { return Ok(None) };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut data = Vec::new();
        file.take(CHUNK as u64).read_to_end(&mut data)?;
        if data.is_empty() {
            return Ok(None);
        }
        if data.len() == CHUNK
            && let Some(end) = data.iter().rposition(|byte| *byte == b'\n')
        {
            data.truncate(end + 1);
        }
        let piece = Piece { offset: self.offset, data };
        self.offset += piece.data.len() as u64;
        Ok(Some(piece))
    }

    /// True when there is something to read again: another file has the name,
    /// or this one was cut short.
    fn reopen_if_replaced(&mut self) -> io::Result<bool> {
        let Some(there) = look(&self.path)? else {
            // Moved away; the next one will come.
            return Ok(false);
        };
        let same = match &self.file {
            Some(file) => {
                let ours = file.metadata()?;
                (ours.dev(), ours.ino()) == (there.dev(), there.ino())
            }
            None => false,
        };
        if same && there.len() >= self.offset {
            return Ok(false);
        }
        if !same {
            self.file = open_if_there(&self.path)?;
            if let Some(again) = &self.again {
                again.watch_file(&self.path)?;
            }
        }
        self.offset = 0;
        Ok(there.len() > 0)
    }
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
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

/// The regular file that has this name, if anybody has.
fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => regular(metadata).map(Some),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn regular(metadata: Metadata) -> io::Result<Metadata> {
    if metadata.is_file() { Ok(metadata) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Where the last `lines` lines begin. A last line without an end counts.
fn last_lines(file: &mut File, lines: u32) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let (mut position, mut left) = (len, u64::from(lines));
    if left == 0 {
        return Ok(len);
    }
    let mut block = vec![0; CHUNK];
    while position > 0 {
        let size = position.min(CHUNK as u64);
        position -= size;
        file.seek(SeekFrom::Start(position))?;
        let part = block.get_mut(..usize::try_from(size).unwrap_or(CHUNK)).unwrap_or_default();
        file.read_exact(part)?;
        for (i, byte) in part.iter().enumerate().rev() {
            let at = position + i as u64;
            // The end of the last line ends that line, it does not begin another.
            if *byte == b'\n' && at + 1 < len {
                left -= 1;
                if left == 0 {
                    return Ok(at + 1);
                }
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    async fn all(tail: &mut Tail) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = tail.next().await.unwrap() {
            bytes.extend(piece.data);
        }
        bytes
    }

    #[tokio::test]
    async fn the_last_lines_are_the_last_lines_whatever_the_end_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        for (content, lines, expected) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n", 9, "a\nb\n"),
            ("a\nb\n", 0, ""),
            ("\n\n\n", 1, "\n"),
        ] {
            std::fs::write(&path, content).unwrap();
            let mut tail = Tail::open(&path, Some(lines), false).await.unwrap();
            assert_eq!(all(&mut tail).await, expected.as_bytes(), "{content:?} {lines}");
        }
    }

    #[tokio::test]
    async fn following_goes_on_across_rotation_and_truncation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut tail = Tail::open(&path, None, true).await.unwrap();
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(tail.next().await.unwrap().unwrap().data, b"one\n");
        std::fs::rename(&path, dir.path().join("x.log.1")).unwrap();
        std::fs::write(&path, "two, in a new file\n").unwrap();
        assert_eq!(tail.next().await.unwrap().unwrap().data, b"two, in a new file\n");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"three\n").unwrap();
        assert_eq!(tail.next().await.unwrap().unwrap(), Piece { offset: 0, data: b"three\n".to_vec() });
    }

    #[tokio::test]
    async fn chunks_end_at_line_ends_and_lose_no_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let content: Vec<u8> = (0..20_000).flat_map(|i| format!("line {i} \u{0}\n").into_bytes()).collect();
        std::fs::write(&path, &content).unwrap();
        let mut tail = Tail::open(&path, None, false).await.unwrap();
        let (mut seen, mut cut) = (Vec::new(), 0);
        while let Some(piece) = tail.next().await.unwrap() {
            assert_eq!(piece.offset, seen.len() as u64);
            cut += usize::from(!piece.data.ends_with(b"\n"));
            seen.extend(piece.data);
        }
        assert_eq!((seen == content, cut), (true, 0));
    }

    /// Lets go whoever waits for a pipe's other end, so that a failure is one
    /// and not a test that never ends.
    struct Release(PathBuf);

    impl Drop for Release {
        fn drop(&mut self) {
            let _ = OpenOptions::new().read(true).write(true).open(&self.0);
        }
    }

    #[tokio::test]
    async fn what_is_no_regular_file_is_refused_and_blocks_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("x.pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _release = Release(pipe.clone());
        for path in [pipe.as_path(), dir.path(), Path::new("/dev/null")] {
            for follow in [false, true] {
                let opened = tokio::time::timeout(Duration::from_secs(10), Tail::open(path, None, follow)).await;
                let error = opened.expect("it waits for a writer").unwrap_err();
                assert_eq!(error.to_string(), "it is not a regular file");
            }
        }
        // It may also take the place of a file that is being followed.
        let path = dir.path().join("x.log");
        std::fs::write(&path, "one\n").unwrap();
        let mut tail = Tail::open(&path, None, true).await.unwrap();
        assert!(tail.next().await.unwrap().is_some());
        std::fs::rename(&pipe, &path).unwrap();
        let _release = Release(path.clone());
        let next = tokio::time::timeout(Duration::from_secs(10), tail.next()).await;
        assert_eq!(next.expect("it waits for a writer").unwrap_err().to_string(), "it is not a regular file");
    }
}
