use super::*;
use crate::log::index::{Header, Index};
use crate::log::names::{self, Part, RotatedName, index_of};
use std::fs::File;
use std::time::Duration;

fn opened(path: &Path, policy: Option<LogPolicy>) -> io::Result<LogFile> {
    let mut log = LogFile::open(path)?;
    log.begin(policy);
    Ok(log)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn write(log: &mut LogFile, bytes: &[u8]) -> usize {
    at(log, bytes, Instant::now())
}

fn at(log: &mut LogFile, bytes: &[u8], now: Instant) -> usize {
    log.write(Batch { bytes, lines: None }, None, now)
}

/// When the next try is due.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn policy(max_size: u64, max_files: u32) -> Option<LogPolicy> {
    Some(LogPolicy { max_size, max_files, ..LogPolicy::default() })
}

/// Files that were rotated away, oldest first.
fn rotated(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().unwrap();
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        RotatedName::parse(&name).is_some_and(|name| name.part == Part::Plain)
    });
    found.sort();
    found
}

#[test]
fn output_goes_to_a_new_file_once_the_old_one_was_renamed_or_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("web.log"), dir.path().join("web.log.1"));
    // However long it takes to get there.
    let now = Instant::now();
    let mut log = opened(&path, None).unwrap();
    at(&mut log, b"one\n", now);
    fs::rename(&path, &old).unwrap();
    at(&mut log, b"two\n", now);
    assert_eq!(read(&old), "one\ntwo\n", "looked more than once a second");
    log.look_again();
    write(&mut log, b"three\n");
    assert_eq!((read(&old).as_str(), read(&path).as_str()), ("one\ntwo\n", "three\n"));
    assert_eq!(log.news, [], "renaming is how logrotate works");
    fs::remove_dir_all(dir.path()).unwrap();
    log.look_again();
    write(&mut log, b"four\n");
    assert_eq!(read(&path), "four\n");
    assert!(matches!(&log.news[..], [News::Trouble { message, .. }, News::Trouble { message: end, .. }]
        if message.contains("was deleted") && end.is_empty()));
}

#[test]
fn a_path_that_became_a_link_is_not_followed_out_of_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old, secret) = (dir.path().join("log"), dir.path().join("old"), dir.path().join("secret"));
    let mut log = opened(&path, None).unwrap();
    fs::rename(&path, &old).unwrap();
    fs::write(&secret, "").unwrap();
    std::os::unix::fs::symlink(&secret, &path).unwrap();
    log.look_again();
    write(&mut log, b"x");
    assert_eq!((read(&old).as_str(), read(&secret).as_str()), ("x", ""));
    assert!(matches!(&log.news[..], [News::Trouble { .. }]), "nobody was told");
}

#[test]
fn bytes_missing_at_the_end_are_told_when_the_file_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = opened(&path, None).unwrap();
    write(&mut log, b"kept");
    log.use_file(File::options().append(true).open("/dev/full").unwrap());
    write(&mut log, b"lost!");
    write(&mut log, b"more");
    log.use_file(File::options().append(true).open(&path).unwrap());
    log.close(None);
    let text = read(&path);
    assert!(text.starts_with("kept\n[pm: 9 bytes are missing here: No space left"), "{text}");
}

#[test]
fn a_full_disk_costs_exactly_what_the_mark_says_and_is_told_at_begin_and_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = opened(&path, policy(1 << 20, 3)).unwrap();
    write(&mut log, b"one\n");
    log.use_file(File::options().append(true).open("/dev/full").unwrap());
    assert_eq!(write(&mut log, b"lost\n"), 5);
    assert_eq!(write(&mut log, b"lost too\n"), 9, "not tried before its time");
    log.use_file(File::options().append(true).open(&path).unwrap());
    log.try_again(None, later());
    write(&mut log, b"two\n");
    let text = read(&path);
    assert!(text.starts_with("one\n[pm: 14 bytes are missing here: No space left"), "{text}");
    assert!(text.ends_with("]\ntwo\n"), "{text}");
    assert!(
        matches!(&log.news[..], [News::Trouble { message, dropped: 0 }, News::Trouble { message: end, dropped: 14 }]
        if message.contains("No space left") && end.is_empty()),
        "{:?}",
        log.news
    );
}

