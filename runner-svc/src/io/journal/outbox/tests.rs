use super::*;
use process_model::{
    ActionReport, ActionState, InstanceReport, Phase, RunOutcome, RunReport, RunTrigger, Timestamp, event_type,
};

fn instance(name: &str, event: &str, gone: bool) -> Reported {
    Reported::Instance(InstanceReport {
        instance: name.parse().unwrap(),
        seq: 0,
        generation: 1,
        event_type: event.to_owned(),
        time: Timestamp(0),
        phase: Phase::Backoff,
        ready: false,
        pid: 0,
        restarts: 0,
        last_exit: None,
        started: None,
        message: "exit 3".to_owned(),
        next_restart: None,
        gone,
        containment: String::new(),
        status: String::new(),
        log_lines: Vec::new(),
    })
}

fn action(id: &str, state: ActionState) -> Reported {
    Reported::Action(ActionReport { action: id.to_owned(), state, message: String::new(), time: Timestamp(0) })
}

fn run(name: &str, run: u64, outcome: RunOutcome) -> Reported {
    Reported::Run(RunReport {
        instance: name.parse().unwrap(),
        seq: 0,
        generation: 1,
        run,
        due: None,
        trigger: RunTrigger::Schedule,
        began: None,
        ended: None,
        outcome,
        next_due: None,
    })
}

/// A crash loop beside everything else.
fn crash(outbox: &mut Outbox, first: u64, times: u64) {
    for seq in first..first + times {
        outbox.insert(seq, instance("crash-1", event_type::INSTANCE_EXITED, false));
    }
}

#[test]
fn a_crash_loop_with_the_registry_away_takes_no_final_state_with_it() {
    let mut outbox = Outbox::default();
    for i in 1..=1000 {
        outbox.insert(2 * i, instance(&format!("job-{i}"), event_type::INSTANCE_STARTED, false));
        outbox.insert(2 * i + 1, instance(&format!("job-{i}"), event_type::INSTANCE_EXITED, false));
    }
    outbox.insert(2100, instance("old-1", event_type::INSTANCE_REMOVED, true));
    outbox.insert(2101, action("a", ActionState::Delivered));
    outbox.insert(2102, action("a", ActionState::Done));
    crash(&mut outbox, 3000, 30_000);

    let left = outbox.oldest(usize::MAX);
    assert_eq!(left.len(), LIMIT);
    assert!(left.is_sorted_by_key(|(seq, _)| *seq));
    let seqs: BTreeSet<u64> = left.iter().map(|(seq, _)| *seq).collect();
    assert!((1..=1000).all(|i| seqs.contains(&(2 * i + 1))), "a final state is missing");
    assert!(seqs.contains(&2100), "gone is missing");
    assert!(seqs.contains(&2102), "the end of the action is missing");
    assert!(seqs.contains(&32_999), "the newest state is missing");
}

#[test]
fn the_first_report_behind_a_gap_says_how_many_are_missing_until_it_is_confirmed() {
    let mut outbox = Outbox::default();
    crash(&mut outbox, 1, LIMIT as u64 + 5);
    let messages = |outbox: &Outbox| -> Vec<String> {
        let of = |report| match report {
            Reported::Instance(report) => report.message,
            Reported::Action(report) => report.message,
            Reported::Run(report) => format!("{:?}", report.outcome),
        };
        outbox.oldest(2).into_iter().map(|(_, report)| of(report)).collect()
    };
    for _ in 0..2 {
        assert_eq!(
            messages(&outbox),
            ["exit 3 (5 earlier reports were dropped while the registry was away)", "exit 3"]
        );
    }
    outbox.confirm(6);
    assert_eq!(messages(&outbox), ["exit 3", "exit 3"]);
}

#[test]
fn what_the_registry_must_learn_stays_beyond_the_limit() {
    let mut outbox = Outbox::default();
    let many = LIMIT as u64 + 100;
    for seq in 1..=many {
        outbox.insert(seq, action(&format!("a{seq}"), ActionState::Done));
    }
    assert_eq!(outbox.oldest(usize::MAX).len() as u64, many);
    outbox.confirm(many);
    assert_eq!(outbox, Outbox::default(), "something is kept of what is confirmed");
}

#[test]
fn gone_outlasts_a_new_life_but_is_not_kept_twice() {
    let mut outbox = Outbox::default();
    outbox.insert(1, instance("web-1", event_type::INSTANCE_REMOVED, true));
    outbox.insert(2, instance("web-1", event_type::INSTANCE_REMOVED, true));
    outbox.insert(3, instance("web-1", event_type::INSTANCE_STARTED, false));
    crash(&mut outbox, 4, 2 * LIMIT as u64);
    let first: Vec<u64> = outbox.oldest(3).into_iter().map(|(seq, _)| seq).take(2).collect();
    assert_eq!(first, [2, 3]);
}

#[test]
fn the_runs_that_the_registry_keeps_outlast_everything_and_the_others_go() {
    let mut outbox = Outbox::default();
    let mut seq = 0;
    let mut next = || {
        seq += 1;
        seq
    };
    for number in 1..=30 {
        outbox.insert(next(), run("job-1", number, RunOutcome::Running));
        outbox.insert(next(), run("job-1", number, RunOutcome::Missed));
        outbox.insert(next(), run("idle-1", 0, RunOutcome::Skipped("busy".into())));
    }
    outbox.insert(next(), run("job-1", 31, RunOutcome::Running));
    crash(&mut outbox, next(), 2 * LIMIT as u64);
    let left = |outbox: &Outbox, name: &str| -> Vec<(u64, bool)> {
        let of = |(_, report)| match report {
            Reported::Run(run) if run.instance.to_string() == name => Some((run.run, run.outcome.is_open())),
            Reported::Run(_) | Reported::Instance(_) | Reported::Action(_) => None,
        };
        outbox.oldest(usize::MAX).into_iter().filter_map(of).collect()
    };
    let expected: Vec<_> = (12..=30).map(|run| (run, false)).chain([(31, true)]).collect();
    assert_eq!(left(&outbox, "job-1"), expected, "the last word of each of the newest runs");
    assert_eq!(left(&outbox, "idle-1").len(), 20);
    outbox.confirm(u64::MAX);
    assert_eq!(outbox, Outbox::default(), "something is kept of what is confirmed");
}

#[test]
fn no_run_is_lost_within_the_bounds() {
    let mut outbox = Outbox::default();
    for number in 1..=1_000 {
        outbox.insert(2 * number, run("job-1", number, RunOutcome::Running));
        outbox.insert(2 * number + 1, run("job-1", number, RunOutcome::Missed));
    }
    assert_eq!(outbox.oldest(usize::MAX).len(), 2_000);
}

#[test]
fn that_an_action_ended_is_known_until_it_is_confirmed() {
    let mut outbox = Outbox::default();
    outbox.insert(1, action("a", ActionState::Delivered));
    assert!(!outbox.has_ended("a"), "it only began");
    outbox.insert(2, action("a", ActionState::Done));
    outbox.insert(3, action("b", ActionState::Delivered));
    // Heard again after its end.
    outbox.insert(4, action("a", ActionState::Delivered));
    assert!(outbox.has_ended("a") && !outbox.has_ended("b") && !outbox.has_ended("c"));
    outbox.confirm(1);
    assert!(outbox.has_ended("a"));
    outbox.confirm(2);
    assert!(!outbox.has_ended("a"), "the registry knows");
}
