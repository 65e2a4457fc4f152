//! Labels of nodes: what a runner's configuration or an operator says of a
//! node, for constraints to ask for.

use crate::ProcessName;
use crate::spec::NODE_ATTRIBUTES;

/// Labels of one node.
pub const MOST: usize = 64;
/// Longest value, in bytes.
pub const VALUE_BYTES: usize = 255;

/// Why a label is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("label {name:?}: {problem}; {fix}")]
pub struct InvalidLabel {
    /// Its name, cut to a printable length.
    pub name: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

fn wrong(name: &str, problem: impl Into<String>, fix: impl Into<String>) -> InvalidLabel {
    InvalidLabel { name: name.chars().take(80).collect(), problem: problem.into(), fix: fix.into() }
}

/// The name of a label is written as that of a process.
///
/// # Errors
/// It is not, or is one of a node's own attributes.
pub fn check_name(name: &str) -> Result<(), InvalidLabel> {
    if name.starts_with("node.") {
        let fix = format!("take another name; a node has {} itself", NODE_ATTRIBUTES.join(", "));
        return Err(wrong(name, "names that begin with node. are not free", fix));
    }
    match name.parse::<ProcessName>() {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(
            name,
            format!("as a name {}", error.fault),
            "use 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
        )),
    }
}

/// A label with its value.
///
/// # Errors
/// The name is none, or the value is empty, too long or cannot be printed.
pub fn check(name: &str, value: &str) -> Result<(), InvalidLabel> {
    check_name(name)?;
    let problem = if value.is_empty() {
        "the value is empty"
    } else if value.len() > VALUE_BYTES {
        "the value is longer than 255 bytes"
    } else if value.trim() != value || value.chars().any(char::is_control) {
        "the value has spaces around it or control characters in it"
    } else {
        return Ok(());
    };
    Err(wrong(name, problem, "write NAME=VALUE with a value of 1 to 255 printable bytes, as zone=eu-1"))
}

/// `NAME=VALUE`.
///
/// # Errors
/// It is not, or as [`check`].
pub fn parse(text: &str) -> Result<(String, String), InvalidLabel> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| wrong(text, "it has no value", "write NAME=VALUE, as zone=eu-1"))?;
    check(name, value)?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_name_and_a_value() {
        assert_eq!(parse("zone=eu-1"), Ok(("zone".to_owned(), "eu-1".to_owned())));
        assert_eq!(parse("a=b=c").map(|(_, value)| value), Ok("b=c".to_owned()));
        let long = format!("zone={}", "x".repeat(VALUE_BYTES + 1));
        for bad in ["zone", "=eu", "zone=", "-x=1", "node.cpus=4", "zone= eu", "zone=a\nb", long.as_str()] {
            let error = parse(bad).unwrap_err();
            assert!(!error.problem.is_empty() && !error.fix.is_empty(), "{bad:?}: {error}");
        }
    }
}
