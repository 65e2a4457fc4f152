//! openraft's own suite for storage, on a real disk, and what the suite does
//! not ask: that damage is refused.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod place;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, RaftLogReader, StorageError, Vote};
use registry_consensus::Applied;
use registry_svc::io::log::{LogError, LogStore};
use registry_svc::io::state_machine::StateMachine;
use registry_svc::io::state_store::StateStore;
use registry_svc::io::type_config::TypeConfig;
use registry_svc::machine::{MachineNumbers, MemoryMachine, Pace, Places};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

struct OnDisk;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<u64>> {
        let dir = place::real_disk();
        let log = LogStore::create(&dir.path().join("log.redb"), "test").unwrap();
        let places = Places { state: dir.path().join("state"), snapshots: dir.path().join("snapshots") };
        let machine = MemoryMachine::open(&places, Pace::default(), MachineNumbers::default()).unwrap();
        let state_machine = StateMachine::new(Arc::new(machine), &dir.path().join("leaders")).unwrap();
        Ok((dir, log, state_machine))
    }
}

#[test]
fn openrafts_suite_passes() {
    Suite::test_all(OnDisk).unwrap();
}

fn entry(index: u64) -> Entry<TypeConfig> {
    Entry { log_id: LogId::new(CommittedLeaderId::new(1, 1), index), payload: EntryPayload::Blank }
}

async fn a_log(path: &Path, entries: u64) {
    let mut log = LogStore::create(path, "test").unwrap();
    log.blocking_append((0..entries).map(entry)).await.unwrap();
    log.save_vote(&Vote::new(7, 1)).await.unwrap();
    log.close();
}

/// What an undamaged log of `a_log` shows.
async fn is_whole(mut log: LogStore, entries: u64) -> bool {
    let read = log.try_get_log_entries(..).await;
    let vote = log.read_vote().await;
    read.is_ok_and(|read| read == (0..entries).map(entry).collect::<Vec<_>>()) && vote == Ok(Some(Vote::new(7, 1)))
}

#[tokio::test]
async fn entries_and_vote_are_there_after_closing_and_opening() {
    let dir = place::real_disk();
    let path = dir.path().join("log.redb");
    a_log(&path, 100).await;
    let (log, extent) = LogStore::open(&path, "test").unwrap();
    assert_eq!(extent.last.unwrap().index, 99);
    assert!(matches!(LogStore::open(&path, "test"), Err(LogError::Redb(_))), "one at a time");
    assert!(is_whole(log, 100).await);
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_refused_or_harmless_but_never_a_loss() {
    let dir = place::real_disk();
    let (path, copy) = (dir.path().join("log.redb"), dir.path().join("copy.redb"));
    a_log(&path, 200).await;
    let bytes = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for n in 0..120usize {
        // Spread over the file, always another bit.
        let at = (n * 7919 * 64 + n * 31) % bytes.len();
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (n % 8);
        std::fs::write(&copy, damaged).unwrap();
        let opened = std::panic::catch_unwind(|| LogStore::open(&copy, "test"));
        match opened {
            Ok(Ok((log, _))) => assert!(is_whole(log, 200).await, "byte {at} was lost without an error"),
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "no flip hit anything; the test does not test");
}

#[tokio::test]
async fn a_truncated_log_is_refused() {
    let dir = place::real_disk();
    let path = dir.path().join("log.redb");
    a_log(&path, 200).await;
    let length = std::fs::metadata(&path).unwrap().len();
    for part in [3, 2, 1] {
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length * part / 4).unwrap();
        let opened = std::panic::catch_unwind(|| LogStore::open(&path, "test"));
        assert!(!matches!(opened, Ok(Ok(_))), "cut to {part}/4");
    }
}

#[tokio::test]
async fn an_entry_in_the_place_of_another_is_noticed_although_redb_is_content() {
    use redb::{Database, TableDefinition};
    const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
    let dir = place::real_disk();
    let path = dir.path().join("log.redb");
    a_log(&path, 10).await;
    {
        let db = Database::open(&path).unwrap();
        let write = db.begin_write().unwrap();
        {
            use redb::ReadableTable;
            let mut table = write.open_table(LOG).unwrap();
            let other = table.get(3).unwrap().unwrap().value().to_vec();
            table.insert(4, other.as_slice()).unwrap();
        }
        write.commit().unwrap();
    }
    assert!(matches!(LogStore::open(&path, "test"), Err(LogError::BadFrame { .. })));
}

#[tokio::test]
async fn a_state_store_that_lost_rows_says_so() {
    let dir = place::real_disk();
    let path = dir.path().join("state");
    let store = StateStore::open(&path).unwrap();
    let state = place::a_state();
    store.load().unwrap();
    store.replace(state.rows(), &Applied::default()).unwrap();
    assert_eq!(store.load().unwrap().0, state);
    store.flush().unwrap();
    store.close();
    {
        let db = sled::open(&path).unwrap();
        let (key, _) = db.range([1u8]..).next().unwrap().unwrap();
        db.remove(key).unwrap();
        db.flush().unwrap();
    }
    let error = StateStore::open(&path).unwrap().load().unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_row_longer_than_sleds_limit_is_stored_whole() {
    let dir = place::real_disk();
    let path = dir.path().join("state");
    let state = place::a_state_with_text(250_000);
    let store = StateStore::open(&path).unwrap();
    store.load().unwrap();
    store.replace(state.rows(), &Applied::default()).unwrap();
    store.close();
    assert_eq!(StateStore::open(&path).unwrap().load().unwrap().0, state);
    assert!(!path.join("blobs").read_dir().is_ok_and(|mut d| d.next().is_some()), "sled made a file for a value");
}
