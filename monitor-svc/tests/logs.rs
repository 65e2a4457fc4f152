//! Logs on their way from runners to readers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

mod support;

use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::LogStream::{Stderr, Stdout, Unspecified};
use pm_proto::v1::read_logs_response::Frame;
use pm_proto::v1::run_intake_response::Message as Down;
use std::collections::BTreeMap;
use support::{Runner, World, chunk, frame, round, sample};
use tonic::Code;

async fn world(ids: &[&str]) -> (World, Runner) {
    let world = World::start();
    let runner = world.runner("a").await;
    runner.has(ids).await;
    world.shows(&format!("pm_monitor_instances {}.0", ids.len())).await;
    (world, runner)
}

fn text(frame: Option<Frame>) -> String {
    match frame {
        Some(Frame::Chunk(chunk)) => {
            let data = String::from_utf8(chunk.data.to_vec()).unwrap();
            format!("{} {} {} {data}", chunk.instance_id, chunk.stream, chunk.offset)
        }
        Some(Frame::End(end)) => format!("{} {} end {}", end.instance_id, end.stream, end.error),
        None => "over".to_owned(),
    }
}

#[tokio::test]
async fn what_a_client_asks_for_is_what_the_runner_is_asked_for() {
    let (world, mut runner) = world(&["web-1"]).await;
    let request = v1::ReadLogsRequest {
        selectors: vec!["web".into(), "web-1".into()],
        tail: Some(5),
        follow: true,
        stream: Stderr.into(),
        since: Some(at(7)),
        grep: "a|b".into(),
        cursors: vec!["web-1/stderr/l1.5".into(), "web-2/stderr/l1.6".into(), "web-10/stdout/l1.7".into()],
        timestamps: true,
        ..Default::default()
    };
    let _read = world.logs().read_logs(request).await.unwrap();
    let asked = runner.hears_request().await;
    assert_eq!((asked.instance_id.as_str(), asked.tail, asked.follow), ("web-1", Some(5), true));
    assert_eq!((asked.stream(), asked.credit), (Stderr, 256 << 10));
    assert_eq!((asked.since, asked.until, asked.grep.as_str()), (Some(at(7)), None, "a|b"));
    assert_eq!((asked.timestamps, asked.previous), (true, false));
    assert_eq!(asked.cursors, ["web-1/stderr/l1.5"], "places of others are nothing to it");
}

fn at(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds, nanos: 0 }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_field_s_name() {
    let (world, _runner) = world(&["web-1"]).await;
    let of = |change: fn(&mut v1::ReadLogsRequest)| {
        let mut request = v1::ReadLogsRequest { selectors: vec!["web".into()], ..Default::default() };
        change(&mut request);
        request
    };
    for (request, field) in [
        (of(|r| r.grep = "(".into()), "grep"),
        (of(|r| r.grep = "x".repeat(5000)), "grep"),
        (of(|r| (r.until, r.follow) = (Some(at(1)), true)), "until"),
        (of(|r| (r.previous, r.follow) = (true, true)), "previous"),
        (of(|r| (r.since, r.until) = (Some(at(2)), Some(at(1)))), "until"),
        (of(|r| r.cursors = vec!["nonsense".into()]), "cursors"),
    ] {
        let status = world.logs().read_logs(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().starts_with(&format!("{field}: ")), "{}", status.message());
    }
}

#[tokio::test]
async fn a_read_of_everything_so_far_gets_all_bytes_and_ends() {
    let (world, mut runner) = world(&["web-1", "web-2"]).await;
    let mut read = world.read("web", false).await;
    let (one, two) = (runner.hears_request().await, runner.hears_request().await);
    assert_eq!((one.stream(), one.tail, one.follow), (Unspecified, None, false));
    runner.sends(&one, Stdout, 0, b"hello\n").await;
    runner.sends(&one, Stderr, 0, b"oops\n").await;
    runner.ends(&one, Stderr, "").await;
    runner.ends(&one, Stdout, "").await;
    runner.ends(&two, Unspecified, "its log cannot be opened").await;
    for expected in [
        "web-1 1 0 hello\n",
        "web-1 2 0 oops\n",
        "web-1 2 end ",
        "web-1 1 end ",
        "web-2 1 end its log cannot be opened",
        "web-2 2 end its log cannot be opened",
        "over",
    ] {
        assert_eq!(text(frame(&mut read).await), expected);
    }
    world.shows("pm_monitor_log_relays 0.0").await;
}

