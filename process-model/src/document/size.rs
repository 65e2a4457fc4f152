//! Sizes: a text with a unit, or a number of bytes.

use super::scalar::{Look, Wrong, cut};
use super::tree::{Node, Value};
use crate::words as say;
use std::ops::RangeInclusive;

const FORM: &str = "write a size as 64MiB, 512M or 1.5GB, or a number of bytes";

/// The units; letters of any case. A letter alone is binary, as for systemd
/// and Docker.
const UNITS: [(&str, u64); 14] = [
    ("b", 1),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("", 1),
];

/// A size in `range`.
pub(super) fn read(node: &Node, range: &RangeInclusive<u64>) -> Result<u64, Wrong> {
    let Value::Scalar(scalar) = &node.value else { return Err(Wrong::found(node, FORM)) };
    let text = scalar.text.as_str();
    match scalar.look() {
        Look::Number | Look::Text => {}
        Look::Null | Look::Flag(_) => return Err(Wrong::found(node, FORM)),
    }
    let fix = || format!("write {} to {}", say::size(*range.start()), say::size(*range.end()));
    if text.starts_with('-') && scalar.look() == Look::Number {
        return Err(Wrong::new(format!("{} is negative", cut(text)), fix()));
    }
    let bytes = parse(text).ok_or_else(|| Wrong::found(node, FORM))?;
    let bytes = u64::try_from(bytes).ok().filter(|bytes| range.contains(bytes));
    bytes.ok_or_else(|| Wrong::new(format!("{} is out of range", cut(text)), fix()))
}

/// Bytes; what is beyond any range is as large as can be.
fn parse(text: &str) -> Option<u128> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A part of a byte is no size; more than nine digits of one are no size that anybody means.
    if !digits(whole) || !digits(part) || part.len() > 9 || (*unit == 1 && number.contains('.')) {
        return None;
    }
    let unit = u128::from(*unit);
    let whole = whole.parse::<u128>().ok().and_then(|whole| whole.checked_mul(unit)).unwrap_or(u128::MAX);
    let scale = 10_u128.pow(u32::try_from(part.len()).unwrap_or_default());
    let part = part.parse::<u128>().unwrap_or_default() * unit / scale;
    Some(whole.saturating_add(part))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_binary_alone_and_with_i_and_decimal_with_b() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4096B", 4096),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("512M", 512 << 20),
            ("1k", 1024),
            ("1kB", 1000),
            ("1.5GB", 1_500_000_000),
            ("1.5GiB", 3 << 29),
            ("2T", 2 << 40),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5", "1..5M", ".5M", "5.M", "1e3", "0x10", "10 bytes", "-1M", "1.0000000001M", "١M"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&format!("{}T", "9".repeat(60))), Some(u128::MAX));
    }
}
