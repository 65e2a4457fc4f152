//! `pmctl backup status`: what runs beside what was restored.

use super::row::RestoredRow;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{human, list};
use pm_proto::v1::{GetRestoreStatusRequest, GetRestoreStatusResponse};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pmctl backup status")]
pub(super) struct Args {}

pub(super) fn run(context: &Context, _: &Args) -> Result<Exit, Failure> {
    context.block_on("backup", async {
        let connection = context.connect().await?;
        let mut client = connection.backups();
        let request = client.get_restore_status(GetRestoreStatusRequest {});
        let answer = connection.call("read the state of the restore", request).await?;
        context.terminal.note(mode(&answer));
        for node in answer.nodes.iter().filter(|node| !node.reported) {
            let why = if node.ready { "its runner says nothing of what it runs" } else { "it is not connected" };
            context.terminal.note(format_args!("node {}: {why}", node.name));
        }
        let rows: Vec<_> = answer.instances.into_iter().map(RestoredRow).collect();
        list(&context.terminal, context.format, &rows, Some(answer.revision))?;
        Ok(Exit::Done)
    })
}

/// Whether the cluster acts, in a line.
fn mode(answer: &GetRestoreStatusResponse) -> String {
    if answer.observing {
        let since = human::ago(human::time(answer.since.as_ref()), human::now());
        format!("the cluster looks on since {since}; `pmctl backup confirm` ends that")
    } else if answer.keeps_unknown {
        "the cluster acts, and leaves what was not restored alone; `pmctl backup confirm --stop-unknown` ends that"
            .to_owned()
    } else {
        "the cluster acts; nothing is to be confirmed".to_owned()
    }
}
