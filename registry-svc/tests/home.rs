//! The directory of a replica: founded whole or not at all, and refused
//! unchanged when it is not what it should be.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod cut;
mod place;

use bytes::Bytes;
use registry_log::{Entry, Position, Settings, Survey, Vote, Write};
use registry_quorum::ReplicaId;
use registry_quorum::founding::{Founder, FoundingPlan};
use registry_svc::home::{Found, Home, HomeError, Identity};
use std::path::Path;
use std::sync::Barrier;
use tempfile::TempDir;
use uuid::Uuid;

const CLUSTER: Uuid = Uuid::from_u128(7);
const STORE: Uuid = Uuid::from_u128(9);

fn settings() -> Settings {
    Settings { segment_bytes: 64 << 10, reserve_bytes: 0, tail_bytes: 0, notify: None }
}

fn at(index: u64) -> Position {
    Position { term: 1, index }
}

fn lock(dir: &Path) -> Home {
    Home::lock(dir).unwrap()
}

fn identity(store: Uuid) -> Identity {
    Identity::new(CLUSTER, 1, ReplicaId(3), store)
}

fn plan(store: Uuid) -> FoundingPlan {
    let founder = |n: u64, store: Uuid| {
        (ReplicaId(n), Founder { address: format!("http://r{n}:7400"), store: store.to_string() })
    };
    let founders = [founder(1, Uuid::from_u128(1)), founder(2, Uuid::from_u128(2)), founder(3, store)].into();
    FoundingPlan { cluster: CLUSTER.to_string(), founders }
}

/// Opens the log, writes these entries and a vote, closes it.
fn write(home: &Home, identity: &Identity, entries: std::ops::Range<u64>) -> Survey {
    let (log, survey) = home.open_log(identity, &settings(), None).unwrap();
    for index in entries {
        log.submit(Write::Append(vec![Entry { at: at(index), payload: Bytes::from(vec![7; 500]) }]), drop).unwrap();
    }
    log.submit(Write::Vote(Vote { term: 2, voted_for: Some(3), committed: false }), drop).unwrap();
    log.close().unwrap();
    survey
}

