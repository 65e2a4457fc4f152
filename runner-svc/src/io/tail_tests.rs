use super::*;
use crate::io::log_store::cursor::Cursor;
use runner_keeper::log::index::{Header, Kind, Record, SPAN};
use runner_keeper::log::names::{Part, index_of, rotated};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

async fn open(path: &Path, wanted: Wanted) -> Tail {
    Tail::open(path, wanted).await.unwrap()
}

async fn next(tail: &mut Tail) -> Piece {
    tokio::time::timeout(Duration::from_secs(10), tail.next()).await.expect("nothing comes").unwrap().unwrap()
}

async fn all(path: &Path, wanted: Wanted) -> String {
    let mut tail = open(path, wanted).await;
    let mut bytes = Vec::new();
    while let Some(piece) = tail.next().await.unwrap() {
        assert!(piece.data.len() <= CHUNK);
        bytes.extend(piece.data);
    }
    String::from_utf8(bytes).unwrap()
}

fn last(lines: u32) -> Wanted {
    Wanted { tail: Some(lines), ..Wanted::default() }
}

fn follow() -> Wanted {
    Wanted { follow: true, ..Wanted::default() }
}

/// A history as the keeper leaves it: two files rotated away, of which one is
/// compressed, and the active one. Times in seconds.
struct History {
    _dir: tempfile::TempDir,
    active: PathBuf,
}

const LINEAGE: u64 = 0x77;

fn write(path: &Path, base: u64, text: &str, records: &[(Kind, i64, u64)]) {
    let header = Header { lineage: LINEAGE, base, created: 0, retention: 0, quota: 0, compress: Default::default() };
    let mut index = header.encode().to_vec();
    for (kind, time, offset) in records {
        index.extend(Record { kind: *kind, time: time * SPAN, offset: *offset }.encode());
    }
    std::fs::write(path, text).unwrap();
    let written = records.last().map_or(0, |(_, time, _)| *time);
    let modified = std::time::UNIX_EPOCH + Duration::from_secs(written.unsigned_abs());
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    std::fs::write(index_of(path), index).unwrap();
}

fn history() -> History {
    let dir = tempfile::tempdir().unwrap();
    let active = dir.path().join("web-1.stdout.log");
    let (first, second) = (rotated(&active, 100_000_000), rotated(&active, 200_000_000));
    let w = Kind::Written;
    write(
        &first,
        0,
        "a1\na2\na3\n",
        &[(Kind::Run, 10, 0), (w, 10, 0), (w, 20, 3), (w, 30, 6), (Kind::Rotated, 100, 9)],
    );
    write(&second, 9, "b1\nb2\n", &[(w, 110, 0), (Kind::Run, 120, 3), (w, 120, 3), (Kind::Rotated, 200, 6)]);
    write(&active, 15, "c1\nc2\nc3", &[(w, 210, 0), (Kind::Run, 220, 3), (w, 220, 3), (w, 230, 6)]);
    crate::io::log_store::compress::compress(&first, Part::Zstd).unwrap();
    History { _dir: dir, active }
}

const WHOLE: &str = "a1\na2\na3\nb1\nb2\nc1\nc2\nc3";

#[tokio::test]
async fn files_that_were_rotated_away_are_read_before_the_active_one() {
    let history = history();
    assert_eq!(all(&history.active, Wanted::default()).await, WHOLE);
    for lines in 0..10 {
        let expected: Vec<&str> = WHOLE.split_inclusive('\n').rev().take(lines).collect();
        let expected: String = expected.into_iter().rev().collect();
        assert_eq!(all(&history.active, last(u32::try_from(lines).unwrap())).await, expected, "{lines}");
    }
}

