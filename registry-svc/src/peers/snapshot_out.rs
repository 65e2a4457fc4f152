//! A snapshot to a peer, from where it says that it lacks it. One at a time
//! for each peer; over the connection of the link, and no longer than it.

use super::bounds::{PIECE_BYTES, PIECES_AHEAD};
use super::greet::Client;
use super::peer::Peer;
use super::{Hello, wire};
use pm_proto::v1;
use pm_proto::v1::send_snapshot_request::Body as Says;
use pm_proto::v1::send_snapshot_response::Body;
use registry_consensus::{PeerFault, ReplicaId, Snapshot, Vote};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

type Pieces = mpsc::Sender<v1::SendSnapshotRequest>;
type Answers = Streaming<v1::SendSnapshotResponse>;

/// Sends a snapshot; ends with the vote of the receiver, or with the link.
pub(super) async fn send(peer: Arc<Peer>, hello: Hello, vote: Vote, snapshot: Snapshot) -> Result<Vote, PeerFault> {
    let unreachable = PeerFault::Unreachable(peer.id);
    // Never closed.
    let Ok(_one) = peer.transfer.acquire().await else { return Err(unreachable) };
    let up = peer.up()?;
    tokio::select! {
        biased;
        () = up.lane.is_cut() => Err(unreachable),
        sent = transfer(peer.id, up.client, hello, vote, snapshot) => sent,
    }
}

async fn transfer(
    to: ReplicaId,
    mut client: Client,
    hello: Hello,
    vote: Vote,
    snapshot: Snapshot,
) -> Result<Vote, PeerFault> {
    let mut offer = v1::SnapshotOffer {
        hello: Some(wire::hello_into(hello)),
        vote: Some(wire::vote_into(vote)),
        bytes: snapshot.source.len(),
        ..v1::SnapshotOffer::default()
    };
    wire::meta_into(&snapshot.meta, &mut offer);
    let (pieces, outgoing) = mpsc::channel(PIECES_AHEAD);
    say(&pieces, to, Says::Offer(offer)).await?;
    let answers = client.send_snapshot(ReceiverStream::new(outgoing)).await;
    let mut answers = answers.map_err(|status| lost(to, &status))?.into_inner();
    let offset = match answer(to, &mut answers).await? {
        Body::Wanted(wanted) if wanted.offset <= snapshot.source.len() => wanted.offset,
        Body::Wanted(_) => return Err(PeerFault::Nonsense(to)),
        end @ (Body::Taken(_) | Body::Fault(_) | Body::Refusal(_)) => return last(to, end),
    };
    let mut feeding = std::pin::pin!(feed(to, pieces, &snapshot, offset));
    tokio::select! {
        // What the receiver says in the middle is its last word.
        biased;
        end = answer(to, &mut answers) => return last(to, end?),
        fed = &mut feeding => fed?,
    }
    last(to, answer(to, &mut answers).await?)
}

/// Reads and sends until the last byte. Takes the sender, so that the stream ends with the last piece.
async fn feed(to: ReplicaId, pieces: Pieces, snapshot: &Snapshot, mut offset: u64) -> Result<(), PeerFault> {
    while offset < snapshot.source.len() {
        let source = snapshot.source.clone();
        let read = tokio::task::spawn_blocking(move || source.read_at(offset, PIECE_BYTES)).await;
        let data = match read.map_err(std::io::Error::other).flatten() {
            Ok(data) if !data.is_empty() => data,
            Ok(_) => return Err(unreadable(to, snapshot, &"it ends before its end")),
            Err(error) => return Err(unreadable(to, snapshot, &error)),
        };
        let next = offset + u64::try_from(data.len()).unwrap_or(u64::MAX);
        say(&pieces, to, Says::Piece(v1::SnapshotPiece { offset, data })).await?;
        offset = next;
    }
    Ok(())
}

async fn say(pieces: &Pieces, to: ReplicaId, body: Says) -> Result<(), PeerFault> {
    let said = pieces.send(v1::SendSnapshotRequest { body: Some(body) }).await;
    said.map_err(|_| PeerFault::Unreachable(to))
}

/// What the receiver says next.
async fn answer(to: ReplicaId, answers: &mut Answers) -> Result<Body, PeerFault> {
    match answers.message().await {
        Ok(Some(v1::SendSnapshotResponse { body })) => body.ok_or(PeerFault::Nonsense(to)),
        Ok(None) => Err(PeerFault::Unreachable(to)),
        Err(status) => Err(lost(to, &status)),
    }
}

/// The last word of the receiver.
fn last(to: ReplicaId, body: Body) -> Result<Vote, PeerFault> {
    match body {
        Body::Taken(taken) => wire::vote_from(taken.vote, "taken.vote").map_err(|_| PeerFault::Nonsense(to)),
        Body::Fault(why) => Err(PeerFault::Refused { peer: to, why }),
        Body::Refusal(refusal) => Err(PeerFault::Refused { peer: to, why: refusal.message }),
        Body::Wanted(_) => Err(PeerFault::Nonsense(to)),
    }
}

fn lost(to: ReplicaId, status: &tonic::Status) -> PeerFault {
    tracing::info!(peer = %to, code = %status.code(), why = status.message(), "a snapshot was interrupted");
    PeerFault::Unreachable(to)
}

fn unreadable(to: ReplicaId, snapshot: &Snapshot, why: &dyn std::fmt::Display) -> PeerFault {
    tracing::error!(peer = %to, ?snapshot, %why, "a snapshot cannot be read and is not sent");
    PeerFault::Unreachable(to)
}
