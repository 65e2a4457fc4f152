use super::*;
use process_model::spec::Command;
use process_model::{ActionState, ExitStatus, ProcessSpec};
use std::time::Duration;

/// A journal without its thread: the test does that work, when it wants to.
fn open(dir: &Path) -> (Journal, std::sync::mpsc::Receiver<()>) {
    let (file, image) = JournalFile::open(dir).unwrap();
    let (scribe, woken) = std::sync::mpsc::sync_channel(1);
    let newest = watch::Sender::new(image.newest_seq);
    let inner = Arc::new(Mutex::new(Inner { file, image }));
    (Journal { inner, scribe, newest, confirmed: watch::Sender::new(0) }, woken)
}

fn done(journal: &Journal, id: &str) -> u64 {
    let state = ActionState::Done;
    journal.action(ActionReport { action: id.into(), state, message: String::new(), time: clock::wall() });
    *journal.news().borrow()
}

fn assignment(name: &str) -> Arc<Assignment> {
    let spec = ProcessSpec::new(name.parse().unwrap(), Command::Shell("true".into()));
    Arc::new(Assignment {
        instance: InstanceId::new(spec.name.clone(), 1),
        generation: 1,
        spec: Arc::new(spec),
        wanted: true,
        restart_count: 0,
        traceparent: String::new(),
        fencing_token: 0,
        plan: None,
    })
}

#[test]
fn numbers_never_go_back_when_a_journal_is_wiped_or_restored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (journal, _woken) = open(dir.path());
    done(&journal, "a");
    let backup = std::fs::read(&path).unwrap();
    let newest = done(&journal, "b");

    std::fs::write(&path, &backup).unwrap();
    let restored = done(&open(dir.path()).0, "c");
    assert!(restored > newest, "{restored} after {newest}");

    std::fs::remove_file(&path).unwrap();
    let wiped = done(&open(dir.path()).0, "d");
    assert!(wiped > restored, "{wiped} after {restored}");
}

#[test]
fn a_report_has_the_same_number_after_opening_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _woken) = open(dir.path());
    done(&journal, "a");
    journal.gone(&"web-1".parse().unwrap(), 0);
    let before = journal.unconfirmed(10);
    assert_eq!(before.len(), 2);
    assert!(matches!(&before[1], (seq, Reported::Instance(report)) if report.seq == *seq));
    assert_eq!(open(dir.path()).0.unconfirmed(10), before);
}

#[test]
fn a_thousand_assignments_are_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, woken) = open(dir.path());
    scribe::tend(&journal.inner, true).unwrap();
    let all: Vec<_> = (0..1000).map(|i| assignment(&format!("p{i}"))).collect();
    journal.assigned(&all);
    assert!(woken.try_recv().is_ok());
    assert!(woken.try_recv().is_err());
    assert!(matches!(journal.lock().file.due(true), file::Due::Sync(_)));
    assert!(matches!(journal.lock().file.due(true), file::Due::Nothing));
    assert_eq!(open(dir.path()).0.instances().len(), 1000);
}

#[test]
fn a_disk_that_lets_nothing_be_rewritten_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    // A directory of that name is as good as a full disk, for root as well.
    std::fs::create_dir(dir.path().join("journal.new")).unwrap();
    let (journal, _woken) = open(dir.path());
    assert!(scribe::tend(&journal.inner, true).is_err());
    journal.joined("c");
    scribe::tend(&journal.inner, false).unwrap();
    assert_eq!(open(dir.path()).0.cluster().as_deref(), Some("c"));
    std::fs::remove_dir(dir.path().join("journal.new")).unwrap();
    scribe::tend(&journal.inner, true).unwrap();
    assert_eq!(open(dir.path()).0.cluster().as_deref(), Some("c"));
}

#[test]
fn the_thread_makes_a_file_with_a_gap_whole_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, woken) = open(dir.path());
    journal.lock().file.sync_failed();
    journal.joined("c");
    assert_eq!(open(dir.path()).0.cluster(), None);
    let inner = journal.inner.clone();
    let thread = std::thread::spawn(move || scribe::run(&inner, &woken));
    // Ends the thread, which first does what is due.
    drop(journal);
    thread.join().unwrap();
    assert_eq!(open(dir.path()).0.cluster().as_deref(), Some("c"));
}

