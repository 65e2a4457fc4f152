//! `pmctl describe`: everything about a process or an instance in one place:
//! what was asked for, what is, what happened.

use super::events::output;
use super::instance_details;
use super::list::instances_with_samples;
use super::status::{missing, recent_events};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::live::LiveLine;
use crate::output::{Format, Terminal, Tone, document, human};
use crate::pages;
use pm_proto::v1::{Event, ListInstancesRequest, ListProcessesRequest, Process};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Events shown.
const EVENTS: u32 = 20;

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl describe web
  pmctl describe web-2 -o yaml")]
pub struct Args {
    /// Process names, instance ids or patterns
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
}

/// Shows it.
///
/// # Errors
/// Nothing matches, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("describe", async {
        let connection = context.connect().await?;
        let request = ListInstancesRequest { selectors: args.targets.clone(), ..ListInstancesRequest::default() };
        let (answer, samples) = instances_with_samples(&connection, request).await?;
        let mut names: BTreeSet<String> = answer.instances.iter().map(|instance| instance.process.clone()).collect();
        let processes = processes(&connection, &args.targets, &mut names).await?;
        if processes.is_empty() && answer.instances.is_empty() {
            return missing(context, &connection, &args.targets).await;
        }
        let events = recent_events(&connection, &args.targets, EVENTS).await?;
        let terminal = &context.terminal;
        let of = |id: &str| events.iter().filter(|event| event.instance_id == id).collect::<Vec<_>>();
        let mut items = Vec::new();
        for name in &names {
            let process = processes.iter().find(|process| name_of(process) == *name);
            let instances = answer.instances.iter().filter(|instance| instance.process == *name);
            match context.format {
                Format::Name => terminal.line(format_args!("process/{name}"))?,
                Format::Json | Format::Yaml | Format::Jsonl => {
                    let described = instances
                        .map(|i| instance_details::value(i, samples.by_instance.get(&i.id), &of(&i.id)))
                        .collect::<Result<Vec<_>, _>>()?;
                    let process = process.map(pm_proto::json::to_value).transpose()?;
                    items.push(json!({ "process": process, "instances": described }));
                }
                Format::Table | Format::Wide => {
                    if let Some(process) = process {
                        definition(terminal, process)?;
                    }
                    for instance in instances {
                        let sample = samples.by_instance.get(&instance.id);
                        instance_details::describe(terminal, instance, sample, &of(&instance.id), human::now())?;
                    }
                }
            }
        }
        match context.format {
            Format::Name => {}
            Format::Jsonl => items.iter().try_for_each(|item| terminal.line(item))?,
            Format::Json | Format::Yaml => {
                let whole = json!({ "items": items, "revision": answer.revision.to_string() });
                document(terminal, context.format, &whole)?;
            }
            Format::Table | Format::Wide => {
                history(terminal, &events)?;
                samples.explain(context);
            }
        }
        Ok(Exit::Done)
    })
}

fn name_of(process: &Process) -> &str {
    process.spec.as_ref().map(|spec| spec.name.as_str()).unwrap_or_default()
}

/// The definitions: of the targets, also without instances, and of the
/// instances that were named.
async fn processes(
    connection: &Connection,
    targets: &[String],
    names: &mut BTreeSet<String>,
) -> Result<Vec<Process>, Failure> {
    let selectors = targets.iter().chain(names.iter()).cloned().collect();
    let request = ListProcessesRequest { selectors, ..ListProcessesRequest::default() };
    let processes = pages::processes(connection, "list processes", request).await?.processes;
    names.extend(processes.iter().map(|process| name_of(process).to_owned()));
    Ok(processes)
}

fn definition(terminal: &Terminal, process: &Process) -> Result<(), Failure> {
    let title = format!("process {}", name_of(process));
    terminal.line(terminal.out.paint(Tone::Title, title))?;
    let field = |name: &str, text: &str| terminal.line(format_args!("  {name:<14}{text}"));
    if !process.source.is_empty() {
        field("from", &human::shorten(&process.source, 200))?;
    }
    let age = |time: Option<&prost_types::Timestamp>| human::ago(human::time(time), human::now());
    let (created, changed) = (age(process.create_time.as_ref()), age(process.update_time.as_ref()));
    field("generation", &format!("{}, changed {changed} ago, made {created} ago", process.generation))?;
    terminal.line("  definition")?;
    let mut spec = pm_proto::json::to_value(&process.spec.clone().unwrap_or_default())?;
    prune(&mut spec);
    let text = serde_saphyr::to_string(&spec)
        .map_err(|e| Failure::failed(format!("cannot write the definition as YAML: {e}")))?;
    text.lines().try_for_each(|line| terminal.line(format_args!("    {}", human::shorten(line, 500))))
}

/// Leaves out what says nothing: canonical JSON has every field.
fn prune(value: &mut Value) {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, value| !says_nothing(value));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn history(terminal: &Terminal, events: &[Event]) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    terminal.line(terminal.out.paint(Tone::Title, "last events"))?;
    let skip = events.len().saturating_sub(EVENTS as usize);
    for event in events.iter().skip(skip) {
        terminal.line(format_args!("  {}", LiveLine::of_event(event).render(terminal.out, 12, human::now())))?;
        output(terminal, event)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::prune;
    use serde_json::json;

    #[test]
    fn only_what_says_something_is_shown_of_a_definition() {
        let mut spec = json!({
            "name": "web", "user": "", "env": {}, "autostart": false, "ports": { "http": 80 },
            "stop": { "steps": [], "signal": "SIGTERM" }, "readiness": null, "argv": { "args": ["a", ""] },
        });
        prune(&mut spec);
        let expected = json!({
            "name": "web", "autostart": false, "ports": { "http": 80 },
            "stop": { "signal": "SIGTERM" }, "argv": { "args": ["a", ""] },
        });
        assert_eq!(spec, expected);
    }
}
