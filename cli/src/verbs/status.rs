//! `pmctl status`: without a name the overview, the worst first; with names
//! everything that is known of their instances.

use super::events::output;
use super::instance_details::{describe, value};
use super::instance_row::{Health, next, phase_word, state, uptime};
use super::list::instances_with_samples;
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::follow::{Followed, Follower};
use crate::live::LiveLine;
use crate::output::{Cell, Column, Format, Listed, Terminal, Tone, document, human, list};
use crate::pages;
use pm_proto::json::JsonError;
use pm_proto::v1::{Event, Instance, InstancePhase, ListInstancesRequest, WatchEventsRequest};
use process_model::{Selector, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Events shown of each target.
const EVENTS: u32 = 5;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl status
  pmctl status web
  pmctl status web-2 -o json")]
pub struct Args {
    /// Process names, instance ids or patterns
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Shows it.
///
/// # Errors
/// Nothing matches, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("status", async {
        let connection = context.connect().await?;
        if args.targets.is_empty() {
            overview(context, &connection).await
        } else {
            details(context, &connection, args.targets).await
        }
    })
}

async fn overview(context: &Context, connection: &Connection) -> Result<Exit, Failure> {
    let answer = pages::instances(connection, "list instances", ListInstancesRequest::default()).await?;
    let now = human::now();
    let rows = Overview::group(answer.instances, now);
    let terminal = &context.terminal;
    if context.format.is_machine() {
        list(terminal, context.format, &rows, Some(answer.revision))?;
        return Ok(Exit::Done);
    }
    terminal.line(summary(terminal, &rows))?;
    if rows.is_empty() {
        terminal.note("`pmctl apply -f FILE` or `pmctl register` defines processes");
    } else {
        terminal.line("")?;
        list(terminal, context.format, &rows, None)?;
    }
    Ok(Exit::Done)
}

/// `3 processes, 5 instances: 4 running, 1 backoff`.
fn summary(terminal: &Terminal, rows: &[Overview]) -> String {
    let instances: usize = rows.iter().map(|row| row.instances.len()).sum();
    let mut phases: BTreeMap<(Health, String), usize> = BTreeMap::new();
    for instance in rows.iter().flat_map(|row| &row.instances) {
        let word = match (instance.phase(), instance.ready) {
            (InstancePhase::Running, false) => "not ready".to_owned(),
            (phase, _) => phase_word(phase).to_owned(),
        };
        *phases.entry((Health::of(instance), word)).or_default() += 1;
    }
    let parts: Vec<_> = phases
        .into_iter()
        .map(|((health, word), count)| terminal.out.paint(health.tone(), format!("{count} {word}")))
        .collect();
    let head = format!(
        "{}, {}",
        human::count(rows.len(), "process", "processes"),
        human::count(instances, "instance", "instances")
    );
    if parts.is_empty() { head } else { format!("{head}: {}", parts.join(", ")) }
}

/// A process by its instances.
#[derive(Debug, Clone, PartialEq)]
struct Overview {
    process: String,
    instances: Vec<Instance>,
    now: Timestamp,
}

impl Overview {
    /// The instances by process; the worst process first.
    fn group(instances: Vec<Instance>, now: Timestamp) -> Vec<Self> {
        let mut by_process: BTreeMap<String, Vec<Instance>> = BTreeMap::new();
        for instance in instances {
            by_process.entry(instance.process.clone()).or_default().push(instance);
        }
        let mut rows: Vec<_> =
            by_process.into_iter().map(|(process, instances)| Self { process, instances, now }).collect();
        rows.sort_by_cached_key(|row| (row.health(), row.process.clone()));
        rows
    }

    /// Its worst instance; resting ones count only when there are no others.
    fn worst(&self) -> Option<&Instance> {
        self.instances.iter().min_by_key(|instance| Health::of(instance))
    }

    fn health(&self) -> Health {
        self.worst().map_or(Health::Resting, Health::of)
    }

    fn ready(&self) -> usize {
        self.instances.iter().filter(|instance| instance.ready).count()
    }
}

impl Listed for Overview {
    const COLUMNS: &'static [Column] = &[
        Column::text("PROCESS"),
        Column::number("READY"),
        Column::text("STATE"),
        Column::number("RESTARTS"),
        Column::number("UPTIME"),
        Column::text("NODES").wide(),
        Column::text("MESSAGE"),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        let worst = self.worst();
        let wanted = self.instances.iter().filter(|instance| instance.wanted).count();
        let restarts: u64 = self.instances.iter().map(|instance| u64::from(instance.restarts)).sum();
        let mut nodes: Vec<_> = self.instances.iter().map(|i| i.node.as_str()).filter(|n| !n.is_empty()).collect();
        nodes.dedup();
        // Of the youngest, so that a restart shows.
        let youngest = self.instances.iter().filter(|i| i.pid > 0).max_by_key(|i| human::time(i.start_time.as_ref()));
        let message = worst.map(|worst| match (self.health() < Health::Well, next(worst, self.now)) {
            (true, _) => worst.message.clone(),
            // What runs by the clock rests between two runs, and that is as it should be.
            (false, Some(next)) => next,
            (false, None) => worst.status.clone(),
        });
        vec![
            Cell::plain(&self.process),
            Cell::plain(format!("{}/{wanted}", self.ready())),
            Cell::optional(worst.map(state)).toned(self.health().tone()),
            Cell::plain(restarts.to_string()),
            Cell::optional(youngest.and_then(|instance| uptime(instance, self.now))),
            Cell::plain(nodes.join(" ")),
            Cell::plain(human::shorten(&message.unwrap_or_default(), if wide { 500 } else { 60 })),
        ]
    }

    fn name(&self) -> String {
        format!("process/{}", self.process)
    }

    fn value(&self) -> Result<Value, JsonError> {
        let instances = self.instances.iter().map(pm_proto::json::to_value).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({
            "process": self.process,
            "ready": self.ready(),
            "state": self.worst().map_or("unknown", |instance| phase_word(instance.phase())),
            "instances": instances,
        }))
    }
}

