//! A file → orders. First all of it is verified, then its rows go through the
//! log, piece by piece; the last order puts them in the place of the state.

use super::upload::failed;
use crate::api::request::{Mutation, unexpected};
use crate::backup::{BackupError, Manifest, Reader};
use crate::core::Core;
use crate::driver::Pending;
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use registry_domain::{Order, Piece, Reply, RestoreBegin, RestorePart, RestoreStep};
use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};
use std::sync::Arc;
use tonic::{Code, Status};

/// Pieces that are proposed and not yet committed: a batch's worth, and the
/// next one.
const IN_FLIGHT: usize = 32;

pub(super) async fn restore(
    registry: &Core,
    mutation: Mutation,
    wish: &v1::RestoreBackupRequest,
    file: File,
) -> Result<v1::RestoreBackupResponse, Status> {
    let (manifest, file) = tokio::task::spawn_blocking(move || verified(file)).await.map_err(|e| failed(&e))??;
    let id = uuid::Uuid::new_v4().to_string();
    let begin = begin(registry, wish, &manifest, &id);
    registry.levels.permit(&Order::Restore(RestoreStep::Begin(begin.clone()))).await?;
    if let Err(told) = mutation.step(registry, &id, 0, RestoreStep::Begin(begin), 0).await {
        mutation.note_refusal(registry, "restore", &[], &told).await;
        return Err(told);
    }
    match replace(registry, &mutation, &id, file).await {
        Ok(Reply::Restored { digest, cluster_id, epoch, backup_revision, processes, instances, revision }) => {
            tracing::warn!(backup_revision, revision, "a backup took the place of the state; the cluster looks on");
            Ok(v1::RestoreBackupResponse {
                digest: crate::backup::hex(&digest),
                cluster_id,
                epoch: registry.fence_epoch().saturating_add(epoch),
                backup_revision,
                revision,
                processes,
                instances,
            })
        }
        Ok(reply) => Err(unexpected(&reply)),
        Err(why) => {
            // If this does not get through, it is given up when nobody goes on with it.
            let _ = mutation.step(registry, &id, u32::MAX, RestoreStep::Abort { id: id.clone() }, 0).await;
            Err(why)
        }
    }
}

/// All of it is read before anything of it is believed.
fn verified(mut file: File) -> Result<(Manifest, File), Status> {
    let manifest = Reader::open(BufReader::new(&file)).and_then(Reader::verify).map_err(|e| unusable(&e))?;
    file.seek(SeekFrom::Start(0)).map_err(|e| failed(&e))?;
    Ok((manifest, file))
}

fn unusable(error: &BackupError) -> Status {
    match error {
        BackupError::Io(_) => failed(error),
        BackupError::NotABackup | BackupError::Format(_) | BackupError::Damaged { .. } | BackupError::Encode(_) => {
            status(Code::InvalidArgument, reason::BACKUP_UNUSABLE, error.to_string(), &[])
        }
    }
}

fn begin(registry: &Core, wish: &v1::RestoreBackupRequest, manifest: &Manifest, id: &str) -> RestoreBegin {
    let own = registry.epoch_of(registry.view.read().state.meta());
    let epoch = own.max(manifest.about.epoch).saturating_add(1).max(wish.epoch);
    RestoreBegin {
        id: id.to_owned(),
        force: wish.force,
        bytes: manifest.bytes,
        digest: manifest.digest,
        // The rest of it is this cluster's own.
        epoch: epoch.saturating_sub(registry.fence_epoch()),
        level: manifest.level,
    }
}

async fn replace(registry: &Core, mutation: &Mutation, id: &str, file: File) -> Result<Reply, Status> {
    let (send, mut parts) = tokio::sync::mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut reader = match Reader::open(BufReader::new(file)) {
            Ok(reader) => reader,
            Err(error) => return drop(send.blocking_send(Err(error))),
        };
        loop {
            match reader.part() {
                Ok(Some(part)) => {
                    if send.blocking_send(Ok(part)).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return drop(send.blocking_send(Err(error))),
            }
        }
    });
    let mut in_flight: FuturesOrdered<_> = FuturesOrdered::new();
    let mut number = 0;
    while let Some(part) = parts.recv().await {
        let bytes = part.map_err(|e| unusable(&e))?;
        let length = bytes.len();
        let part = RestorePart { id: id.to_owned(), piece: Arc::new(Piece { number, bytes }) };
        number += 1;
        let pending: Pending = mutation.submit(registry, id, number, RestoreStep::Part(part), length).await?;
        in_flight.push_back(pending.answer());
        if in_flight.len() >= IN_FLIGHT
            && let Some(answer) = in_flight.next().await
        {
            Mutation::judge(answer)?;
        }
    }
    while let Some(answer) = in_flight.next().await {
        Mutation::judge(answer)?;
    }
    mutation.finish(registry, Order::Restore(RestoreStep::End { id: id.to_owned() })).await
}
