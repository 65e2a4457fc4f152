use super::*;
use process_model::spec::Overlap;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

fn every(cron: &str, catch_up: CatchUp, jitter: u64) -> Schedule {
    Schedule {
        cron: cron.to_owned(),
        timezone: "UTC".to_owned(),
        overlap: Overlap::Skip,
        catch_up,
        jitter: Duration::from_secs(jitter),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

fn come(due: i64, how: Timing) -> Option<Come> {
    Some(Come { due: at(due), how })
}

/// As a runner that comes after another one on its node.
fn resume(schedule: &Schedule, due: i64, now: i64) -> (Timetable, Option<Come>) {
    Timetable::resume(schedule, Plan { due: at(due), certain: true }, at(now), 0.5)
}

#[test]
fn a_run_is_due_at_its_time_and_not_before() {
    let hourly = every("@hourly", CatchUp::None, 0);
    let mut table = Timetable::begin(&hourly, at(100), 0.5);
    assert_eq!(table.due(), Some(at(3600)));
    assert_eq!(table.look(&hourly, at(3599), 0.5), None);
    assert_eq!(table.look(&hourly, at(3600), 0.5), come(3600, Timing::OnTime));
    assert_eq!(table.due(), Some(at(7200)));
    assert_eq!(table.look(&hourly, at(3600), 0.5), None, "looked at twice, run once");
}

#[test]
fn what_was_missed_is_left_out_or_made_up_for_once() {
    for (catch_up, how) in [(CatchUp::None, Timing::Missed), (CatchUp::Once, Timing::CaughtUp)] {
        let minutely = every("* * * * *", catch_up, 0);
        let (mut table, first) = resume(&minutely, 600, 6010);
        assert_eq!(first, come(600, how), "{catch_up:?}");
        assert_eq!(table.due(), Some(at(6060)));
        assert_eq!(table.look(&minutely, at(6010), 0.5), None, "one run makes up for all");
        // The machine slept for an hour.
        assert_eq!(table.look(&minutely, at(9600), 0.5), come(6060, how));
    }
}

#[test]
fn a_runner_that_was_away_for_a_moment_has_missed_nothing() {
    let hourly = every("@hourly", CatchUp::None, 0);
    assert_eq!(resume(&hourly, 3600, 3605).1, come(3600, Timing::OnTime));
    let (table, first) = resume(&hourly, 3600, 3000);
    assert_eq!((first, table.due()), (None, Some(at(3600))));
}

#[test]
fn a_time_that_a_lost_node_may_have_taken_up_is_missed_once_it_has_passed_and_run_if_it_has_not() {
    for (catch_up, how) in [(CatchUp::None, Timing::Missed), (CatchUp::Once, Timing::CaughtUp)] {
        let hourly = every("@hourly", catch_up, 0);
        let plan = Plan { due: at(3600), certain: false };
        let (mut table, first) = Timetable::resume(&hourly, plan, at(3601), 0.5);
        assert_eq!((first, table.due()), (come(3600, how), Some(at(7200))));
        assert_eq!(table.look(&hourly, at(7200), 0.5), come(7200, Timing::OnTime), "the next one is nobody else's");
        let (mut table, first) = Timetable::resume(&hourly, plan, at(3599), 0.5);
        assert_eq!((first, table.due()), (None, Some(at(3600))));
        assert_eq!(table.look(&hourly, at(3600), 0.5), come(3600, Timing::OnTime));
    }
}

#[test]
fn a_time_that_passed_together_with_the_next_was_missed() {
    for (catch_up, how) in [(CatchUp::None, Timing::Missed), (CatchUp::Once, Timing::CaughtUp)] {
        let often = every("*/4 * * * * *", catch_up, 0);
        assert_eq!(resume(&often, 400, 403).1, come(400, Timing::OnTime));
        assert_eq!(resume(&often, 400, 409).1, come(400, how));
    }
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing_unless_it_was_wrong() {
    let minutely = every("* * * * *", CatchUp::None, 0);
    let mut table = Timetable::begin(&minutely, at(100_000), 0.5);
    let due = table.due();
    assert_eq!(table.look(&minutely, at(100_000 - 3600), 0.5), None);
    assert_eq!(table.due(), due, "an hour back: wait for it to come again");
    assert_eq!(table.look(&minutely, at(100_000 - 86_400), 0.5), None);
    assert!(table.due() < Some(at(100_000 - 86_400 + 61)), "a day back: it was wrong");
}

#[test]
fn a_schedule_that_names_no_time_is_never_due() {
    let never = every("nonsense", CatchUp::Once, 10);
    let mut table = Timetable::begin(&never, at(0), 0.5);
    assert_eq!(table.due(), None);
    assert_eq!(table.look(&never, at(1 << 32), 0.5), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However the clock runs forwards: never twice for one time, never before
    /// its time, and with a steady clock each time exactly once.
    #[test]
    fn a_steady_clock_runs_each_time_once(
        cron in prop_oneof![Just("* * * * * *"), Just("*/7 * * * * *"), Just("* * * * *"), Just("3,4,40 * * * * *")],
        jitter in 0_u64..120, rolls in proptest::collection::vec(0.0_f64..=1.0, 200), start in 0_i64..1_000_000,
    ) {
        let schedule = every(cron, CatchUp::None, jitter);
        let mut table = Timetable::begin(&schedule, at(start), 0.0);
        let mut expected = schedule.next_after(at(start)).unwrap();
        // Looks exactly when it asks to be looked at.
        for roll in rolls {
            let now = table.due().unwrap();
            let after = schedule.next_after(expected).unwrap();
            prop_assert!(expected <= now && now < after, "{:?} not within {:?} and {:?}", now, expected, after);
            prop_assert_eq!(table.look(&schedule, now, roll), Some(Come { due: now, how: Timing::OnTime }));
            prop_assert!(table.due() > Some(now));
            expected = after;
        }
    }

    /// Whatever the clock does: after a look the next one is later, and looking
    /// again at the same time is without effect.
    #[test]
    fn looking_again_is_without_effect(
        steps in proptest::collection::vec((-200_000_i64..200_000, 0.0_f64..=1.0), 1..50),
        catch_up in prop_oneof![Just(CatchUp::None), Just(CatchUp::Once)], jitter in 0_u64..10_000,
    ) {
        let schedule = every("*/5 * * * *", catch_up, jitter);
        let mut now = 10_000_000;
        let mut table = Timetable::begin(&schedule, at(now), 0.5);
        for (step, roll) in steps {
            now += step;
            let _ = table.look(&schedule, at(now), roll);
            let due = table.due();
            prop_assert!(due > Some(at(now)));
            prop_assert_eq!(table.look(&schedule, at(now), roll), None);
            prop_assert_eq!(table.due(), due);
        }
    }
}
