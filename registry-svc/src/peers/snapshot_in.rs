//! A snapshot from a leader: where its bytes go, from where on they are
//! missing, and what became of it.
//!
//! One transfer at a time: two that wrote to one place would spoil each
//! other. A new one of the same peer takes the place of the old one (the peer
//! has lost its connection, whatever the network says here), and so does one
//! of a higher term; everybody else hears that it is not the moment.

use super::bounds::PIECES_AHEAD;
use super::wire;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use pm_proto::v1;
use pm_proto::v1::send_snapshot_request::Body as Says;
use pm_proto::v1::send_snapshot_response::Body;
use registry_consensus::{Door, ReplicaId, Snapshot, SnapshotMeta, SnapshotSink, Vote};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

type Answers = BoxStream<'static, Result<v1::SendSnapshotResponse, Status>>;

/// Who sends us a snapshot now.
#[derive(Default)]
pub(super) struct Receiving {
    current: Mutex<Option<Current>>,
    /// Held as long as a transfer may still write.
    place: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Current {
    from: ReplicaId,
    term: u64,
    cut: CancellationToken,
}

/// What is offered.
pub(super) struct Offer {
    from: ReplicaId,
    vote: Vote,
    meta: SnapshotMeta,
    bytes: u64,
}

impl TryFrom<(ReplicaId, v1::SnapshotOffer)> for Offer {
    type Error = wire::Malformed;

