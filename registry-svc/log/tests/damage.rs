//! R04: a directory that is not as it was written. Each damage is an error
//! that names the file, and the offset where there is one; never a shorter
//! log.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod support;

use bytes::Bytes;
use registry_log::{Damage, Entry, Floor, Identity, Log, OpenError, Vote, Write, verify};
use std::path::{Path, PathBuf};
use support::model::Model;
use support::{EVERYTHING, IDENTITY, SEGMENT, at, copy, entry, fresh, names, open, real_disk, segment, small, write};
use tempfile::TempDir;

/// A log that was closed: its mark counts all of it.
struct Closed {
    _home: TempDir,
    dir: PathBuf,
    model: Model,
}

const BLOCK: u64 = 4096;

fn fill(log: &Log, from: u64, to: u64, len: usize) {
    for index in from..to {
        write(log, Write::Append(vec![entry(1, index, len)]));
    }
}

/// One segment in use with a dozen of small records of every kind, each in a
/// group of its own.
fn closed() -> Closed {
    closed_with(|log| {
        fill(log, 0, 5, 21);
        write(log, Write::Vote(Vote { term: 2, voted_for: Some(1), committed: true }));
        write(log, Write::Truncate { from: 4 });
        fill(log, 4, 8, 40);
        write(log, Write::Purge { upto: at(1, 1) });
    })
}

fn closed_with(work: impl FnOnce(&Log)) -> Closed {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    work(&log);
    let model = Model::of(&log);
    log.close().unwrap();
    Closed { _home: home, dir, model }
}

/// Offsets of the records of a segment, and where the last one ends.
fn records(file: &Path) -> (Vec<u64>, u64) {
    let bytes = std::fs::read(file).unwrap();
    let (mut offsets, mut offset) = (Vec::new(), BLOCK);
    loop {
        let at = offset as usize;
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap());
        if bytes[at..at + 4] == [0; 4] {
            return (offsets, offset);
        }
        offsets.push(offset);
        offset += (56 + u64::from(len)).next_multiple_of(8);
    }
}

/// The error with its file and offset.
fn damaged(error: &OpenError) -> Option<(&Path, u64)> {
    match error {
        OpenError::Damaged { file, offset, .. } | OpenError::LostTail { file, offset, .. } => Some((file, *offset)),
        _ => None,
    }
}

fn opens_as(dir: &Path, model: &Model) {
    let (log, _) = open(dir, &small()).unwrap();
    assert_eq!(Model::of(&log), *model);
}

#[test]
fn r04_any_flipped_bit_of_any_record_is_found_at_the_record() {
    let closed = closed();
    let file = segment(&closed.dir, 1);
    let (offsets, end) = records(&file);
    assert!(offsets.len() > 12, "too few records");
    let whole = std::fs::read(&file).unwrap();
    for bit in BLOCK * 8..end * 8 {
        let mut flipped = whole.clone();
        flipped[(bit / 8) as usize] ^= 1 << (bit % 8);
        std::fs::write(&file, &flipped).unwrap();
        let error = verify(&closed.dir).expect_err(&format!("bit {bit} was not noticed"));
        let record = *offsets.iter().rfind(|offset| **offset <= bit / 8).unwrap();
        assert_eq!(damaged(&error), Some((file.as_path(), record)), "bit {bit}: {error}");
    }
    std::fs::write(&file, &whole).unwrap();
    opens_as(&closed.dir, &closed.model);
}

