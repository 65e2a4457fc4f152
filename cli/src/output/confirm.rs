//! y/N. Only ever asked of a person at a terminal.

use crate::error::Failure;
use std::io::{BufRead, Write};

/// Asks on stderr and reads one line. Anything but yes is no.
///
/// # Errors
/// The terminal cannot be read.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    let mut stderr = std::io::stderr().lock();
    // A terminal that cannot be written to cannot be read from either; the read says so.
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|e| Failure::failed(format!("cannot read your answer: {e}")).help("-y answers yes beforehand"))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
