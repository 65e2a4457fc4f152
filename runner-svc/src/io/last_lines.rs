//! The last lines of an instance's output, for the event that tells of its
//! end: what a person would look at first.

use super::log_store::segment::{self, Segment};
use super::program::LogFiles;
use runner_keeper::log::names::Part;
use std::path::Path;

/// Bytes of each file that are looked at.
const ENOUGH: usize = 64 * 1024;

/// The last `lines` lines of both outputs, lossy UTF-8. Within one output the
/// order is that of writing; between the two it is by the times that their
/// indexes know, to a second, standard output first.
///
/// Blocks: call it where that is allowed.
pub(crate) fn last_lines(files: &LogFiles, lines: usize) -> Vec<String> {
    let mut found = timed_lines(&files.stdout, lines);
    if files.stderr != files.stdout {
        found.extend(timed_lines(&files.stderr, lines));
        // Stable: lines of one file stay in their order, their times never go back.
        found.sort_by_key(|(time, _)| *time);
    }
    let from = found.len().saturating_sub(lines);
    found.split_off(from).into_iter().map(|(_, line)| line).collect()
}

/// The last lines of one output, each with its time; 0 where none is known.
fn timed_lines(active: &Path, lines: usize) -> Vec<(i64, String)> {
    let mut found: Vec<(i64, String)> = Vec::new();
    let mut left = ENOUGH;
    // Backwards, and no further than uncompressed files: this is to be quick.
    for segment in segment::list(active).iter().rev().take_while(|segment| segment.part == Part::Plain) {
        let Some((looked_at, mut part)) = end_of(segment, left) else { break };
        left = left.saturating_sub(looked_at);
        part.append(&mut found);
        found = part;
        if found.len() >= lines || left == 0 {
            break;
        }
    }
    let mut newest = i64::MIN;
    for (time, _) in &mut found {
        // A clock that was set back must not reorder lines.
        newest = newest.max(*time);
        *time = newest;
    }
    let from = found.len().saturating_sub(lines);
    found.split_off(from)
}

/// Lines at the end of a file, within `left` bytes; with how many those were.
fn end_of(segment: &Segment, left: usize) -> Option<(usize, Vec<(i64, String)>)> {
    let mut source = segment.open().ok().flatten()?;
    let len = source.metadata().ok()?.len();
    let from = len.saturating_sub(left as u64);
    let data = source.read(from, left).ok()?;
    let index = segment.index();
    let mut found = Vec::new();
    let mut offset = from;
    for (i, line) in data.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // The first one is most likely the end of a longer one.
        if from == 0 || i > 0 {
            let time = index.time_at(offset).map_or(0, |(time, _)| time);
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
            found.push((time, text.trim_end_matches('\r').to_owned()));
        }
        offset += line.len() as u64;
    }
    Some((data.len(), found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runner_keeper::log::index::{Header, Kind, Record, SPAN};
    use runner_keeper::log::names::index_of;

    fn files(dir: &Path) -> LogFiles {
        LogFiles { stdout: dir.join("web-1.stdout.log"), stderr: dir.join("web-1.stderr.log") }
    }

    fn write(path: &Path, text: &str, times: &[(i64, u64)]) {
        std::fs::write(path, text).unwrap();
        let header = Header { lineage: 1, base: 0, created: 0, retention: 0, quota: 0, compress: Default::default() };
        let mut index = header.encode().to_vec();
        for (time, offset) in times {
            index.extend(Record { kind: Kind::Written, time: time * SPAN, offset: *offset }.encode());
        }
        std::fs::write(index_of(path), index).unwrap();
    }

    #[test]
    fn the_last_lines_of_both_outputs_are_in_the_order_of_their_times() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        write(&files.stdout, "one\nthree\nfive", &[(1, 0), (3, 4), (5, 10)]);
        write(&files.stderr, "two\nfour\n", &[(2, 0), (4, 4)]);
        assert_eq!(last_lines(&files, 100), ["one", "two", "three", "four", "five"]);
        assert_eq!(last_lines(&files, 2), ["four", "five"]);
        let merged = LogFiles { stdout: files.stdout.clone(), stderr: files.stdout.clone() };
        assert_eq!(last_lines(&merged, 2), ["three", "five"]);
    }

    #[test]
    fn lines_of_files_that_were_rotated_away_count_and_huge_ones_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        let old = runner_keeper::log::names::rotated(&files.stdout, 77);
        std::fs::write(&old, "a\nb\n").unwrap();
        std::fs::write(&files.stdout, b"c\xff\n").unwrap();
        assert_eq!(last_lines(&files, 2), ["b", "c\u{fffd}"]);
        std::fs::write(&files.stdout, "x".repeat(3 * ENOUGH) + "\nend\n").unwrap();
        assert_eq!(last_lines(&files, 2), ["end"]);
    }
}
