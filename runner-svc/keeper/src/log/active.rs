//! The file that has the name now: opened for appending, so that whoever cuts
//! it short or copies it away does no harm, and made with its folders when it
//! is not there.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An open log file.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) file: File,
    /// Device and inode.
    pub(super) id: (u64, u64),
    /// A regular file: it has a size and may be rotated.
    pub(super) is_regular: bool,
}

impl Active {
    /// Opens the file for appending; makes it and its folders when missing.
    pub(super) fn open(path: &Path, flags: i32) -> io::Result<Self> {
        let open = || options(flags).create(true).open(path);
        let file = match (open(), path.parent()) {
            (Err(e), Some(parent)) if e.kind() == io::ErrorKind::NotFound => {
                fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
                open()?
            }
            (file, _) => file?,
        };
        Self::of(file)
    }

    /// Its path without symbolic links, as the kernel has it; `None` when it
    /// does not have one to be used.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let path = fs::read_link(format!("/proc/self/fd/{}", self.file.as_raw_fd())).ok()?;
        // Of a file without a name, or beyond our root, the kernel makes a text that is none (proc(5)).
        let is_it = fs::symlink_metadata(&path).is_ok_and(|there| id(&there) == self.id);
        is_it.then_some(path)
    }

    /// Makes a file that is to take the name.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        Self::of(make_new(options(0), path)?)
    }

    fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { id: id(&metadata), is_regular: metadata.is_file(), file })
    }

    pub(super) fn len(&self) -> u64 {
        self.file.metadata().ok().filter(Metadata::is_file).map_or(0, |metadata| metadata.len())
    }

    /// Whether no name of it is left.
    pub(super) fn is_deleted(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Removes a fragment at the end, unless somebody else has written since.
    pub(super) fn take_back(&self, before: u64, written: usize) -> bool {
        self.is_regular && self.len() == before + written as u64 && self.file.set_len(before).is_ok()
    }
}

fn options(flags: i32) -> OpenOptions {
    let mut options = OpenOptions::new();
    // A FIFO without a reader must not hold the keeper up: O_NONBLOCK has no effect on regular files.
    options.append(true).mode(0o640).custom_flags(libc::O_NONBLOCK | flags);
    options
}

/// Makes a file that nobody else has: in a folder of a program's user, what has
/// the name may be a link to anywhere.
pub(super) fn make_new(mut options: OpenOptions, path: &Path) -> io::Result<File> {
    options.create_new(true);
    match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        made => made,
    }
}

/// Device and inode.
pub(super) fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Whether the last byte of a file is a line's end; what cannot be read is
/// taken for one.
pub(super) fn ends_with_a_line(path: &Path, size: u64) -> bool {
    let read = || -> io::Result<u8> {
        let mut file = fs::File::open(path)?;
        let mut byte = [0];
        file.seek(SeekFrom::Start(size.saturating_sub(1)))?;
        file.read_exact(&mut byte)?;
        Ok(byte[0])
    };
    read().map_or(true, |byte| byte == b'\n')
}
