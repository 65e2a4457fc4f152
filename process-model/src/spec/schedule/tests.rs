use super::*;
use proptest::prelude::*;

fn schedule(cron: &str, timezone: &str) -> Schedule {
    Schedule {
        cron: cron.to_owned(),
        timezone: timezone.to_owned(),
        overlap: Overlap::Skip,
        catch_up: CatchUp::None,
        jitter: Duration::ZERO,
    }
}

fn at(text: &str) -> Timestamp {
    let zoned: jiff::Timestamp = text.parse().unwrap();
    Timestamp(zoned.as_nanosecond().try_into().unwrap())
}

/// The first `count` times after `after`, as RFC 3339 in UTC.
fn times(cron: &str, timezone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = schedule(cron, timezone);
    assert!(schedule.faults().is_empty(), "{:?}", schedule.faults());
    let mut now = at(after);
    let mut found = Vec::new();
    for _ in 0..count {
        now = schedule.next_after(now).unwrap();
        found.push(jiff::Timestamp::from_nanosecond(now.0.into()).unwrap().to_string());
    }
    found
}

#[test]
fn five_fields_six_fields_and_names_are_understood() {
    let after = "2026-01-31T23:59:58.5Z";
    assert_eq!(times("30 2 * * *", "UTC", after, 1), ["2026-02-01T02:30:00Z"]);
    assert_eq!(times("* * * * * *", "UTC", after, 2), ["2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"]);
    assert_eq!(times("*/20 * * * * *", "UTC", after, 2), ["2026-02-01T00:00:00Z", "2026-02-01T00:00:20Z"]);
    assert_eq!(times("0 9 * * MON-FRI", "UTC", after, 1), ["2026-02-02T09:00:00Z"]);
    assert_eq!(times("@hourly", "UTC", after, 1), ["2026-02-01T00:00:00Z"]);
    assert_eq!(times("@midnight", "Europe/Berlin", after, 1), ["2026-02-01T23:00:00Z"]);
    assert_eq!(times("0 0 29 2 *", "UTC", after, 2), ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
}

#[test]
fn a_local_time_that_does_not_exist_runs_at_the_first_moment_that_does() {
    // 2026-03-29: 02:00 becomes 03:00 (01:00Z).
    let day_before = "2026-03-28T12:00:00Z";
    assert_eq!(times("30 2 * * *", "Europe/Berlin", day_before, 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    let before = "2026-03-29T00:29:00Z";
    assert_eq!(
        times("*/30 * * * *", "Europe/Berlin", before, 3),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
    );
}

#[test]
fn a_local_time_that_exists_twice_runs_once_unless_it_is_an_interval() {
    // 2026-10-25: 03:00 becomes 02:00 (01:00Z); 02:30 is at 00:30Z and at 01:30Z.
    let day_before = "2026-10-24T12:00:00Z";
    assert_eq!(times("30 2 * * *", "Europe/Berlin", day_before, 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
        ["2026-10-26T01:30:00Z"],
        "asked within the second of the two hours"
    );
    assert_eq!(
        times("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3),
        ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
        "every hour that goes by"
    );
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    let fields =
        |schedule: Schedule| -> Vec<String> { schedule.faults().into_iter().map(|fault| fault.field).collect() };
    for cron in ["", "* * * *", "61 * * * *", "@reboot", "* * * * * * *", "0 0 30 2 *", "hello", "0/5 * * * *"] {
        assert_eq!(fields(schedule(cron, "UTC")), ["schedule.cron"], "{cron:?}");
        assert_eq!(schedule(cron, "UTC").next_after(Timestamp(0)), None);
    }
    for zone in ["", "Europe/Nowhere", "MESZ", "/etc/localtime"] {
        assert_eq!(fields(schedule("@daily", zone)), ["schedule.timezone"], "{zone:?}");
        assert_eq!(schedule("@daily", zone).next_after(Timestamp(0)), None);
    }
    let mut late = schedule("@daily", "UTC");
    late.jitter = Duration::from_secs(25 * 3600);
    assert_eq!(fields(late), ["schedule.jitter"]);
    assert_eq!(fields(schedule(&"1,".repeat(300), "UTC")), ["schedule.cron"]);
    let fault = &schedule("61 * * * *", "UTC").faults()[0];
    assert_eq!(fault.problem, "\"61 * * * *\" is no cron expression: component error: Number out of bounds");
}

#[test]
fn the_ends_of_the_range_of_time_are_no_panic() {
    let every = schedule("* * * * * *", "Pacific/Apia");
    assert!(every.next_after(Timestamp(i64::MIN)).is_some());
    assert_eq!(every.next_after(Timestamp(i64::MAX)), None);
}

/// One field of an expression: its text and the values that it means.
fn field(range: std::ops::RangeInclusive<i8>) -> impl Strategy<Value = (String, Vec<i8>)> {
    let all = range.clone().collect::<Vec<i8>>();
    let steps = range.clone();
    prop_oneof![
        Just(("*".to_owned(), all)),
        (1..=15_i8).prop_map(move |step| {
            let step_of = usize::try_from(step).unwrap();
            (format!("*/{step}"), steps.clone().step_by(step_of).collect())
        }),
        proptest::collection::btree_set(range, 1..4).prop_map(|set| {
            let text: Vec<String> = set.iter().map(ToString::to_string).collect();
            (text.join(","), set.into_iter().collect())
        }),
    ]
}

proptest! {
    /// Without changes of clocks the search is the obvious one: the first second
    /// that has all fields.
    #[test]
    fn the_next_time_is_the_first_second_that_has_all_fields(
        second in field(0..=59), minute in field(0..=59), hour in field(0..=23),
        after in 0_i64..4_000_000_000, nanos in 0_u32..1_000_000_000,
    ) {
        let schedule = schedule(&format!("{} {} {} * * *", second.0, minute.0, hour.0), "UTC");
        let after = Timestamp::from_parts(after, nanos);
        let next = schedule.next_after(after).unwrap();
        prop_assert!(next > after);
        let has_all = |at: i64| {
            let of_day = at.rem_euclid(86_400);
            let part = |value: i64| i8::try_from(value).unwrap();
            second.1.contains(&part(of_day % 60))
                && minute.1.contains(&part(of_day / 60 % 60))
                && hour.1.contains(&part(of_day / 3600))
        };
        let expected = (after.seconds() + 1..).find(|at| has_all(*at)).unwrap();
        prop_assert_eq!(next, Timestamp::from_parts(expected, 0));
    }

    /// In zones that change clocks, too, times only grow, and each has the
    /// fields that were asked for or is the first moment after a gap.
    #[test]
    fn times_only_grow_and_have_the_fields(
        minute in field(0..=59), hour in field(0..=23),
        zone in prop_oneof![
            Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe"), Just("Pacific/Apia"), Just("Asia/Kathmandu"),
        ],
        after in 1_300_000_000_i64..2_000_000_000,
    ) {
        let schedule = schedule(&format!("{} {} * * *", minute.0, hour.0), zone);
        let tz = schedule.zone().unwrap();
        let mut now = Timestamp::from_parts(after, 0);
        for _ in 0..50 {
            let next = schedule.next_after(now).unwrap();
            prop_assert!(next > now);
            let found = jiff::Timestamp::from_second(next.seconds()).unwrap();
            let local = found.to_zoned(tz.clone());
            let has_fields = minute.1.contains(&local.minute()) && hour.1.contains(&local.hour()) && local.second() == 0;
            let before = jiff::Timestamp::from_second(next.seconds() - 1).unwrap();
            let is_after_gap = tz.to_offset(found) > tz.to_offset(before);
            prop_assert!(has_fields || is_after_gap, "{}", local);
            now = next;
        }
    }
}
