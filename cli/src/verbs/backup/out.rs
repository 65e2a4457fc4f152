//! Where a backup goes: standard output, or a file that has its name only once
//! it is whole and on the disk, and that only its owner reads.

use crate::context::Context;
use crate::error::Failure;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub(super) enum Out<'a> {
    Terminal(&'a Context),
    File(Aside),
}

/// A file under another name; gone with it, unless it is finished.
pub(super) struct Aside {
    file: File,
    aside: PathBuf,
    path: PathBuf,
    finished: bool,
}

impl<'a> Out<'a> {
    pub(super) fn create(context: &'a Context, path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Terminal(context));
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}.part", std::process::id()));
        let aside = PathBuf::from(aside);
        let mut options = OpenOptions::new();
        let file = options.create_new(true).write(true).mode(0o600).open(&aside).map_err(|e| unwritable(&aside, &e))?;
        Ok(Self::File(Aside { file, aside, path: path.to_path_buf(), finished: false }))
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Terminal(context) => context.terminal.bytes(bytes),
            Self::File(one) => one.file.write_all(bytes).map_err(|e| unwritable(&one.aside, &e)),
        }
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Terminal(_) => Ok(()),
            Self::File(mut one) => {
                one.file.sync_all().map_err(|e| unwritable(&one.aside, &e))?;
                std::fs::rename(&one.aside, &one.path).map_err(|e| unwritable(&one.path, &e))?;
                one.finished = true;
                let folder = one.path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| unwritable(folder, &e))
            }
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.finished {
            // Whoever cleans up finds it by its name.
            let _ = std::fs::remove_file(&self.aside);
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}
