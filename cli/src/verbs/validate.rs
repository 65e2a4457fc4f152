//! `pmctl validate`: reads files as `up` and `apply` do, and starts nothing.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::files;
use crate::output::{Format, Tone, document, human};
use pm_proto::convert::spec_to_wire;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pmctl validate -f processes.yaml")]
pub struct Args {
    /// Process file (YAML or JSON); - is standard input
    #[arg(short, long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Checks the files.
///
/// # Errors
/// Exit 2 with every fault.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let read = files::read(&args.files)?;
    let terminal = &context.terminal;
    for warning in &read.warnings {
        terminal.note(format_args!("{} {warning}", terminal.err.paint(Tone::Warn, "warning:")));
    }
    match context.format {
        Format::Table | Format::Wide => {
            let count = human::count(read.processes.len(), "process", "processes");
            let valid = terminal.out.paint(Tone::Good, "valid");
            let names: Vec<_> = args.files.iter().map(|path| path.display().to_string()).collect();
            terminal.line(format_args!("{}: {valid}, {count}", names.join(", ")))?;
        }
        Format::Name => {
            read.processes.iter().try_for_each(|spec| terminal.line(format_args!("process/{}", spec.name)))?;
        }
        Format::Json | Format::Yaml | Format::Jsonl => {
            let specs = read
                .processes
                .iter()
                .map(|spec| pm_proto::json::to_value(&spec_to_wire(spec)))
                .collect::<Result<Vec<_>, _>>()?;
            let value = json!({ "valid": true, "items": specs, "warnings": read.warnings });
            document(terminal, context.format, &value)?;
        }
    }
    Ok(Exit::Done)
}
