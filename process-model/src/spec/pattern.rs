//! Regular expressions of a spec: one way to build them, so that what was
//! valid when a spec was checked works on the node that uses it.
//!
//! Matching is linear in the text (the engine has no backtracking), so a
//! pattern cannot hang what reads a program's output.

use super::limits;
use crate::words;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// Memory that one pattern, and the cache of its matching, may have.
const MAX_MEMORY: usize = 1024 * 1024;
/// Memory that all patterns of a process for its output may have together.
const MAX_SET_MEMORY: usize = 10 * MAX_MEMORY;
/// Deepest nesting of groups.
const MAX_DEPTH: u32 = 64;

/// The pattern, for bytes: a line of output need not be UTF-8.
///
/// # Errors
/// It is empty, too long, no regular expression, or needs more than 1 MiB. The
/// message is one line.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.is_empty() {
        return Err("it is empty".to_owned());
    }
    if pattern.len() > limits::PATTERN_BYTES {
        return Err(format!("it has {} bytes; at most {} are allowed", pattern.len(), limits::PATTERN_BYTES));
    }
    let built =
        RegexBuilder::new(pattern).size_limit(MAX_MEMORY).dfa_size_limit(MAX_MEMORY).nest_limit(MAX_DEPTH).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => format!("it needs more than {} of memory", words::size(MAX_MEMORY as u64)),
        regex::Error::Syntax(text) => syntax(&text),
        // The enum may grow.
        _ => "it is not accepted".to_owned(),
    })
}

/// Patterns that are looked for together: a line is read once for all of them.
///
/// # Errors
/// One of them is not accepted by [`compile`], or they need more than 10 MiB
/// together.
pub fn compile_set<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<RegexSet, String> {
    let built = RegexSetBuilder::new(patterns)
        .size_limit(MAX_SET_MEMORY)
        .dfa_size_limit(MAX_MEMORY)
        .nest_limit(MAX_DEPTH)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!("together they need more than {} of memory", words::size(MAX_SET_MEMORY as u64))
        }
        regex::Error::Syntax(text) => syntax(&text),
        // The enum may grow.
        _ => "they are not accepted".to_owned(),
    })
}

/// The last line of the parser's message, which says what is wrong; those
/// before it show the pattern.
fn syntax(text: &str) -> String {
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn a_pattern_finds_bytes_that_are_no_utf_8() {
        let pattern = compile("err(or)?: \\w+").unwrap();
        assert!(pattern.is_match(b"\xff\xfe error: disk"));
        assert!(compile("(?i-u)\\xff$").unwrap().is_match(b"a\xff"));
    }

    #[test]
    fn what_is_no_pattern_is_said_in_one_line() {
        assert_eq!(compile("").unwrap_err(), "it is empty");
        assert_eq!(compile("(a").unwrap_err(), "unclosed group");
        assert_eq!(compile("a{2,1}").unwrap_err(), "invalid repetition count range, the start must be <= the end");
        assert_eq!(
            compile("(?=a)").unwrap_err(),
            "look-around, including look-ahead and look-behind, is not supported"
        );
        for bad in ["\\", "[z-a]", "*", "a\n(b", &"(".repeat(1000), "\\p{Klingon}", &"a".repeat(5000)] {
            let error = compile(bad).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_pattern_that_explodes_is_refused_quickly() {
        let begun = std::time::Instant::now();
        for bad in ["\\w{1000}", "((a{100}){100}){100}", "(?i)(\\pL{50}){50}"] {
            assert_eq!(compile(bad).unwrap_err(), "it needs more than 1MiB of memory", "{bad}");
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(compile("\\w{10} \\w+ [äöü]").is_ok());
    }
}
