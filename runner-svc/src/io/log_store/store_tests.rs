use super::*;
use process_model::spec::Compression;
use runner_keeper::log::index::{Header, Kind, Record};
use runner_keeper::log::names::{index_of, rotated, with_suffix};
use std::fs;

fn index(path: &Path, retention: u64, quota: u64, compress: Compression, last: Option<Record>) {
    let header = Header { lineage: 1, base: 0, created: 1, retention, quota, compress };
    let mut bytes = header.encode().to_vec();
    bytes.extend(last.iter().flat_map(Record::encode));
    fs::write(index_of(path), bytes).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn micros_ago(seconds: i64) -> i64 {
    clock::wall().0 / 1000 - seconds * 1_000_000
}

#[test]
fn a_sweep_compresses_expires_and_cleans_up_and_leaves_alone_what_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let web = dir.path().join("web-1.stdout.log");
    let gone = dir.path().join("gone-1.stdout.log");
    fs::write(&web, "active\n").unwrap();
    index(&web, 0, 0, Compression::Zstd, None);
    let plain = rotated(&web, micros_ago(10));
    fs::write(&plain, "rotated\n".repeat(100)).unwrap();
    index(&plain, 0, 0, Compression::Gzip, None);
    // An instance that is gone for longer than its files are kept.
    let ended = Record { kind: Kind::Closed, time: micros_ago(100) * 1000, offset: 5 };
    fs::write(&gone, "gone\n").unwrap();
    index(&gone, 60, 0, Compression::Zstd, Some(ended));
    let expired = rotated(&gone, micros_ago(90));
    fs::write(&expired, "x").unwrap();
    index(&expired, 60, 0, Compression::Zstd, None);
    // Broken off, and somebody else's.
    fs::write(with_suffix(&plain, ".gz.tmp"), "half").unwrap();
    let foreign = rotated(&dir.path().join("other.log"), micros_ago(1_000_000));
    fs::write(&foreign, "no index, not ours").unwrap();
    let next = sweep(&BTreeSet::from([dir.path().to_owned()]), None, &CancellationToken::new());
    assert_eq!(next, AT_LEAST);
    let base = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected = vec![
        base(&web),
        base(&index_of(&web)),
        base(&index_of(&plain)),
        base(&with_suffix(&plain, ".gz")),
        base(&foreign),
    ];
    expected.sort();
    assert_eq!(names(dir.path()), expected);
}

#[test]
fn a_sweep_keeps_a_node_s_quota_and_says_when_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let web = dir.path().join("web-1.stdout.log");
    fs::write(&web, vec![b'x'; 10_000]).unwrap();
    index(&web, 100, 0, Compression::None, None);
    for seconds in [50, 40, 30] {
        let old = rotated(&web, micros_ago(seconds));
        fs::write(&old, vec![b'x'; 10_000]).unwrap();
        index(&old, 100, 0, Compression::None, None);
    }
    let next = sweep(&BTreeSet::from([dir.path().to_owned()]), Some(25_000), &CancellationToken::new());
    let files = names(dir.path());
    assert_eq!(files.len(), 4, "{files:?}");
    assert!((Duration::from_secs(40)..=Duration::from_secs(71)).contains(&next), "{next:?}");
}

#[tokio::test]
async fn what_was_rotated_while_no_runner_was_there_is_compressed_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let web = dir.path().join("web-1.stdout.log");
    let old = rotated(&web, micros_ago(10));
    fs::write(&old, "rotated\n").unwrap();
    index(&old, 0, 0, Compression::Zstd, None);
    let shutdown = CancellationToken::new();
    let _store = Store::start(dir.path(), None, shutdown.clone());
    let packed = with_suffix(&old, ".zst");
    tokio::time::timeout(Duration::from_secs(10), async {
        while !packed.exists() || old.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    shutdown.cancel();
}
