//! What the log promises to whoever uses it, one sentence a test.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod support;

use registry_log::{
    Fault, Limit, Log, Notice, Notify, OpenError, ReadError, Refused, Settings, Space, Vote, Write, verify,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use support::model::Model;
use support::{
    EVERYTHING, IDENTITY, LONG, SEGMENT, at, entries, entry, eventually, fresh, hold_the_writer, names, open, payload,
    real_disk, small, write,
};

#[test]
fn a_log_is_made_once_and_opening_makes_none() {
    let home = real_disk();
    let dir = home.path().join("log");
    assert!(matches!(open(&dir, &small()), Err(OpenError::Missing(_))));
    Log::create(&dir, &IDENTITY, &small()).unwrap();
    assert!(matches!(Log::create(&dir, &IDENTITY, &small()), Err(OpenError::Exists(_))));
    let odd = Settings { segment_bytes: SEGMENT + 1, ..small() };
    assert!(matches!(Log::create(&home.path().join("odd"), &IDENTITY, &odd), Err(OpenError::Settings { .. })));
    let survey = verify(&dir).unwrap();
    assert_eq!((survey.identity, survey.boot, survey.records), (IDENTITY, 0, 0));
    let (log, survey) = open(&dir, &small()).unwrap();
    assert_eq!((survey.boot, log.extent(), log.vote()), (1, Default::default(), None));
}

#[test]
fn a_directory_is_opened_by_one_process_at_a_time() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    assert!(matches!(open(&dir, &small()), Err(OpenError::InUse(named)) if named == dir));
    assert!(matches!(verify(&dir), Err(OpenError::InUse(_))));
    log.close().unwrap();
    assert_eq!(open(&dir, &small()).unwrap().1.boot, 2);
}

#[test]
fn answers_come_once_in_order_and_after_what_they_confirm_is_durable() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = Arc::new(fresh(&dir, &small()));
    let (tell, told) = mpsc::channel();
    for index in 0..300 {
        let (tell, me) = (tell.clone(), log.clone());
        let request =
            if index % 10 == 9 { Write::Flush } else { Write::Append(vec![entry(1, index - index / 10, 200)]) };
        let submitted = log.submit(request, move |done| tell.send((done.unwrap(), me.durable().lsn)).unwrap()).unwrap();
        assert!(submitted > 0);
    }
    drop(tell);
    let mut before = 0;
    let answers: Vec<_> = told.iter().collect();
    assert_eq!(answers.len(), 300);
    for (lsn, durable) in answers {
        assert!(before <= lsn && lsn <= durable, "{before} {lsn} {durable}");
        before = lsn;
    }
    assert_eq!(log.durable().oldest_waiting, None);
}