#[tokio::test]
async fn times_are_found_across_files_and_nothing_within_them_is_missed() {
    let history = history();
    let between = |since: Option<i64>, until: Option<i64>| Wanted {
        since: since.map(|t| t * SPAN),
        until: until.map(|t| t * SPAN),
        ..Wanted::default()
    };
    for (since, until, expected) in [
        (Some(20), None, "a2\na3\nb1\nb2\nc1\nc2\nc3"),
        (Some(21), None, "a3\nb1\nb2\nc1\nc2\nc3"),
        (Some(115), None, "b2\nc1\nc2\nc3"),
        (None, Some(25), "a1\na2\n"),
        (None, Some(110), "a1\na2\na3\nb1\n"),
        (Some(30), Some(215), "a3\nb1\nb2\nc1\n"),
        (Some(500), Some(600), ""),
    ] {
        assert_eq!(all(&history.active, between(since, until)).await, expected, "{since:?} {until:?}");
    }
    let both = Wanted { tail: Some(1), ..between(None, Some(110)) };
    assert_eq!(all(&history.active, both).await, "b1\n");
}

#[tokio::test]
async fn the_run_before_is_what_was_written_between_the_last_two_beginnings() {
    let history = history();
    let previous = Wanted { previous: true, ..Wanted::default() };
    assert_eq!(all(&history.active, previous.clone()).await, "b2\nc1\n");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    write(&path, 0, "only\n", &[(Kind::Run, 1, 0), (Kind::Written, 1, 0)]);
    assert!(Tail::open(&path, previous).await.unwrap_err().to_string().contains("no run before"));
}

#[tokio::test]
async fn lines_are_searched_where_they_are() {
    let history = history();
    let grep = |pattern: &str| Wanted { grep: Some(Regex::new(pattern).unwrap()), ..Wanted::default() };
    assert_eq!(all(&history.active, grep("^[ac]2$")).await, "a2\nc2\n");
    assert_eq!(all(&history.active, Wanted { tail: Some(2), ..grep("[12]") }).await, "c1\nc2\n");
    assert_eq!(all(&history.active, grep("z")).await, "");
    let mut tail = open(&history.active, Wanted { follow: true, ..grep("^c3 and more|d") }).await;
    let mut file = OpenOptions::new().append(true).open(&history.active).unwrap();
    file.write_all(b" and more\nx\nd1\n").unwrap();
    let found = next(&mut tail).await;
    // A begun line waits for its end, and the place behind a match is behind what does not match.
    assert_eq!(found.data.split(|b| *b == b'\n').next().unwrap(), b"c3 and more");
    let mut seen = found.data;
    while !seen.ends_with(b"d1\n") {
        seen.extend(next(&mut tail).await.data);
    }
    assert_eq!(seen, b"c3 and more\nd1\n");
}

#[tokio::test]
async fn l06_a_reader_that_comes_back_goes_on_where_it_was() {
    let history = history();
    let mut tail = open(&history.active, Wanted::default()).await;
    let mut places = Vec::new();
    while let Some(piece) = tail.next().await.unwrap() {
        places.push(piece.after);
    }
    assert_eq!(places.last(), Some(&Cursor::History { lineage: LINEAGE, position: 23 }));
    for position in 0..WHOLE.len() {
        let cursor = Some(Cursor::History { lineage: LINEAGE, position: position as u64 });
        let wanted = Wanted { cursor, tail: Some(1), ..Wanted::default() };
        assert_eq!(all(&history.active, wanted).await, WHOLE[position..], "{position}");
    }
    // Of another history, or deleted since: everything that there is.
    let unknown = Wanted { cursor: Some(Cursor::History { lineage: 1, position: 9 }), ..Wanted::default() };
    assert_eq!(all(&history.active, unknown).await, WHOLE);
}

#[tokio::test]
async fn times_come_with_whole_lines() {
    let history = history();
    let mut tail =
        open(&history.active, Wanted { timestamps: true, since: Some(110 * SPAN), ..Wanted::default() }).await;
    let mut seen = Vec::new();
    while let Some(piece) = tail.next().await.unwrap() {
        seen.push((piece.time.unwrap() / SPAN, String::from_utf8(piece.data).unwrap()));
    }
    let expected = [(110, "b1\n"), (120, "b2\n"), (210, "c1\n"), (220, "c2\n"), (230, "c3")];
    assert_eq!(seen, expected.map(|(time, line)| (time, line.to_owned())));
}