#[test]
fn a_boot_is_remembered_only_when_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _woken) = open(dir.path());
    assert_eq!(journal.boot_id(), None);
    journal.booted("one");
    assert_eq!(open(dir.path()).0.boot_id().as_deref(), Some("one"));
}

#[test]
fn a_change_that_no_runner_lived_to_compare_is_compared_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _woken) = open(dir.path());
    let old = assignment("web");
    let id = old.instance.clone();
    let memo = |generation| {
        let followed = Assignment { generation, ..Assignment::clone(&assignment("web")) };
        Memo::from(&runner_domain::Machine::new(followed))
    };
    journal.assigned(std::slice::from_ref(&old));
    journal.stepped(&id, memo(1), None, Vec::new());
    let new = Arc::new(Assignment { generation: 2, ..Assignment::clone(&old) });
    journal.assigned(std::slice::from_ref(&new));
    // Twice: the second opening reads what the first has written anew.
    for _ in 0..2 {
        let stored = open(dir.path()).0.instances().remove(&id).unwrap();
        assert_eq!((stored.assignment.generation, stored.before), (2, Some(old.clone())));
    }
    let (journal, _woken) = open(dir.path());
    journal.stepped(&id, memo(2), None, Vec::new());
    assert_eq!(open(dir.path()).0.instances().remove(&id).unwrap().before, None);
}

/// A memo as the first version wrote it.
#[derive(serde::Serialize)]
struct FirstMemo {
    run: Option<runner_domain::RunId>,
    rest: Option<Rest>,
    backoff: Option<(process_model::Timestamp, String)>,
    restarts_asked: u64,
    restarts: u32,
    streak: u32,
    last_exit: Option<process_model::ExitStatus>,
    started: Option<process_model::Timestamp>,
    after_stop: Option<runner_domain::AfterStop>,
    removing: bool,
    generation: u64,
}

/// What comes after a stop, as it was before it said how the run had ended.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum FirstAfterStop {
    Delay { delay: Duration, why: String },
}

#[test]
fn what_comes_after_a_stop_is_read_by_the_version_before_and_the_one_after() {
    let first = FirstAfterStop::Delay { delay: Duration::from_millis(1_500), why: "ended with exit code 3".into() };
    let delayed = |status| runner_domain::AfterStop::Delay {
        delay: Duration::from_millis(1_500),
        ended: runner_domain::Ended { why: "ended with exit code 3".into(), status },
    };
    let written = rmp_serde::to_vec_named(&first).unwrap();
    assert_eq!(rmp_serde::from_slice::<runner_domain::AfterStop>(&written).unwrap(), delayed(None));
    for status in [None, Some(ExitStatus::Code(3)), Some(ExitStatus::Unknown("nobody saw it".into()))] {
        let memo = Memo {
            after_stop: Some(delayed(status.clone())),
            backoff: Some((process_model::Timestamp(5), "why".into())),
            ended: status.clone(),
            ..Memo::default()
        };
        let written = rmp_serde::to_vec_named(&memo).unwrap();
        assert_eq!(rmp_serde::from_slice::<Memo>(&written).unwrap(), memo);
        let written = rmp_serde::to_vec_named(&delayed(status)).unwrap();
        assert_eq!(rmp_serde::from_slice::<FirstAfterStop>(&written).unwrap(), first);
    }
}

#[test]
fn a_memo_of_the_first_version_is_read_for_ever() {
    let first = FirstMemo {
        run: Some(runner_domain::RunId(7)),
        rest: None,
        backoff: None,
        restarts_asked: 3,
        restarts: 2,
        streak: 1,
        last_exit: Some(process_model::ExitStatus::Code(4)),
        started: Some(process_model::Timestamp(5)),
        after_stop: Some(runner_domain::AfterStop::Rest(Rest::Failed("x".into()))),
        removing: true,
        generation: 9,
    };
    let memo: Memo = rmp_serde::from_slice(&rmp_serde::to_vec_named(&first).unwrap()).unwrap();
    let expected = Memo {
        run: first.run,
        restarts_asked: 3,
        restarts: 2,
        streak: 1,
        last_exit: first.last_exit,
        started: first.started,
        after_stop: first.after_stop,
        removing: true,
        generation: 9,
        ..Memo::default()
    };
    assert_eq!(memo, expected);
}
