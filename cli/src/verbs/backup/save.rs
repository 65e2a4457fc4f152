//! `pmctl backup save`.

use super::inspect::{self, describe};
use super::out::Out;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use pm_proto::v1::{GetClusterStatusRequest, SaveBackupRequest};
use registry_svc::backup::{Reader, Whole};
use std::path::{Path, PathBuf};

const WHAT: &str = "save a backup";
/// Bytes at the beginning that are kept, to tell what it is of: the manifest
/// is in the first piece.
const HEAD: usize = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl backup save
  pmctl backup save /var/backups/registry.backup
  pmctl backup save - > registry.backup")]
pub(super) struct Args {
    /// The file; - is standard output [default: named for the cluster and the revision]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("backup", async {
        let connection = context.connect().await?;
        let path = match args.file {
            Some(path) => path,
            None => {
                let request = connection.cluster().get_cluster_status(GetClusterStatusRequest::default()).await;
                let cluster = request.map_err(|status| connection.refused(WHAT, &status))?.into_inner();
                let id: String = cluster.cluster_id.chars().take(8).collect();
                PathBuf::from(format!("registry-{id}-{}.backup", cluster.revision))
            }
        };
        let mut pieces = connection.backups().save_backup(SaveBackupRequest {}).await;
        let pieces = match &mut pieces {
            Ok(pieces) => pieces.get_mut(),
            Err(status) => return Err(connection.refused(WHAT, status)),
        };
        let mut out = Out::create(context, &path)?;
        let (mut whole, mut head) = (Whole::default(), Vec::new());
        while let Some(piece) = pieces.message().await.map_err(|status| connection.refused(WHAT, &status))? {
            whole.pass(&piece.data);
            let room = HEAD.saturating_sub(head.len()).min(piece.data.len());
            head.extend_from_slice(&piece.data[..room]);
            out.put(&piece.data)?;
        }
        if !whole.is_whole() {
            return Err(Failure::failed("the backup broke off before its end; nothing was saved"));
        }
        out.finish()?;
        let reader = Reader::open(&head[..]).map_err(|error| inspect::unusable(&path, &error))?;
        let facts = describe(reader.manifest());
        if path == Path::new("-") {
            context.terminal.note(format_args!("digest {}", reader.manifest().digest_hex()));
        } else {
            inspect::show(context, &path, &facts)?;
        }
        Ok(Exit::Done)
    })
}
