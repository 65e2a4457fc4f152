//! Bytes → text: size and encoding. A fault here is the only one of its report:
//! nothing after it can be trusted.

use super::MAX_BYTES;
use super::report::Report;
use super::tree::Position;
use crate::spec::Fault;

/// The text, without a byte order mark.
pub(super) fn decode<'t>(bytes: &'t [u8], report: &mut Report) -> Option<&'t str> {
    let mut refuse = |at, problem: String, fix: String| {
        report.fault(at, Fault::new("document", problem, fix));
        None
    };
    if bytes.len() > MAX_BYTES {
        let problem = format!("it has {} bytes", bytes.len());
        return refuse(
            Position::default(),
            problem,
            format!("write at most {MAX_BYTES} bytes; split it into several files"),
        );
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return refuse(Position::default(), "it is UTF-16".to_owned(), "save it as UTF-8".to_owned());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let (good, bad) = bytes.split_at(error.valid_up_to());
            let at = end_of(std::str::from_utf8(good).unwrap_or_default());
            let byte = bad.first().copied().unwrap_or_default();
            return refuse(at, format!("byte 0x{byte:02x} is no UTF-8"), "save it as UTF-8".to_owned());
        }
    };
    Some(text)
}

/// The place just after `text`. Lines end as they do in YAML (5.4): with a line
/// feed, a carriage return, or both.
fn end_of(text: &str) -> Position {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut lines = text.split(['\n', '\r']).rev();
    let column = lines.next().unwrap_or_default().chars().count() + 1;
    Position { line: lines.count() + 1, column }
}
