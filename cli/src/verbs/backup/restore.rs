//! `pmctl backup restore`.

use super::inspect::{open, unusable};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{document, human};
use pm_proto::v1::{RestoreBackupRequest, RestoreBackupResponse};
use registry_svc::backup::Reader;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use tokio::sync::mpsc;

const WHAT: &str = "restore the backup";
/// Bytes in one message: well below what a gateway lets through.
const PIECE: usize = 256 << 10;
/// Messages on their way.
const ON_THE_WAY: usize = 4;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl backup restore registry.backup --reason \"lost the disks of all three\"
  pmctl backup restore registry.backup --force

Nothing is started or stopped by it: see `pmctl backup status`, then `pmctl backup confirm`.")]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace what is there, all of it
    #[arg(long)]
    force: bool,
    /// The cluster's epoch is at least this afterwards: for nodes that say they obeyed a later one
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N")]
    epoch: u64,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

pub(super) fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    // A damaged one is not sent.
    Reader::open(open(&args.file)?).and_then(Reader::verify).map_err(|error| unusable(&args.file, &error))?;
    context.block_on("backup", async {
        let connection = context.connect().await?;
        let first =
            RestoreBackupRequest { force: args.force, reason: args.reason, epoch: args.epoch, ..Default::default() };
        let mut file =
            File::open(&args.file).map_err(|e| Failure::usage(format!("cannot read {}: {e}", args.file.display())))?;
        file.seek(SeekFrom::Start(0)).map_err(|e| Failure::failed(e.to_string()))?;
        let (send, mut pieces) = mpsc::channel(ON_THE_WAY);
        let reading = tokio::task::spawn_blocking(move || read(file, first, &send));
        let mut client = connection.backups();
        let answer = client.restore_backup(futures::stream::poll_fn(move |cx| pieces.poll_recv(cx))).await;
        let read = reading.await.map_err(|e| Failure::failed(e.to_string()))?;
        let answer = answer.map_err(|status| connection.refused(WHAT, &status))?.into_inner();
        read.map_err(|e| Failure::failed(format!("cannot read {}: {e}", args.file.display())))?;
        report(context, &answer)
    })
}

/// Ends early when the server wants no more; it says why.
fn read(
    mut file: File,
    mut next: RestoreBackupRequest,
    to: &mpsc::Sender<RestoreBackupRequest>,
) -> std::io::Result<()> {
    loop {
        let mut data = vec![0; PIECE];
        let count = file.read(&mut data)?;
        data.truncate(count);
        next.data = data.into();
        if count == 0 || to.blocking_send(std::mem::take(&mut next)).is_err() {
            return Ok(());
        }
    }
}

fn report(context: &Context, answer: &RestoreBackupResponse) -> Result<Exit, Failure> {
    if context.format.is_machine() {
        document(&context.terminal, context.format, &pm_proto::json::to_value(answer)?)?;
        return Ok(Exit::Done);
    }
    let RestoreBackupResponse { digest, cluster_id, epoch, backup_revision, revision, processes, instances } = answer;
    context.terminal.line(format_args!(
        "restored {}, {} of cluster {cluster_id} at revision {backup_revision}; now epoch {epoch}, revision {revision}",
        counted(*processes, "process", "processes"),
        counted(*instances, "instance", "instances"),
    ))?;
    context.terminal.line(format_args!("digest {digest}"))?;
    context.terminal.note(
        "the cluster looks on: nothing is started or stopped until `pmctl backup confirm`; `pmctl backup status` compares",
    );
    Ok(Exit::Done)
}

fn counted(number: u64, one: &str, many: &str) -> String {
    human::count(usize::try_from(number).unwrap_or(usize::MAX), one, many)
}