#[tokio::test]
async fn the_last_lines_are_the_last_lines_whatever_the_end_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    for (content, lines, expected) in [
        ("a\nb\nc\n", 2, "b\nc\n"),
        ("a\nb\nc", 2, "b\nc"),
        ("a\nb\n", 9, "a\nb\n"),
        ("a\nb\n", 0, ""),
        ("\n\n\n", 1, "\n"),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(all(&path, last(lines)).await, expected, "{content:?} {lines}");
    }
}

#[tokio::test]
async fn following_goes_on_across_renaming_and_truncation_of_a_file_without_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    let mut tail = open(&path, follow()).await;
    std::fs::write(&path, "one\n").unwrap();
    assert_eq!(next(&mut tail).await.data, b"one\n");
    std::fs::rename(&path, dir.path().join("x.log.1")).unwrap();
    std::fs::write(&path, "two, in a new file\n").unwrap();
    assert_eq!(next(&mut tail).await.data, b"two, in a new file\n");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"three\n").unwrap();
    let piece = next(&mut tail).await;
    assert_eq!((piece.offset, piece.data.as_slice()), (0, &b"three\n"[..]));
}

#[tokio::test]
async fn l06_whoever_renames_by_hand_loses_no_line_that_the_keeper_still_writes_to_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web-1.stdout.log");
    write(&path, 0, "one\n", &[]);
    let mut tail = open(&path, follow()).await;
    assert_eq!(next(&mut tail).await.data, b"one\n");
    // As logrotate's `create` does it; the keeper looks only once a second.
    let old = dir.path().join("web-1.stdout.log.1");
    std::fs::rename(&path, &old).unwrap();
    std::fs::write(&path, "").unwrap();
    OpenOptions::new().append(true).open(&old).unwrap().write_all(b"two\n").unwrap();
    assert_eq!(next(&mut tail).await.data, b"two\n");
    OpenOptions::new().append(true).open(&old).unwrap().write_all(b"three\n").unwrap();
    write(&path, 14, "four\n", &[]);
    assert_eq!(next(&mut tail).await.data, b"three\n");
    assert_eq!(next(&mut tail).await.data, b"four\n");
}

#[tokio::test]
async fn chunks_end_at_line_ends_and_lose_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    let content: Vec<u8> = (0..20_000).flat_map(|i| format!("line {i} \u{0}\n").into_bytes()).collect();
    std::fs::write(&path, &content).unwrap();
    let mut tail = open(&path, Wanted::default()).await;
    let (mut seen, mut cut) = (Vec::new(), 0);
    while let Some(piece) = tail.next().await.unwrap() {
        assert_eq!(piece.offset, seen.len() as u64);
        cut += usize::from(!piece.data.ends_with(b"\n"));
        seen.extend(piece.data);
    }
    assert_eq!((seen == content, cut), (true, 0));
}

/// Lets go whoever waits for a pipe's other end, so that a failure is one and
/// not a test that never ends.
struct Release(PathBuf);

impl Drop for Release {
    fn drop(&mut self) {
        let _ = OpenOptions::new().read(true).write(true).open(&self.0);
    }
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_and_blocks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("x.pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _release = Release(pipe.clone());
    for path in [pipe.as_path(), dir.path(), Path::new("/dev/null")] {
        for follow in [false, true] {
            let wanted = Wanted { follow, ..Wanted::default() };
            let opened = tokio::time::timeout(Duration::from_secs(10), Tail::open(path, wanted)).await;
            let error = opened.expect("it waits for a writer").unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file");
        }
    }
    // It may also take the place of a file that is being followed.
    let path = dir.path().join("x.log");
    std::fs::write(&path, "one\n").unwrap();
    let mut tail = open(&path, follow()).await;
    assert!(tail.next().await.unwrap().is_some());
    std::fs::rename(&pipe, &path).unwrap();
    let _release = Release(path.clone());
    let next = tokio::time::timeout(Duration::from_secs(10), tail.next()).await;
    assert_eq!(next.expect("it waits for a writer").unwrap_err().to_string(), "it is not a regular file");
}
