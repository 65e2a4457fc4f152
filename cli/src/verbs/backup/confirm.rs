//! `pmctl backup confirm`.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::document;
use pm_proto::v1::{ConfirmRestoreRequest, UnknownInstances};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl backup confirm                  when nothing unknown runs
  pmctl backup confirm --keep-unknown
  pmctl backup confirm --stop-unknown")]
pub(super) struct Args {
    /// Stop what runs and was not restored
    #[arg(long, conflicts_with = "keep_unknown")]
    stop_unknown: bool,
    /// Leave what runs and was not restored alone, until it is applied or stopped here
    #[arg(long)]
    keep_unknown: bool,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

pub(super) fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let unknown = match (args.stop_unknown, args.keep_unknown) {
        (true, _) => UnknownInstances::Stop,
        (false, true) => UnknownInstances::Keep,
        (false, false) => UnknownInstances::Unspecified,
    };
    context.block_on("backup", async {
        let connection = context.connect().await?;
        let request = ConfirmRestoreRequest {
            unknown: unknown.into(),
            reason: args.reason,
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        let mut client = connection.backups();
        let answer = connection.call("confirm the restore", client.confirm_restore(request)).await?;
        if context.format.is_machine() {
            document(&context.terminal, context.format, &pm_proto::json::to_value(&answer)?)?;
        } else {
            context.terminal.line("confirmed: the nodes run what was restored")?;
        }
        Ok(Exit::Done)
    })
}
