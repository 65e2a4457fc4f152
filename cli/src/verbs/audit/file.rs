//! An export as it is read back: one entry a line.

use super::checker::broken;
use crate::error::Failure;
use pm_proto::v1::AuditEntry as Wire;
use process_model::audit::AuditEntry;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Longest line: an entry with all its changes is far shorter.
const LINE_BYTES: u64 = 16 << 20;

/// The entries of an export; - is standard input.
pub(super) fn read(path: &Path) -> Result<impl Iterator<Item = Result<AuditEntry, Failure>>, Failure> {
    let unreadable = |e: io::Error| Failure::usage(format!("cannot read {}: {e}", path.display()));
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let mut lines = BufReader::new(source);
    let (mut number, mut ended, mut last) = (0u64, false, 0);
    Ok(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let mut line = String::new();
        number += 1;
        let next = match lines.by_ref().take(LINE_BYTES).read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => entry(&line).map_err(|why| broken(last + 1, &format!("line {number}: {why}"))),
            Err(e) => Err(Failure::failed(format!("cannot read the export: {e}"))),
        };
        ended = next.is_err();
        last = next.as_ref().map_or(last, |entry| entry.number);
        Some(next)
    }))
}

fn entry(line: &str) -> Result<AuditEntry, String> {
    // A cut file ends in the middle of a line, often of one that still reads.
    let line = line.strip_suffix('\n').ok_or("it does not end")?;
    let value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let wire: Wire = pm_proto::json::from_value(value).map_err(|e| e.to_string())?;
    AuditEntry::try_from(&wire).map_err(|e| e.to_string())
}