#[test]
fn r04_any_flipped_byte_of_a_header_or_mark_is_an_error_or_changes_nothing() {
    let closed = closed();
    let (one, two, marks) = (segment(&closed.dir, 1), segment(&closed.dir, 2), closed.dir.join("marks"));
    let mut harmless = 0;
    for (file, len) in [(&one, BLOCK), (&two, BLOCK), (&marks, 2 * BLOCK)] {
        let whole = std::fs::read(file).unwrap();
        for byte in (0..len).filter(|byte| byte % BLOCK < 160 || byte % 61 == 0) {
            let mut flipped = whole.clone();
            flipped[byte as usize] ^= 1 << (byte % 8);
            std::fs::write(file, &flipped).unwrap();
            match verify(&closed.dir) {
                Ok(survey) => {
                    assert_eq!((file, survey.extent), (&marks, closed.model.extent()), "byte {byte}");
                    assert_eq!(survey.vote, closed.model.vote);
                    harmless += 1;
                }
                Err(OpenError::Damaged { file: named, .. }) => assert_eq!(named, *file, "byte {byte}"),
                Err(error) => panic!("byte {byte} of {}: {error}", file.display()),
            }
        }
        std::fs::write(file, &whole).unwrap();
    }
    assert!(harmless > 0, "one slot alone is enough to open with");
    std::fs::write(&marks, vec![0; 2 * BLOCK as usize]).unwrap();
    let error = verify(&closed.dir).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { damage: Damage::Marks, .. }), "{error}");
}

#[test]
fn r04_a_file_cut_to_any_length_is_an_error() {
    let closed = closed();
    for file in [segment(&closed.dir, 1), segment(&closed.dir, 2), closed.dir.join("marks")] {
        let whole = std::fs::read(&file).unwrap();
        let is_marks = file.ends_with("marks");
        let step = if is_marks { 97 } else { 331 };
        for len in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
            std::fs::write(&file, &whole[..len]).unwrap();
            match verify(&closed.dir).expect_err(&format!("{} cut to {len}", file.display())) {
                OpenError::WrongLength { file: named, found, .. } => {
                    assert_eq!((named, found), (file.clone(), len as u64))
                }
                OpenError::Damaged { file: named, damage: Damage::Header, .. } => {
                    assert!(named == file && len < BLOCK as usize);
                }
                error => panic!("{} cut to {len}: {error}", file.display()),
            }
        }
        let longer = [whole.as_slice(), &[0; 8]].concat();
        std::fs::write(&file, longer).unwrap();
        assert!(matches!(verify(&closed.dir), Err(OpenError::WrongLength { .. })));
        std::fs::write(&file, &whole).unwrap();
    }
    opens_as(&closed.dir, &closed.model);
}

#[test]
fn r04_a_zeroed_end_is_lost_and_said_to_be() {
    let closed = closed();
    let file = segment(&closed.dir, 1);
    let (offsets, _) = records(&file);
    let whole = std::fs::read(&file).unwrap();
    for (n, offset) in offsets.iter().enumerate() {
        for from in [*offset, offset + 8, offset + 50] {
            let mut zeroed = whole.clone();
            zeroed[from as usize..].fill(0);
            // A record may end with zeros.
            if zeroed == whole {
                continue;
            }
            std::fs::write(&file, &zeroed).unwrap();
            let error = verify(&closed.dir).unwrap_err();
            let OpenError::LostTail { file: named, offset: said, found, durable } = error else { panic!("{error}") };
            assert_eq!((named, said, found), (file.clone(), *offset, n as u64));
            assert_eq!(durable, offsets.len() as u64);
        }
    }
}

#[test]
fn r04_zeros_in_the_middle_are_damage_also_when_no_mark_counts_them() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    let marks = std::fs::read(dir.join("marks")).unwrap();
    fill(&log, 0, 10, 100);
    copy(&dir, &image);
    // As if the process had been killed before the next mark.
    std::fs::write(image.join("marks"), marks).unwrap();
    let file = segment(&image, 1);
    let (offsets, _) = records(&file);
    let whole = std::fs::read(&file).unwrap();
    for hole in offsets[1..].windows(2) {
        let mut zeroed = whole.clone();
        zeroed[hole[0] as usize..hole[1] as usize].fill(0);
        std::fs::write(&file, &zeroed).unwrap();
        let error = verify(&image).expect_err("a hole before records that were synced later");
        assert_eq!(damaged(&error), Some((file.as_path(), hole[0])), "{error}");
    }
}

