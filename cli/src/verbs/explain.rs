//! `pmctl explain restart`: what a restart policy does, in words and numbers,
//! and where each instance is in it; `explain placement`: why each is where it
//! is.

mod placement;

use super::instance_row::{next, state};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::files;
use crate::output::{Format, Tone, document, human};
use crate::pages;
use crate::restart_story::{Series, Then, resets, seconds, sentences, series, step_of};
use pm_proto::convert::{spec_from_wire, spec_to_wire};
use pm_proto::v1::{GetInstanceRequest, GetProcessRequest, Instance, InstancePhase, ListInstancesRequest};
use process_model::{InstanceId, ProcessSpec, Timestamp};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl explain restart web
  pmctl explain restart -f processes.yaml web
  pmctl explain placement web")]
pub struct Args {
    #[command(subcommand)]
    topic: Topic,
}

#[derive(Debug, clap::Subcommand)]
enum Topic {
    /// When and how soon a process is started again
    Restart(RestartArgs),
    /// Why each instance is where it is, or why it waits
    Placement(placement::Args),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl explain restart web
  pmctl explain restart web-2 -o json
  pmctl explain restart -f processes.yaml web   what a file says, before it is applied")]
struct RestartArgs {
    /// Process name, or instance id
    #[arg(value_name = "NAME")]
    name: String,
    /// Explain the process of this file instead; - is standard input
    #[arg(short, long = "file", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Explains.
///
/// # Errors
/// There is no such process, the file is not valid, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let args = match args.topic {
        Topic::Restart(args) => args,
        Topic::Placement(args) => return placement::run(context, args),
    };
    if let Some(file) = &args.file {
        let read = files::read(std::slice::from_ref(file))?;
        let found = read.processes.into_iter().find(|spec| spec.name.as_str() == args.name);
        let spec = found.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("{} has no process {:?}", file.display(), args.name))
                .reason(pm_proto::error::reason::NOT_FOUND)
        })?;
        show(context, &spec, None)?;
        return Ok(Exit::Done);
    }
    context.block_on("explain", async {
        let connection = context.connect().await?;
        let (spec, instances) = stored(&connection, &args.name).await?;
        show(context, &spec, Some(&instances))?;
        Ok(Exit::Done)
    })
}

/// The stored spec and its instances; of an instance id, its process and it
/// alone. A process that is called as an instance comes first.
async fn stored(connection: &Connection, name: &str) -> Result<(ProcessSpec, Vec<Instance>), Failure> {
    let what = format!("explain {name}");
    let mut processes = connection.processes();
    let asked =
        connection.call(&what, processes.get_process(GetProcessRequest { name: name.to_owned(), stale: false })).await;
    let (process, instances) = match (asked, name.parse::<InstanceId>()) {
        (Err(failure), Ok(id)) if failure.exit() == Exit::NotFound => {
            let mut client = connection.instances();
            let request = GetInstanceRequest { id: name.to_owned(), stale: false };
            // Of the two refusals the first knows what comes near.
            let Ok(answer) = connection.call(&what, client.get_instance(request)).await else { return Err(failure) };
            let request = GetProcessRequest { name: id.process.to_string(), stale: false };
            let process = connection.call(&what, processes.get_process(request)).await?.process;
            (process, answer.instance.into_iter().collect())
        }
        (asked, _) => {
            let process = asked?.process;
            let request = ListInstancesRequest { selectors: vec![name.to_owned()], ..ListInstancesRequest::default() };
            (process, pages::instances(connection, &what, request).await?.instances)
        }
    };
    let wire = process.and_then(|process| process.spec).unwrap_or_default();
    let spec = spec_from_wire(&wire).map_err(|faults| {
        Failure::failed(format!("the definition of {name} is of another version than this pmctl"))
            .faults(faults.iter().map(ToString::to_string))
    })?;
    Ok((spec, instances))
}

fn show(context: &Context, spec: &ProcessSpec, instances: Option<&[Instance]>) -> Result<(), Failure> {
    let terminal = &context.terminal;
    let series = series(spec);
    let now = human::now();
    match context.format {
        Format::Json | Format::Yaml | Format::Jsonl => {
            return document(terminal, context.format, &value(spec, &series, instances, now)?);
        }
        Format::Name => return terminal.line(format_args!("process/{}", spec.name)),
        Format::Table | Format::Wide => {}
    }
    let title = |text: &str| terminal.line(terminal.out.paint(Tone::Title, text));
    title(&format!("{}: restart {}", spec.name, spec.restart.mode.as_str()))?;
    sentences(spec).iter().try_for_each(|said| terminal.line(format_args!("  {said}")))?;
    if !series.steps.is_empty() {
        title("delays when it ends at once, again and again")?;
        table(context, spec, &series)?;
        title("the series begins anew after")?;
        resets(spec).iter().try_for_each(|reset| terminal.line(format_args!("  {reset}")))?;
    }
    let instances = instances.unwrap_or_default();
    if !instances.is_empty() {
        title("instances")?;
    }
    for instance in instances {
        let place = Place::of(spec, instance, now).sentence();
        terminal.line(format_args!("  {:<14}{}{place}", instance.id, state(instance)))?;
    }
    Ok(())
}

