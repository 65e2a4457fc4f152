//! How a program ended.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a program ended. An ending that nobody saw is never reported as a
/// success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// Exited with this code, 0 to 255.
    Code(i32),
    /// Ended by this signal number.
    Signal(i32),
    /// Nobody saw how; the text says why.
    Unknown(String),
}

impl ExitStatus {
    /// Whether the program said that all went well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match crate::spec::Signal::from_number(*number) {
                Some(signal) => write!(f, "signal {signal}"),
                None => write!(f, "signal {number}"),
            },
            Self::Unknown(why) => write!(f, "unknown ending ({why})"),
        }
    }
}