#[tokio::test]
async fn a_follow_goes_on_for_as_long_as_the_client_takes() {
    let (world, mut runner) = world(&["web-1"]).await;
    let mut read = world.read("web-1", true).await;
    let asked = runner.hears_request().await;
    // More than the window: goes on only because credit comes back.
    let piece = vec![b'x'; 32 << 10];
    let (mut credit, mut offset) = (asked.credit, 0);
    for _ in 0..64 {
        let size = piece.len() as u64;
        while credit < size {
            match runner.hears().await {
                Down::Credit(more) => {
                    assert_eq!(more.request_id, asked.request_id);
                    credit += more.bytes;
                }
                other => panic!("{other:?}"),
            }
        }
        credit -= size;
        runner.sends(&asked, Stdout, offset, &piece).await;
        match frame(&mut read).await {
            Some(Frame::Chunk(chunk)) => assert_eq!((chunk.offset, chunk.data.len()), (offset, piece.len())),
            other => panic!("{other:?}"),
        }
        offset += size;
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_neither_another_nor_the_samples() {
    let (world, mut runner) = world(&["web-1"]).await;
    // Both over one connection, as through one gateway.
    let mut logs = world.logs();
    let request = v1::ReadLogsRequest {
        selectors: vec!["web-1".into()],
        follow: true,
        stream: Stdout.into(),
        ..Default::default()
    };
    let stalled = logs.read_logs(request.clone()).await.unwrap().into_inner();
    let first = runner.hears_request().await;
    let mut reading = logs.read_logs(request).await.unwrap().into_inner();
    let second = runner.hears_request().await;

    // A runner that sends all that it may, round and round.
    const WANTED: u64 = 8 << 20;
    const PIECE: u64 = 16 << 10;
    let up = runner.up.clone();
    let feeding = tokio::spawn(async move {
        let requests = BTreeMap::from([(first.request_id, first.clone()), (second.request_id, second)]);
        let mut credit: BTreeMap<u64, u64> = requests.values().map(|asked| (asked.request_id, asked.credit)).collect();
        let mut sent: BTreeMap<u64, u64> = BTreeMap::new();
        let piece = vec![b'x'; PIECE as usize];
        let mut rounds = 0;
        while sent.values().max().is_none_or(|most| *most < WANTED) {
            let mut idle = true;
            for (id, left) in &mut credit {
                if *left >= PIECE {
                    idle = false;
                    *left -= PIECE;
                    let offset = sent.entry(*id).or_default();
                    let message = Some(chunk(&requests[id], Stdout, *offset, &piece));
                    up.send(v1::RunIntakeRequest { message }).await.unwrap();
                    *offset += PIECE;
                }
            }
            rounds += 1;
            let message = Some(round(vec![sample("web-1", "a", rounds)], "a", rounds));
            up.send(v1::RunIntakeRequest { message }).await.unwrap();
            if idle {
                match runner.hears().await {
                    Down::Credit(more) => *credit.get_mut(&more.request_id).unwrap() += more.bytes,
                    other => panic!("{other:?}"),
                }
            }
        }
        (sent[&first.request_id], rounds, runner)
    });
    let mut received = 0;
    while received < WANTED {
        match frame(&mut reading).await {
            Some(Frame::Chunk(chunk)) => received += chunk.data.len() as u64,
            other => panic!("{other:?}"),
        }
    }
    let (to_the_stalled, rounds, _runner) = support::soon("the runner", feeding).await.unwrap();
    // A window with the monitor, and what HTTP/2 has taken for the client.
    assert!(to_the_stalled <= 1 << 20, "{to_the_stalled} bytes are held for a reader that does not read");
    world.shows(&format!("pm_monitor_samples_total {}", rounds * 2)).await;
    drop(stalled);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_at_the_runner() {
    let (world, mut runner) = world(&["web-1"]).await;
    let mut read = world.read("web-1", true).await;
    let asked = runner.hears_request().await;
    runner.sends(&asked, Stdout, 0, b"hello\n").await;
    assert_eq!(text(frame(&mut read).await), "web-1 1 0 hello\n");
    drop(read);
    assert_eq!(runner.hears_cancel().await, asked.request_id);
    world.shows("pm_monitor_log_readers 0.0").await;
    // What was on its way is dropped, and the session goes on.
    runner.sends(&asked, Stdout, 6, b"late\n").await;
    let _read = world.read("web-1", true).await;
    assert!(runner.hears_request().await.request_id > asked.request_id);
}

#[tokio::test]
async fn a_selector_that_matches_nothing_is_named() {
    let (world, runner) = world(&["web-1"]).await;
    let refused = world.try_read(&["web", "wep"], false).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_deref()), (Code::NotFound, Some(reason::NOT_FOUND)));
    assert_eq!(refused.message(), "wep matches no instance that a connected node has");

    runner.say(round(vec![sample("web-1", "a", 1)], "a", 1)).await;
    world.shows("pm_monitor_samples_total 2").await;
    drop(runner);
    world.shows("pm_monitor_nodes 0.0").await;
    let refused = world.try_read(&["web"], false).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_deref()), (Code::NotFound, Some(reason::LOGS_UNREACHABLE)));
    assert!(refused.message().contains("node a"), "{}", refused.message());
}

