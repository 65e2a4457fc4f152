//! What a program says on its `NOTIFY_SOCKET` (sd_notify(3)): the text of a
//! datagram in, the words that mean something here out.
//!
//! The text comes from the program, so anything may be in it: what is not
//! understood is passed over, numbers are kept within what a timer can hold,
//! and the number of words and the length of a status are bounded.

use crate::Notification;
use process_model::spec::limits;
use std::time::Duration;

/// Words that are taken from one datagram; a program that says more in one
/// breath says the same again.
pub const MAX_WORDS: usize = 64;

/// Longest status in bytes; the rest is cut off.
pub const MAX_STATUS: usize = 512;

/// The longest time that a program may ask for at once (`EXTEND_TIMEOUT_USEC`).
/// It may ask again; one that stops asking is not waited for for ever.
pub const MAX_EXTENSION: Duration = Duration::from_secs(24 * 3600);

/// Understands a datagram, in the order of its lines. Names that are not known
/// here and values that make no sense are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<Notification> {
    text.split('\n').filter_map(word).take(MAX_WORDS).collect()
}

fn word(line: &str) -> Option<Notification> {
    let (name, value) = line.split_once('=')?;
    match name {
        "READY" => (value == "1").then_some(Notification::Ready),
        "RELOADING" => (value == "1").then_some(Notification::Reloading),
        "STOPPING" => (value == "1").then_some(Notification::Stopping),
        "STATUS" => Some(Notification::Status(status(value))),
        "WATCHDOG" => match value {
            "1" => Some(Notification::Alive),
            "trigger" => Some(Notification::Dead),
            _ => None,
        },
        "WATCHDOG_USEC" => {
            let (shortest, longest) = (*limits::NOTIFY_WATCHDOG.start(), *limits::NOTIFY_WATCHDOG.end());
            Some(Notification::WatchdogInterval(micros(value)?.clamp(shortest, longest)))
        }
        "EXTEND_TIMEOUT_USEC" => Some(Notification::ExtendTimeout(micros(value)?.min(MAX_EXTENSION))),
        "MAINPID" => main_pid(value).map(Notification::MainPid),
        // FDSTORE, ERRNO, BUSERROR, MONOTONIC_USEC and whatever comes later: nothing follows from them here.
        _ => None,
    }
}

/// A time in microseconds, more than none. A number that is too large for the
/// machine is as good as the largest.
fn micros(value: &str) -> Option<Duration> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = value.parse().unwrap_or(u64::MAX);
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// A number that a process can have and that is not init's.
fn main_pid(value: &str) -> Option<u32> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    value.parse().ok().filter(|pid| (2..=i32::MAX.unsigned_abs()).contains(pid))
}

