//! Output of programs under faults: whatever happens to runner, disk, folder
//! and files, what is missing is counted, and nothing else is missing. Named
//! after the rows of the fault matrix.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use process_model::spec::{Compression, LogFormat, LogPolicy, WhenFull};
use process_model::{ProcessSpec, event_type};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::logs::{self, Writer, history, numbers};
use support::{Node, cannot_run_here, keepers, kill, lines_in, sh};

const KIB: u64 = 1024;

fn kept_by(mut spec: ProcessSpec, change: impl FnOnce(&mut LogPolicy)) -> ProcessSpec {
    let mut policy = LogPolicy::default();
    change(&mut policy);
    spec.logs = Some(policy.into());
    spec.restart.mode = process_model::spec::RestartMode::Never;
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn l01_runner_killed_three_times_while_programs_log_loses_and_doubles_nothing() {
    let mut node = Node::new().await;
    let writers: Vec<Writer> = (1..=2).map(|i| Writer::new(&node, &format!("w{i}"), 20 << 20, 2 << 20)).collect();
    let specs: Vec<_> = writers
        .iter()
        .map(|writer| {
            let spec = kept_by(sh(&node, &writer.name, &writer.line()), |logs| {
                (logs.max_size, logs.max_files) = (1024 * KIB, 1000);
            });
            (spec, true, 0)
        })
        .collect();
    node.assign(&specs);
    node.start_runner();
    for round in 0..3_u64 {
        // Each kill hits programs that are writing.
        for writer in &writers {
            writer.wait_for(&node, (2 + round * 4) << 20).await;
        }
        node.kill_runner();
        let at_kill = writers[0].written(&node);
        writers[0].wait_for(&node, at_kill + (512 << 10)).await;
        assert!(!writers[0].is_done(), "invalid: the program ended before the last kill");
        node.start_runner();
    }
    for writer in &writers {
        writer.wait_until_done().await;
        let path = node.path(&format!("logs/{}-1.stdout.log", writer.name));
        logs::settled(&path, writer.bytes()).await;
        let (text, files) = history(&path);
        assert!(files > 10, "invalid: nothing was rotated");
        assert_eq!(numbers(&text), (0, writer.lines()), "lost, doubled or out of order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l02_a_runner_that_stands_still_holds_no_program_up() {
    let mut node = Node::new().await;
    let script = "import time,os
worst=0.0
end=time.monotonic()+4
n=0
while time.monotonic()<end:
    before=time.monotonic()
    os.write(1,b'%012d %s\\n'%(n,b'x'*86)*100)
    worst=max(worst,time.monotonic()-before); n+=1
    time.sleep(0.001)
open('worst','w').write('%f\\n'%worst)";
    fs::write(node.path("latency.py"), script).unwrap();
    node.assign(&[(kept_by(sh(&node, "web", "exec python3 latency.py"), |logs| logs.max_size = 256 * KIB), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let runner = node.runner.as_ref().unwrap().id();
    kill(runner, Signal::STOP);
    let worst = lines_in(&node.path("worst"), 1).await;
    let state = fs::read_to_string(format!("/proc/{runner}/stat")).unwrap();
    assert!(state.contains(") T "), "invalid: the runner was not stopped: {state}");
    kill(runner, Signal::CONT);
    let worst: f64 = worst[0].parse().unwrap();
    // Held up, it would wait until the runner goes on, which waits for it; some of it is what a loaded machine takes.
    assert!(worst < 10.0, "a write took {worst} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn l03_a_firehose_costs_the_keeper_no_memory_and_loses_nothing() {
    let mut node = Node::new().await;
    let writers: Vec<Writer> = (1..=3).map(|i| Writer::new(&node, &format!("w{i}"), 48 << 20, 0)).collect();
    let spec = |writer: &Writer| {
        kept_by(sh(&node, &writer.name, &format!("until [ -e go ]; do sleep 0.02; done; {}", writer.line())), |logs| {
            (logs.max_size, logs.max_files, logs.compress) = (8 << 20, 100, Compression::None);
        })
    };
    node.assign(&writers.iter().map(|writer| (spec(writer), true, 0)).collect::<Vec<_>>());
    node.start_runner();
    for _ in &writers {
        node.event(event_type::INSTANCE_STARTED).await;
    }
    let keeper = keepers(&node.path("state"))[0];
    let before = logs::anonymous(keeper);
    fs::write(node.path("go"), "").unwrap();
    for writer in &writers {
        writer.wait_until_done().await;
        let path = node.path(&format!("logs/{}-1.stdout.log", writer.name));
        logs::settled(&path, writer.bytes()).await;
        assert_eq!(numbers(&history(&path).0), (0, writer.lines()));
    }
    let grown = logs::anonymous(keeper).saturating_sub(before);
    assert!(grown < 2048 * KIB, "the keeper grew by {grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn l04_long_lines_and_half_lines_are_there_byte_by_byte() {
    let mut node = Node::new().await;
    let mut bytes = b"\0nul\r 10%\r 20%\r\n\xff\xfe\x1b[31m\n".to_vec();
    bytes.extend(vec![b'x'; 1 << 20]);
    bytes.extend(b"\nno line end");
    fs::write(node.path("fixture"), &bytes).unwrap();
    let cat = |name| kept_by(sh(&node, name, "cat fixture"), |_| {});
    let mut objects = cat("objects");
    objects.logs.as_mut().unwrap().format = LogFormat::Ecs;
    node.assign(&[(cat("raw"), true, 0), (objects, true, 0)]);
    node.start_runner();
    for _ in 0..2 {
        node.event(event_type::INSTANCE_EXITED).await;
    }
    let raw = node.path("logs/raw-1.stdout.log");
    logs::settled(&raw, bytes.len() as u64).await;
    assert!(fs::read(&raw).unwrap() == bytes, "bytes differ");
    let lines = lines_in(&node.path("logs/objects-1.stdout.log"), 2 + 16 + 1).await;
    let objects: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let partial: Vec<bool> = objects.iter().map(|object| object["pm"]["partial"] == true).collect();
    assert_eq!(partial.iter().filter(|partial| **partial).count(), 15 + 1);
    assert_eq!(objects.last().unwrap()["message"], "no line end");
    assert_eq!(objects.last().unwrap()["pm"]["partial"], true, "nobody says that it had no end");
    assert_eq!(objects[1]["pm"]["bytes"], "//4bWzMxbQ==", "l07: bytes that are no text");
    assert!(objects.iter().enumerate().all(|(i, object)| object["event.sequence"] == i));
}

#[tokio::test(flavor = "multi_thread")]
async fn l05_a_firehose_into_small_files_keeps_the_newest_whole_and_the_disk_bounded() {
    let mut node = Node::new().await;
    let writer = Writer::new(&node, "w", 24 << 20, 0);
    let spec = kept_by(sh(&node, "w", &writer.line()), |logs| {
        (logs.max_size, logs.max_files) = (64 * KIB, 3);
    });
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let path = node.path("logs/w-1.stdout.log");
    // A file beyond the limit while it is rotated, one that is being compressed, and the indexes.
    let limit = (3 + 2) * 65 * KIB + 65 * KIB;
    let mut most = 0;
    while !writer.is_done() {
        most = most.max(logs::on_disk(&node.path("logs")));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    assert!(most <= limit, "{most} bytes on the disk");
    logs::until("the newest lines are there", || last_number(&path) == Some(writer.lines() - 1)).await;
    logs::until("there are as many files as there may be", || history(&path).1 == 4).await;
    let text = history(&path).0;
    let (first, end) = numbers(&text);
    assert_eq!(end, writer.lines(), "the newest lines are missing");
    assert!(first > 0 && text.len() as u64 >= 3 * 64 * KIB, "{first}, {}", text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_by_hand_by_renaming_and_by_copytruncate_a_log_goes_on() {
    let mut node = Node::new().await;
    let writer = Writer::new(&node, "w", 10 << 20, 1 << 20);
    let path = node.path("app.log");
    let mut spec = sh(&node, "w", &writer.line());
    spec.log_file = Some(path.to_string_lossy().into_owned());
    spec.restart.mode = process_model::spec::RestartMode::Never;
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    writer.wait_for_file(&path, 1 << 20).await;
    let (old, copy) = (node.path("app.log.1"), node.path("app.log.2"));
    fs::rename(&path, &old).unwrap();
    writer.wait_for_file(&path, 1 << 20).await;
    // What is written between copy and truncation is lost by the method: the program stands still meanwhile.
    let pid = support::descendant(&node, "writer.py");
    kill(pid, Signal::STOP);
    logs::read_by_its_keeper(pid).await;
    logs::quiet(&path).await;
    fs::copy(&path, &copy).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    kill(pid, Signal::CONT);
    writer.wait_until_done().await;
    let bytes = || [&old, &copy, &path].map(|file| fs::metadata(file).unwrap().len()).iter().sum::<u64>();
    logs::until("everything is in the files", || bytes() >= writer.bytes()).await;
    let mut all = fs::read(&old).unwrap();
    all.extend(fs::read(&copy).unwrap());
    all.extend(fs::read(&path).unwrap());
    assert_eq!(numbers(&all), (0, writer.lines()));
    assert!(fs::metadata(&path).unwrap().len() > 0, "invalid: nothing was written behind the truncation");
}

#[tokio::test(flavor = "multi_thread")]
async fn l08_a_full_disk_holds_no_program_up_and_what_is_missing_is_counted_exactly() {
    let mut node = Node::new().await;
    let Some(disk) = logs::Disk::mount(&node.path("disk"), "size=4m") else {
        return cannot_run_here("mounting a tmpfs");
    };
    let writer = Writer::new(&node, "w", 20 << 20, 2 << 20);
    let path = disk.path.join("app.log");
    let mut spec = kept_by(sh(&node, "w", &writer.line()), |logs| logs.max_size = 1 << 30);
    spec.log_file = Some(path.to_string_lossy().into_owned());
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    writer.wait_for_file(&path, 256 * KIB).await;
    let ballast = disk.fill();
    node.event(event_type::INSTANCE_LOG_DEGRADED).await;
    // Some of it is dropped.
    let at = writer.said(&node);
    writer.wait_until_said(&node, at + (1 << 20)).await;
    fs::remove_file(ballast).unwrap();
    let (freed, len) = (Instant::now(), fs::metadata(&path).unwrap().len());
    while fs::metadata(&path).unwrap().len() <= len {
        assert!(freed.elapsed() < Duration::from_secs(20), "not written to again 20 s after there is room");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!writer.is_done(), "invalid: the program ended while the disk was full");
    // The rest fits into no such disk: cut short, as an operator would.
    let mut all = Vec::new();
    while !writer.is_done() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if fs::metadata(&path).unwrap().len() > 2 << 20 {
            all.extend(logs::take(&path, &support::descendant(&node, "writer.py")).await);
        }
    }
    let counted = || there_and_missing(&[&all[..], &fs::read(&path).unwrap()].concat());
    logs::until("everything is there, or said to be missing", || {
        let (there, missing) = counted();
        there + missing >= writer.bytes()
    })
    .await;
    let (there, missing) = counted();
    assert!(missing > 0, "invalid: nothing was dropped");
    assert_eq!(there + missing, writer.bytes(), "{missing} bytes are said to be missing");
    // Held up, it would have waited for room, which is made when it has gone on; a loaded machine and `take` hold it up
    // for a while as well.
    assert!(writer.worst_write(&node) < 10.0, "a write took {} s", writer.worst_write(&node));
}

#[tokio::test(flavor = "multi_thread")]
async fn l08_a_program_that_is_to_wait_for_the_disk_loses_nothing() {
    let mut node = Node::new().await;
    let Some(disk) = logs::Disk::mount(&node.path("disk"), "size=8m") else {
        return cannot_run_here("mounting a tmpfs");
    };
    let writer = Writer::new(&node, "w", 4 << 20, 512 << 10);
    let path = disk.path.join("app.log");
    let mut spec = kept_by(sh(&node, "w", &writer.line()), |logs| {
        (logs.max_size, logs.when_full) = (1 << 30, WhenFull::Block);
    });
    spec.log_file = Some(path.to_string_lossy().into_owned());
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    writer.wait_for_file(&path, 256 * KIB).await;
    let ballast = disk.fill();
    node.event(event_type::INSTANCE_LOG_DEGRADED).await;
    // It is held up once its pipe is full.
    logs::stands_still(|| writer.said(&node)).await;
    fs::remove_file(ballast).unwrap();
    writer.wait_until_done().await;
    logs::settled(&path, writer.bytes()).await;
    assert_eq!(numbers(&fs::read(&path).unwrap()), (0, writer.lines()));
    assert!(writer.worst_write(&node) > 0.2, "invalid: it never waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn l09_a_log_that_somebody_deletes_with_its_folder_is_there_again_within_a_second() {
    let mut node = Node::new().await;
    let dir = node.path("logs2/deep");
    let path = dir.join("app.log");
    let mut spec = sh(&node, "w", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done");
    spec.log_file = Some(path.to_string_lossy().into_owned());
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let started = node.event(event_type::INSTANCE_STARTED).await;
    lines_in(&path, 3).await;
    for attack in ["rm", "rm -r", "mv"] {
        match attack {
            "rm" => fs::remove_file(&path).unwrap(),
            "rm -r" => fs::remove_dir_all(node.path("logs2")).unwrap(),
            _ => fs::rename(&path, dir.join("moved")).unwrap(),
        }
        let gone = Instant::now();
        while !fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0) {
            // A second, and what a loaded machine adds.
            assert!(gone.elapsed() < Duration::from_secs(10), "not made again after {attack}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if attack != "mv" {
            let told = node.event(event_type::INSTANCE_LOG_DEGRADED).await;
            assert_eq!(told.pid, started.pid, "the program was touched");
        }
    }
    // Nothing is lost where the old file can still be read.
    let moved = fs::read_to_string(dir.join("moved")).unwrap();
    let first_of_new = lines_in(&path, 1).await[0].clone();
    assert_eq!(moved.lines().last().unwrap().parse::<u64>().unwrap() + 1, first_of_new.parse::<u64>().unwrap());
    // Rights are no matter for who has the file open.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let before = fs::metadata(&path).unwrap().len();
    let until = Instant::now() + Duration::from_secs(10);
    while fs::metadata(&path).unwrap().len() <= before {
        assert!(Instant::now() < until, "chmod 000 ended it");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l13_without_inodes_nothing_is_lost_and_rotation_waits() {
    let mut node = Node::new().await;
    let Some(disk) = logs::Disk::mount(&node.path("disk"), "size=32m,nr_inodes=12") else {
        return cannot_run_here("mounting a tmpfs");
    };
    let writer = Writer::new(&node, "w", 8 << 20, 2 << 20);
    let path = disk.path.join("app.log");
    let mut spec = kept_by(sh(&node, "w", &writer.line()), |logs| {
        (logs.max_size, logs.max_files, logs.compress) = (512 * KIB, 2, Compression::None);
    });
    spec.log_file = Some(path.to_string_lossy().into_owned());
    // Taken before: not one more can be made once its own two are there.
    for i in 0..8 {
        fs::write(disk.path.join(format!("taken-{i}")), "").unwrap();
    }
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    writer.wait_for_file(&path, 1024 * KIB).await;
    let names: Vec<PathBuf> = fs::read_dir(&disk.path).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(fs::write(disk.path.join("one-more"), "").is_err(), "invalid: there are inodes left: {names:?}");
    let told = node.event(event_type::INSTANCE_LOG_DEGRADED).await;
    assert!(told.message.contains("cannot rotate"), "{}", told.message);
    for i in 0..8 {
        fs::remove_file(disk.path.join(format!("taken-{i}"))).unwrap();
    }
    writer.wait_until_done().await;
    logs::until("the newest lines are there", || last_number(&path) == Some(writer.lines() - 1)).await;
    logs::until("there are as many files as there may be", || history(&path).1 == 3).await;
    assert_eq!(numbers(&history(&path).0).1, writer.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_files_are_compressed_and_those_of_an_instance_that_is_gone_expire() {
    let mut node = Node::new().await;
    let writer = Writer::new(&node, "w", 2 << 20, 0);
    let spec = kept_by(sh(&node, "w", &writer.line()), |logs| {
        (logs.max_size, logs.max_files, logs.retention) = (256 * KIB, 100, Some(Duration::from_secs(12)));
    });
    node.assign(&[(spec, true, 0)]);
    node.start_runner();
    let path = node.path("logs/w-1.stdout.log");
    writer.wait_until_done().await;
    let compressed = || names(&node.path("logs")).iter().filter(|name| name.ends_with(".zst")).count();
    let plain = || names(&node.path("logs")).iter().filter(|name| name.ends_with('Z')).count();
    logs::until("compressed", || compressed() > 3 && plain() == 0).await;
    assert_eq!(numbers(&history(&path).0), (0, writer.lines()));
    node.assign(&[]);
    logs::until("expired", || names(&node.path("logs")).iter().all(|name| !name.starts_with("w-1.stdout"))).await;
}

/// Bytes that are there, and those that are said to be missing.
fn there_and_missing(text: &[u8]) -> (u64, u64) {
    let (mut there, mut missing) = (0, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match logs::missing(line) {
            Some(count) => missing += count,
            None => there += line.len() as u64,
        }
    }
    // A mark stands on a line of its own: it may have ended one that was begun.
    (there - logs::marks_within_a_line(text), missing)
}

/// The number of the last line of an output, once that is whole.
fn last_number(path: &Path) -> Option<u64> {
    let (text, _) = history(path);
    let line = text.split_inclusive(|byte| *byte == b'\n').next_back()?;
    line.ends_with(b"\n").then(|| std::str::from_utf8(line.get(..12)?).ok()?.parse().ok())?
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_interpreter_of_the_load_generator_is_here() {
    assert!(Command::new("python3").arg("--version").output().unwrap().status.success(), "python3 is needed");
}

/// Waits until all of this is reported, in any order.
async fn told(node: &mut Node, wanted: &[(&str, &str)]) {
    let mut wanted = wanted.to_vec();
    while !wanted.is_empty() {
        let report = node.any_report().await;
        wanted.retain(|(instance, event)| report.instance.to_string() != *instance || report.event_type != *event);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l12_a_log_disk_that_hangs_holds_up_no_program_and_no_start_or_stop() {
    let mut node = Node::new().await;
    let Some(mut disk) = logs::HangingDisk::mount(&node.path("disk"), 64) else {
        return cannot_run_here("mounting a file as a disk");
    };
    let writer = Writer::new(&node, "w", 8 << 20, 256 << 10);
    let on_disk = |name: &str, line: &str| {
        let mut spec = kept_by(sh(&node, name, line), |logs| logs.max_size = 1 << 30);
        spec.log_file = Some(disk.path.join(format!("{name}.log")).to_string_lossy().into_owned());
        spec
    };
    let path = disk.path.join("w.log");
    let (loud, short, next) = (
        on_disk("w", &writer.line()),
        on_disk("short", "echo on; exec sleep 1000"),
        on_disk("next", "exec sleep 1000"),
    );
    node.assign(&[(loud.clone(), true, 0), (short.clone(), true, 0)]);
    node.start_runner();
    writer.wait_for_file(&path, 64 * KIB).await;
    told(&mut node, &[("short-1", event_type::INSTANCE_STARTED)]).await;

    disk.hang();
    let (hung, at) = (Instant::now(), writer.said(&node));
    // One is stopped, another one is started.
    node.assign(&[(loud, true, 0), (short, false, 0), (next, true, 0)]);
    told(&mut node, &[("short-1", event_type::INSTANCE_STOPPED), ("next-1", event_type::INSTANCE_STARTED)]).await;
    assert!(hung.elapsed() < Duration::from_secs(20), "start and stop took {:?}", hung.elapsed());
    node.event(event_type::INSTANCE_LOG_DEGRADED).await;
    // More than any pipe holds.
    writer.wait_until_said(&node, at + (2 << 20)).await;
    assert!(!writer.is_done(), "invalid: the program ended while the disk hung");
    disk.answer();

    writer.wait_until_done().await;
    let counted = || there_and_missing(&fs::read(&path).unwrap());
    logs::until("everything is there, or said to be missing", || {
        let (there, missing) = counted();
        there + missing >= writer.bytes()
    })
    .await;
    let (there, missing) = counted();
    assert!(missing > 0, "invalid: nothing was dropped");
    assert_eq!(there + missing, writer.bytes(), "{missing} bytes are said to be missing");
    assert!(writer.worst_write(&node) < 20.0, "a write took {} s", writer.worst_write(&node));
}

#[tokio::test(flavor = "multi_thread")]
async fn l12_what_begins_and_ends_while_its_log_disk_hangs_is_counted_and_holds_nothing() {
    const SAID: u64 = 10;
    let mut node = Node::new().await;
    let Some(mut disk) = logs::HangingDisk::mount(&node.path("disk"), 64) else {
        return cannot_run_here("mounting a file as a disk");
    };
    let path = disk.path.join("short.log");
    let runs = node.path("runs");
    let line = format!("echo 123456789; echo said >> {}; sleep 0.2; exit 1", runs.display());
    let mut spec = sh(&node, "short", &line);
    spec.logs = Some(LogPolicy::default().into());
    spec.log_file = Some(path.to_string_lossy().into_owned());
    let backoff = &mut spec.restart.backoff;
    (backoff.initial, backoff.factor, backoff.jitter) = (Duration::from_millis(200), 1.0, 0.0);
    spec.restart.limit = None;
    node.assign(&[(spec.clone(), true, 0)]);
    node.start_runner();
    node.event(event_type::INSTANCE_STARTED).await;
    let keeper = keepers(&node.path("state"))[0];
    let numbers = logs::numbers_of(keeper, &path);
    assert!(numbers.iter().all(|number| *number >= 64), "a child would have a copy of its log: {numbers:?}");
    logs::until("its first words are there", || fs::read(&path).is_ok_and(|text| !text.is_empty())).await;

    disk.hang();
    let degraded = tokio::time::timeout(Duration::from_secs(60), node.event(event_type::INSTANCE_LOG_DEGRADED));
    degraded.await.expect("nobody says that the disk hangs");
    let holds = || fs::read_dir(format!("/proc/{keeper}/fd")).unwrap().count();
    // What came before it was clear that the disk hangs is in pipes still; now nothing more is kept.
    node.event(event_type::INSTANCE_STARTED).await;
    let before = holds();
    for _ in 0..10 {
        node.event(event_type::INSTANCE_STARTED).await;
    }
    let after = holds();
    assert!(after <= before + 4, "{before} descriptors, and {after} ten runs later");
    disk.answer();

    node.assign(&[(spec, false, 0)]);
    node.event(event_type::INSTANCE_STOPPED).await;
    let said = SAID * fs::read_to_string(&runs).unwrap().lines().count() as u64;
    let counted = || {
        let text = fs::read(&path).unwrap();
        let (marks, words): (Vec<_>, Vec<_>) =
            text.split_inclusive(|byte| *byte == b'\n').partition(|line| logs::missing(line).is_some());
        assert!(words.iter().all(|line| *line == b"123456789\n"), "{}", String::from_utf8_lossy(&text));
        (SAID * words.len() as u64, marks.into_iter().filter_map(logs::missing).sum::<u64>())
    };
    logs::until("everything is there, or said to be missing", || {
        let (there, missing) = counted();
        there + missing >= said
    })
    .await;
    let (there, missing) = counted();
    assert!(missing >= SAID * 5, "invalid: only {missing} bytes were dropped");
    // The last one may have been stopped between its two words.
    assert!([said, said + SAID].contains(&(there + missing)), "{there} + {missing} of {said} bytes");
}
