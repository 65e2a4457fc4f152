//! `pmctl list`: one line for each instance, with its newest measurement.

use super::instance_row::{InstanceRow, phase_word};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Cell, Column, Listed, human, list};
use crate::pages;
use pm_proto::json::JsonError;
use pm_proto::v1::process_spec::Command;
use pm_proto::v1::{
    InstanceSample, ListInstancesRequest, ListInstancesResponse, ListLatestSamplesRequest, ListProcessesRequest,
    Process,
};
use process_model::Phase;
use std::collections::HashMap;

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl list
  pmctl list \"web-*\" --state backoff
  pmctl list -o json | jq '.items[].pid'
  pmctl list --processes")]
pub struct Args {
    /// Process names, instance ids or patterns; all when left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(Phase::ALL.map(Phase::as_str)))]
    state: Option<String>,
    /// Only those on this node
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    node: String,
    /// List processes instead: what was asked for, not what runs
    #[arg(long, conflicts_with_all = ["state", "node"])]
    processes: bool,
}

/// Lists.
///
/// # Errors
/// The server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("list", async {
        let connection = context.connect().await?;
        if args.processes {
            return processes(context, &connection, args.targets).await;
        }
        let request =
            ListInstancesRequest { selectors: args.targets, node: args.node, ..ListInstancesRequest::default() };
        let (answer, samples) = instances_with_samples(&connection, request).await?;
        let now = human::now();
        let rows: Vec<_> = answer
            .instances
            .into_iter()
            .filter(|instance| args.state.as_deref().is_none_or(|state| phase_word(instance.phase()) == state))
            .map(|instance| {
                let sample = samples.by_instance.get(&instance.id).cloned();
                InstanceRow::new(instance, sample, now)
            })
            .collect();
        list(&context.terminal, context.format, &rows, Some(answer.revision))?;
        samples.explain(context);
        if rows.is_empty() && !context.format.is_machine() {
            context.terminal.note("no instances; `pmctl apply -f FILE` or `pmctl register` defines processes");
        }
        Ok(Exit::Done)
    })
}

/// Measurements; the list is useful without them.
#[derive(Debug, Default)]
pub struct Samples {
    /// By instance id.
    pub by_instance: HashMap<String, InstanceSample>,
    problem: Option<String>,
}

impl Samples {
    /// Says why there are none, when there is a reason.
    pub fn explain(&self, context: &Context) {
        if let Some(problem) = &self.problem {
            context.terminal.note(format_args!("without measurements: {problem}"));
        }
    }
}

/// Instances and their measurements, asked for at the same time.
///
/// # Errors
/// The instances cannot be had. Missing measurements are no error.
pub async fn instances_with_samples(
    connection: &Connection,
    request: ListInstancesRequest,
) -> Result<(ListInstancesResponse, Samples), Failure> {
    let mut samples = connection.samples();
    let wanted = ListLatestSamplesRequest { selectors: request.selectors.clone() };
    let (answer, samples) = tokio::join!(
        pages::instances(connection, "list instances", request),
        connection.call("read measurements", samples.list_latest_samples(wanted)),
    );
    let samples = match samples {
        Ok(samples) => Samples {
            by_instance: samples.instances.into_iter().map(|sample| (sample.instance_id.clone(), sample)).collect(),
            problem: None,
        },
        // Nothing measured yet is not worth a word.
        Err(failure) if failure.exit() == Exit::NotFound => Samples::default(),
        Err(failure) => Samples { by_instance: HashMap::new(), problem: Some(failure.summary().to_owned()) },
    };
    Ok((answer?, samples))
}

async fn processes(context: &Context, connection: &Connection, selectors: Vec<String>) -> Result<Exit, Failure> {
    let request = ListProcessesRequest { selectors, ..ListProcessesRequest::default() };
    let answer = pages::processes(connection, "list processes", request).await?;
    let rows: Vec<_> = answer.processes.into_iter().map(ProcessRow).collect();
    list(&context.terminal, context.format, &rows, Some(answer.revision))?;
    Ok(Exit::Done)
}

struct ProcessRow(Process);

impl Listed for ProcessRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("PROCESS"),
        Column::text("TYPE"),
        Column::number("INSTANCES"),
        Column::number("GENERATION"),
        Column::text("SOURCE"),
        Column::text("CHANGED"),
        Column::text("COMMAND"),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        let process = &self.0;
        let spec = process.spec.clone().unwrap_or_default();
        let command = match &spec.command {
            Some(Command::Shell(line)) => line.clone(),
            Some(Command::Argv(argv)) => argv.args.join(" "),
            None => String::new(),
        };
        vec![
            Cell::plain(&spec.name),
            Cell::plain(&spec.r#type),
            Cell::plain(spec.instances().to_string()),
            Cell::plain(process.generation.to_string()),
            Cell::plain(human::shorten(&process.source, 40)),
            Cell::plain(human::ago(human::time(process.update_time.as_ref()), human::now())),
            Cell::plain(human::shorten(&command, if wide { 500 } else { 60 })),
        ]
    }

    fn name(&self) -> String {
        format!("process/{}", self.0.spec.as_ref().map(|spec| spec.name.as_str()).unwrap_or_default())
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}