/// A founded directory with entries 0 to 9, opened twice.
fn founded() -> (TempDir, Identity) {
    let dir = place::real_disk();
    let home = lock(dir.path());
    let identity = identity(STORE);
    home.found(&identity, &settings()).unwrap();
    write(&home, &identity, 0..5);
    write(&home, &identity, 5..10);
    (dir, identity)
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn a_registry_in_its_own_process() {
    let home = lock(&cut::dir());
    let store = home.store().unwrap();
    home.plan(&plan(store)).unwrap();
    home.found(&identity(store), &settings()).unwrap();
    write(&home, &identity(store), 0..5);
}

/// All steps from nothing to an open log. `home.gone` is passed only when an
/// earlier founding has left a log.
const STEPS: &[&str] = &[
    "home.plan.aside:1",
    "home.plan.named:1",
    "home.plan.aside:2",
    "home.plan.named:2",
    "home.begun:1",
    "create.segment:1",
    "create.marks:1",
    "create.named:1",
    "home.log:1",
    "home.mark.aside:1",
    "home.mark.named:1",
    "home.mark:1",
    "open.marked:1",
    "home.mark.aside:2",
    "home.mark.named:2",
];

#[test]
fn a_founding_that_is_cut_off_at_any_step_is_gone_on_with_or_begun_anew() {
    for step in STEPS {
        let dir = place::real_disk();
        assert!(cut::cut_off(dir.path(), step), "{step} was not reached");
        is_whole_or_nothing(dir.path(), step);
        // And once more, from what the first try has left.
        let dir = place::real_disk();
        assert!(cut::cut_off(dir.path(), step), "{step} was not reached");
        for again in STEPS.iter().chain([&"home.gone:1"]) {
            let copy = place::real_disk();
            cut::copy_tree(dir.path(), copy.path());
            cut::cut_off(copy.path(), again);
            is_whole_or_nothing(copy.path(), &format!("{step}, then {again}"));
        }
    }
}

#[test]
fn the_log_of_a_founding_that_was_cut_off_goes_before_a_new_one_is_made() {
    let dir = place::real_disk();
    assert!(cut::cut_off(dir.path(), "home.log:1"));
    assert!(cut::cut_off(dir.path(), "home.gone:1"), "the log of the first try was kept");
    is_whole_or_nothing(dir.path(), "home.gone");
}

/// Looks at what was left, goes on, and finds a replica.
fn is_whole_or_nothing(dir: &Path, step: &str) {
    let home = lock(dir);
    let found = home.look().unwrap_or_else(|error| panic!("{step}: {error}"));
    let store = home.store().unwrap();
    match &found {
        Found::Fresh => {}
        Found::Planned(standing) => assert_eq!(*standing, plan(store), "{step}"),
        Found::Founded(standing) => assert_eq!((standing.store, standing.replica), (store, ReplicaId(3)), "{step}"),
    }
    if !matches!(found, Found::Founded(_)) {
        home.plan(&plan(store)).unwrap();
        home.found(&identity(store), &settings()).unwrap();
    }
    // Repeating it is harmless.
    home.found(&identity(store), &settings()).unwrap_or_else(|error| panic!("{step}: {error}"));
    let (log, survey) = home.open_log(&identity(store), &settings(), None).unwrap_or_else(|e| panic!("{step}: {e}"));
    assert!(survey.boot >= 1 && log.extent().purged.is_none(), "{step}");
    log.close().unwrap();
    let names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for left in ["founding", "log.gone", "log.making"] {
        assert!(!names.iter().any(|name| name == left), "{step}: {left} is left in {names:?}");
    }
    assert!(matches!(home.look(), Ok(Found::Founded(now)) if now.boot == survey.boot), "{step}");
}

#[test]
fn a_directory_is_locked_by_one_at_a_time() {
    let dir = place::real_disk();
    let home = lock(dir.path());
    let error = Home::lock(dir.path()).unwrap_err();
    assert!(matches!(&error, HomeError::InUse(named) if *named == dir.path().canonicalize().unwrap()));
    assert_eq!(error.exit_code(), 75);
    home.unlock();
    assert!(Home::lock(dir.path()).is_ok());
}

#[test]
fn a_fresh_directory_keeps_its_number_and_the_plan_that_it_agreed_to() {
    let dir = place::real_disk();
    let home = lock(dir.path());
    assert_eq!(home.look().unwrap(), Found::Fresh);
    let store = home.store().unwrap();
    assert_eq!(home.look().unwrap(), Found::Fresh);
    drop(home);
    let home = lock(dir.path());
    assert_eq!(home.store().unwrap(), store);
    home.plan(&plan(store)).unwrap();
    home.plan(&plan(store)).unwrap();
    assert_eq!(home.look().unwrap(), Found::Planned(plan(store)));
    assert_eq!(home.store().unwrap(), store);
    let other = FoundingPlan { cluster: Uuid::nil().to_string(), ..plan(store) };
    let error = home.plan(&other).unwrap_err();
    assert!(matches!(error, HomeError::OtherPlan(_)) && error.exit_code() == 78, "{error}");
    for unplanned in [
        identity(STORE),
        Identity::new(Uuid::nil(), 1, ReplicaId(3), store),
        Identity::new(CLUSTER, 1, ReplicaId(2), store),
    ] {
        let error = home.found(&unplanned, &settings()).unwrap_err();
        assert!(matches!(error, HomeError::NotPlanned { .. }) && error.exit_code() == 78, "{error}");
    }
    let error = home.open_log(&identity(store), &settings(), None).unwrap_err();
    assert!(matches!(error, HomeError::NotFounded(_)) && error.exit_code() == 78, "{error}");
    home.found(&identity(store), &settings()).unwrap();
    assert!(matches!(home.look().unwrap(), Found::Founded(found) if found == identity(store)));
    home.plan(&plan(store)).unwrap();
    let error = home.plan(&other).unwrap_err();
    assert!(matches!(error, HomeError::Foreign { .. }) && error.exit_code() == 78, "{error}");
}

#[test]
fn of_two_plans_that_come_at_once_one_stands_and_the_same_one_twice_is_none_too_many() {
    for round in 0..40 {
        let dir = place::real_disk();
        let home = lock(dir.path());
        let store = home.store().unwrap();
        let other = if round % 2 == 0 { CLUSTER } else { Uuid::nil() };
        let plans = [plan(store), FoundingPlan { cluster: other.to_string(), ..plan(store) }];
        let together = Barrier::new(plans.len());
        let written: Vec<Result<(), HomeError>> = std::thread::scope(|scope| {
            let write = |plan| {
                together.wait();
                home.plan(plan)
            };
            let writers = plans.each_ref().map(|plan| scope.spawn(move || write(plan)));
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let Found::Planned(standing) = home.look().unwrap() else { panic!("no plan stands") };
        for (plan, written) in plans.iter().zip(written) {
            match written {
                Ok(()) => assert_eq!(standing, *plan),
                Err(error) => assert!(matches!(error, HomeError::OtherPlan(_)) && standing != *plan, "{error}"),
            }
        }
    }
}

/// What is wrong with a directory, how it was made so, and what it is refused
/// with: the code, and words of the message.
struct Wrong {
    what: &'static str,
    damage: fn(&Path),
    applied: Option<u64>,
    code: u8,
    words: &'static [&'static str],
}

fn remove(path: &Path) {
    if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Another replica of the same cluster, with a log of its own.
fn another(store: Uuid, replica: u64) -> TempDir {
    let dir = place::real_disk();
    let home = lock(dir.path());
    let identity = Identity::new(CLUSTER, 1, ReplicaId(replica), store);
    home.found(&identity, &settings()).unwrap();
    write(&home, &identity, 0..10);
    write(&home, &identity, 10..20);
    dir
}

const BACK: &str = "--join as a new replica and then run `pmctl cluster join NEW --replaces 3`";
const BACK_OLD: &str = "--join as a new replica and then run `pmctl cluster join NEW --replaces OLD`";

const WRONGS: &[Wrong] = &[
    Wrong {
        what: "mark without log",
        damage: |dir| remove(&dir.join("log")),
        applied: None,
        code: 65,
        words: &["/log is missing", BACK],
    },
    Wrong {
        what: "log without mark",
        damage: |dir| remove(&dir.join("identity")),
        applied: None,
        code: 65,
        words: &["/identity is missing", "/log is there", BACK_OLD],
    },
    Wrong {
        what: "state without mark and log",
        damage: |dir| {
            remove(&dir.join("identity"));
            remove(&dir.join("log"));
            std::fs::create_dir(dir.join("state")).unwrap();
        },
        applied: None,
        code: 65,
        words: &["/identity is missing", "/state is there", BACK_OLD],
    },
    Wrong {
        what: "damaged mark",
        damage: |dir| flip(&dir.join("identity"), 20),
        applied: None,
        code: 65,
        words: &["/identity is damaged", BACK_OLD],
    },
    Wrong {
        what: "empty mark",
        damage: |dir| std::fs::write(dir.join("identity"), "").unwrap(),
        applied: None,
        code: 65,
        words: &["/identity is damaged", BACK_OLD],
    },
    Wrong {
        what: "mark of a later version",
        damage: |dir| {
            let body = "format=3\nsomething=else\n";
            let text = format!("{body}crc={:08x}\n", crc32fast::hash(body.as_bytes()));
            std::fs::write(dir.join("identity"), text).unwrap();
        },
        applied: None,
        code: 78,
        words: &["/identity has format 3", "a later one"],
    },
    Wrong {
        what: "foreign log",
        damage: |dir| {
            remove(&dir.join("log"));
            cut::copy_tree(&another(Uuid::from_u128(5), 3).path().join("log"), &dir.join("log"));
        },
        applied: None,
        code: 78,
        words: &["/log/marks belongs to replica 3", "store 00000000-0000-0000-0000-000000000005", BACK],
    },
    Wrong {
        what: "another replica's directory",
        damage: |dir| {
            for name in ["log", "identity"] {
                remove(&dir.join(name));
            }
            let other = another(Uuid::from_u128(5), 2);
            cut::copy_tree(&other.path().join("log"), &dir.join("log"));
            std::fs::copy(other.path().join("identity"), dir.join("identity")).unwrap();
        },
        applied: None,
        code: 78,
        words: &["/identity belongs to replica 2", "not to replica 3", BACK],
    },
    Wrong {
        what: "damaged log",
        damage: |dir| flip(&dir.join("log/00000001.seg"), 5000),
        applied: None,
        code: 65,
        words: &["/log/00000001.seg is damaged at offset", BACK],
    },
    Wrong {
        what: "log without its marks",
        damage: |dir| remove(&dir.join("log/marks")),
        applied: None,
        code: 65,
        words: &["/log/marks is missing", BACK],
    },
    Wrong {
        what: "log without a segment",
        damage: |dir| remove(&dir.join("log/00000001.seg")),
        applied: None,
        code: 65,
        words: &["/log/00000001.seg is missing", BACK],
    },
    Wrong {
        what: "zeroed end of the log",
        damage: |dir| {
            let file = dir.join("log/00000001.seg");
            let mut bytes = std::fs::read(&file).unwrap();
            bytes[6000..].fill(0);
            std::fs::write(file, bytes).unwrap();
        },
        applied: None,
        code: 65,
        words: &["/log/00000001.seg ends at offset", BACK],
    },
    Wrong {
        what: "older copy of the log",
        damage: |dir| {
            let copy = place::real_disk();
            cut::copy_tree(&dir.join("log"), copy.path());
            write(&lock(dir), &identity(STORE), 10..12);
            remove(&dir.join("log"));
            cut::copy_tree(copy.path(), &dir.join("log"));
        },
        applied: None,
        code: 65,
        words: &["/log is an older copy, opened 2 times where 3 are known", BACK],
    },
    Wrong {
        what: "state ahead of the log",
        damage: |_| {},
        applied: Some(10),
        code: 65,
        words: &["/log ends at entry 9@1, but 10@1 was applied", BACK],
    },
    Wrong {
        what: "format 1",
        damage: |dir| {
            remove(&dir.join("log"));
            let body = "format=1\nnode=3\nstore=abc\n";
            let text = format!("{body}crc={:08x}\n", crc32fast::hash(body.as_bytes()));
            std::fs::write(dir.join("identity"), text).unwrap();
            std::fs::write(dir.join("log.redb"), "a log").unwrap();
        },
        applied: None,
        code: 78,
        words: &["has format 1", "empty one"],
    },
    Wrong {
        what: "damaged founding plan",
        damage: |dir| {
            remove(&dir.join("log"));
            remove(&dir.join("identity"));
            std::fs::write(dir.join("founding"), "format=1\n").unwrap();
        },
        applied: None,
        code: 65,
        words: &["/founding is damaged", "empty the directories of all founders"],
    },
];

#[test]
fn r04_a_directory_that_is_not_as_it_should_be_is_refused_unchanged_with_the_way_back_in() {
    for Wrong { what, damage, applied, code, words } in WRONGS {
        let (dir, identity) = founded();
        damage(dir.path());
        let home = lock(dir.path());
        let before = cut::tree(dir.path());
        let applied = applied.map(at);
        let error = home.open_log(&identity, &settings(), applied).map(|_| ()).expect_err(what);
        let text = error.to_string();
        for word in *words {
            assert!(text.contains(word), "{what}: {text}");
        }
        assert!(!text.contains('\n'), "{what}: more than a sentence: {text}");
        assert_eq!(error.exit_code(), *code, "{what}: {text}");
        assert!(cut::tree(dir.path()) == before, "{what}: the refusal changed something");
        // Whoever only looks or wants to found it anew does no harm either.
        let _ = home.look();
        assert!(home.found(&identity, &settings()).is_err() || matches!(home.look(), Ok(Found::Founded(_))));
        assert!(cut::tree(dir.path()) == before, "{what}: looking or founding changed something");
    }
}

#[test]
fn what_the_state_got_out_of_the_log_is_there_and_opens() {
    let (dir, identity) = founded();
    let home = lock(dir.path());
    for applied in [0, 5, 9] {
        let (log, survey) = home.open_log(&identity, &settings(), Some(at(applied))).unwrap();
        assert_eq!(survey.extent.last, Some(at(9)));
        log.close().unwrap();
    }
    identity.must_be(ReplicaId(3)).unwrap();
    let error = identity.must_be(ReplicaId(4)).unwrap_err();
    assert_eq!(error.exit_code(), 78, "{error}");
}
