//! A wrong wall clock for one process: libfaketime through its environment.
//! What counts elapsed time stays right, as it does when somebody sets a
//! machine's clock.

use std::path::PathBuf;

/// The environment of a process whose wall clock is off, as `-1d` or `+2h`.
///
/// # Panics
/// When libfaketime is not there.
#[must_use]
pub fn skewed(by: &str) -> Vec<(String, String)> {
    let library = library().to_str().expect("its path is UTF-8").to_owned();
    let pairs = [("LD_PRELOAD", library.as_str()), ("FAKETIME", by), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The variant for programs with threads, wherever this architecture has it.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().filter_map(Result::ok);
    let found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    found.expect("not available here: no /usr/lib/*/faketime/libfaketimeMT.so.1; `cargo xtask tools` installs it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use std::process::Command;

    /// Wall clock and monotonic clock in seconds, as a program sees them.
    fn clocks(environment: Vec<(String, String)>) -> (f64, f64) {
        let script = "use Time::HiRes qw(clock_gettime CLOCK_REALTIME CLOCK_MONOTONIC); \
                      printf qq(%f %f), clock_gettime(CLOCK_REALTIME), clock_gettime(CLOCK_MONOTONIC)";
        let said = Outcome::of(Command::new("perl").args(["-e", script]).envs(environment)).succeeded();
        let (wall, monotonic) = said.trim().split_once(' ').unwrap();
        (wall.parse().unwrap(), monotonic.parse().unwrap())
    }

    #[test]
    fn the_wall_clock_is_a_day_behind_and_the_monotonic_one_is_not() {
        let (right, skewed) = (clocks(Vec::new()), clocks(skewed("-1d")));
        let (wall, monotonic) = (right.0 - skewed.0, right.1 - skewed.1);
        assert!((86_000.0..86_800.0).contains(&wall), "{wall}");
        assert!((-400.0..400.0).contains(&monotonic), "{monotonic}");
    }
}