#[test]
fn a_stall_shows_in_how_long_the_oldest_request_waits() {
    let home = real_disk();
    let log = fresh(&home.path().join("log"), &small());
    let (stalled, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (met, released) = (stalled.clone(), go_on.clone());
    let stall = move |_| {
        met.wait();
        released.wait();
    };
    log.submit(Write::Append(vec![entry(1, 0, 10)]), stall).unwrap();
    stalled.wait();
    let lsn = log.submit(Write::Append(vec![entry(1, 1, 10)]), drop).unwrap();
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_millis(30) {}
    let waiting = log.durable();
    go_on.wait();
    assert!(waiting.oldest_waiting.is_some_and(|waits| waits.as_millis() >= 30), "{waiting:?}");
    assert_eq!((waiting.lsn, waiting.last), (lsn - 1, Some(at(1, 0))));
    log.wait(lsn).unwrap();
    eventually("it was answered", || log.durable().oldest_waiting.is_none());
}

#[test]
fn it_is_said_when_a_request_waits_after_none_did() {
    let home = real_disk();
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let notify = Notify::new(move |notice| match notice {
        Notice::Busy => {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Notice::Space(_) | Notice::Failed(_) => {}
    });
    let log = fresh(&home.path().join("log"), &Settings { notify: Some(notify), ..small() });
    let (met, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    for round in 0..3 {
        let before = count.load(Ordering::SeqCst);
        let (stalled, released) = (met.clone(), go_on.clone());
        let stall = move |_| {
            stalled.wait();
            released.wait();
        };
        log.submit(Write::Append(vec![entry(1, 2 * round, 10)]), stall).unwrap();
        let first = count.load(Ordering::SeqCst);
        met.wait();
        // Answered requests do not count, waiting ones make it no news.
        log.submit(Write::Append(vec![entry(1, 2 * round + 1, 10)]), drop).unwrap();
        log.submit(Write::Flush, drop).unwrap();
        let second = count.load(Ordering::SeqCst);
        go_on.wait();
        assert_eq!((first, second), (before + 1, before + 2));
        eventually("all is answered", || log.durable().oldest_waiting.is_none());
    }
}

#[test]
fn requests_that_wait_together_are_synced_together() {
    let home = real_disk();
    let log = fresh(&home.path().join("log"), &Settings { segment_bytes: 4 << 20, ..small() });
    // While an answer is given, all of them come, on a disk that is faster than they are, too.
    let go_on = hold_the_writer(&log);
    let before = log.figures().syncs.count;
    let mut last = 0;
    for index in 0..2000 {
        last = log.submit(Write::Append(vec![entry(1, index, 100)]), drop).unwrap();
    }
    drop(go_on);
    log.wait(last).unwrap();
    let figures = log.figures();
    let syncs = figures.syncs.count - before;
    assert!(syncs < 400, "{syncs} syncs for 2000 requests");
    assert_eq!(figures.syncs.classes.iter().sum::<u64>(), figures.syncs.count);
    assert_eq!(entries(&log).len(), 2000);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let home = real_disk();
    let log = fresh(&home.path().join("log"), &small());
    let never = |_| panic!("a refused request was answered");
    // A log that never held anything begins anywhere.
    write(&log, Write::Append(vec![entry(1, 5, 10), entry(1, 6, 10)]));
    let gap = log.submit(Write::Append(vec![entry(1, 8, 10)]), never).unwrap_err();
    assert!(matches!(gap, Refused::Gap { expected: 7, found: 8 }), "{gap}");
    let gap = log.submit(Write::Append(vec![entry(1, 7, 10), entry(1, 9, 10)]), never).unwrap_err();
    assert!(matches!(gap, Refused::Gap { expected: 8, found: 9 }), "{gap}");
    let most = log.largest_append();
    let large = log.submit(Write::Append(vec![entry(1, 7, most as usize)]), never).unwrap_err();
    assert!(matches!(large, Refused::TooLarge { .. }), "{large}");
    write(&log, Write::Append(vec![entry(1, 7, most as usize - 56)]));
    write(&log, Write::Purge { upto: at(1, 5) });
    let purged = log.submit(Write::Truncate { from: 5 }, never).unwrap_err();
    assert!(matches!(purged, Refused::Purged { from: 5, purged: 5 }), "{purged}");
    // Nothing to do is no change: neither is an older purge, nor a truncation behind the end.
    let before = (Model::of(&log), log.figures().records);
    write(&log, Write::Purge { upto: at(1, 4) });
    write(&log, Write::Truncate { from: 8 });
    write(&log, Write::Append(Vec::new()));
    assert_eq!((Model::of(&log), log.figures().records), before);
}

#[test]
fn a_closed_log_has_answered_everything_and_takes_nothing_more() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    let answered = Arc::new(AtomicU64::new(0));
    for index in 0..100 {
        let answered = answered.clone();
        let done = move |done: Result<_, Fault>| {
            assert!(done.is_ok());
            answered.fetch_add(1, Ordering::SeqCst);
        };
        log.submit(Write::Append(vec![entry(1, index, 50)]), done).unwrap();
    }
    log.close().unwrap();
    assert_eq!(answered.load(Ordering::SeqCst), 100);
    assert!(matches!(log.submit(Write::Flush, drop), Err(Refused::Failed(Fault::Closed))));
    assert_eq!(entries(&log).len(), 100, "it can still be read");
    assert!(matches!(log.wait(u64::MAX), Err(Fault::Closed)));
    log.close().unwrap();
    assert_eq!(verify(&dir).unwrap().extent.last, Some(at(1, 99)));
}

#[test]
fn the_last_handle_may_go_in_a_callback() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = Arc::new(fresh(&dir, &small()));
    let (tell, told) = mpsc::channel();
    let barrier = Arc::new(Barrier::new(2));
    let (mine, met) = (log.clone(), barrier.clone());
    let request = Write::Append(vec![entry(1, 0, 10)]);
    log.submit(request, move |done| {
        met.wait();
        drop(mine);
        tell.send(done).unwrap();
    })
    .unwrap();
    drop(log);
    barrier.wait();
    told.recv_timeout(LONG).unwrap().unwrap();
    eventually("the directory is free", || verify(&dir).is_ok());
}

#[test]
fn a_callback_that_panics_ends_the_log_and_hangs_nobody() {
    let home = real_disk();
    let dir = home.path().join("log");
    let failed = Arc::new(AtomicBool::new(false));
    let told = failed.clone();
    let notify =
        Notify::new(move |notice| told.store(matches!(notice, Notice::Failed(Fault::Panicked)), Ordering::SeqCst));
    let log = fresh(&dir, &Settings { notify: Some(notify), ..small() });
    // While an answer is given, the three others come together.
    let (held, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (met, released) = (held.clone(), go_on.clone());
    let hold = move |_| {
        met.wait();
        released.wait();
    };
    log.submit(Write::Flush, hold).unwrap();
    held.wait();
    let (tell, told) = mpsc::channel();
    log.submit(Write::Append(vec![entry(1, 0, 10)]), |_| panic!("a faulty callback of a test")).unwrap();
    for index in 1..3 {
        let tell = tell.clone();
        log.submit(Write::Append(vec![entry(1, index, 10)]), move |done| tell.send(done).unwrap()).unwrap();
    }
    go_on.wait();
    eventually("it is said", || failed.load(Ordering::SeqCst));
    for _ in 1..3 {
        let answer = told.recv_timeout(LONG).expect("an answer was dropped");
        assert!(matches!(answer, Err(Fault::Panicked)), "{answer:?}");
    }
    assert!(matches!(log.submit(Write::Flush, drop), Err(Refused::Failed(Fault::Panicked))));
    assert!(matches!(log.wait(u64::MAX), Err(Fault::Panicked)));
    assert!(matches!(log.close(), Err(Fault::Panicked)));
    assert_eq!(verify(&dir).unwrap().extent.last, Some(at(1, 2)));
}

#[test]
fn purged_segments_are_used_again_and_the_disk_does_not_grow() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    let mut most = 0;
    for index in 0..1000 {
        write(&log, Write::Append(vec![entry(1, index, 2000)]));
        if index % 20 == 19 {
            write(&log, Write::Purge { upto: at(1, index - 10) });
        }
        most = most.max(names(&dir).len());
    }
    let figures = log.figures();
    assert!(figures.bytes > 30 * SEGMENT, "{figures:?}");
    assert!(figures.segments_recycled > 15, "{figures:?}");
    assert!(most <= 8, "{most} files");
    assert_eq!(entries(&log).len() as u64, 1000 - log.extent().first.unwrap());
    log.close().unwrap();
    let (log, _) = open(&dir, &small()).unwrap();
    assert_eq!(entries(&log).last(), Some(&entry(1, 999, 2000)));
}

#[test]
fn the_vote_outlives_the_segment_that_it_was_written_in() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    let vote = Vote { term: 9, voted_for: Some(2), committed: false };
    write(&log, Write::Vote(vote));
    for index in 0..100 {
        write(&log, Write::Append(vec![entry(1, index, 2000)]));
    }
    write(&log, Write::Purge { upto: at(1, 90) });
    log.close().unwrap();
    assert!(!support::segment(&dir, 1).exists() || verify(&dir).unwrap().segments < 4);
    let (log, survey) = open(&dir, &small()).unwrap();
    assert_eq!((log.vote(), survey.vote), (Some(vote), Some(vote)));
    assert_eq!(log.extent().purged, Some(at(1, 90)));
}

