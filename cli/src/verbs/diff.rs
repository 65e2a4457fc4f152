//! `pmctl diff`: what differs between two definitions of a process, or between
//! the stored ones and those of a file. Secrets are masked: that one changed
//! is told, not to what.
//!
//! ```text
//! --- web generation 1, by admin 2h ago: first
//! +++ web generation 2, by admin 5m ago: new port
//! -command.shell: serve --port 80
//! +command.shell: serve --port 8080
//! !env.API_KEY: ***
//! ```

use super::apply_row::plan_lines;
use super::generation_row::GenerationRow;
use crate::applying::{Manner, apply};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::files;
use crate::output::{Format, Terminal, Tone, document};
use crate::pages;
use pm_proto::convert::spec_from_wire;
use pm_proto::v1::{FieldChange, GetProcessDiffRequest, InstancePlan, ListProcessesRequest};
use process_model::ProcessSpec;
use process_model::change::changes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl diff web           what the last change was
  pmctl diff web 3         from generation 3 to the current one
  pmctl diff web 3 4
  pmctl diff -f app.yaml   what `pmctl apply -f app.yaml` would change, and what becomes of each instance

With -f the exit code is 0 when nothing differs and 1 when something does.")]
pub struct Args {
    /// A process
    #[arg(value_name = "NAME", required_unless_present = "files", conflicts_with = "files")]
    name: Option<String>,
    /// The earlier generation [default: the one before the later one]
    #[arg(value_name = "A", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// The later generation [default: the newest]
    #[arg(value_name = "B", value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,
    /// Compare with the processes of a file; - is standard input
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What differs in one process.
struct Difference {
    name: String,
    before: String,
    after: String,
    changes: Vec<FieldChange>,
    /// What applying does to each instance; of generations nothing.
    plan: Vec<InstancePlan>,
}

/// Shows what differs.
///
/// # Errors
/// A generation is not kept, a file is not valid, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let local = if args.files.is_empty() { Vec::new() } else { files::read(&args.files)?.processes };
    context.block_on("diff", async {
        let connection = context.connect().await?;
        let differences = match args.name {
            Some(name) => vec![generations(&connection, name, args.from, args.to).await?],
            None => with_file(&connection, &local).await?,
        };
        print(context, &differences)?;
        // As other tools that compare what is with a file.
        let differs = !local.is_empty() && differences.iter().any(|one| !one.changes.is_empty());
        Ok(if differs { Exit::Failed } else { Exit::Done })
    })
}