async fn details(context: &Context, connection: &Connection, targets: Vec<String>) -> Result<Exit, Failure> {
    let request = ListInstancesRequest { selectors: targets.clone(), ..ListInstancesRequest::default() };
    let (answer, samples) = instances_with_samples(connection, request).await?;
    if answer.instances.is_empty() {
        return missing(context, connection, &targets).await;
    }
    let terminal = &context.terminal;
    if matches!(context.format, Format::Name) {
        answer.instances.iter().try_for_each(|i| terminal.line(format_args!("instance/{}", i.id)))?;
        return Ok(Exit::Done);
    }
    let mut events = recent_events(connection, &targets, EVENTS).await?;
    let now = human::now();
    if context.format.is_machine() {
        let mut items = Vec::new();
        for instance in &answer.instances {
            let own: Vec<_> = events.iter().filter(|event| event.instance_id == instance.id).collect();
            items.push(value(instance, samples.by_instance.get(&instance.id), &own)?);
        }
        if context.format == Format::Jsonl {
            items.iter().try_for_each(|item| terminal.line(item))?;
        } else {
            let whole = json!({ "items": items, "revision": answer.revision.to_string() });
            document(terminal, context.format, &whole)?;
        }
        return Ok(Exit::Done);
    }
    for instance in &answer.instances {
        let own: Vec<_> = events.iter().filter(|event| event.instance_id == instance.id).collect();
        describe(terminal, instance, samples.by_instance.get(&instance.id), &own, now)?;
    }
    if !events.is_empty() {
        terminal.line(terminal.out.paint(Tone::Title, "last events"))?;
        let skip = events.len().saturating_sub(EVENTS as usize);
        for event in events.drain(skip..) {
            terminal.line(format_args!("  {}", LiveLine::of_event(&event).render(terminal.out, 12, now)))?;
            output(terminal, &event)?;
        }
    }
    samples.explain(context);
    Ok(Exit::Done)
}

/// A process may be there without instances; else the server's own refusal of
/// an unknown name is the best message, as it knows what comes near.
///
/// # Errors
/// Nothing matches, or the server refuses.
pub async fn missing(context: &Context, connection: &Connection, targets: &[String]) -> Result<Exit, Failure> {
    use pm_proto::v1::{GetProcessRequest, ListProcessesRequest};
    if let [one] = targets
        && Selector::new(one.as_str()).is_literal()
    {
        let request = GetProcessRequest { name: one.clone(), stale: false };
        connection.call(&format!("show {one}"), connection.processes().get_process(request)).await?;
    } else {
        let request = ListProcessesRequest { selectors: targets.to_vec(), ..ListProcessesRequest::default() };
        let found = pages::processes(connection, "list processes", request).await?;
        if found.processes.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("nothing matches {}", targets.join(" ")))
                .reason(pm_proto::error::reason::NOT_FOUND)
                .help("`pmctl list` shows what there is"));
        }
    }
    if context.format.is_machine() {
        document(&context.terminal, context.format, &json!({ "items": [] }))?;
    } else {
        context.terminal.line("no instances; `instances: 0`, or none has been placed")?;
    }
    Ok(Exit::Done)
}

/// The newest events of instances.
///
/// # Errors
/// The server refuses.
pub async fn recent_events(connection: &Connection, targets: &[String], most: u32) -> Result<Vec<Event>, Failure> {
    let request = WatchEventsRequest {
        tail: most,
        selectors: targets.to_vec(),
        types: vec!["instance.*".to_owned()],
        ..WatchEventsRequest::default()
    };
    let mut follower = Follower::new(connection.clone(), request, false);
    let mut events = Vec::new();
    while let Followed::Event(event) = follower.next().await? {
        events.push(*event);
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::ColourWish;

    fn instance(process: &str, phase: InstancePhase, ready: bool) -> Instance {
        Instance {
            id: format!("{process}-1"),
            process: process.to_owned(),
            phase: phase.into(),
            ready,
            wanted: true,
            ..Instance::default()
        }
    }

    #[test]
    fn the_overview_counts_and_begins_with_the_worst() {
        let rows = Overview::group(
            vec![
                instance("api", InstancePhase::Running, true),
                instance("bad", InstancePhase::Failed, false),
                instance("web", InstancePhase::Running, false),
            ],
            Timestamp(0),
        );
        assert_eq!(rows.iter().map(|row| row.process.as_str()).collect::<Vec<_>>(), ["bad", "web", "api"]);
        let terminal = Terminal::new(&ColourWish { no_color: true, ..ColourWish::default() }, false);
        assert_eq!(summary(&terminal, &rows), "3 processes, 3 instances: 1 failed, 1 not ready, 1 running");
        assert_eq!(rows[2].value().unwrap()["ready"], 1);
    }
}