/// One line for people: cut, and without what would move a terminal's cursor.
fn status(value: &str) -> String {
    let mut cut = value.len().min(MAX_STATUS);
    while !value.is_char_boundary(cut) {
        cut -= 1;
    }
    value[..cut].chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_word_that_is_known_is_understood_in_order() {
        let text = "STATUS=working\nREADY=1\nMAINPID=4711\nWATCHDOG=1\nWATCHDOG=trigger\nRELOADING=1\n\
                    MONOTONIC_USEC=12\nSTOPPING=1\nWATCHDOG_USEC=3000000\nEXTEND_TIMEOUT_USEC=500000\n";
        let expected = [
            Notification::Status("working".into()),
            Notification::Ready,
            Notification::MainPid(4711),
            Notification::Alive,
            Notification::Dead,
            Notification::Reloading,
            Notification::Stopping,
            Notification::WatchdogInterval(Duration::from_secs(3)),
            Notification::ExtendTimeout(Duration::from_millis(500)),
        ];
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn what_makes_no_sense_is_passed_over_and_the_rest_is_not() {
        let nonsense = "READY\nREADY=0\nready=1\n=1\n\0\nWATCHDOG=\nWATCHDOG_USEC=0\nWATCHDOG_USEC=-1\nWATCHDOG_USEC=\n\
                        MAINPID=1\nMAINPID=0\nMAINPID=+7\nMAINPID=99999999999\nMAINPID=x\nFDSTORE=1\nEXTEND_TIMEOUT_USEC=1s";
        assert_eq!(parse(nonsense), []);
        assert_eq!(parse(&format!("{nonsense}\nREADY=1")), [Notification::Ready]);
    }

    #[test]
    fn numbers_stay_within_what_a_timer_can_hold() {
        let huge = "9".repeat(40);
        let words = parse(&format!("WATCHDOG_USEC={huge}\nEXTEND_TIMEOUT_USEC={huge}\nWATCHDOG_USEC=1"));
        assert_eq!(
            words,
            [
                Notification::WatchdogInterval(*limits::NOTIFY_WATCHDOG.end()),
                Notification::ExtendTimeout(MAX_EXTENSION),
                Notification::WatchdogInterval(*limits::NOTIFY_WATCHDOG.start()),
            ]
        );
    }

    #[test]
    fn a_status_is_cut_between_characters_and_cannot_move_the_cursor() {
        let [Notification::Status(long)] = &parse(&format!("STATUS={}", "ä".repeat(MAX_STATUS)))[..] else {
            panic!("no status")
        };
        assert_eq!(long.len(), MAX_STATUS);
        assert_eq!(parse("STATUS=a\u{1b}[2Jb\r"), [Notification::Status("a [2Jb".into())]);
        assert_eq!(parse("STATUS="), [Notification::Status(String::new())], "it has nothing to say any more");
    }

    // A longer search for lines that break it: PROPTEST_CASES=1000000 cargo test -p runner-domain --release notify
    fn line() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            Just("READY"),
            Just("RELOADING"),
            Just("STOPPING"),
            Just("STATUS"),
            Just("WATCHDOG"),
            Just("WATCHDOG_USEC"),
            Just("EXTEND_TIMEOUT_USEC"),
            Just("MAINPID"),
            Just("BARRIER"),
        ];
        let value = prop_oneof![any::<u64>().prop_map(|n| n.to_string()), "[0-9]{0,30}", Just("1".to_owned()), ".*"];
        prop_oneof![(name, value).prop_map(|(name, value)| format!("{name}={value}")), ".*"]
    }

    proptest! {
        #[test]
        fn any_bytes_give_bounded_words(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            check(&parse(&String::from_utf8_lossy(&bytes)))?;
        }

        #[test]
        fn any_lines_give_bounded_words(lines in proptest::collection::vec(line(), 0..100)) {
            check(&parse(&lines.join("\n")))?;
        }

        #[test]
        fn unknown_lines_change_nothing(lines in proptest::collection::vec(line(), 0..20), other in "[a-z]{1,9}=[^\n]*") {
            let mixed: Vec<String> = lines.iter().flat_map(|line| [other.clone(), line.clone()]).collect();
            prop_assert_eq!(parse(&mixed.join("\n")), parse(&lines.join("\n")));
        }
    }

    fn check(words: &[Notification]) -> Result<(), TestCaseError> {
        prop_assert!(words.len() <= MAX_WORDS);
        for word in words {
            match word {
                Notification::Status(text) => {
                    prop_assert!(text.len() <= MAX_STATUS);
                    prop_assert!(!text.contains(char::is_control));
                }
                Notification::WatchdogInterval(time) => prop_assert!(limits::NOTIFY_WATCHDOG.contains(time)),
                Notification::ExtendTimeout(time) => prop_assert!(!time.is_zero() && *time <= MAX_EXTENSION),
                Notification::MainPid(pid) => prop_assert!(*pid > 1 && i32::try_from(*pid).is_ok()),
                Notification::Ready
                | Notification::Reloading
                | Notification::Stopping
                | Notification::Alive
                | Notification::Dead => {}
            }
        }
        Ok(())
    }
}