#[tokio::test]
async fn a_request_without_selectors_or_with_an_unknown_stream_is_refused() {
    let (world, _runner) = world(&["web-1"]).await;
    for (selectors, stream, field) in [(vec![], 0, "selectors"), (vec![""], 0, "selectors"), (vec!["web"], 9, "stream")]
    {
        let selectors = selectors.into_iter().map(String::from).collect();
        let request = v1::ReadLogsRequest { selectors, stream, ..Default::default() };
        let refused = world.logs().read_logs(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(field), "{}", refused.message());
    }
}

#[tokio::test]
async fn a_node_that_is_lost_ends_its_logs_with_an_error_and_no_others() {
    let (world, mut lost) = world(&["web-1"]).await;
    let mut stays = world.runner("b").await;
    stays.has(&["web-2"]).await;
    world.shows("pm_monitor_instances 2.0").await;
    let mut read = world.read("web", true).await;
    lost.hears_request().await;
    let asked = stays.hears_request().await;
    drop(lost);
    assert_eq!(text(frame(&mut read).await), "web-1 1 end node a is no longer connected");
    assert_eq!(text(frame(&mut read).await), "web-1 2 end node a is no longer connected");
    stays.sends(&asked, Stdout, 0, b"on\n").await;
    assert_eq!(text(frame(&mut read).await), "web-2 1 0 on\n");
}

#[tokio::test]
async fn a_session_that_is_replaced_ends_the_reads_that_it_served() {
    let (world, mut earlier) = world(&["web-1"]).await;
    let mut read = world.read("web-1", true).await;
    earlier.hears_request().await;
    let _later = world.runner("a").await;
    assert_eq!(text(frame(&mut read).await), "web-1 1 end node a connected anew");
    assert_eq!(text(frame(&mut read).await), "web-1 2 end node a connected anew");
    assert_eq!(text(frame(&mut read).await), "over");
}

#[tokio::test]
async fn a_runner_that_ignores_its_credit_is_stopped() {
    let (world, mut runner) = world(&["web-1"]).await;
    let mut read = world.read("web-1", true).await;
    let asked = runner.hears_request().await;
    runner.sends(&asked, Stdout, 0, &vec![b'x'; asked.credit as usize + 1]).await;
    assert!(text(frame(&mut read).await).contains("more than it was allowed"));
    assert_eq!(runner.hears_cancel().await, asked.request_id);
}
