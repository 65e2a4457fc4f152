//! Real children of the test's thread stand for orphans.

use super::*;
use rustix::process::{Pid, Resource, Rlimit, WaitId, WaitIdOptions, prlimit, waitid};
use std::fs::File;
use std::process::{Child, Command};

const NOBODY: BTreeMap<u32, u64> = BTreeMap::new();

fn marks() -> Marks {
    Marks::of(&File::open("/dev/null").unwrap()).unwrap()
}

/// A process that tells nothing about itself but by its mark.
fn bare(run: Option<u64>) -> Child {
    let child = Command::new("setsid").args(["sleep", "1000"]).env_clear().spawn().unwrap();
    if let Some(mark) = run.and_then(|run| marks().mark(run)) {
        let limit = Rlimit { current: Some(mark), maximum: Some(mark) };
        prlimit(Some(Pid::from_child(&child)), Resource::Locks, limit).unwrap();
    }
    child
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    waitid(WaitId::Pid(Pid::from_child(child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
}

fn candidate(run: u64, main: u32, start_time: u64, instance: &str) -> Candidate<'_> {
    Candidate { run, main, start_time, instance }
}

#[test]
fn an_orphan_without_session_and_environment_is_known_by_its_mark() {
    let (mut of_7, mut of_8) = (bare(Some(7)), bare(Some(8)));
    let mut orphans = Orphans::new(marks());
    let runs = [candidate(7, 1, 0, "web-1"), candidate(8, 1, 0, "web-2")];
    let survey = orphans.survey(&NOBODY, runs.into_iter(), |run| run == 7);
    assert_eq!(survey.of_run, BTreeMap::from([(7, vec![of_7.id()])]));
    assert!(survey.sure && !survey.is_empty(7));
    // Ended and not collected: still on the list, and nobody any more.
    end(&mut of_7);
    assert!(orphans.survey(&NOBODY, runs.into_iter(), |run| run == 7).is_empty(7));
    end(&mut of_8);
    for mut child in [of_7, of_8] {
        child.wait().unwrap();
        orphans.collected(child.id());
    }
    assert!(orphans.owners.is_empty());
}

#[test]
fn main_processes_are_no_orphans() {
    let mut main = bare(Some(7));
    let mains = BTreeMap::from([(main.id(), 7)]);
    let survey = Orphans::new(marks()).survey(&mains, [candidate(7, 1, 0, "web-1")].into_iter(), |_| true);
    assert_eq!(survey, Survey { sure: true, ..Survey::default() });
    end(&mut main);
    main.wait().unwrap();
}

#[test]
fn a_list_that_cannot_be_read_is_not_an_empty_one() {
    let mut orphans = Orphans::new(marks());
    orphans.children = OwnChildren::unreadable();
    assert!(!orphans.survey(&NOBODY, std::iter::empty(), |_| true).is_empty(7));
}

#[test]
fn an_unmarked_orphan_is_guessed_by_session_then_environment_then_for_lack_of_others() {
    let stat = Stat::of_session(50, 100);
    let by = |instance, runs: &[Candidate<'_>]| guess(stat, instance, runs.iter().copied());
    let (old, session) = (candidate(1, 49, 90, "web-1"), candidate(2, 50, 90, "web-2"));
    let (newer, younger) = (candidate(3, 48, 95, "web-1"), candidate(4, 47, 101, "web-1"));
    assert_eq!(by(Some("web-1"), &[old, session, newer]), Owner::Run(2));
    assert_eq!(by(Some("web-1"), &[old, newer, younger]), Owner::Run(3), "the newest that is not younger than it");
    assert_eq!(by(None, &[old, younger]), Owner::Run(1));
    assert_eq!(by(None, &[old, newer]), Owner::Unknown);
    assert_eq!(by(None, &[younger]), Owner::Unknown);
}

#[test]
fn an_orphan_of_nobody_is_a_stranger_until_it_can_be_told() {
    let mut child = bare(None);
    let mut orphans = Orphans::new(marks());
    let two = [candidate(7, 1, 0, "web-1"), candidate(8, 1, 0, "web-2")];
    let survey = orphans.survey(&NOBODY, two.into_iter(), |_| true);
    assert_eq!(survey, Survey { strangers: vec![child.id()], sure: true, ..Survey::default() });
    let survey = orphans.survey(&NOBODY, two[..1].iter().copied(), |_| true);
    assert_eq!(survey.of_run, BTreeMap::from([(7, vec![child.id()])]));
    end(&mut child);
    child.wait().unwrap();
}
