//! Snapshots: whole, interrupted, refused, damaged.

use crate::order::pair;
use crate::support::snapshot::Source;
use crate::support::{Proxy, Replica, in_time};
use futures::FutureExt as _;
use registry_consensus::{Call, PeerFault, Peers as _, ReplicaId, Vote};
use service_host::secret::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const LEN: usize = 5_000_000;
const PIECE: usize = 256 << 10;

fn vote(term: u64) -> Vote {
    Vote { term, voted_for: Some(1), committed: true }
}

fn taken(two: &Replica, source: &Source) {
    let taken = two.door.depot.taken.lock().unwrap();
    let [snapshot] = &taken[..] else { panic!("{} were taken", taken.len()) };
    let bytes = snapshot.source.read_at(0, usize::MAX).unwrap();
    assert!(bytes == source.bytes(), "it arrived changed");
}

/// Blocks the reader until the other end has written so much.
fn wait_for(progress: &watch::Sender<usize>, offset: u64) {
    let mut progress = progress.subscribe();
    let wait = progress.wait_for(|written| *written as u64 >= offset);
    tokio::runtime::Handle::current().block_on(wait).unwrap();
}

async fn nobody_writes(two: &Replica) {
    let mut open = two.door.depot.open.subscribe();
    in_time("the end of the transfer", open.wait_for(|open| *open == 0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_arrives_as_it_was_and_the_link_goes_on_meanwhile() {
    let (one, two) = pair().await;
    for len in [0, 1, PIECE, LEN] {
        let source = Source::new(len);
        let sending = tokio::spawn(one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot()));
        assert!(in_time("an answer", one.links.call(ReplicaId(2), Call::ReadIndex { term: None })).await.is_ok());
        assert_eq!(in_time("the end", sending).await.unwrap(), Ok(vote(1)), "{len} bytes");
        taken(&two, &source);
        two.door.depot.taken.lock().unwrap().clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_was_interrupted_goes_on_where_it_was() {
    for percent in [10, 50, 99] {
        let token = Secret::generate();
        let mut one = Replica::start(1, &token).await;
        let two = Replica::start(2, &token).await;
        let proxy = Arc::new(Proxy::to(&two.address, Duration::ZERO).await);
        one.member(2, &proxy.address);
        one.up(2).await;
        let source = Source::new(LEN);
        let at = (LEN * percent / 100) as u64;
        let (progress, cutter) = (two.door.depot.progress.clone(), proxy.clone());
        source.before(move |offset| {
            if offset + PIECE as u64 > at {
                // All before is there; this piece is never sent.
                wait_for(&progress, offset);
                cutter.cut();
                return Err(std::io::Error::other("the disk is gone, too"));
            }
            Ok(())
        });
        let sent = in_time("the end", one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot())).await;
        assert_eq!(sent, Err(PeerFault::Unreachable(ReplicaId(2))));
        nobody_writes(&two).await;
        let kept = two.door.depot.partial();
        assert!(kept as u64 + PIECE as u64 > at && kept > 0, "{kept} of {at}");
        assert!(two.door.depot.taken.lock().unwrap().is_empty());

        source.before(|_| Ok(()));
        source.reads.lock().unwrap().clear();
        one.up(2).await;
        let sent = in_time("the end", one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot())).await;
        assert_eq!(sent, Ok(vote(1)));
        taken(&two, &source);
        assert_eq!(source.reads.lock().unwrap()[0], kept as u64, "at {percent} %");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_knows_a_higher_vote_says_so_and_takes_nothing() {
    let (one, two) = pair().await;
    *two.door.depot.higher.lock().unwrap() = Some(vote(8));
    let source = Source::new(LEN);
    let sent = in_time("the end", one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot())).await;
    assert_eq!(sent, Ok(vote(8)));
    assert!(source.reads.lock().unwrap().is_empty() && two.door.depot.taken.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_arrives_damaged_is_not_taken_and_its_sender_is_told() {
    let (one, two) = pair().await;
    *two.door.depot.spoil_at.lock().unwrap() = Some(LEN / 2);
    let source = Source::new(LEN);
    let sent = in_time("the end", one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot())).await;
    let Err(PeerFault::Refused { why, .. }) = sent else { panic!("{sent:?}") };
    assert!(why.contains("damaged") && why.contains("checksum"), "{why}");
    assert!(two.door.depot.taken.lock().unwrap().is_empty());
    // Anew, and sound.
    let sent = in_time("the end", one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot())).await;
    assert_eq!(sent, Ok(vote(1)));
    taken(&two, &source);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_gives_up_ends_the_transfer_and_frees_the_place() {
    let (one, two) = pair().await;
    let source = Source::new(LEN);
    let (reached, mut at) = watch::channel(0);
    let (gate, opened) = watch::channel(false);
    source.before(move |offset| {
        reached.send_replace(offset);
        if offset > LEN as u64 / 2 {
            let _ = tokio::runtime::Handle::current().block_on(opened.clone().wait_for(|open| *open));
        }
        Ok(())
    });
    let mut sending = one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot());
    let half = at.wait_for(|offset| *offset > LEN as u64 / 2).map(|_| ());
    futures::future::select(&mut sending, std::pin::pin!(half)).await;
    assert_eq!((&mut sending).now_or_never(), None);
    drop(sending);
    gate.send_replace(true);
    nobody_writes(&two).await;
    assert!(two.door.depot.taken.lock().unwrap().is_empty(), "half of it is nothing");
    let sent = in_time("the end", one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot())).await;
    assert_eq!(sent, Ok(vote(1)));
    taken(&two, &source);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_to_one_peer_go_one_after_the_other() {
    let (one, two) = pair().await;
    let (first, second) = (Source::new(LEN), Source::new(LEN / 2));
    // The depot itself fails the test if two write at once.
    let (a, b) = tokio::join!(
        one.links.send_snapshot(ReplicaId(2), vote(1), first.snapshot()),
        one.links.send_snapshot(ReplicaId(2), vote(1), second.snapshot()),
    );
    assert_eq!((a, b), (Ok(vote(1)), Ok(vote(1))));
    assert_eq!(two.door.depot.taken.lock().unwrap().len(), 2);
}

/// Two senders; the first one stands in the middle of its transfer until the gate opens.
struct HalfWay {
    _one: Replica,
    two: Replica,
    three: Replica,
    first: tokio::task::JoinHandle<Result<Vote, PeerFault>>,
    gate: watch::Sender<bool>,
}

async fn half_way(term: u64) -> HalfWay {
    let token = Secret::generate();
    let mut one = Replica::start(1, &token).await;
    let (two, mut three) = (Replica::start(2, &token).await, Replica::start(3, &token).await);
    one.knows(&[&two]);
    three.knows(&[&two]);
    one.up(2).await;
    three.up(2).await;
    let source = Source::new(LEN);
    let (reached, mut at) = watch::channel(0);
    let (gate, opened) = watch::channel(false);
    source.before(move |offset| {
        reached.send_replace(offset);
        if offset > LEN as u64 / 2 {
            // A gate that is gone is open.
            let _ = tokio::runtime::Handle::current().block_on(opened.clone().wait_for(|open| *open));
        }
        Ok(())
    });
    let first = tokio::spawn(one.links.send_snapshot(ReplicaId(2), vote(term), source.snapshot()));
    at.wait_for(|offset| *offset > LEN as u64 / 2).await.unwrap();
    HalfWay { _one: one, two, three, first, gate }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_of_a_higher_term_takes_the_place_of_one_of_the_past() {
    let HalfWay { two, three, first, .. } = &mut half_way(1).await;
    let source = Source::new(PIECE);
    let sent = in_time("the end", three.links.send_snapshot(ReplicaId(2), vote(2), source.snapshot())).await;
    assert_eq!(sent, Ok(vote(2)));
    let Err(PeerFault::Refused { why, .. }) = in_time("the end", first).await.unwrap() else { panic!() };
    assert_eq!(why, "another transfer took the place of this one");
    taken(two, &source);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_no_later_leader_waits_for_another_moment() {
    let HalfWay { two, three, first, gate, .. } = &mut half_way(2).await;
    let other = in_time("the end", three.links.send_snapshot(ReplicaId(2), vote(2), Source::new(9).snapshot())).await;
    let Err(PeerFault::Refused { why, .. }) = other else { panic!("{other:?}") };
    assert_eq!(why, "a snapshot of another replica is being received");
    gate.send_replace(true);
    assert_eq!(in_time("the end", first).await.unwrap(), Ok(vote(2)));
    assert_eq!(two.door.depot.taken.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_cannot_be_read_ends_the_transfer_and_not_the_link() {
    let (one, two) = pair().await;
    let source = Source::new(LEN);
    source.before(|offset| if offset > 0 { Err(std::io::Error::other("bad sector")) } else { Ok(()) });
    let sent = in_time("the end", one.links.send_snapshot(ReplicaId(2), vote(1), source.snapshot())).await;
    assert_eq!(sent, Err(PeerFault::Unreachable(ReplicaId(2))));
    nobody_writes(&two).await;
    assert!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await.is_ok());
    let gone = one.links.send_snapshot(ReplicaId(9), vote(1), source.snapshot()).await;
    assert_eq!(gone, Err(PeerFault::Unreachable(ReplicaId(9))));
}