async fn generations(
    connection: &Connection,
    name: String,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<Difference, Failure> {
    let request =
        GetProcessDiffRequest { name: name.clone(), from: from.unwrap_or(0), to: to.unwrap_or(0), stale: false };
    let mut client = connection.processes();
    let what = format!("compare definitions of {name}");
    let answer = connection.call(&what, client.get_process_diff(request)).await?;
    let phrase = |side: Option<pm_proto::v1::Generation>| {
        side.map_or_else(|| "nothing before it is kept".to_owned(), |side| GenerationRow(side).phrase())
    };
    Ok(Difference {
        name,
        before: phrase(answer.from),
        after: phrase(answer.to),
        changes: answer.changes,
        plan: Vec::new(),
    })
}

/// What applying the specs would change, process by process.
async fn with_file(connection: &Connection, local: &[ProcessSpec]) -> Result<Vec<Difference>, Failure> {
    let stored = pages::processes(connection, "list processes", ListProcessesRequest::default()).await?.processes;
    let mut plans = plans(connection, local).await?;
    let mut differences = Vec::new();
    for spec in local {
        let process = stored.iter().find(|p| p.spec.as_ref().is_some_and(|stored| stored.name == spec.name.as_str()));
        let before = match process.and_then(|process| process.spec.as_ref()) {
            Some(stored) => Some(spec_from_wire(stored).map_err(|faults| {
                let faults = faults.iter().map(ToString::to_string);
                Failure::failed(format!("cannot read the stored definition of {}", spec.name)).faults(faults)
            })?),
            None => None,
        };
        differences.push(Difference {
            name: spec.name.to_string(),
            before: process.map_or_else(|| "does not exist".to_owned(), |p| format!("generation {}", p.generation)),
            after: "in the file".to_owned(),
            changes: changes(before.as_ref(), spec).iter().map(Into::into).collect(),
            plan: plans.remove(spec.name.as_str()).unwrap_or_default(),
        });
    }
    Ok(differences)
}

/// What becomes of each instance, by process. Whoever may only read is told of
/// the fields alone.
async fn plans(connection: &Connection, local: &[ProcessSpec]) -> Result<BTreeMap<String, Vec<InstancePlan>>, Failure> {
    let manner = Manner { dry_run: true, ..Manner::default() };
    match apply(connection, "plan the change", local, &manner).await {
        Ok(answer) => Ok(answer.results.into_iter().map(|result| (result.name, result.plan)).collect()),
        Err(failure) if failure.exit() == Exit::NotAllowed => Ok(BTreeMap::new()),
        Err(failure) => Err(failure),
    }
}

fn print(context: &Context, differences: &[Difference]) -> Result<(), Failure> {
    let terminal = &context.terminal;
    match context.format {
        Format::Table | Format::Wide => {
            let differing: Vec<_> = differences.iter().filter(|one| !one.changes.is_empty()).collect();
            if differing.is_empty() {
                terminal.note("nothing differs");
            }
            differing.into_iter().try_for_each(|one| unified(terminal, one))
        }
        Format::Name => differences
            .iter()
            .filter(|one| !one.changes.is_empty())
            .try_for_each(|one| terminal.line(format_args!("process/{}", one.name))),
        Format::Jsonl => differences.iter().try_for_each(|one| terminal.line(value(one)?)),
        Format::Json | Format::Yaml => {
            let items = differences.iter().map(value).collect::<Result<Vec<_>, Failure>>()?;
            document(terminal, context.format, &json!({ "items": items }))
        }
    }
}

fn value(one: &Difference) -> Result<Value, Failure> {
    let changes = one.changes.iter().map(pm_proto::json::to_value).collect::<Result<Vec<_>, _>>()?;
    let plan = one.plan.iter().map(pm_proto::json::to_value).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "process": one.name, "before": one.before, "after": one.after, "changes": changes, "plan": plan }))
}

fn unified(terminal: &Terminal, one: &Difference) -> Result<(), Failure> {
    let paint = terminal.out;
    terminal.line(paint.paint(Tone::Title, format_args!("--- {} {}", one.name, one.before)))?;
    terminal.line(paint.paint(Tone::Title, format_args!("+++ {} {}", one.name, one.after)))?;
    for (mark, text) in lines(&one.changes) {
        let tone = match mark {
            '-' => Tone::Bad,
            '+' => Tone::Good,
            _ => Tone::Warn,
        };
        terminal.line(paint.paint(tone, format_args!("{mark}{text}")))?;
    }
    plan_lines(&one.plan).iter().try_for_each(|line| terminal.line(paint.paint(Tone::Dim, line)))
}

/// Lines with their mark: gone, come, or changed where it cannot be seen.
fn lines(changes: &[FieldChange]) -> Vec<(char, String)> {
    let mut lines = Vec::new();
    for FieldChange { path, before, after, hidden } in changes {
        if *hidden && before == after {
            lines.push(('!', format!("{path}: {}", printable(before.as_deref().unwrap_or_default()))));
            continue;
        }
        for (mark, value) in [('-', before), ('+', after)] {
            // One line for a value with several of its own, whatever it holds.
            lines.extend(value.as_deref().map(|value| (mark, format!("{path}: {}", printable(value)))));
        }
    }
    lines
}

fn printable(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_has_a_line_for_each_side_and_tells_of_what_is_masked() {
        let change = |path: &str, before: Option<&str>, after: Option<&str>, hidden| FieldChange {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            hidden,
        };
        let changes = [
            change("command.shell", Some("a \"b\""), Some("c\nd\u{1b}[2J"), false),
            change("env.KEY", Some("***"), Some("***"), true),
            change("env.NEW", None, Some("***"), true),
        ];
        let text: Vec<String> = lines(&changes).iter().map(|(mark, text)| format!("{mark}{text}")).collect();
        assert_eq!(
            text,
            ["-command.shell: a \"b\"", "+command.shell: c\\nd\\u{1b}[2J", "!env.KEY: ***", "+env.NEW: ***"]
        );
    }
}
