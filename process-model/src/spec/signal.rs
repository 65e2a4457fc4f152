//! Signals by name.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A Linux signal, 1 to 31 (signal(7), x86 and ARM numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(i32);

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

impl Signal {
    /// SIGTERM.
    pub const TERM: Self = Self(15);
    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// SIGINT.
    pub const INT: Self = Self(2);
    /// SIGHUP.
    pub const HUP: Self = Self(1);

    /// The signal of this number, if there is one.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=31).contains(&number).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = usize::try_from(self.0 - 1).ok().and_then(|i| NAMES.get(i)).unwrap_or(&"?");
        f.pad(&format!("SIG{name}"))
    }
}

impl FromStr for Signal {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let upper = s.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        let by_name = NAMES.iter().position(|n| *n == bare).and_then(|i| i32::try_from(i + 1).ok());
        let by_number = bare.parse().ok().filter(|n| (1..=31).contains(n));
        by_name
            .or(by_number)
            .map(Self)
            .ok_or_else(|| format!("{s:?} is no signal; write a name as SIGTERM or a number from 1 to 31"))
    }
}

impl TryFrom<String> for Signal {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> String {
        signal.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Signal;

    #[test]
    fn signals_read_by_name_prefix_case_and_number() {
        for text in ["SIGTERM", "TERM", "sigterm", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM), "{text}");
        }
        assert_eq!(Signal::KILL.to_string(), "SIGKILL");
        for bad in ["", "SIG", "SIGFOO", "0", "32", "-1"] {
            assert!(bad.parse::<Signal>().is_err(), "{bad}");
        }
    }
}
