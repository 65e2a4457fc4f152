//! Keeps the link to one peer: dials, greets, stands, falls, dials again.
//!
//! ```text
//! Down ─ dial ─▶ greeted ─▶ Up ── end of the connection, keepalive, nonsense ──▶ Down, dialled again at once
//!   ▲              └ refused, failed, turned away ─▶ wait (or be woken) ─┐
//!   └────────────────────────────────────────────────────────────────────┘
//! ```

use super::backoff::{BETWEEN, Backoff, roll};
use super::bounds::DIALS;
use super::dial::{DialFault, first_of};
use super::greet::{Greeted, dial};
use super::lane::Lane;
use super::peer::{Peer, Up};
use super::shared::Shared;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use pm_proto::v1;
use registry_consensus::LinkEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Streaming;

/// A dial that is younger is what somebody who asks for one means; an older
/// one may be lost on its way, and gets another one beside it.
const FRESH: Duration = Duration::from_millis(100);

/// Keeps the link until the peer is no member any more.
pub(super) async fn keep(shared: Arc<Shared>, peer: Arc<Peer>) {
    let stop = peer.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = keep_on(&shared, &peer) => {}
    }
    if let Ok(lane) = peer.lane() {
        peer.fell(None);
        lane.cut();
        lane.close();
    }
}

async fn keep_on(shared: &Shared, peer: &Peer) {
    let mut backoff = Backoff::new(&shared.timing);
    let mut changes = shared.book.changes();
    let mut told = None;
    loop {
        changes.mark_unchanged();
        let begun = Instant::now();
        let early = AtomicBool::new(false);
        let wait = match reach(shared, peer, &early).await {
            Ok(greeted) => {
                told = None;
                backoff.fell(stand(shared, peer, greeted).await, roll())
            }
            Err(faults) if faults.is_empty() => Duration::MAX,
            Err(faults) => {
                failed(shared, peer, &faults, early.into_inner(), &mut told);
                let cut_off = faults.iter().any(|fault| matches!(fault, DialFault::CutOff { .. }));
                backoff.failed(cut_off, roll())
            }
        };
        pause(wait, peer, &mut changes).await;
        if peer.take_alive() {
            backoff.begin_anew();
        }
        sleep_until(begun + BETWEEN).await;
    }
}

/// Waits, unless there is a reason to dial at once.
async fn pause(wait: Duration, peer: &Peer, changes: &mut watch::Receiver<u64>) {
    if wait.is_zero() {
        return;
    }
    tokio::select! {
        // Without an address there is nothing to wait for but one.
        () = sleep(wait), if wait != Duration::MAX => {}
        () = peer.wake.notified() => {}
        // The book lives as long as the links.
        _ = changes.changed() => {}
    }
}

/// Dials all addresses until one of them leads to the peer. No faults mean
/// that there is no address. `early`: set once it was told that nobody listens.
async fn reach(shared: &Shared, peer: &Peer, early: &AtomicBool) -> Result<Greeted, Vec<DialFault>> {
    let mut dials = FuturesUnordered::new();
    dials.push(everywhere(shared, peer, early));
    let mut begun = Instant::now();
    let mut faults = Vec::new();
    loop {
        tokio::select! {
            done = dials.next() => match done {
                Some(Ok(greeted)) => return Ok(greeted),
                Some(Err(more)) => faults.extend(more),
                None => return Err(faults),
            },
            () = peer.wake.notified() => {
                if dials.len() < DIALS && begun.elapsed() >= FRESH {
                    dials.push(everywhere(shared, peer, early));
                    begun = Instant::now();
                }
            }
        }
    }
}

async fn everywhere(shared: &Shared, peer: &Peer, early: &AtomicBool) -> Result<Greeted, Vec<DialFault>> {
    let addresses = shared.book.of(peer.id);
    let several = addresses.len() > 1;
    let one = |(place, address): (usize, String)| async move {
        let dialled = dial(shared, peer.id, address).await;
        // Where the link stood last, nobody listens: that is evidence now, whatever older addresses say later.
        let news = place == 0 && several && matches!(dialled, Err(DialFault::Refused(_)));
        if news && !early.swap(true, Ordering::Relaxed) {
            shared.listener.tell(LinkEvent::Down { peer: peer.id, refused: true }, || peer.fell(None));
        }
        dialled
    };
    first_of(addresses.into_iter().enumerate().map(one).collect(), shared.timing.stagger).await
}

/// A dial failed: what is known of the peer now, and who has to know. `early`: who listens knows it already.
fn failed(shared: &Shared, peer: &Peer, faults: &[DialFault], early: bool, told: &mut Option<String>) {
    let turned = faults.iter().find_map(|fault| match fault {
        DialFault::Turned { why, .. } => Some(why.clone()),
        DialFault::Refused(_) | DialFault::Failed { .. } | DialFault::CutOff { .. } => None,
    });
    let refused = faults.iter().all(|fault| matches!(fault, DialFault::Refused(_)));
    let why: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let why = why.join("; ");
    // A peer may be away for hours: that is not news each time.
    if told.as_ref() != Some(&why) {
        match &turned {
            Some(_) => tracing::error!(peer = %peer.id, %why, "a replica and this one turn each other away"),
            None => tracing::info!(peer = %peer.id, %why, "a replica cannot be reached; trying again"),
        }
        *told = Some(why);
    }
    if early {
        peer.fell(turned);
    } else {
        shared.listener.tell(LinkEvent::Down { peer: peer.id, refused }, || peer.fell(turned));
    }
}

/// The link stands until it ends; how long it did.
async fn stand(shared: &Shared, peer: &Peer, greeted: Greeted) -> Duration {
    let Greeted { lane, answers, client, channel, hello, address } = greeted;
    shared.book.stood(peer.id, &address);
    shared.turned_away.welcome(peer.id);
    let since = Instant::now();
    let up = Up { lane: lane.clone(), client, channel, boot: hello.boot };
    tracing::info!(peer = %peer.id, address, boot = hello.boot, version = hello.version, "link stands");
    shared.listener.tell(LinkEvent::Up { peer: peer.id, boot: hello.boot }, || peer.rose(up));
    let why = listen(&lane, answers).await;
    shared.listener.tell(LinkEvent::Down { peer: peer.id, refused: false }, || {
        peer.fell(None);
        lane.cut();
        lane.close();
    });
    tracing::info!(peer = %peer.id, %why, "link is down");
    since.elapsed()
}

/// Takes up answers until the link ends; why it did.
async fn listen(lane: &Lane, mut answers: Streaming<v1::LinkResponse>) -> String {
    let cut = lane.is_cut();
    tokio::pin!(cut);
    loop {
        let answer = tokio::select! {
            biased;
            () = &mut cut => return "it was ended here".to_owned(),
            answer = answers.message() => answer,
        };
        match answer {
            Ok(Some(answer)) => {
                if let Err(broken) = lane.answered(answer) {
                    tracing::warn!(why = %broken, "a replica broke the protocol; its link is cut");
                    return broken.to_string();
                }
            }
            Ok(None) => return "the other end closed it".to_owned(),
            Err(status) => return format!("{}: {}", status.code(), status.message()),
        }
    }
}
