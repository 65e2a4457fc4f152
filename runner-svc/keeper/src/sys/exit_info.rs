//! ioctl(2) PIDFD_GET_INFO: how a process ended that is somebody else's child.
//! The kernel tells it to every holder of a descriptor of the process, from
//! the moment in which its parent collects it (Linux 6.15 and later).

#![allow(unsafe_code)] // an ioctl without a safe wrapper; its block says why it is sound

use process_model::ExitStatus;
use std::os::fd::{AsFd, AsRawFd};

/// The first version of `struct pidfd_info` (linux/pidfd.h): 64 bytes.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    pids: [u32; 3],
    ids: [u32; 8],
    exit_code: i32,
}

/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::c_ulong = 0xC040_FF0B;

/// The exit code is asked for, and is there.
const EXIT: u64 = 1 << 3;

/// How the process of this descriptor ended; `None` when the kernel does not
/// say (yet).
pub(crate) fn of(pidfd: impl AsFd) -> Option<ExitStatus> {
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the kernel writes at most the 64 bytes whose size is part of the request's number, and `info` is that
    // large, has that layout and any bytes are valid in it. A descriptor of another kind answers with an error.
    let asked = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    if asked < 0 || info.mask & EXIT == 0 {
        return None;
    }
    // As of wait(2).
    Some(match info.exit_code & 0x7f {
        0 => ExitStatus::Code(info.exit_code >> 8 & 0xff),
        signal => ExitStatus::Signal(signal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use std::process::Command;

    #[test]
    fn an_ending_is_told_to_who_is_no_parent_or_not_at_all() {
        assert_eq!(size_of::<Info>(), 64);
        for (line, expected) in [("exit 7", ExitStatus::Code(7)), ("kill -9 $$", ExitStatus::Signal(9))] {
            let mut child = Command::new("sh")
                .args(["-c", &format!("read line; {line}")])
                .stdin(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
            assert_eq!(of(&pidfd), None, "it is alive");
            drop(child.stdin.take());
            child.wait().unwrap();
            // An older kernel says nothing; one that does says it right.
            assert!(of(&pidfd).is_none_or(|status| status == expected));
        }
    }
}
