//! A log file: bytes as the program wrote them, appended. When the disk does
//! not take them, the program is not held up: the bytes are counted and a line
//! in the file tells how many are missing. A file that was renamed away or
//! deleted is followed: what comes next is in a new one at the same path.

use crate::diary::say;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A path is looked at this often at most, and only when there is something
/// to write: a look costs one stat(2).
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct LogFile {
    /// Without symbolic links: a file that takes this one's place is no link.
    path: PathBuf,
    file: File,
    /// Device and inode of `file`.
    id: (u64, u64),
    /// When the path was last looked at; `None`: look at the next write.
    looked: Option<Instant>,
    /// Bytes that could not be written since the last that could.
    dropped: u64,
    /// Why.
    reason: Option<io::Error>,
}

impl LogFile {
    /// Opens the file for appending; makes it and its folders when missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = open(path, 0)?;
        let id = id(&file.metadata()?);
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, file, id, looked: Some(Instant::now()), dropped: 0, reason: None })
    }

    /// Appends bytes; never fails, but may drop and count them.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.follow();
        if self.dropped > 0 && !self.mark_gap() {
            self.dropped += bytes.len() as u64;
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.dropped += rest.len() as u64;
                    self.reason = Some(e);
                    return;
                }
            }
        }
    }

    /// Lets the next write look at the path, however recent the last look is.
    pub(crate) fn look_again(&mut self) {
        self.looked = None;
    }

    /// Opens the path anew when it is no longer this file's.
    fn follow(&mut self) {
        let now = Instant::now();
        if self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if id(&metadata) == self.id => {}
            Err(e) if e.kind() != io::ErrorKind::NotFound => {}
            // As long as there is nothing better, the old file is the right one.
            Ok(_) | Err(_) => {
                if let Ok(file) = open(&self.path, libc::O_NOFOLLOW)
                    && let Ok(metadata) = file.metadata()
                {
                    if self.dropped > 0 {
                        // They are missing there, if the disk takes the line.
                        self.mark_gap();
                    }
                    (self.file, self.id) = (file, id(&metadata));
                }
            }
        }
    }

    /// Writes the line that tells of missing bytes, as a whole or not at all;
    /// false when the disk does not take it.
    fn mark_gap(&mut self) -> bool {
        let reason = self.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        let line = format!("\n[pm: {} bytes are missing here: {reason}]\n", self.dropped);
        let before = self.file.metadata().ok().filter(Metadata::is_file).map(|metadata| metadata.len());
        loop {
            match self.file.write(line.as_bytes()) {
                Ok(written) if written == line.len() => {
                    self.dropped = 0;
                    self.reason = None;
                    return true;
                }
                Ok(written) => {
                    self.take_back(before, written);
                    return false;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.reason = Some(e);
                    return false;
                }
            }
        }
    }

    /// Removes a fragment at the end, unless somebody else has written since.
    fn take_back(&mut self, before: Option<u64>, written: usize) {
        let after = self.file.metadata().map(|metadata| metadata.len());
        if let (Some(before), Ok(after)) = (before, after)
            && after == before + written as u64
        {
            let _ = self.file.set_len(before);
        }
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        if self.dropped > 0 && !self.mark_gap() {
            say!("{} bytes are missing at the end of {}", self.dropped, self.path.display());
        }
    }
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    // A FIFO without a reader must not hold the keeper up: O_NONBLOCK has no effect on regular files.
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK | flags).open(path)
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn output_goes_to_a_new_file_once_the_old_one_was_renamed_or_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("web.log"), dir.path().join("web.log.1"));
        let mut log = LogFile::open(&path).unwrap();
        log.write(b"one\n");
        fs::rename(&path, &old).unwrap();
        log.write(b"two\n");
        assert_eq!(read(&old), "one\ntwo\n", "looked more than once a second");
        log.look_again();
        log.write(b"three\n");
        assert_eq!((read(&old).as_str(), read(&path).as_str()), ("one\ntwo\n", "three\n"));
        fs::remove_dir_all(dir.path()).unwrap();
        log.look_again();
        log.write(b"four\n");
        assert_eq!(read(&path), "four\n");
    }

    #[test]
    fn a_path_that_became_a_link_is_not_followed_out_of_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old, secret) = (dir.path().join("log"), dir.path().join("old"), dir.path().join("secret"));
        let mut log = LogFile::open(&path).unwrap();
        fs::rename(&path, &old).unwrap();
        fs::write(&secret, "").unwrap();
        std::os::unix::fs::symlink(&secret, &path).unwrap();
        log.look_again();
        log.write(b"x");
        assert_eq!((read(&old).as_str(), read(&secret).as_str()), ("x", ""));
    }

    #[test]
    fn bytes_missing_at_the_end_are_told_when_the_file_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogFile::open(&path).unwrap();
        log.write(b"kept");
        log.file = File::options().append(true).open("/dev/full").unwrap();
        log.write(b"lost!");
        log.write(b"more");
        log.file = open(&path, 0).unwrap();
        drop(log);
        let text = read(&path);
        assert!(text.starts_with("kept\n[pm: 9 bytes are missing here: No space left"), "{text}");
    }

    #[test]
    fn a_fragment_of_the_gap_line_is_taken_back_unless_somebody_wrote_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogFile::open(&path).unwrap();
        log.write(b"text[pm");
        log.take_back(Some(4), 3);
        assert_eq!(read(&path), "text");
        log.write(b"[pm and more");
        log.take_back(Some(4), 3);
        assert_eq!(read(&path), "text[pm and more");
    }
}
