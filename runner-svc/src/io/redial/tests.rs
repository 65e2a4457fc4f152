use super::*;

/// When each of 2,000 nodes that lose the same leader at the same moment
/// dials for the `round`-th time after it, when no dial takes time.
fn storm(round: usize) -> Vec<Duration> {
    let node = |_| {
        let redial = Redial::new("registry", &Dial::Tcp("http://127.0.0.1:1".to_owned()));
        let mut redial = Redial { rounds: Rounds::new(LONGEST, clock::roll()), ..redial };
        (0..round).fold(Duration::ZERO, |now, _| redial.next(now, clock::roll()))
    };
    (0..2_000).map(node).collect()
}

/// How many fall into each tenth of `width`.
fn tenths(times: &[Duration], width: Duration) -> [usize; 10] {
    let mut tenths = [0; 10];
    for time in times {
        let at = (time.as_micros() * 10 / width.as_micros()).min(9) as usize;
        tenths[at] += 1;
    }
    tenths
}

#[test]
fn n05_two_thousand_sessions_that_lose_their_leader_spread_over_the_first_100_ms() {
    let times = storm(1);
    let tenths = tenths(&times, FIRST);
    println!("first dial, by 10 ms: {tenths:?}");
    // 200 are expected in each tenth, with a deviation of 14.
    assert!(times.iter().all(|time| *time <= FIRST));
    assert!(tenths.iter().all(|count| (100..=300).contains(count)), "{tenths:?}");
}

#[test]
fn n05_later_rounds_spread_wider_and_wider_and_never_beyond_four_seconds_each() {
    let times = storm(12);
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    // 0.1 + 0.2 + … + 3.2, then six of 4 s.
    let most = Duration::from_millis(100 * 63) + LONGEST * 6;
    println!("twelfth dial: from {first:?} to {last:?}");
    assert!(*last <= most && *last - *first > LONGEST, "{first:?} {last:?}");
    let tenths = tenths(&times.iter().map(|time| *time - *first).collect::<Vec<_>>(), *last - *first);
    println!("by tenths of that: {tenths:?}");
    assert!(tenths.iter().all(|count| *count < 700), "{tenths:?}");
}

#[test]
fn ceilings_double_from_100_ms_until_they_are_rounds_of_4_s() {
    let mut redial = Redial::new("registry", &Dial::Tcp("http://127.0.0.1:1".to_owned()));
    let now = Duration::from_secs(1_000);
    let waits: Vec<u128> = (0..6).map(|_| (redial.next(now, 1.0) - now).as_millis()).collect();
    assert_eq!(waits, [100, 200, 400, 800, 1600, 3200]);
    let round = redial.next(now, 1.0);
    assert!(round > now && round <= now + LONGEST, "{round:?}");
    assert_eq!(redial.next(round, 0.5), round + LONGEST, "one after the other");
    assert_eq!(Redial { ceiling: FIRST, ..redial }.next(now, 0.0), now);
}

#[test]
fn two_services_that_are_away_for_long_are_knocked_at_in_one_wake_up() {
    let away = |service, now| {
        let mut redial = Redial::new(service, &Dial::Tcp("http://127.0.0.1:1".to_owned()));
        redial.ceiling = LONGEST;
        redial.next(now, clock::roll())
    };
    let now = Duration::from_secs(1_000);
    let round = away("registry", now);
    assert_eq!(away("monitor", round - Duration::from_millis(1)), round);
}

#[test]
fn who_was_named_is_dialled_at_once_but_only_once_between_two_waits() {
    let mut redial = Redial::new("registry", &Dial::Tcp("http://127.0.0.1:1".to_owned()));
    assert!(redial.follow());
    assert!(!redial.follow());
    redial.next(Duration::ZERO, 0.5);
    assert!(redial.follow());
}

#[test]
fn who_is_told_to_come_again_comes_no_sooner_and_hardly_later() {
    let wait = Duration::from_secs(4);
    assert_eq!(later(wait, 0.0), wait);
    assert_eq!(later(wait, 1.0), Duration::from_millis(4_410));
    assert_eq!(later(Duration::ZERO, 1.0), Duration::from_millis(10));
}
