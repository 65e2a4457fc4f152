//! `pmctl schema`: the JSON Schema of process files, for editors.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::document;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pmctl schema > pm.schema.json")]
pub struct Args {}

/// Prints the schema.
///
/// # Errors
/// It cannot be written.
pub fn run(context: &Context, _: &Args) -> Result<Exit, Failure> {
    document(&context.terminal, context.format, &process_model::document::schema())?;
    Ok(Exit::Done)
}