#[test]
fn the_committed_position_is_found_again_but_never_beyond_the_end() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    write(&log, Write::Append((0..5).map(|index| entry(1, index, 10)).collect()));
    log.set_committed(Some(at(1, 3)));
    log.close().unwrap();
    let (log, survey) = open(&dir, &small()).unwrap();
    assert_eq!((log.committed(), survey.committed), (Some(at(1, 3)), Some(at(1, 3))));
    log.set_committed(Some(at(1, 30)));
    log.close().unwrap();
    assert_eq!(verify(&dir).unwrap().committed, Some(at(1, 4)));
}

#[test]
fn a_read_takes_no_more_than_its_limits_and_at_least_one_entry() {
    let home = real_disk();
    for tail_bytes in [0, 1 << 20] {
        let log = fresh(&home.path().join(format!("log-{tail_bytes}")), &Settings { tail_bytes, ..small() });
        write(&log, Write::Append((0..20).map(|index| entry(1, index, 1000)).collect()));
        let count = |entries, bytes| log.read(0..20, Limit { entries, bytes }).unwrap().len();
        assert_eq!(count(7, usize::MAX), 7);
        assert!((2..=3).contains(&count(usize::MAX, 3100)), "tail {tail_bytes}");
        assert_eq!((count(usize::MAX, 10), count(0, 0)), (1, 1));
        assert_eq!(log.read(18..40, EVERYTHING).unwrap().len(), 2);
    }
}

