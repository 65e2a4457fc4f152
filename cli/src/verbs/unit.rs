//! `pmctl unit`: start, stop, restart and reload units of systemd on nodes.

use super::order::{self, Target};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::wait::DEFAULT_WAIT;
use pm_proto::v1::{ActionVerb, ControlUnitsRequest};
use std::time::Duration;

/// Arguments of `unit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl unit restart nginx.service --node web-1
  pmctl unit stop backup.timer --node \"db-*\" --reason maintenance

A node does it only if its own policy file lists the unit (`units` in node-policy.yaml).")]
pub struct Args {
    /// What is to be done
    verb: Verb,
    /// Whole name of the unit, as nginx.service
    #[arg(value_name = "UNIT", value_parser = |text: &str| process_model::check_unit_name(text).map(|()| text.to_owned()))]
    unit: String,
    /// Names or patterns of nodes; may be given several times
    #[arg(long = "node", required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// Do not wait for the end
    #[arg(long)]
    no_wait: bool,
    /// Longest wait; the actions go on after it (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// What a unit can be told.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Verb {
    /// Start it
    Start,
    /// Stop it
    Stop,
    /// Stop and start it
    Restart,
    /// Have it read its configuration anew
    Reload,
}

impl Verb {
    fn on_the_wire(self) -> ActionVerb {
        match self {
            Self::Start => ActionVerb::Start,
            Self::Stop => ActionVerb::Stop,
            Self::Restart => ActionVerb::Restart,
            Self::Reload => ActionVerb::Reload,
        }
    }
}

/// Asks for it and follows each node's action to its end.
///
/// # Errors
/// No node matches, the server refuses, or the wait takes too long.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    context.block_on("unit", async {
        let verb = args.verb.on_the_wire();
        let target =
            Target { targets: vec![args.unit], no_wait: args.no_wait, timeout: args.timeout, reason: args.reason };
        let connection = context.connect().await?;
        let request = ControlUnitsRequest {
            nodes: args.nodes,
            unit: target.targets.concat(),
            verb: verb.into(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: target.reason.clone(),
        };
        let mut actions = connection.actions();
        let what = target.what(crate::wait::verb_word(verb));
        let answer = connection.call(&what, actions.control_units(request)).await?;
        order::carry_out(context, &connection, &target, answer.actions, answer.revision).await
    })
}
