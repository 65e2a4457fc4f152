//! `pmctl version`: client and server. A server that is away is no error: the
//! question was answered.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::document;
use pm_proto::v1::GetClusterStatusRequest;
use serde_json::json;

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pmctl version\n  pmctl version --client")]
pub struct Args {
    /// Do not ask the server
    #[arg(long)]
    client: bool,
}

/// Prints the versions.
///
/// # Errors
/// They cannot be written.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    context.block_on("version", async {
        let server = if args.client { None } else { Some(server(context).await) };
        let terminal = &context.terminal;
        let client = env!("CARGO_PKG_VERSION");
        if context.format.is_machine() {
            let (version, problem) = match &server {
                Some(Ok(version)) => (Some(version.clone()), None),
                Some(Err(failure)) => (None, Some(failure.summary().to_owned())),
                None => (None, None),
            };
            let mut value = json!({ "client": client, "server": version });
            if let (Some(problem), Some(fields)) = (problem, value.as_object_mut()) {
                fields.insert("problem".to_owned(), json!(problem));
            }
            document(terminal, context.format, &value)?;
        } else {
            terminal.line(format_args!("client {client}"))?;
            match &server {
                Some(Ok(version)) => terminal.line(format_args!("server {version}"))?,
                Some(Err(failure)) => terminal.line(format_args!("server - ({})", failure.summary()))?,
                None => {}
            }
        }
        Ok(Exit::Done)
    })
}

async fn server(context: &Context) -> Result<String, Failure> {
    let connection = context.connect().await?;
    let mut cluster = connection.cluster();
    let status = connection.call("ask for the version", cluster.get_cluster_status(GetClusterStatusRequest {})).await?;
    Ok(status.version)
}
