//! Watching a cluster: from one replica to the next, at one that is behind, and
//! at one that hears nothing.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::watch_events_response::Frame;
use std::time::{Duration, Instant};
use system_tests::{DEADLINE, Net, Plan, RegistryClient, Replicas, Sandbox, until};
use tonic::{Code, Status, Streaming};

type Stream = Streaming<v1::WatchEventsResponse>;

fn from(from_revision: u64) -> v1::WatchEventsRequest {
    v1::WatchEventsRequest { from_revision, follow: true, ..Default::default() }
}

fn watch(client: &RegistryClient, request: v1::WatchEventsRequest) -> Result<Stream, Status> {
    client.wait(client.events().watch_events(request)).map(tonic::Response::into_inner)
}

/// The next frame, within the deadline.
fn next(client: &RegistryClient, stream: &mut Stream) -> Result<Frame, Status> {
    let frame = client.wait(async { tokio::time::timeout(DEADLINE, stream.message()).await });
    Ok(frame.expect("nothing came")?.expect("the stream ended").frame.expect("a frame"))
}

fn next_event(client: &RegistryClient, stream: &mut Stream) -> Result<u64, Status> {
    loop {
        match next(client, stream)? {
            Frame::Event(event) => return Ok(event.revision),
            Frame::Progress(_) => {}
            other => panic!("{other:?} is no event"),
        }
    }
}

/// Writes until it is done, whoever leads.
fn write(replicas: &Replicas, name: &str) {
    write_at(replicas, &replicas.running(), name);
}

/// Writes by way of one of these.
fn write_at(replicas: &Replicas, places: &[usize], name: &str) {
    until(&format!("{name} is written"), || {
        places.iter().any(|i| replicas.client(*i).run_program(name, "true", 0).is_ok())
    });
}

fn revision(replicas: &Replicas, i: usize) -> u64 {
    replicas.status(i).expect("it answers").revision
}

#[test]
fn a_watch_goes_on_at_the_next_replica_without_a_gap_or_a_double() {
    let sandbox = Sandbox::new();
    let mut replicas = Replicas::start(&sandbox, 3);
    let _ = replicas.wait_for_leader();
    write(&replicas, "first");
    let (mut seen, mut snapshots) = (0, 0);
    for round in 0..4 {
        let at = round % 3;
        let client = replicas.new_clients().swap_remove(at);
        let request = match seen {
            0 => v1::WatchEventsRequest { snapshot: true, follow: true, ..Default::default() },
            seen => from(seen + 1),
        };
        let mut stream = watch(&client, request).expect("it is accepted");
        while seen == 0 {
            if let Frame::SnapshotEnd(end) = next(&client, &mut stream).unwrap() {
                (seen, snapshots) = (end.revision, snapshots + 1);
            }
        }
        for n in 0..5 {
            write(&replicas, &format!("p-{round}-{n}"));
        }
        for _ in 0..4 {
            let revision = next_event(&client, &mut stream).unwrap();
            assert_eq!(revision, seen + 1, "at replica {at}");
            seen = revision;
        }
        // One event is left over each time, for the next replica to show.
        replicas.kill(at);
        let broken = loop {
            match next_event(&client, &mut stream) {
                Ok(revision) => assert_eq!(std::mem::replace(&mut seen, revision) + 1, revision),
                Err(status) => break status,
            }
        };
        assert_ne!(broken.code(), Code::OutOfRange);
        write(&replicas, &format!("q-{round}"));
        replicas.restart(at);
    }
    assert_eq!(snapshots, 1);
    replicas.wait_until_equal();
}

#[test]
fn a_replica_that_is_behind_waits_until_it_has_come_to_where_a_watcher_is() {
    let sandbox = Sandbox::new();
    let net = Net::new(3);
    let replicas = Plan::in_spaces(&sandbox, &net, 3).start();
    let leader = replicas.wait_for_leader();
    let behind = (leader + 1) % 3;
    write(&replicas, "before");
    replicas.wait_until_equal();
    let (client, old) = (replicas.client(behind), revision(&replicas, behind));
    // What the cluster has and this replica has not: it asks the others, who do not answer.
    net.isolate(behind);
    for n in 0..20 {
        write_at(&replicas, &[leader], &format!("meanwhile-{n}"));
    }
    let newest = revision(&replicas, leader);
    assert!(newest >= old + 20 && revision(&replicas, behind) == old, "invalid: it is not behind");
    let patient = replicas.patient_client(behind);
    let refused = watch(&patient, from(newest + 1)).expect_err("it cannot know");
    assert_eq!((refused.code(), reason_of(&refused).as_deref()), (Code::Unavailable, Some(reason::NO_LEADER)));
    // What it has it shows without asking.
    let mut stream = watch(client, from(old)).unwrap();
    assert_eq!(next_event(client, &mut stream).unwrap(), old);
    net.heal();
    // Accepted once it has come so far, and nothing that the watcher has seen is shown again.
    let mut stream = None;
    until("the replica that was behind takes the watcher", || {
        stream = watch(&patient, from(newest + 1)).ok();
        stream.is_some()
    });
    assert!(revision(&replicas, behind) >= newest, "it accepted a revision whose predecessor it did not have");
    let refused = watch(&patient, from(newest + 2)).expect_err("nobody has come so far");
    assert_eq!((refused.code(), reason_of(&refused).as_deref()), (Code::OutOfRange, Some(reason::REVISION_FUTURE)));
    write(&replicas, "after");
    assert_eq!(next_event(&patient, stream.as_mut().unwrap()).unwrap(), newest + 1);
}

#[test]
fn a_watcher_of_a_replica_that_is_cut_off_is_sent_away() {
    let sandbox = Sandbox::new();
    let net = Net::new(3);
    let replicas = Plan::in_spaces(&sandbox, &net, 3).start();
    let leader = replicas.wait_for_leader();
    let cut = (leader + 1) % 3;
    let (client, other) = (replicas.client(cut), replicas.client(leader));
    let (mut stream, mut elsewhere) = (watch(client, from(0)).unwrap(), watch(other, from(0)).unwrap());
    let Frame::Progress(first) = next(client, &mut stream).unwrap() else { panic!("no progress") };
    assert!(matches!(next(other, &mut elsewhere).unwrap(), Frame::Progress(_)));
    net.isolate(cut);
    let began = Instant::now();
    let status = next_event(client, &mut stream).expect_err("it hears of nothing");
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Unavailable, Some(reason::NO_LEADER)));
    assert!(began.elapsed() < Duration::from_secs(30), "after {:?}", began.elapsed());
    write_at(&replicas, &[leader], "meanwhile");
    let seen = next_event(other, &mut elsewhere).expect("the others are not cut off");
    net.heal();
    // Whoever comes later is no longer concerned.
    until("the replica that was cut off has caught up", || revision(&replicas, cut) >= seen);
    let mut stream = watch(client, from(first.revision + 1)).unwrap();
    assert_eq!(next_event(client, &mut stream).unwrap(), first.revision + 1);
}
