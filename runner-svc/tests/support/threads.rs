//! What the kernel says of a process, thread by thread.

use rustix::io::Errno;
use std::path::PathBuf;

/// This file of `/proc/PID/task/TID`, of each thread that has not ended meanwhile. One that cannot be read for any
/// other reason is not left out: what is asked of all of them would hold of none.
pub(crate) fn of_threads(pid: u32, file: &str) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let read = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::SRCH)) => None,
        Err(error) => panic!("cannot read {}: {error}", path.display()),
    };
    threads.map(|thread| thread.unwrap().path().join(file)).filter_map(read).collect()
}
