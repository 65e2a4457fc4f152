//! Fail-stop: the end when going on could make things worse.

use std::fmt::Display;
use std::io::Write;

/// Says why and aborts, at once and without running destructors: a storage error means that memory and disk may
/// disagree, and every clean-up could write the wrong one. The next start recovers from the disk.
pub fn abort_on(why: impl Display) -> ! {
    say(&why);
    std::process::abort()
}

/// Says why and ends, as fast, with an exit code: nothing is wrong with memory or disk, and starting the same program
/// again would not help.
pub fn exit_on(code: u8, why: impl Display) -> ! {
    say(&why);
    std::process::exit(code.into())
}

fn say(why: &dyn Display) {
    if tracing::dispatcher::has_been_set() {
        tracing::error!(%why, "fatal, aborting");
        // The last line says why; but who does not read it must not keep a process alive that has to end.
        let _ = crate::telemetry::flush_logs();
    } else {
        // Nothing can be done about a closed stderr here.
        let _ = writeln!(std::io::stderr(), "fatal, aborting: {why}");
    }
}
