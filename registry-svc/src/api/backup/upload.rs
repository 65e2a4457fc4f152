//! A file that comes in pieces: kept in the data directory without a name, so
//! that nothing of it is left whatever happens.

use crate::core::Core;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use service_host::causes::chain;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use tokio::io::AsyncWriteExt as _;
use tonic::{Code, Status, Streaming};

/// Largest backup that is taken in: what a registry can hold is far less.
const LARGEST: u64 = 8 << 30;

/// The first message without its bytes, and a file with all bytes, at its
/// beginning.
pub(super) async fn take(
    registry: &Core,
    pieces: &mut Streaming<v1::RestoreBackupRequest>,
) -> Result<(v1::RestoreBackupRequest, File), Status> {
    let directory = registry.options.data_dir.clone();
    let file = tokio::task::spawn_blocking(move || nameless(&directory)).await.map_err(|e| failed(&e))?;
    let mut file = tokio::fs::File::from_std(file.map_err(|e| failed(&e))?);
    let (mut wish, mut bytes) = (None, 0);
    while let Some(mut piece) = pieces.message().await? {
        let data = std::mem::take(&mut piece.data);
        bytes += data.len() as u64;
        if bytes > LARGEST {
            let text = format!("the backup has more than {LARGEST} bytes");
            return Err(status(Code::ResourceExhausted, reason::REQUEST_TOO_LARGE, text, &[]));
        }
        file.write_all(&data).await.map_err(|e| failed(&e))?;
        wish.get_or_insert(piece);
    }
    file.flush().await.map_err(|e| failed(&e))?;
    let mut file = file.into_std().await;
    file.seek(SeekFrom::Start(0)).map_err(|e| failed(&e))?;
    Ok((wish.unwrap_or_default(), file))
}

fn nameless(directory: &Path) -> std::io::Result<File> {
    let path = directory.join(format!("restoring-{}.tmp", uuid::Uuid::new_v4()));
    let file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// A fault of this replica's own.
pub(super) fn failed(error: &(dyn Error + 'static)) -> Status {
    let text = chain(error);
    tracing::error!(error = text, "a backup cannot be taken in");
    status(Code::Internal, reason::INTERNAL, format!("this replica cannot take the backup in: {text}"), &[])
}