fn table(context: &Context, spec: &ProcessSpec, series: &Series) -> Result<(), Failure> {
    let terminal = &context.terminal;
    let jitter = spec.restart.backoff.jitter * 100.0;
    terminal.line(format_args!(
        "  {:<9}{:>9}  {:<22}{:>9}",
        "RESTART",
        "DELAY",
        format!("WITH ±{jitter:.0} %"),
        "IN ALL"
    ))?;
    for step in &series.steps {
        let (low, high) = step.bounds;
        let range = if low == high { "-".to_owned() } else { format!("{} to {}", seconds(low), seconds(high)) };
        let (delay, total) = (seconds(step.nominal), seconds(step.total));
        terminal.line(format_args!("  {:<9}{delay:>9}  {range:<22}{total:>9}", step.number))?;
    }
    let longest = seconds(spec.restart.backoff.max);
    match series.then {
        Then::Same => terminal.line("  every further one as the last"),
        Then::Growing => terminal.line(format_args!("  and so on, up to {longest}")),
        Then::GivenUp => terminal.line("  then it is given up: failed"),
    }
}

/// Where an instance is in its series.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    restarts: u32,
    /// While it waits: which restart in a row comes next, from 1.
    coming: Option<u32>,
    /// While it waits: when, in words.
    next: Option<String>,
    /// While it runs: how long until it counts as stable; zero: it does.
    stable_in: Option<Duration>,
}

impl Place {
    fn of(spec: &ProcessSpec, instance: &Instance, now: Timestamp) -> Self {
        let time = |wire: &Option<prost_types::Timestamp>| human::time(wire.as_ref());
        let waits = instance.phase() == InstancePhase::Backoff;
        let delay = time(&instance.phase_time).zip(time(&instance.next_restart_time));
        let delay = delay.filter(|_| waits).map(|(since, due)| human::between(since, due));
        let runs = instance.pid > 0 && instance.phase() == InstancePhase::Running;
        let ran = time(&instance.start_time).filter(|_| runs).map(|since| human::between(since, now));
        Self {
            restarts: instance.restarts,
            coming: delay.and_then(|delay| step_of(&spec.restart.backoff, delay)).map(|streak| streak + 1),
            next: next(instance, now),
            stable_in: ran.map(|ran| spec.restart.reset_after.saturating_sub(ran)),
        }
    }

    fn sentence(&self) -> String {
        let mut text =
            format!(", {} since it was started by hand", human::count(self.restarts as usize, "restart", "restarts"));
        if let Some(next) = &self.next {
            text.push_str(&format!("; {next}"));
        }
        if let Some(number) = self.coming {
            text.push_str(&format!(", as restart {number} of the series"));
        }
        match self.stable_in {
            Some(Duration::ZERO) => text.push_str("; has run long enough: the series would begin anew"),
            Some(left) if self.restarts > 0 => {
                text.push_str(&format!("; the series begins anew in {}", human::duration(left)));
            }
            Some(_) | None => {}
        }
        text
    }
}

fn value(
    spec: &ProcessSpec,
    series: &Series,
    instances: Option<&[Instance]>,
    now: Timestamp,
) -> Result<Value, Failure> {
    let policy = spec_to_wire(spec).restart.map(|policy| pm_proto::json::to_value(&policy)).transpose()?;
    let mut value = json!({
        "process": spec.name.to_string(),
        "policy": policy,
        "inWords": sentences(spec),
        "delays": series.value(),
        "resets": resets(spec),
    });
    if let (Some(instances), Some(fields)) = (instances, value.as_object_mut()) {
        let places: Vec<Value> = instances
            .iter()
            .map(|instance| {
                let place = Place::of(spec, instance, now);
                let next = human::time(instance.next_restart_time.as_ref());
                json!({
                    "id": instance.id,
                    "phase": super::instance_row::phase_word(instance.phase()),
                    "restarts": place.restarts,
                    "comingRestart": place.coming,
                    "nextIn": next.map(|next| seconds(human::between(now, next))),
                    "stableIn": place.stable_in.map(seconds),
                })
            })
            .collect();
        fields.insert("instances".to_owned(), json!(places));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::Command;

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn spec() -> ProcessSpec {
        ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()))
    }

    #[test]
    fn an_instance_that_waits_is_placed_in_the_series() {
        let waiting = Instance {
            phase: InstancePhase::Backoff.into(),
            restarts: 3,
            phase_time: at(100),
            next_restart_time: at(108),
            ..Instance::default()
        };
        let place = Place::of(&spec(), &waiting, Timestamp::from_parts(103, 0));
        assert_eq!((place.coming, place.next.as_deref(), place.stable_in), (Some(4), Some("next start in 5s"), None));
        assert!(place.sentence().contains("as restart 4 of the series"), "{}", place.sentence());
    }

    #[test]
    fn an_instance_that_runs_says_when_it_is_stable() {
        let running = |since| Instance {
            phase: InstancePhase::Running.into(),
            pid: 7,
            restarts: 2,
            start_time: at(since),
            ..Instance::default()
        };
        let stable = spec().restart.reset_after;
        let now = Timestamp::from_parts(1_000, 0);
        let young = Place::of(&spec(), &running(990), now);
        assert_eq!(young.stable_in, Some(stable.saturating_sub(Duration::from_secs(10))));
        assert!(young.sentence().contains("begins anew in"), "{}", young.sentence());
        let old = Place::of(&spec(), &running(0), now);
        assert_eq!(old.stable_in, Some(Duration::ZERO));
    }

    #[test]
    fn the_document_has_policy_words_and_numbers() {
        let value = value(&spec(), &series(&spec()), Some(&[]), Timestamp(0)).unwrap();
        assert_eq!(value["policy"]["mode"], "RESTART_MODE_ALWAYS");
        assert_eq!(value["delays"]["steps"][0]["nominal"], "1s");
        assert_eq!(value["delays"]["then"], "same");
        assert!(value["inWords"][0].as_str().unwrap().contains("restarted however it ends"));
    }
}
