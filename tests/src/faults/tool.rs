//! Programs of the system that a fault is made with. What cannot be had fails
//! the test and says why: a fault that did not happen proves nothing.

use std::process::{Command, Output, Stdio};

/// Runs it; the reason when it does not run or does not succeed.
///
/// # Errors
/// What is not available here, and what the program said.
pub(crate) fn tried(command: &mut Command) -> Result<String, String> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("not available here: {shown}: {error}"))?;
    let Output { status, stdout, stderr } = output;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(format!(
        "not available here: {shown} ended with {status}: {} (faults are made by root, with the packages that `cargo xtask tools` installs)",
        String::from_utf8_lossy(&stderr).trim()
    ))
}

/// Runs it to its success and returns what it wrote to standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    tried(command).unwrap_or_else(|reason| panic!("{reason}"))
}

/// The same, with the words of a command line that needs no quoting.
#[track_caller]
pub(crate) fn run_words(words: &str) -> String {
    let mut words = words.split_whitespace();
    run(Command::new(words.next().expect("a program is named")).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_missing_or_refuses_is_told_with_its_reason() {
        let missing = tried(&mut Command::new("no-such-tool-at-all")).unwrap_err();
        assert!(missing.contains("not available here") && missing.contains("no-such-tool-at-all"), "{missing}");
        let refusing = tried(Command::new("sh").args(["-c", "echo because >&2; exit 4"])).unwrap_err();
        assert!(refusing.contains("because") && refusing.contains('4'), "{refusing}");
    }
}