#[test]
fn a_torn_last_group_is_cut_off_and_everything_before_it_stays() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    let marks = std::fs::read(dir.join("marks")).unwrap();
    fill(&log, 0, 6, 100);
    write(&log, Write::Append((6..9).map(|index| entry(1, index, 100)).collect()));
    copy(&dir, &image);
    std::fs::write(image.join("marks"), marks).unwrap();
    let file = segment(&image, 1);
    let (offsets, end) = records(&file);
    let (group, whole) = (offsets[offsets.len() - 3], std::fs::read(&file).unwrap());
    // Each sector of the last group may or may not have come to the disk.
    for lost_from in (group..end).step_by(8) {
        for lost in [8, 56, 200, end] {
            let mut torn = whole.clone();
            let to = (lost_from + lost).min(end);
            torn[lost_from as usize..to as usize].fill(0xee);
            std::fs::write(&file, &torn).unwrap();
            let survey = verify(&image).unwrap_or_else(|error| panic!("lost {lost_from}..{to}: {error}"));
            let record = offsets.iter().rfind(|offset| **offset <= lost_from).unwrap();
            let kept = offsets.iter().position(|offset| offset == record).unwrap() as u64 - 1;
            assert_eq!(survey.extent.last, Some(at(1, kept - 1)), "lost {lost_from}..{to}");
            let cut = survey.cut.map(|cut| (cut.file, cut.offset));
            // Too much is gone to say that something was begun.
            assert!(cut.is_none_or(|cut| cut == (file.clone(), *record)), "lost {lost_from}..{to}");
        }
    }
    // And it goes on behind the cut, also after another crash.
    let mut torn = whole;
    torn[group as usize + 60] ^= 1;
    std::fs::write(&file, &torn).unwrap();
    let (log, survey) = open(&image, &small()).unwrap();
    assert_eq!(survey.cut.map(|cut| cut.offset), Some(group));
    // The same entry again: what lies behind it was cut off and stays so.
    write(&log, Write::Append(vec![entry(1, 6, 100)]));
    let crashed = home.path().join("crashed");
    copy(&image, &crashed);
    let (log, _) = open(&crashed, &small()).unwrap();
    assert_eq!(log.extent().last, Some(at(1, 6)));
}

/// A whole record as the first segment would have it if its tag were its
/// number: all else can be guessed from outside.
fn imitation(lsn: u64, group: u64, tag: u64) -> Vec<u8> {
    let mut record = vec![0; 56];
    record[8] = 2;
    for (at, field) in [(16, lsn), (24, group), (32, tag), (40, 1), (48, lsn)] {
        record[at..at + 8].copy_from_slice(&field.to_le_bytes());
    }
    let crc = crc32fast::hash(&record[4..]);
    record[..4].copy_from_slice(&crc.to_le_bytes());
    record
}

#[test]
fn a_payload_that_imitates_a_record_proves_nothing_about_a_torn_group() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    let marks = std::fs::read(dir.join("marks")).unwrap();
    fill(&log, 0, 3, 100);
    // By its numbers it is of a later group: then what is before it was synced.
    let payload = Bytes::from([imitation(50, 50, 1), imitation(51, 51, 0), imitation(52, 52, 2)].concat());
    write(&log, Write::Append(vec![entry(1, 3, 100), Entry { at: at(1, 4), payload }]));
    copy(&dir, &image);
    std::fs::write(image.join("marks"), marks).unwrap();
    let file = segment(&image, 1);
    let (offsets, _) = records(&file);
    let mut torn = std::fs::read(&file).unwrap();
    torn[offsets[offsets.len() - 2] as usize + 60] ^= 1;
    std::fs::write(&file, &torn).unwrap();
    let (log, survey) = open(&image, &small()).unwrap();
    assert!(survey.cut.is_some());
    assert_eq!(log.extent().last, Some(at(1, 2)));
}

/// Five segments in use.
fn long() -> Closed {
    closed_with(|log| fill(log, 0, 130, 2000))
}