#[test]
fn a_program_that_is_to_wait_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let waits = LogPolicy { when_full: WhenFull::Block, ..LogPolicy::default() };
    let mut log = opened(&path, Some(waits)).unwrap();
    log.use_file(File::options().append(true).open("/dev/full").unwrap());
    assert_eq!(write(&mut log, b"wait\n"), 0);
    log.use_file(File::options().append(true).open(&path).unwrap());
    assert_eq!(log.write(Batch { bytes: b"wait\n", lines: None }, None, later()), 5);
    assert_eq!(read(&path), "wait\n");
    assert!(
        matches!(&log.news[..], [News::Trouble { .. }, News::Trouble { message, dropped: 0 }] if message.is_empty())
    );
}

#[test]
fn files_are_rotated_at_line_ends_and_only_so_many_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web-1.stdout.log");
    let mut log = opened(&path, policy(4096, 3)).unwrap();
    let lines: Vec<String> = (0..2000).map(|i| format!("line {i:05}\n")).collect();
    let all = lines.concat();
    // Whatever the pieces are.
    for piece in all.as_bytes().chunks(1009) {
        assert_eq!(write(&mut log, piece), piece.len());
    }
    let files = rotated(&path);
    assert_eq!(files.len(), 3);
    let mut kept = String::new();
    for file in &files {
        let text = read(file);
        assert!((4096..4096 + 11).contains(&text.len()) && text.ends_with('\n'), "{}", text.len());
        kept += &text;
    }
    kept += &read(&path);
    assert!(all.ends_with(&kept), "not contiguous");
    assert_eq!(log.news.iter().filter(|news| matches!(news, News::Rotated(_))).count(), all.len() / 4103);
    // Each index is beside its file and says where it stands in the whole.
    let mut position = all.len() as u64 - kept.len() as u64;
    for file in files.iter().chain([&path]) {
        let header = Header::read(&index_of(file)).unwrap();
        assert_eq!(header.base, position, "{}", file.display());
        position += fs::metadata(file).unwrap().len();
    }
}

#[test]
fn a_line_that_is_longer_than_a_file_is_cut_only_at_twice_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = opened(&path, policy(4096, 100)).unwrap();
    let line = [b"x".repeat(8000), b"\n".to_vec()].concat();
    write(&mut log, &line);
    write(&mut log, b"next\n");
    assert_eq!(fs::read(&rotated(&path)[0]).unwrap(), line);
    let endless = vec![b'y'; 20_000];
    endless.chunks(700).for_each(|piece| {
        write(&mut log, piece);
    });
    let sizes: Vec<u64> = rotated(&path).iter().map(|file| fs::metadata(file).unwrap().len()).collect();
    assert_eq!(sizes, [8001, 8192, 8192]);
}

#[test]
fn an_old_file_is_rotated_at_the_next_line_end_and_an_empty_one_never() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let old = LogPolicy { max_age: Some(Duration::from_secs(60)), ..LogPolicy::default() };
    let mut log = opened(&path, Some(old)).unwrap();
    let much_later = Instant::now() + Duration::from_secs(100);
    at(&mut log, b"half a ", Instant::now());
    at(&mut log, b"line\nnext\n", much_later);
    assert_eq!((read(&rotated(&path)[0]).as_str(), read(&path).as_str()), ("half a line\n", "next\n"));
}

#[test]
fn a_successor_goes_on_with_file_and_history() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = opened(&path, policy(4096, 3)).unwrap();
    log.mark_run();
    write(&mut log, &b"0123456789\n".repeat(300));
    write(&mut log, &b"0123456789\n".repeat(300));
    log.close(None);
    let before = Header::read(&index_of(&path)).unwrap();
    let mut log = opened(&path, policy(4096, 3)).unwrap();
    log.mark_run();
    write(&mut log, b"again\n");
    let index = Index::read(&index_of(&path));
    assert_eq!(index.header.unwrap().lineage, before.lineage);
    assert_eq!(index.header.unwrap().base, before.base);
    assert_eq!(index.runs().count(), 1);
    assert_eq!(index.time_at(fs::metadata(&path).unwrap().len() - 1).map(|(_, next)| next), Some(None));
}

