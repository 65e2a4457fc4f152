//! The history against a plain list of everything it was given.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

use monitor_domain::history::{History, Limits, Recorded};
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Selector, Timestamp};
use proptest::prelude::*;
use std::time::Duration;

const RETENTION: Duration = Duration::from_secs(3600);

fn instance(text: &str) -> InstanceId {
    text.parse().unwrap()
}

fn node(text: &str) -> NodeName {
    text.parse().unwrap()
}

/// A sample at `millis` whose values differ from its neighbours'.
fn sample(id: &str, on: &str, millis: i64) -> InstanceSample {
    InstanceSample {
        instance: instance(id),
        node: node(on),
        time: Timestamp(millis * 1_000_000),
        cpu_seconds: f64::from(i32::try_from(millis % 1000).unwrap()) / 1000.0,
        cpu_percent: 12.34,
        memory_bytes: u64::try_from(millis.rem_euclid(77)).unwrap() * 4096,
        threads: 3,
        open_files: 14,
        uptime_seconds: 5.5,
        processes: 2,
        restarts: 1,
        pid: 4242,
    }
}

fn node_sample(on: &str, millis: i64) -> NodeSample {
    NodeSample {
        node: node(on),
        time: Timestamp(millis * 1_000_000),
        cpu_percent: 40.25,
        memory_used_bytes: 1 << 33,
        memory_total_bytes: 1 << 34,
        load1: 1.5,
        uptime_seconds: 86_400,
    }
}

fn small(max_bytes: usize) -> History {
    History::new(Limits { retention: RETENTION, max_bytes, max_answer: 16_000 })
}

#[test]
fn a_sample_comes_back_as_it_was_given() {
    let mut history = History::new(Limits::keeping(RETENTION));
    let (of_instance, of_node) = (sample("web-1", "a", 1_790_000_000_123), node_sample("a", 1_790_000_000_123));
    assert_eq!(history.record_instance(&of_instance, Duration::ZERO), Recorded::Accepted);
    assert_eq!(history.record_node(&of_node, Duration::ZERO), Recorded::Accepted);
    assert_eq!(history.latest_instance(&instance("web-1"), &node("a")), Some(of_instance.clone()));
    assert_eq!(history.instance_since(&instance("web-1"), None), [of_instance]);
    assert_eq!(history.latest_nodes().collect::<Vec<_>>(), [of_node]);
}

#[test]
fn what_no_measurement_can_be_is_not_remembered_as_one() {
    let mut history = History::new(Limits::keeping(RETENTION));
    let mut noise = sample("web-1", "a", 1000);
    (noise.cpu_percent, noise.cpu_seconds, noise.uptime_seconds) = (f64::NAN, f64::INFINITY, -3.0);
    history.record_instance(&noise, Duration::ZERO);
    let kept = history.latest_instance(&instance("web-1"), &node("a")).unwrap();
    assert_eq!((kept.cpu_percent, kept.cpu_seconds, kept.uptime_seconds), (0.0, 0.0, 0.0));
}

#[test]
fn a_sample_sent_twice_is_remembered_once() {
    let mut history = History::new(Limits::keeping(RETENTION));
    history.record_instance(&sample("web-1", "a", 5000), Duration::ZERO);
    assert_eq!(history.record_instance(&sample("web-1", "a", 5000), Duration::ZERO), Recorded::AlreadySo);
    assert_eq!(history.record_instance(&sample("web-1", "a", 4000), Duration::ZERO), Recorded::AlreadySo);
    assert_eq!(history.stats().samples, 1);
}

#[test]
fn a_clock_that_was_set_back_begins_the_series_anew() {
    let mut history = History::new(Limits::keeping(RETENTION));
    for second in 0..200 {
        history.record_instance(&sample("web-1", "a", 1_000_000_000 + second * 1000), Duration::from_secs(1));
    }
    let set_back = sample("web-1", "a", 1_000_000);
    assert_eq!(history.record_instance(&set_back, Duration::from_secs(2)), Recorded::Accepted);
    assert_eq!(history.instance_since(&instance("web-1"), None), [set_back]);
    assert_eq!(history.stats().samples, 1);
    history.expire(Duration::from_secs(10_000));
    assert_eq!((history.stats().samples, history.stats().bytes, history.stats().series), (0, 0, 0));
}

#[test]
fn a_node_whose_clock_is_wrong_keeps_its_history_for_the_whole_retention() {
    let mut history = History::new(Limits::keeping(RETENTION));
    history.record_instance(&sample("web-1", "a", -86_400_000), Duration::from_secs(100));
    history.expire(Duration::from_secs(3700));
    assert_eq!(history.stats().samples, 1);
    history.expire(Duration::from_secs(3701));
    assert_eq!(history.stats().samples, 0);
}

#[test]
fn an_instance_that_moved_has_one_history_in_order_of_time() {
    let mut history = History::new(Limits::keeping(RETENTION));
    history.record_instance(&sample("web-1", "a", 1000), Duration::from_secs(1));
    history.record_instance(&sample("web-1", "b", 2000), Duration::from_secs(2));
    history.record_instance(&sample("web-1", "a", 3000), Duration::from_secs(3));
    let times: Vec<i64> =
        history.instance_since(&instance("web-1"), None).iter().map(|s| s.time.0 / 1_000_000).collect();
    assert_eq!(times, [1000, 2000, 3000]);
    assert_eq!(history.last_node_of(&Selector::new("web")), Some(node("a")));
    assert_eq!(history.last_node_of(&Selector::new("api")), None);
}