#[test]
fn r04_a_missing_segment_is_named_whichever_it_is() {
    let closed = long();
    let segments: Vec<String> = names(&closed.dir).into_iter().filter(|name| name.ends_with(".seg")).collect();
    assert!(segments.len() >= 5, "{segments:?}");
    for name in segments {
        let (file, aside) = (closed.dir.join(&name), closed.dir.join("aside"));
        std::fs::rename(&file, &aside).unwrap();
        let error = verify(&closed.dir).unwrap_err();
        assert!(matches!(&error, OpenError::Missing(named) if *named == file), "{name}: {error}");
        std::fs::rename(&aside, &file).unwrap();
    }
    let marks = closed.dir.join("marks");
    std::fs::remove_file(&marks).unwrap();
    let error = open(&closed.dir, &small()).unwrap_err();
    assert!(matches!(&error, OpenError::Missing(named) if *named == marks), "{error}");
}

#[test]
fn r04_a_missing_newest_segment_is_noticed_although_no_mark_counts_its_records() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    let marks = std::fs::read(dir.join("marks")).unwrap();
    fill(&log, 0, 35, 2000);
    copy(&dir, &image);
    std::fs::write(image.join("marks"), marks).unwrap();
    assert!(!records(&segment(&image, 2)).0.is_empty(), "nothing in there to be lost");
    std::fs::remove_file(segment(&image, 2)).unwrap();
    // It was listed before it was written to.
    let error = verify(&image).unwrap_err();
    assert!(matches!(&error, OpenError::Missing(named) if *named == segment(&image, 2)), "{error}");
}

#[test]
fn r04_an_older_copy_of_any_file_is_refused() {
    let home = real_disk();
    let (dir, old) = (home.path().join("log"), home.path().join("old"));
    let log = fresh(&dir, &small());
    fill(&log, 0, 70, 2000);
    log.close().unwrap();
    copy(&dir, &old);
    let (log, _) = open(&dir, &small()).unwrap();
    fill(&log, 70, 80, 2000);
    let model = Model::of(&log);
    log.close().unwrap();
    let mut refused = Vec::new();
    for name in names(&old) {
        let (older, newer) = (std::fs::read(old.join(&name)).unwrap(), std::fs::read(dir.join(&name)).unwrap());
        if older == newer {
            continue;
        }
        std::fs::write(dir.join(&name), older).unwrap();
        let error = verify(&dir).expect_err(&format!("an older {name} was not noticed"));
        match (name.as_str(), &error) {
            ("marks", OpenError::OldMarks { .. }) | (_, OpenError::LostTail { .. } | OpenError::Damaged { .. }) => {}
            (_, error) => panic!("{name}: {error}"),
        }
        std::fs::write(dir.join(&name), newer).unwrap();
        refused.push(name);
    }
    assert!(refused.contains(&"marks".to_owned()) && refused.len() >= 2, "{refused:?}");
    opens_as(&dir, &model);
}

#[test]
fn r04_older_marks_are_refused_when_a_segment_was_begun_that_they_do_not_list() {
    let home = real_disk();
    let (dir, image) = (home.path().join("log"), home.path().join("image"));
    let log = fresh(&dir, &small());
    let marks = std::fs::read(dir.join("marks")).unwrap();
    fill(&log, 0, 70, 2000);
    copy(&dir, &image);
    std::fs::write(image.join("marks"), marks).unwrap();
    let error = verify(&image).unwrap_err();
    assert!(matches!(error, OpenError::OldMarks { .. }), "{error}");
}

