//! Directories of format 1 become format 2: one that today's code makes, and
//! the one under `fixtures/v1`, which stays when that code is gone.
//! `PM_REMAKE_FIXTURES=1` makes that anew.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod cut;
mod place;
mod town;

use bytes::Bytes;
use pm_proto::v1;
use registry_log::{Limit, Settings};
use registry_quorum::ReplicaId;
use registry_svc::home::upgrade::{OldEntry, upgrade};
use registry_svc::home::{Found, Home, HomeError};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use town::{Town, seen, spec};
use uuid::Uuid;

const CLUSTER: Uuid = Uuid::from_u128(7);

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn a_copy() -> TempDir {
    let dir = place::real_disk();
    cut::copy_tree(&fixture(), dir.path());
    dir
}

fn settings() -> Settings {
    Settings { segment_bytes: 64 << 10, reserve_bytes: 0, tail_bytes: 0, notify: None }
}

/// As a test can see it again: its kind, then what it carries.
fn written(entry: &OldEntry) -> Bytes {
    match entry {
        OldEntry::Blank => Bytes::from_static(b"blank"),
        OldEntry::Members { voters, learners } => Bytes::from(format!("members {voters:?} {learners:?}")),
        OldEntry::Batch(bytes) => [b"batch ".as_slice(), bytes].concat().into(),
    }
}

/// What is in the log afterwards, in the order of the log.
fn upgraded(dir: &Path) -> Vec<Bytes> {
    let home = Home::lock(dir).unwrap();
    let old = std::fs::read(dir.join("log.redb")).or_else(|_| std::fs::read(dir.join("log.redb.old"))).unwrap();
    let identity = upgrade(&home, CLUSTER, &settings(), |entry| written(&entry)).unwrap();
    assert_eq!((identity.cluster, identity.epoch, identity.replica), (CLUSTER, 1, ReplicaId(1)));
    assert_eq!(home.look().unwrap(), Found::Founded(identity));
    // Once more: it is done already.
    assert_eq!(upgrade(&home, Uuid::nil(), &settings(), |_| panic!("nothing is left to do")).unwrap(), identity);
    assert!(!dir.join("log.redb").exists());
    assert_eq!(std::fs::read(dir.join("log.redb.old")).unwrap(), old);
    let (log, survey) = home.open_log(&identity, &settings(), None).unwrap();
    assert!(survey.vote.is_some_and(|vote| vote.committed && vote.voted_for == Some(1)), "{survey:?}");
    assert_eq!((survey.extent.first, survey.extent.purged), (Some(0), None));
    let everything = Limit { entries: usize::MAX, bytes: usize::MAX };
    let entries = log.read(0..u64::MAX, everything).unwrap();
    assert_eq!(entries.last().map(|entry| entry.at), survey.extent.last);
    log.close().unwrap();
    entries.into_iter().map(|entry| entry.payload).collect()
}

/// The orders that a batch gives, by name.
fn orders(payload: &Bytes) -> Vec<String> {
    let Some(batch) = payload.strip_prefix(b"batch ") else { return Vec::new() };
    let batch: serde_json::Value = rmp_serde::from_slice(batch).unwrap();
    let commands = batch["commands"].as_array().unwrap();
    commands.iter().map(|command| command["order"].as_object().unwrap().keys().next().unwrap().clone()).collect()
}

fn is_what_was_done(entries: &[Bytes]) {
    assert!(entries.iter().any(|entry| entry.starts_with(b"members {1: ")), "{entries:?}");
    assert!(entries.contains(&Bytes::from_static(b"blank")));
    let orders: Vec<String> = entries.iter().flat_map(orders).collect();
    let count = |name: &str| orders.iter().filter(|order| *order == name).count();
    assert_eq!((count("apply"), count("delete"), count("configure")), (3, 1, 1), "{orders:?}");
    for name in ["node_connected", "report", "switch"] {
        assert!(count(name) >= 1, "no {name} in {orders:?}");
    }
    let batch = entries.iter().find(|entry| entry.windows(3).any(|bytes| bytes == b"web"));
    assert!(batch.is_some(), "no batch names what was applied");
}

