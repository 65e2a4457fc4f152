//! The state → a file, on a thread of its own: the state is copied in
//! milliseconds, its values are shared, and everything goes on.

use crate::api::status::refused;
use crate::backup::{self, About};
use crate::core::Core;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use registry_domain::Refusal;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

/// Pieces on their way, of 64 KiB each: enough to keep a connection busy.
const ON_THE_WAY: usize = 8;

pub(super) fn save(
    registry: &Arc<Core>,
    saves: &Arc<Semaphore>,
) -> Result<ReceiverStream<Result<v1::SaveBackupResponse, Status>>, Status> {
    let permit = saves.clone().try_acquire_owned().map_err(|_| {
        let text = "two backups are being saved by this replica already; try again when one is done";
        status(Code::ResourceExhausted, reason::TOO_MANY_READERS, text, &[])
    })?;
    let (frozen, at) = {
        let replicated = registry.view.read();
        (replicated.state.freeze(), replicated.applied.at)
    };
    if frozen.meta().restoring.is_some() {
        return Err(refused(&Refusal::Restoring));
    }
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: registry.now(),
        epoch: registry.epoch_of(frozen.meta()),
        term: at.map_or(0, |at| at.term),
        index: at.map_or(0, |at| at.index),
    };
    let (pieces, stream) = mpsc::channel(ON_THE_WAY);
    tokio::task::spawn_blocking(move || {
        let mut send = |data| pieces.blocking_send(Ok(v1::SaveBackupResponse { data })).is_ok();
        match backup::write(&frozen, about, &mut send) {
            Ok(Some(manifest)) => {
                tracing::info!(revision = manifest.revision, bytes = manifest.bytes, "a backup was saved");
            }
            Ok(None) => tracing::info!("whoever wanted a backup has gone"),
            Err(error) => {
                tracing::error!(%error, "a backup cannot be saved");
                // Whoever has gone needs no reason.
                let _ = pieces.blocking_send(Err(status(Code::Internal, reason::INTERNAL, error.to_string(), &[])));
            }
        }
        drop(permit);
    });
    Ok(ReceiverStream::new(stream))
}
