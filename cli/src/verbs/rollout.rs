//! `pmctl rollout`: how instances come to a new definition, some at a time.

mod row;

use super::{history, rollback};
use crate::condition::{Condition, Goal, wait_for};
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::list;
use crate::wait::DEFAULT_WAIT;
use clap::Subcommand;
use pm_proto::v1::{
    GetRolloutRequest, PauseRolloutRequest, PromoteRolloutRequest, RestartRolloutRequest, ResumeRolloutRequest, Rollout,
};
use row::RolloutRow;
use std::time::Duration;

/// Arguments of `rollout`.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  pmctl rollout status web             where it is, and why
  pmctl rollout status web --wait      and follow it to its end
  pmctl rollout pause web              no further instance is changed
  pmctl rollout promote web            the others follow the canaries
  pmctl rollout undo web --wait        back to the definition before it
  pmctl rollout restart web --wait     restart batch by batch, nothing else changes"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Where a rollout is: the one that goes on, else the last one
    Status(Status),
    /// Hold it: no further instance is changed
    Pause(Steer),
    /// Go on with it
    Resume(Steer),
    /// Let the other instances follow the canaries
    Promote(Steer),
    /// Bring back the definition that all instances had before it
    Undo(Steer),
    /// Restart instances some at a time, without a change
    Restart(Restart),
    /// List the definitions that a process has had
    History(history::Args),
}

#[derive(Debug, clap::Args)]
struct Waiting {
    /// Wait for its end (exit code 11 when it fails)
    #[arg(long)]
    wait: bool,
    /// Longest wait; it goes on after that (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
}

#[derive(Debug, clap::Args)]
struct Status {
    /// A process
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, clap::Args)]
struct Steer {
    /// A process
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    waiting: Waiting,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Restart {
    /// Process names or patterns ("web-*")
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
}

/// Carries it out.
///
/// # Errors
/// None is under way, it fails, the wait takes too long, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    if let Verb::History(args) = args.verb {
        return history::run(context, args);
    }
    context.block_on("rollout", async {
        let connection = context.connect().await?;
        match args.verb {
            Verb::Status(args) => status(context, &connection, &args).await,
            Verb::Undo(args) => undo(context, &connection, args).await,
            Verb::Restart(args) => restart(context, &connection, args).await,
            Verb::Pause(args) => {
                let Steer { name, reason, waiting } = args;
                let request = PauseRolloutRequest { name: name.clone(), reason, request_id: id() };
                let what = format!("hold the rollout of {name}");
                let answer = connection.call(&what, connection.rollouts().pause_rollout(request)).await?;
                end(context, &connection, &name, answer.rollout, answer.revision, &waiting).await
            }
            Verb::Resume(args) => {
                let Steer { name, reason, waiting } = args;
                let request = ResumeRolloutRequest { name: name.clone(), reason, request_id: id() };
                let what = format!("go on with the rollout of {name}");
                let answer = connection.call(&what, connection.rollouts().resume_rollout(request)).await?;
                end(context, &connection, &name, answer.rollout, answer.revision, &waiting).await
            }
            Verb::Promote(args) => {
                let Steer { name, reason, waiting } = args;
                let request = PromoteRolloutRequest { name: name.clone(), reason, request_id: id() };
                let what = format!("promote the rollout of {name}");
                let answer = connection.call(&what, connection.rollouts().promote_rollout(request)).await?;
                end(context, &connection, &name, answer.rollout, answer.revision, &waiting).await
            }
            // Carried out above, as it has its own connection.
            Verb::History(_) => Ok(Exit::Done),
        }
    })
}

fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn get(connection: &Connection, name: &str) -> Result<(Option<Rollout>, u64, u64), Failure> {
    let request = GetRolloutRequest { name: name.to_owned(), stale: false };
    let what = format!("look at the rollout of {name}");
    let answer = connection.call(&what, connection.rollouts().get_rollout(request)).await?;
    Ok((answer.rollout, answer.generation, answer.revision))
}

async fn status(context: &Context, connection: &Connection, args: &Status) -> Result<Exit, Failure> {
    let (rollout, _, revision) = get(connection, &args.name).await?;
    end(context, connection, &args.name, rollout, revision, &args.waiting).await
}

/// Shows it as it is, and follows it if that is wanted.
async fn end(
    context: &Context,
    connection: &Connection,
    name: &str,
    rollout: Option<Rollout>,
    revision: u64,
    waiting: &Waiting,
) -> Result<Exit, Failure> {
    let machine = context.format.is_machine();
    let rows: Vec<RolloutRow> = rollout.into_iter().map(RolloutRow).collect();
    if rows.is_empty() && !machine {
        context.terminal.note(format_args!("process {name} has had no rollout"));
    } else if !(machine && waiting.wait) {
        list(&context.terminal, context.format, &rows, Some(revision))?;
    }
    if waiting.wait {
        follow(context, connection, name, Goal::Any, waiting.timeout).await?;
        if machine {
            let (rollout, _, revision) = get(connection, name).await?;
            let rows: Vec<RolloutRow> = rollout.into_iter().map(RolloutRow).collect();
            list(&context.terminal, context.format, &rows, Some(revision))?;
        }
    }
    Ok(Exit::Done)
}

/// Follows a rollout to its end and says how it gets on.
pub(super) async fn follow(
    context: &Context,
    connection: &Connection,
    name: &str,
    goal: Goal,
    timeout: Duration,
) -> Result<(), Failure> {
    let people = !context.format.is_machine();
    wait_for(connection, name, Condition::Rollout(goal), timeout, |event| {
        if people { context.terminal.line(&event.message) } else { Ok(()) }
    })
    .await
}

/// Back to the generation before the rollout, if nobody was faster.
async fn undo(context: &Context, connection: &Connection, args: Steer) -> Result<Exit, Failure> {
    let (rollout, generation, _) = get(connection, &args.name).await?;
    // Of a restart there is nothing to undo but the change before it.
    let to = rollout.map(|rollout| rollout.from).filter(|from| *from > 0 && *from < generation);
    let brought = rollback::bring_back(context, connection, &args.name, to, Some(generation), args.reason).await?;
    if args.waiting.wait {
        follow(context, connection, &args.name, Goal::Generation(brought), args.waiting.timeout).await?;
    }
    Ok(Exit::Done)
}

async fn restart(context: &Context, connection: &Connection, args: Restart) -> Result<Exit, Failure> {
    let what = format!("restart {} batch by batch", args.names.join(" "));
    let request = RestartRolloutRequest { selectors: args.names, reason: args.reason, request_id: id() };
    let answer = connection.call(&what, connection.rollouts().restart_rollout(request)).await?;
    let rows: Vec<RolloutRow> = answer.rollouts.into_iter().map(RolloutRow).collect();
    list(&context.terminal, context.format, &rows, Some(answer.revision))?;
    if args.waiting.wait {
        for RolloutRow(rollout) in &rows {
            follow(context, connection, &rollout.process, Goal::Restart, args.waiting.timeout).await?;
        }
    }
    Ok(Exit::Done)
}
