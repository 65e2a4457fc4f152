//! Counts test results out of what `cargo test` prints.

use std::fmt;

/// A test that only makes sense as the child of another says so; that other
/// one runs it.
pub(crate) const RUN_BY_ANOTHER: &str = "run by another test";

/// Sums over all test programs of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that nobody runs.
    pub(crate) switched_off: u64,
}

impl Tally {
    /// Takes in one line of output: of a test that was left out, or of a
    /// program's results.
    pub(crate) fn add(&mut self, line: &str) {
        let plain = without_colour(line);
        let plain = plain.trim();
        if let Some((_, why)) = plain.strip_prefix("test ").and_then(|test| test.split_once(" ... ignored")) {
            let run_elsewhere = why.trim_start_matches([',', ' ']).starts_with(RUN_BY_ANOTHER);
            self.switched_off += u64::from(!run_elsewhere);
        }
        let Some(results) = plain.strip_prefix("test result: ") else { return };
        for part in results.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(kind)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The line without ANSI colour sequences.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A colour sequence ends at its first letter.
            let _ = characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.add(line));
        tally
    }

    #[test]
    fn results_of_several_programs_are_summed() {
        let sum = tally(&[
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 3 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        ]);
        assert_eq!(sum, Tally { passed: 5, failed: 1, switched_off: 0 });
        assert_eq!(sum.to_string(), "5 passed, 1 failed");
    }

    #[test]
    fn a_test_that_nobody_runs_counts_as_switched_off() {
        let sum = tally(&[
            "test slow ... ignored",
            "test src/lib.rs - example (line 3) ... ignored",
            "test in_child ... ignored, run by another test, in a process of its own",
            "test flaky ... ignored, fails on Mondays",
        ]);
        assert_eq!(sum.switched_off, 3);
    }

    #[test]
    fn colour_does_not_hide_a_failure() {
        let line = "test result: \u{1b}[31mFAILED\u{1b}[0m. 0 passed; 7 failed; 0 ignored; 0 measured";
        assert_eq!(tally(&[line]).failed, 7);
    }

    #[test]
    fn other_lines_that_speak_of_passing_do_not_count() {
        assert_eq!(tally(&["3 passed; 2 failed", "test foo ... ok"]), Tally::default());
    }
}