/// A directory as today's code makes it: applies, a delete, a node with
/// reports, an action.
async fn made_today() -> TempDir {
    let town = Town::open().await;
    let mut runner = town.runner("n1").await;
    for (name, instances) in [("web", 2), ("db", 1), ("web", 3)] {
        town.apply(vec![spec(name, instances)]).await;
    }
    runner.report(1, vec![seen("db-1", 1, "instance.running", v1::InstancePhase::Running)], vec![]).await;
    let selectors = vec!["web".to_owned()];
    let delete = v1::DeleteProcessesRequest { selectors, ..Default::default() };
    town.processes().delete_processes(delete).await.unwrap();
    let restart = v1::RestartProcessesRequest { selectors: vec!["db".into()], ..Default::default() };
    town.processes().restart_processes(restart).await.unwrap();
    runner.action().await;
    drop(runner);
    town.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_todays_code_is_upgraded() {
    let dir = made_today().await;
    if std::env::var_os("PM_REMAKE_FIXTURES").is_some() {
        let _ = std::fs::remove_dir_all(fixture());
        cut::copy_tree(dir.path(), &fixture());
    }
    let entries = tokio::task::spawn_blocking(move || upgraded(dir.path())).await.unwrap();
    is_what_was_done(&entries);
    for entry in entries.iter().filter_map(|entry| entry.strip_prefix(b"batch ")) {
        // Not a byte more or less than what was a batch.
        let batch: registry_svc::io::type_config::Batch = rmp_serde::from_slice(entry).unwrap();
        assert_eq!(rmp_serde::to_vec_named(&batch).unwrap(), entry);
    }
}

#[test]
fn the_fixture_is_upgraded_and_keeps_its_rows() {
    let dir = a_copy();
    let rows = cut::tree(&dir.path().join("state"));
    is_what_was_done(&upgraded(dir.path()));
    assert!(cut::tree(&dir.path().join("state")) == rows && !rows.is_empty());
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn a_registry_in_its_own_process() {
    let home = Home::lock(&cut::dir()).unwrap();
    upgrade(&home, CLUSTER, &settings(), |entry| written(&entry)).unwrap();
}

const STEPS: &[&str] = &[
    "home.begun:1",
    "create.segment:1",
    "create.named:1",
    "open.marked:1",
    "append.before:1",
    "group.torn:2",
    "append.after:1",
    "home.copied:1",
    "home.gone:1",
    "home.log:1",
    "home.mark.aside:1",
    "home.mark.named:1",
    "home.mark:1",
];

#[test]
fn an_upgrade_that_is_cut_off_at_any_step_begins_anew() {
    let whole = upgraded(a_copy().path());
    for step in STEPS {
        let dir = a_copy();
        assert!(cut::cut_off(dir.path(), step), "{step} was not reached");
        let found = Home::lock(dir.path()).unwrap().look();
        assert!(matches!(found, Ok(Found::Founded(_)) | Err(HomeError::OldFormat(_))), "{step}: {found:?}");
        let again = a_copy();
        assert!(cut::cut_off(again.path(), step));
        cut::cut_off(again.path(), "home.gone:1");
        for dir in [dir, again] {
            assert_eq!(upgraded(dir.path()), whole, "{step}");
            assert!(!dir.path().join("log.upgrade").exists(), "{step}");
        }
    }
}

#[test]
fn a_log_of_format_1_that_is_damaged_is_refused_unchanged() {
    let file = std::fs::read(fixture().join("log.redb")).unwrap();
    // Most of the file is empty: flips go where something is written.
    let used: Vec<usize> = (0..file.len()).filter(|at| file[*at] != 0).collect();
    let mut refused = 0;
    let whole = upgraded(a_copy().path());
    for (n, at) in used.iter().step_by(used.len() / 200).copied().enumerate() {
        let dir = a_copy();
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (n % 8);
        std::fs::write(dir.path().join("log.redb"), damaged).unwrap();
        let home = Home::lock(dir.path()).unwrap();
        let before = cut::tree(dir.path());
        match upgrade(&home, CLUSTER, &settings(), |entry| written(&entry)) {
            Ok(_) => {
                drop(home);
                assert_eq!(upgraded(dir.path()), whole, "byte {at} was lost without an error");
            }
            Err(error) => {
                refused += 1;
                assert!(matches!(error, HomeError::OldLogDamaged { .. }) && error.exit_code() == 65, "{error}");
                assert!(error.to_string().contains("--replaces 1"), "{error}");
                assert!(cut::tree(dir.path()) == before, "the refusal changed something");
            }
        }
    }
    // The rest hit pages that no commit refers to any more.
    assert!(refused > 10, "{refused} flips hit anything; the test does not test");
}

#[test]
fn a_log_of_format_1_that_is_cut_short_foreign_or_missing_is_refused() {
    let refused = |damage: fn(&Path)| {
        let dir = a_copy();
        damage(&dir.path().join("log.redb"));
        let home = Home::lock(dir.path()).unwrap();
        let before = cut::tree(dir.path());
        let error = upgrade(&home, CLUSTER, &settings(), |entry| written(&entry)).unwrap_err();
        assert!(cut::tree(dir.path()) == before, "the refusal changed something");
        assert_eq!(error.exit_code(), 65, "{error}");
        error.to_string()
    };
    for cut in [
        |file: &Path| std::fs::write(file, "").unwrap(),
        |file: &Path| std::fs::write(file, [0; 8192]).unwrap(),
        |file: &Path| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        },
    ] {
        let error = refused(cut);
        assert!(error.contains("log.redb cannot be upgraded"), "{error}");
    }
    let error = refused(|file| std::fs::remove_file(file).unwrap());
    assert!(error.contains("log.redb is missing"), "{error}");
    let error = refused(|file| {
        let mark = file.with_file_name("identity");
        let body = format!("format=1\nnode=1\nstore={}\n", Uuid::nil());
        std::fs::write(mark, format!("{body}crc={:08x}\n", crc32fast::hash(body.as_bytes()))).unwrap();
    });
    assert!(error.contains("not the log that this directory was founded with"), "{error}");
}
