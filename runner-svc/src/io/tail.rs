//! Reading one log file: from the beginning or from its last lines, to its
//! end or for as long as somebody follows. Goes on across rotation and
//! truncation.

use super::file_watch::FileWatch;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longest chunk; a line that is longer is cut.
pub(crate) const CHUNK: usize = 32 * 1024;

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    /// `None` while nobody has the name.
    file: Option<File>,
    offset: u64,
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
    pub(crate) fn open(path: &Path, lines: Option<u32>, follow: bool) -> io::Result<Self> {
        // Watched before it is read: a change in between is told, not missed.
        let watch = if follow { Some(FileWatch::new(path)?) } else { None };
        let mut file = open_if_there(path)?;
        let offset = match (&mut file, lines) {
            (Some(file), Some(lines)) => last_lines(file, lines)?,
            (Some(_), None) | (None, _) => 0,
        };
        Ok(Self { path: path.to_owned(), file, offset, watch })
    }

    /// The next piece; `None` at the end of a file that is not followed. Ends
    /// at a line end unless a line is longer than a chunk or the file ends
    /// without one.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.read()? {
                return Ok(Some(piece));
            }
            if self.reopen_if_replaced()? {
                continue;
            }
            match &mut self.watch {
                Some(watch) => watch.changed().await?,
                None => return Ok(None),
            }
        }
    }

    fn read(&mut self) -> io::Result<Option<Piece>> {
        let Some(file) = &mut self.file else { return Ok(None) };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut data = vec![0; CHUNK];
        let mut filled = 0;
        while filled < CHUNK {
            match file.read(data.get_mut(filled..).unwrap_or_default())? {
                0 => break,
                n => filled += n,
            }
        }
        data.truncate(filled);
        if data.is_empty() {
            return Ok(None);
        }
        if filled == CHUNK
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
        let there = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            // Moved away; the next one will come.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
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
            if let Some(watch) = &self.watch {
                watch.watch_file(&self.path)?;
            }
        }
        self.offset = 0;
        Ok(there.len() > 0)
    }
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
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
            let mut tail = Tail::open(&path, Some(lines), false).unwrap();
            assert_eq!(all(&mut tail).await, expected.as_bytes(), "{content:?} {lines}");
        }
    }

    #[tokio::test]
    async fn following_goes_on_across_rotation_and_truncation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut tail = Tail::open(&path, None, true).unwrap();
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
        let mut tail = Tail::open(&path, None, false).unwrap();
        let (mut seen, mut cut) = (Vec::new(), 0);
        while let Some(piece) = tail.next().await.unwrap() {
            assert_eq!(piece.offset, seen.len() as u64);
            cut += usize::from(!piece.data.ends_with(b"\n"));
            seen.extend(piece.data);
        }
        assert_eq!((seen == content, cut), (true, 0));
    }
}
