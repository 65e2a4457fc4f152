//! The mark of a run: a number that everybody of its tree carries from birth
//! and cannot lose by forking, changing session, environment, user or program.
//!
//! It is the soft and hard limit RLIMIT_LOCKS, which no kernel has looked at
//! since Linux 2.4.25 (getrlimit(2)), which fork and exec pass on, and which a
//! process that has ended keeps until it is collected. So there is no moment
//! at which somebody of a tree is without it, as there is one without
//! environment (during execve(2), and after the end). Lowering a limit needs
//! no privilege. Where the kernel refuses, as below another keeper without
//! privilege, trees are told apart by session, group and environment only.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Set in each mark: no limit that somebody chose is as high.
const FLAG: u64 = 1 << 62;
/// Bits of the run's number: one run every millisecond for 34 years.
const RUN_BITS: u32 = 40;
/// Bits that tell keepers of one machine apart.
const SALT_BITS: u32 = 22;

/// Makes and reads the marks of one keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    salt: u64,
    /// All bits of what the salt is taken from.
    identity: u64,
}

impl Marks {
    /// Marks of the keeper that holds this lock file.
    pub(crate) fn of(lock: &File) -> io::Result<Self> {
        let metadata = lock.metadata()?;
        // Fibonacci hashing: the high bits of the product depend on all bits of both numbers.
        let mixed = (metadata.ino() ^ metadata.dev().rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Ok(Self { salt: mixed >> (u64::BITS - SALT_BITS), identity: mixed })
    }

    /// A number that tells this keeper from the others of a machine, now and
    /// after its death: that of its lock file.
    pub(crate) fn identity(self) -> u64 {
        self.identity
    }

    /// The mark of a run; `None` for a number that does not fit.
    pub(crate) fn mark(self, run: u64) -> Option<u64> {
        (run >> RUN_BITS == 0).then_some(FLAG | self.salt << RUN_BITS | run)
    }

    /// The run of a mark; `None` when it is not of this keeper.
    pub(crate) fn run(self, mark: u64) -> Option<u64> {
        let run = mark & ((1 << RUN_BITS) - 1);
        (self.mark(run) == Some(mark)).then_some(run)
    }

    /// The run of a process, by its mark.
    pub(crate) fn run_of(self, pid: u32) -> Option<u64> {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
        self.run(hard_limit(&limits)?)
    }
}

/// The hard limit: a program may have set the soft one.
fn hard_limit(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unmarked_process_has_no_run() {
        let marks = Marks::of(&File::open("/dev/null").unwrap()).unwrap();
        assert_eq!(marks.run_of(std::process::id()), None);
    }

    #[test]
    fn the_hard_limit_is_read() {
        let text = "Limit   Soft Limit  Hard Limit  Units\nMax locked memory   8  8  bytes\nMax file locks   1   77   locks \n";
        assert_eq!(hard_limit(text), Some(77));
    }

    proptest! {
        #[test]
        fn marks_read_back_and_are_nobody_elses(salt in 0_u64..1 << SALT_BITS, run in 0_u64..1 << RUN_BITS, other: u64) {
            let marks = Marks { salt, identity: 0 };
            let mark = marks.mark(run).unwrap();
            prop_assert_eq!(marks.run(mark), Some(run));
            prop_assert!(mark < 1 << 63, "reads as a negative number");
            prop_assert_eq!(Marks { salt: salt ^ 1, identity: 0 }.run(mark), None);
            prop_assert_eq!(marks.mark(run | 1 << RUN_BITS), None);
            prop_assert!(marks.run(other).is_none_or(|run| marks.mark(run) == Some(other)));
        }
    }
}