#[test]
fn positions_go_on_across_copytruncate_and_renaming_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = opened(&path, policy(1 << 20, 3)).unwrap();
    write(&mut log, b"0123456789\n");
    File::create(&path).unwrap();
    // Its size is looked at once a second.
    log.write(Batch { bytes: b"after\n", lines: None }, None, later());
    assert_eq!(read(&path), "after\n");
    assert_eq!(Header::read(&index_of(&path)).unwrap().base, 11);
    fs::rename(&path, dir.path().join("log.1")).unwrap();
    log.look_again();
    write(&mut log, b"in a new one\n");
    assert_eq!(read(&path), "in a new one\n");
    assert_eq!(Header::read(&index_of(&path)).unwrap().base, 17);
}

#[test]
fn two_writers_of_one_file_rotate_it_once_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut logs = [opened(&path, policy(4096, 100)).unwrap(), opened(&path, policy(4096, 100)).unwrap()];
    let mut now = Instant::now();
    let mut lines = Vec::new();
    for i in 0..3000 {
        let line = format!("line {i:05}\n");
        now += Duration::from_millis(20);
        logs[i % 2].write(Batch { bytes: line.as_bytes(), lines: None }, None, now);
        lines.push(line);
    }
    let mut all: Vec<String> = rotated(&path)
        .iter()
        .chain([&path])
        .flat_map(|f| read(f).lines().map(|l| format!("{l}\n")).collect::<Vec<_>>())
        .collect();
    all.sort();
    assert!(all == lines, "{} of {} lines", all.len(), lines.len());
}

#[test]
fn a_damaged_index_is_begun_anew_and_the_file_is_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    for damage in [&b""[..], b"PMLOGIX1 and rubbish", &[0xff; 500]] {
        fs::write(&path, "before\n").unwrap();
        fs::write(index_of(&path), damage).unwrap();
        let mut log = opened(&path, policy(1 << 20, 3)).unwrap();
        write(&mut log, b"after\n");
        assert_eq!(read(&path), "before\nafter\n");
        assert!(Header::read(&index_of(&path)).is_ok());
    }
    // No index at all can be written: the file is written nevertheless.
    fs::remove_file(index_of(&path)).unwrap();
    fs::create_dir(index_of(&path)).unwrap();
    let mut log = opened(&path, policy(1 << 20, 3)).unwrap();
    write(&mut log, b"and on\n");
    assert!(read(&path).ends_with("and on\n"));
}

#[test]
fn a_rotation_that_cannot_be_done_is_told_once_and_done_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut log = opened(&path, policy(4096, 3)).unwrap();
    // Nothing can be made at the place of the new file.
    fs::create_dir(names::with_suffix(&path, ".new")).unwrap();
    for _ in 0..20 {
        write(&mut log, &b"0123456789\n".repeat(50));
    }
    assert_eq!(rotated(&path).len(), 0);
    assert_eq!(fs::metadata(&path).unwrap().len(), 11_000);
    assert!(matches!(&log.news[..], [News::Trouble { message, .. }] if message.starts_with("cannot rotate")));
    fs::remove_dir(names::with_suffix(&path, ".new")).unwrap();
    log.write(Batch { bytes: b"now\n", lines: None }, None, later());
    assert_eq!(fs::metadata(&rotated(&path)[0]).unwrap().len(), 11_000);
    assert!(log.news.contains(&News::Trouble { message: String::new(), dropped: 0 }));
}

#[test]
fn a_device_is_written_to_and_never_rotated() {
    let mut log = opened(Path::new("/dev/null"), policy(4096, 3)).unwrap();
    assert_eq!(write(&mut log, &[b'x'; 100_000]), 100_000);
    assert_eq!(log.news, []);
}

#[test]
fn links_where_new_files_are_made_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (path, secret) = (dir.path().join("log"), dir.path().join("secret"));
    fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, names::with_suffix(&path, ".new")).unwrap();
    std::os::unix::fs::symlink(&secret, index_of(&path)).unwrap();
    let mut log = opened(&path, policy(4096, 3)).unwrap();
    log.mark_run();
    for _ in 0..20 {
        write(&mut log, &b"0123456789\n".repeat(50));
    }
    assert!(!rotated(&path).is_empty());
    assert_eq!(read(&secret), "secret");
}
