//! Places where a test can end the process: `PM_FAIL_POINT=name:n:action`
//! acts when the named point is reached for the n-th time. Debug builds only;
//! in others a point is nothing.
//!
//! | action | what happens |
//! |---|---|
//! | `abort` | the process ends at once, as by a crash |
//! | `stop` | the process stops (SIGSTOP), until somebody ends it |
//! | `eio`, `enospc` | the step fails with this error instead of being done |
//! | `skip` | with `sync`: the log is never synced, for the control of a power-cut test |
//!
//! | point | where |
//! |---|---|
//! | `append.before`, `append.after` | a group with entries: before its write, after its sync and before the callbacks |
//! | `vote.…`, `truncate.…`, `purge.…`, `head.…` | likewise for groups with such a record; a head begins a segment or an opening |
//! | `group.torn` | half of a group is written |
//! | `sync.before` | a group is written and not yet synced |
//! | `mark.before`, `mark.torn`, `mark.after` | a mark is due; half of it is written; it is durable |
//! | `segment.allocated`, `segment.written`, `segment.named`, `segment.listed` | steps of making the next segment |
//! | `segment.recycled` | a freed segment has the header of its next use and still its old name |
//! | `purge.listed` | a mark without the purged segments is durable, their files are still there |
//! | `open.marked` | the mark of this opening is durable, its first record is not |
//! | `create.segment`, `create.marks`, `create.named` | steps of making a log |

#[cfg(debug_assertions)]
mod armed {
    use rustix::io::Errno;
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Point {
        name: String,
        left: AtomicU64,
        action: String,
    }

    fn point() -> Option<&'static Point> {
        static POINT: OnceLock<Option<Point>> = OnceLock::new();
        let parse = || {
            let text = std::env::var("PM_FAIL_POINT").ok()?;
            let mut parts = text.split(':');
            let (name, n, action) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Point { name: name.into(), left: AtomicU64::new(n.parse().ok()?), action: action.into() })
        };
        POINT.get_or_init(parse).as_ref()
    }

    pub(crate) fn is_armed(name: &str) -> bool {
        point().is_some_and(|point| point.name == name)
    }

    pub(crate) fn is_skipped(name: &str) -> bool {
        point().is_some_and(|point| point.name == name && point.action == "skip")
    }

    /// Passes a point: does nothing, unless a test armed it.
    ///
    /// # Errors
    /// The one that the test asked for.
    pub fn hit(name: &str) -> io::Result<()> {
        let Some(point) = point().filter(|point| point.name == name) else { return Ok(()) };
        // The n-th time only: below zero it wraps far away from one.
        if point.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return Ok(());
        }
        match point.action.as_str() {
            "abort" => std::process::abort(),
            "stop" => {
                let me = rustix::process::getpid();
                rustix::process::kill_process(me, rustix::process::Signal::STOP).map_err(io::Error::from)
            }
            "eio" => Err(Errno::IO.into()),
            "enospc" => Err(Errno::NOSPC.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(not(debug_assertions))]
mod armed {
    use std::io;

    pub(crate) fn is_armed(_: &str) -> bool {
        false
    }

    pub(crate) fn is_skipped(_: &str) -> bool {
        false
    }

    /// Does nothing: points are for debug builds.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "the same face as in debug builds")]
    pub fn hit(_: &str) -> io::Result<()> {
        Ok(())
    }
}

pub use armed::hit;
pub(crate) use armed::{is_armed, is_skipped};
