//! `pmctl nodes release-brake`: what lost nodes have is placed elsewhere, though
//! many were lost at once.

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::document;
use pm_proto::v1::ReleaseBrakeRequest;

/// Arguments of `release-brake`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Look first: `pmctl nodes` says who is lost, `pmctl cluster status` since when the brake is on."
)]
pub(super) struct Args {
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(context: &Context, connection: &Connection, args: Args) -> Result<Exit, Failure> {
    let request = ReleaseBrakeRequest { request_id: uuid::Uuid::new_v4().to_string(), reason: args.reason };
    let answer = connection.call("release the brake", connection.nodes().release_brake(request)).await?;
    if context.format.is_machine() {
        document(&context.terminal, context.format, &pm_proto::json::to_value(&answer)?)?;
    } else if answer.was_engaged {
        context.terminal.line(format_args!("the brake is released; what lost nodes have is placed elsewhere"))?;
    } else {
        context.terminal.line(format_args!("the brake was not engaged"))?;
    }
    Ok(Exit::Done)
}
