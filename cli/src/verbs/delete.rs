//! `pmctl delete`: stops processes and forgets them.

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{confirm, document, human};
use crate::pages;
use crate::wait::{self, DEFAULT_WAIT};
use pm_proto::v1::{DeleteProcessesRequest, ListProcessesRequest};
use process_model::Selector;
use serde_json::json;
use std::io::IsTerminal;
use std::time::Duration;

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl delete web
  pmctl delete \"test-*\" -y")]
pub struct Args {
    /// Process names or patterns
    #[arg(required = true, value_name = "NAME")]
    targets: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Do not wait for the end of the programs
    #[arg(long)]
    no_wait: bool,
    /// Longest wait; the stop goes on after it (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// Deletes the processes.
///
/// # Errors
/// Nothing matches, the server refuses, or the wait takes too long.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("delete", async {
        let connection = context.connect().await?;
        if !args.yes && !agreed(&connection, &args.targets).await? {
            context.terminal.note("nothing was deleted");
            return Ok(Exit::Failed);
        }
        let request = DeleteProcessesRequest {
            selectors: args.targets.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: args.reason,
        };
        let mut processes = connection.processes();
        let what = format!("delete {}", args.targets.join(" "));
        let answer = connection.call(&what, processes.delete_processes(request)).await?;
        if !args.no_wait {
            wait::removals(&connection, answer.instance_ids.clone(), answer.revision, args.timeout).await?;
        }
        let terminal = &context.terminal;
        if context.format.is_machine() {
            let items: Vec<_> = answer.names.iter().map(|name| json!({ "name": name })).collect();
            let value = json!({ "items": items, "revision": answer.revision.to_string() });
            match context.format {
                crate::output::Format::Name => {
                    answer.names.iter().try_for_each(|name| terminal.line(format_args!("process/{name}")))?;
                }
                crate::output::Format::Jsonl => items.iter().try_for_each(|item| terminal.line(item))?,
                crate::output::Format::Json
                | crate::output::Format::Yaml
                | crate::output::Format::Table
                | crate::output::Format::Wide => document(terminal, context.format, &value)?,
            }
        } else {
            answer.names.iter().try_for_each(|name| terminal.line(format_args!("process/{name} deleted")))?;
        }
        Ok(Exit::Done)
    })
}

/// A single name is what its user meant; a pattern may match more than that.
/// Only a person is asked: a script has no one to answer.
async fn agreed(connection: &Connection, targets: &[String]) -> Result<bool, Failure> {
    let literal = targets.iter().all(|target| Selector::new(target.as_str()).is_literal());
    if literal || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    let request = ListProcessesRequest { selectors: targets.to_vec(), ..ListProcessesRequest::default() };
    let matched = pages::processes(connection, "find what matches", request).await?.processes;
    if matched.len() < 2 {
        return Ok(true);
    }
    let names: Vec<_> = matched.iter().filter_map(|process| process.spec.as_ref()).map(|s| s.name.as_str()).collect();
    let count = human::count(names.len(), "process", "processes");
    confirm(&format!("delete {count} ({})?", human::shorten(&names.join(", "), 200)))
}