    fn try_from((from, offer): (ReplicaId, v1::SnapshotOffer)) -> Result<Self, wire::Malformed> {
        let (vote, meta) = (wire::vote_from(offer.vote, "offer.vote")?, wire::meta_from(&offer)?);
        Ok(Self { from, vote, meta, bytes: offer.bytes })
    }
}

/// The one transfer that may write.
struct Place {
    cut: CancellationToken,
    held: OwnedMutexGuard<()>,
}

impl Receiving {
    /// A place for a transfer, once the one before it has let go of it; none if that goes on.
    async fn claim(&self, from: ReplicaId, term: u64) -> Option<Place> {
        let cut = CancellationToken::new();
        {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(old) = current.as_ref().filter(|_| self.place.try_lock().is_err()) {
                if old.from != from && old.term >= term {
                    return None;
                }
                old.cut.cancel();
            }
            *current = Some(Current { from, term, cut: cut.clone() });
        }
        let held = tokio::select! {
            biased;
            () = cut.cancelled() => return None,
            held = self.place.clone().lock_owned() => held,
        };
        Some(Place { cut, held })
    }
}

/// Why a transfer ended before its end.
enum End {
    /// The sender is told so.
    Said(Body),
    /// The sender has gone.
    Gone,
}

/// The only thing that a sender hears.
pub(super) fn last(body: Body) -> Answers {
    futures::stream::iter([Ok(v1::SendSnapshotResponse { body: Some(body) })]).boxed()
}

/// Receives a snapshot while its sender is there: what it hears, in order.
pub(super) fn receive(
    receiving: Arc<Receiving>,
    door: Arc<dyn Door>,
    offer: Offer,
    pieces: Streaming<v1::SendSnapshotRequest>,
    stop: CancellationToken,
) -> Answers {
    let begin = async move {
        match begin(&receiving, &door, &offer).await {
            Err(body) => last(body),
            Ok((sink, place)) => {
                let wanted = Body::Wanted(v1::SnapshotWanted { offset: sink.offset() });
                let rest = async move {
                    let cut = place.cut.clone();
                    let ended = tokio::select! {
                        biased;
                        () = stop.cancelled() => Err(End::Said(fault("this replica is ending"))),
                        () = cut.cancelled() => Err(End::Said(fault("another transfer took the place of this one"))),
                        taken = take(door, offer, pieces, sink, place) => taken,
                    };
                    match ended {
                        Ok(body) | Err(End::Said(body)) => Some(Ok(v1::SendSnapshotResponse { body: Some(body) })),
                        Err(End::Gone) => None,
                    }
                };
                last(wanted).chain(rest.into_stream().filter_map(std::future::ready)).boxed()
            }
        }
    };
    begin.into_stream().flatten().boxed()
}

fn fault(why: impl std::fmt::Display) -> Body {
    Body::Fault(why.to_string())
}

/// An error with all its causes, for the operator at the other end.
fn spelled(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn begin(
    receiving: &Receiving,
    door: &Arc<dyn Door>,
    offer: &Offer,
) -> Result<(Box<dyn SnapshotSink>, Place), Body> {
    let place = receiving.claim(offer.from, offer.vote.term).await;
    let place = place.ok_or_else(|| fault("a snapshot of another replica is being received"))?;
    let (door, from, vote, meta, bytes) = (door.clone(), offer.from, offer.vote, offer.meta.clone(), offer.bytes);
    let begun = tokio::task::spawn_blocking(move || door.begin_snapshot(from, vote, &meta, bytes)).await;
    match begun {
        Ok(Ok(Ok(sink))) => Ok((sink, place)),
        Ok(Ok(Err(higher))) => Err(Body::Taken(v1::SnapshotTaken { vote: Some(wire::vote_into(higher)) })),
        Ok(Err(error)) => Err(fault(spelled(&error))),
        Err(error) => Err(fault(error)),
    }
}

/// Takes all pieces, then the snapshot.
async fn take(
    door: Arc<dyn Door>,
    offer: Offer,
    pieces: Streaming<v1::SendSnapshotRequest>,
    sink: Box<dyn SnapshotSink>,
    place: Place,
) -> Result<Body, End> {
    let Offer { from, vote, bytes, .. } = offer;
    let from_here = sink.offset();
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let writing = tokio::task::spawn_blocking(move || write(sink, receiver, place.held));
    let passed = pass_on(from_here, bytes, pieces, sender).await;
    if let Err(Passing::Gone) = passed {
        return Err(End::Gone);
    }
    if let Err(Passing::Broken(why)) = passed {
        tracing::warn!(%from, %why, "a replica broke the protocol; its snapshot is not taken");
        return Err(End::Said(fault(why)));
    }
    let (snapshot, held) = match writing.await {
        Ok(Ok(written)) => written,
        Ok(Err(why)) => {
            tracing::warn!(%from, why, "a snapshot is not taken");
            return Err(End::Said(fault(why)));
        }
        Err(error) => return Err(End::Said(fault(error))),
    };
    // From here on nothing depends on the sender: it may go, the state is replaced all the same.
    let installing = tokio::spawn(async move {
        let answer = door.end_snapshot(from, vote, snapshot).await;
        drop(held);
        answer
    });
    match installing.await {
        Ok(vote) => Ok(Body::Taken(v1::SnapshotTaken { vote: Some(wire::vote_into(vote)) })),
        Err(error) => Err(End::Said(fault(error))),
    }
}

/// Why no more pieces come.
enum Passing {
    Gone,
    Broken(String),
    /// The sink has failed; it says why.
    Full,
}

/// Pieces from the network to the writer, until the last byte. An end of the stream before that is an end of the
/// sender, however orderly it looks.
async fn pass_on(
    mut offset: u64,
    bytes: u64,
    mut pieces: Streaming<v1::SendSnapshotRequest>,
    sender: mpsc::Sender<Bytes>,
) -> Result<(), Passing> {
    while offset < bytes {
        let piece = match pieces.message().await {
            Ok(Some(v1::SendSnapshotRequest { body: Some(Says::Piece(piece)) })) => piece,
            Ok(Some(_)) => return Err(Passing::Broken("something else than a piece came".to_owned())),
            Ok(None) | Err(_) => return Err(Passing::Gone),
        };
        let length = u64::try_from(piece.data.len()).unwrap_or(u64::MAX);
        if piece.offset != offset || length == 0 || length > bytes - offset {
            let why =
                format!("{length} bytes came for offset {}, and offset {offset} of {bytes} was next", piece.offset);
            return Err(Passing::Broken(why));
        }
        if sender.send(piece.data).await.is_err() {
            return Err(Passing::Full);
        }
        offset += length;
    }
    // The empty piece says that all are there.
    sender.send(Bytes::new()).await.map_err(|_| Passing::Full)
}

/// What the writer leaves: the snapshot, and its place; or why there is none.
type Written = Result<(Snapshot, OwnedMutexGuard<()>), String>;

/// Writes, away from the runtime. Whatever ends it early, the place is free once it has let go of the sink.
fn write(mut sink: Box<dyn SnapshotSink>, mut pieces: mpsc::Receiver<Bytes>, held: OwnedMutexGuard<()>) -> Written {
    while let Some(piece) = pieces.blocking_recv() {
        if piece.is_empty() {
            return sink.finish().map(|snapshot| (snapshot, held)).map_err(|error| spelled(&error));
        }
        if let Err(error) = sink.append(&piece) {
            drop(sink);
            return Err(format!("cannot write a piece of a snapshot: {error}"));
        }
    }
    drop(sink);
    Err("the sender went away".to_owned())
}