#[test]
fn readers_beside_the_writer_see_a_contiguous_unchanged_log() {
    let home = real_disk();
    let log = fresh(&home.path().join("log"), &Settings { tail_bytes: 20_000, ..small() });
    let (is_over, reads, purged) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    // The term that each index was last written with: entries of a read must
    // not be older than that when the read began.
    let terms = Mutex::new(Vec::<u64>::new());
    std::thread::scope(|scope| {
        for reader in 0..3_u64 {
            let (log, is_over, reads, purged, terms) = (&log, &is_over, &reads, &purged, &terms);
            scope.spawn(move || {
                let mut random = reader + 1;
                while !is_over.load(Ordering::SeqCst) {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let known = terms.lock().unwrap().clone();
                    let extent = log.extent();
                    let (Some(first), Some(last)) = (extent.first, extent.last) else { continue };
                    let from = first + (random >> 33) % (last.index - first + 1);
                    match log.read(from..from + 40, Limit { entries: 30, bytes: 60_000 }) {
                        Ok(entries) => {
                            for (n, entry) in (from..).zip(&entries) {
                                assert_eq!(entry.at.index, n);
                                assert_eq!(entry.payload, payload(entry.at, entry.payload.len()));
                                assert!(known.get(n as usize).is_none_or(|term| *term <= entry.at.term), "went back");
                            }
                            reads.fetch_add(entries.len() as u64, Ordering::SeqCst);
                        }
                        Err(ReadError::Purged { .. }) => {
                            purged.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        let (mut term, mut next) = (1, 0);
        for round in 0..600_u64 {
            let made: Vec<_> = (next..next + 5).map(|index| entry(term, index, 1500)).collect();
            next += 5;
            let last = log.submit(Write::Append(made), drop).unwrap();
            {
                let mut terms = terms.lock().unwrap();
                terms.resize(next as usize - 5, 0);
                terms.extend([term; 5]);
            }
            if round % 7 == 0 {
                term += 1;
                next -= 2;
                terms.lock().unwrap().truncate(next as usize);
                log.submit(Write::Truncate { from: next }, drop).unwrap();
            }
            if round % 10 == 9 {
                log.submit(Write::Purge { upto: at(log.term(next - 30).unwrap(), next - 30) }, drop).unwrap();
            }
            if round % 16 == 0 {
                log.wait(last).unwrap();
            }
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(reads.load(Ordering::SeqCst) > 500, "the readers read nothing");
    assert!(log.figures().segments_recycled > 5, "no segment was used again under the readers");
}

#[test]
fn writers_that_outrun_the_making_of_segments_wait_and_lose_nothing() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    let mut last = 0;
    for index in 0..1500 {
        last = log.submit(Write::Append(vec![entry(1, index, 3000)]), |done| assert!(done.is_ok())).unwrap();
    }
    log.wait(last).unwrap();
    assert!(log.figures().segments > 60);
    log.close().unwrap();
    let (log, survey) = open(&dir, &small()).unwrap();
    assert_eq!(survey.extent.last, Some(at(1, 1499)));
    assert!((0..1500).zip(entries(&log)).all(|(index, found)| found == entry(1, index, 3000)));
}

#[test]
fn segments_of_another_size_are_read_and_new_ones_have_the_new_size() {
    let home = real_disk();
    let dir = home.path().join("log");
    let log = fresh(&dir, &small());
    for index in 0..40 {
        write(&log, Write::Append(vec![entry(1, index, 3000)]));
    }
    log.close().unwrap();
    let larger = Settings { segment_bytes: 2 * SEGMENT, ..small() };
    let (log, _) = open(&dir, &larger).unwrap();
    for index in 40..120 {
        write(&log, Write::Append(vec![entry(1, index, 3000)]));
    }
    write(&log, Write::Purge { upto: at(1, 100) });
    for index in 120..200 {
        write(&log, Write::Append(vec![entry(1, index, 3000)]));
    }
    log.close().unwrap();
    let lengths: Vec<u64> = names(&dir)
        .iter()
        .filter(|name| name.ends_with(".seg"))
        .map(|name| std::fs::metadata(dir.join(name)).unwrap().len())
        .collect();
    assert!(lengths.contains(&(2 * SEGMENT)), "{lengths:?}");
    let (log, _) = open(&dir, &small()).unwrap();
    assert_eq!(entries(&log).len(), 99);
    assert_eq!(log.figures().space, Space::Ample);
}