#[test]
fn r04_another_logs_files_are_refused_with_both_names() {
    let closed = long();
    let other = Identity { store: [8; 16], ..IDENTITY };
    let home = real_disk();
    let foreign = home.path().join("foreign");
    Log::create(&foreign, &other, &small()).unwrap();
    let (log, _) = Log::open(&foreign, &other, &small(), &Floor::default()).unwrap();
    fill(&log, 0, 130, 2000);
    log.close().unwrap();
    for name in names(&closed.dir) {
        let (file, whole) = (closed.dir.join(&name), std::fs::read(closed.dir.join(&name)).unwrap());
        std::fs::copy(foreign.join(&name), &file).unwrap();
        let error = open(&closed.dir, &small()).expect_err(&format!("a foreign {name}"));
        let OpenError::Foreign { file: named, found, expected } = error else { panic!("{name}: {error}") };
        assert_eq!((named, *found, *expected), (file.clone(), other, IDENTITY));
        std::fs::write(&file, whole).unwrap();
    }
    let error = open(&foreign, &small()).expect_err("a foreign directory");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    for mine in [
        Identity { cluster: [1; 16], ..IDENTITY },
        Identity { replica: 4, ..IDENTITY },
        Identity { epoch: 2, ..IDENTITY },
    ] {
        let error = Log::open(&closed.dir, &mine, &small(), &Floor::default()).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    }
    opens_as(&closed.dir, &closed.model);
}

#[test]
fn r04_segments_that_changed_places_are_refused() {
    let closed = long();
    let (two, three) = (segment(&closed.dir, 2), segment(&closed.dir, 3));
    let (a, b) = (std::fs::read(&two).unwrap(), std::fs::read(&three).unwrap());
    std::fs::write(&two, b).unwrap();
    std::fs::write(&three, a).unwrap();
    let error = verify(&closed.dir).unwrap_err();
    let OpenError::Damaged { file, damage, .. } = error else { panic!("{error}") };
    assert_eq!((file, damage), (two, Damage::WrongSegment { found: 3 }));
}

#[test]
fn r04_a_whole_directory_that_went_back_is_refused_by_what_others_know() {
    let home = real_disk();
    let (dir, old) = (home.path().join("log"), home.path().join("old"));
    let log = fresh(&dir, &small());
    fill(&log, 0, 10, 50);
    log.close().unwrap();
    copy(&dir, &old);
    let (log, survey) = open(&dir, &small()).unwrap();
    fill(&log, 10, 20, 50);
    write(&log, Write::Purge { upto: at(1, 12) });
    log.close().unwrap();
    let open_above = |dir: &Path, floor| Log::open(dir, &IDENTITY, &small(), &floor).map(|(_, survey)| survey.boot);
    // By itself it is whole.
    assert!(verify(&old).is_ok());
    for floor in [
        Floor { boot: survey.boot, committed: None },
        Floor { boot: 0, committed: Some(at(1, 15)) },
        Floor { boot: 0, committed: Some(at(2, 5)) },
    ] {
        let error = open_above(&old, floor).unwrap_err();
        assert!(matches!(error, OpenError::WentBack { .. }), "{error}");
    }
    assert!(open_above(&dir, Floor { boot: survey.boot, committed: Some(at(1, 19)) }).is_ok());
    assert!(open_above(&dir, Floor { boot: survey.boot + 1, committed: Some(at(1, 5)) }).is_ok(), "purged is held");
    assert!(open_above(&old, Floor { boot: 1, committed: Some(at(1, 9)) }).is_ok());
}

#[test]
fn r04_a_refused_directory_is_left_as_it_was() {
    let closed = long();
    let file = segment(&closed.dir, 2);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let contents =
        |dir: &Path| -> Vec<_> { names(dir).into_iter().map(|name| std::fs::read(dir.join(name)).unwrap()).collect() };
    let before = (names(&closed.dir), contents(&closed.dir));
    assert!(open(&closed.dir, &small()).is_err());
    assert!(verify(&closed.dir).is_err());
    assert!((names(&closed.dir), contents(&closed.dir)) == before);
}

#[test]
fn an_entry_that_rots_while_the_log_is_open_is_an_error_to_its_reader() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    fill(&log, 0, 5, 100);
    let file = segment(&dir, 1);
    let (offsets, _) = records(&file);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[offsets[3] as usize + 60] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(log.read(0..2, EVERYTHING).unwrap().len(), 2);
    let error = log.read(0..5, EVERYTHING).unwrap_err();
    let registry_log::ReadError::Damaged { file: named, offset, .. } = error else { panic!("{error}") };
    assert_eq!((named, offset), (file, offsets[3]));
    assert!(offsets[3] < SEGMENT);
}
