use super::*;

fn append(file: &mut JournalFile, image: &mut Image, cluster: &str) -> io::Result<()> {
    let record = Record::Joined(cluster.to_owned());
    image.apply(record.clone());
    file.append(&[record], false)
}

fn fill(dir: &Path, n: usize) -> Vec<u8> {
    let (mut file, mut image) = JournalFile::open(dir).unwrap();
    for i in 0..n {
        append(&mut file, &mut image, &format!("cluster {i}")).unwrap();
    }
    std::fs::read(dir.join(NAME)).unwrap()
}

fn cluster(dir: &Path) -> Option<String> {
    JournalFile::open(dir).unwrap().1.cluster
}

#[test]
fn what_was_appended_is_there_after_opening_anew() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3);
    assert_eq!(cluster(dir.path()).as_deref(), Some("cluster 2"));
}

#[test]
fn a_torn_tail_is_cut_off_and_the_next_record_follows_the_last_sound_one() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fill(dir.path(), 3);
    let path = dir.path().join(NAME);
    for torn in [&whole[..whole.len() - 3], &[&whole[..], &[0; 40][..]].concat()] {
        std::fs::write(&path, torn).unwrap();
        let (mut file, mut image) = JournalFile::open(dir.path()).unwrap();
        append(&mut file, &mut image, "next").unwrap();
        assert_eq!(cluster(dir.path()).as_deref(), Some("next"));
    }
}

#[test]
fn a_flipped_bit_before_the_last_record_is_damage_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fill(dir.path(), 3);
    let (_, size) = frame::first(&whole).unwrap();
    // The length is among them: it must not pass for a record that reaches beyond the end.
    for at in 0..size {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        std::fs::write(dir.path().join(NAME), &damaged).unwrap();
        let opened = JournalFile::open(dir.path());
        assert!(matches!(opened, Err(OpenError::Damaged { offset: 0, .. })), "byte {at}");
        assert_eq!(std::fs::read(dir.path().join(NAME)).unwrap(), damaged, "the evidence was changed");
    }
}

#[test]
fn a_sound_record_of_a_later_version_is_not_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = fill(dir.path(), 1);
    let body = [0x81, 0xa5, b'L', b'a', b't', b'e', b'r', 0x01];
    let mut header = [u32::try_from(body.len()).unwrap().to_le_bytes(), crc32fast::hash(&body).to_le_bytes()].concat();
    header.extend(crc32fast::hash(&header).to_le_bytes());
    bytes.extend(header.iter().chain(&body));
    std::fs::write(dir.path().join(NAME), &bytes).unwrap();
    assert!(matches!(JournalFile::open(dir.path()), Err(OpenError::Unknown { .. })));
}

#[test]
fn a_file_is_not_rewritten_for_being_opened() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 3);
    let inode = || std::fs::metadata(dir.path().join(NAME)).unwrap().ino();
    let before = inode();
    let (mut file, _) = JournalFile::open(dir.path()).unwrap();
    assert!(matches!(file.due(true), Due::Nothing));
    assert_eq!(inode(), before);
}

#[test]
fn nothing_is_appended_behind_a_gap_and_the_rewritten_file_has_it_all() {
    let dir = tempfile::tempdir().unwrap();
    let (mut file, mut image) = JournalFile::open(dir.path()).unwrap();
    append(&mut file, &mut image, "before").unwrap();
    let disk = std::mem::replace(&mut file.file, Arc::new(OpenOptions::new().write(true).open("/dev/full").unwrap()));
    assert!(append(&mut file, &mut image, "lost on the way").is_err());
    image.count_from(u64::MAX / 2);
    // There is room again, but a record is missing.
    file.file = disk;
    append(&mut file, &mut image, "after").unwrap();
    assert_eq!(cluster(dir.path()).as_deref(), Some("before"));
    assert!(matches!(file.due(true), Due::Rewrite));

    let rewriting = file.begin_rewriting(&image).unwrap();
    let written = rewriting.write();
    append(&mut file, &mut image, "meanwhile").unwrap();
    assert!(file.end_rewriting(written).unwrap(), "the gap is closed");
    append(&mut file, &mut image, "next").unwrap();
    let (_, read) = JournalFile::open(dir.path()).unwrap();
    assert_eq!((read.cluster.as_deref(), read.newest_seq), (Some("next"), u64::MAX / 2));
    assert!(matches!(file.due(true), Due::Nothing));
}

#[test]
fn what_is_appended_during_a_rewriting_is_kept_whether_it_succeeds_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let (mut file, mut image) = JournalFile::open(dir.path()).unwrap();
    for (written, name) in [(true, "one"), (false, "two")] {
        let rewriting = file.begin_rewriting(&image).unwrap();
        append(&mut file, &mut image, name).unwrap();
        let result = if written { rewriting.write() } else { Err(io::ErrorKind::StorageFull.into()) };
        assert_eq!(file.end_rewriting(result).is_ok(), written);
        assert_eq!(cluster(dir.path()).as_deref(), Some(name));
        assert!(!dir.path().join(ASIDE).exists());
    }
}
