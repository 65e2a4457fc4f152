//! `keeper.log`: what the keeper has to say, in a file that stays small. A
//! line that cannot be written is lost: nothing may end a keeper, least of all
//! a full disk.

use rustix::fs::FileType;
use std::fmt::Arguments;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

/// At this size the file begins anew. The lines are few: losses and failures.
const LIMIT: u64 = 256 * 1024;

/// Says a line on standard error, which is the diary; never fails, and never
/// waits for a disk while somebody else can do that.
macro_rules! say {
    ($($arg:tt)*) => { $crate::diary::pass_on(format_args!($($arg)*)) };
}
pub(crate) use say;

/// Who writes lines; false: nobody any more.
type Writer = Box<dyn Fn(String) -> bool + Send>;

static THROUGH: Mutex<Option<Writer>> = Mutex::new(None);

fn writer() -> std::sync::MutexGuard<'static, Option<Writer>> {
    THROUGH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on somebody else writes.
pub(crate) fn through(write: Writer) {
    *writer() = Some(write);
}

/// From now on whoever says something writes it.
pub(crate) fn directly() {
    *writer() = None;
}

/// Says a line, by whoever writes lines now.
pub(crate) fn pass_on(line: Arguments<'_>) {
    let taken = writer().as_ref().is_some_and(|write| write(line.to_string()));
    if !taken {
        write(rustix::stdio::stderr(), line);
    }
}

/// Appends a line to a descriptor; a regular file that has grown to the limit
/// is emptied first.
pub(crate) fn write(to: impl AsFd, line: Arguments<'_>) {
    let to = to.as_fd();
    let grown = rustix::fs::fstat(to).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size.unsigned_abs() > LIMIT
    });
    if grown {
        let _ = rustix::fs::ftruncate(to, 0);
    }
    // One write: a line is there as a whole or, almost always, not at all.
    let _ = rustix::io::write(to, format!("keeper: {line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};

    #[test]
    fn a_diary_never_grows_beyond_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keeper.log");
        let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let long = "x".repeat(10_000);
        for i in 0..100 {
            write(&file, format_args!("{i} {long}"));
            assert!(file.metadata().unwrap().len() < LIMIT + 20_000);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().last().unwrap().starts_with("keeper: 99 "), "the newest line is not there");
    }

    #[test]
    fn a_line_that_cannot_be_written_is_lost_and_that_is_all() {
        write(File::create("/dev/full").unwrap(), format_args!("nobody reads this"));
        write(File::open("/dev/null").unwrap(), format_args!("nor this"));
    }
}