#[test]
fn the_beginning_of_a_run_holds_still_until_there_is_another_run() {
    let mut history = History::new(Limits::keeping(RETENTION));
    let mut at = |millis: i64, uptime: f64, pid: u32| {
        let measured = InstanceSample { uptime_seconds: uptime, pid, ..sample("web-1", "a", millis) };
        history.record_instance(&measured, Duration::ZERO);
        history.started(&instance("web-1"), &node("a")).unwrap().0 / 1_000_000
    };
    assert_eq!(at(10_000, 5.0, 7), 5000);
    assert_eq!(at(11_004, 6.0, 7), 5000);
    assert_eq!(at(12_000, 0.5, 8), 11_500);
}

#[test]
fn a_series_too_many_is_refused_and_what_is_there_stays() {
    let mut history = small(20_000);
    let outcomes: Vec<Recorded> =
        (1..200).map(|n| history.record_instance(&sample(&format!("web-{n}"), "a", 1), Duration::ZERO)).collect();
    assert!(outcomes.contains(&Recorded::Full));
    assert!(history.stats().bytes <= 20_000 + 100);
    assert!(history.latest_instance(&instance("web-1"), &node("a")).is_some());
    assert_eq!(history.record_instance(&sample("web-1", "a", 2), Duration::ZERO), Recorded::Accepted);
}

#[test]
fn an_hour_of_a_steady_instance_takes_less_than_twenty_kilobytes() {
    let mut history = History::new(Limits::keeping(RETENTION));
    for second in 0..3600_u64 {
        let millis = 1_790_000_000_000 + i64::try_from(second * 1000 + second % 3).unwrap();
        let steady = InstanceSample {
            memory_bytes: 10 << 20,
            cpu_seconds: 0.5,
            #[allow(clippy::cast_precision_loss)]
            uptime_seconds: second as f64,
            ..sample("web-1", "a", millis)
        };
        history.record_instance(&steady, Duration::from_secs(second));
    }
    assert!(history.stats().bytes < 20_000, "{} bytes", history.stats().bytes);
}

#[derive(Debug, Clone)]
struct Given {
    who: usize,
    step_millis: i64,
    wait: u64,
}

fn given() -> impl Strategy<Value = Vec<Given>> {
    let one = (0..3_usize, 1..40_000_i64, 0..30_u64);
    prop::collection::vec(one.prop_map(|(who, step_millis, wait)| Given { who, step_millis, wait }), 1..1500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn answers_are_the_newest_part_of_what_was_given(given in given(), max_bytes in 6_000..60_000_usize, since in 0..9_000_000_i64) {
        let names = ["web-1", "web-2", "api-1"];
        let mut history = small(max_bytes);
        let mut all: Vec<Vec<(Duration, InstanceSample)>> = vec![Vec::new(); names.len()];
        let mut clocks = [0_i64; 3];
        let mut now = Duration::ZERO;
        let mut lost_to_size = false;
        for step in given {
            now += Duration::from_secs(step.wait);
            clocks[step.who] += step.step_millis;
            let measured = sample(names[step.who], "a", clocks[step.who]);
            let before = history.stats();
            prop_assert_eq!(history.record_instance(&measured, now), Recorded::Accepted);
            lost_to_size |= history.stats().samples <= before.samples;
            all[step.who].push((now, measured));
            history.expire(now);
            // One open block of each series is never dropped for size: 64 rows of at most 45 bytes.
            prop_assert!(history.stats().bytes <= max_bytes.max(3 * (64 * 45 + 600)), "{:?}", history.stats());
        }
        let mut kept = 0;
        for (name, given) in names.iter().zip(&all) {
            let id = instance(name);
            let answer = history.instance_since(&id, None);
            let newest = given.last().map(|(_, sample)| sample);
            let alive = given.last().is_some_and(|(arrival, _)| *arrival + RETENTION >= now);
            prop_assert_eq!(history.latest_instance(&id, &node("a")), newest.filter(|_| alive).cloned());
            // A run of what was given, up to the newest.
            let tail: Vec<_> = given[given.len() - answer.len()..].iter().map(|(_, s)| s.clone()).collect();
            prop_assert_eq!(&answer, &tail);
            if let (Some(first), Some(last)) = (answer.first(), answer.last()) {
                prop_assert!(last.time.0 - first.time.0 <= 3_600_000_000_000);
            }
            if !lost_to_size {
                let hour = newest.map_or(0, |s| s.time.0 - 3_600_000_000_000);
                let young = given.iter().filter(|(at, s)| *at + RETENTION >= now && s.time.0 >= hour).count();
                prop_assert!(answer.len() >= young, "{} of {young} that are young enough", answer.len());
            }
            let since = Timestamp(since * 1_000_000);
            let later: Vec<_> = answer.into_iter().filter(|s| s.time >= since).collect();
            prop_assert_eq!(history.instance_since(&id, Some(since)), later);
            kept += given.len();
        }
        prop_assert!(history.stats().samples <= kept);
        history.expire(now + RETENTION + Duration::from_secs(1));
        prop_assert_eq!((history.stats().series, history.stats().samples, history.stats().bytes), (0, 0, 0));
    }
}
