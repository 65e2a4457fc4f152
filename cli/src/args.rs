//! The command line: global flags and the verbs.

use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::global::Global;
use crate::verbs;
use clap::{CommandFactory, Parser, Subcommand};

/// Runs programs and keeps them running.
#[derive(Debug, Parser)]
#[command(
    name = "pmctl",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Examples:
  pmctl up -f processes.yaml                       run everything in a file, in this terminal
  pmctl status                                     in a second terminal: how is it?
  pmctl watch \"python3 app.py\" app.log 60          one command, restarted when its log falls silent

Exit codes: 0 done, 1 failed, 2 usage or invalid file, 4 no such process, 5 conflict,
6 wait timed out, 7 not allowed, 8 unreachable, 9 some targets failed, 10 not as it was written,
11 a change failed or was taken back, 130 Ctrl-C."
)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run every service and the processes of a file, in this one process
    Up(verbs::up::Args),
    /// Stop the running `pmctl up` and everything it runs
    Down(verbs::down::Args),
    /// Run one command; restart it when its log file falls silent
    Watch(verbs::watch::Args),
    /// Check process files; starts nothing
    Validate(verbs::validate::Args),
    /// Print the JSON Schema of process files
    Schema(verbs::schema::Args),
    /// Create or change processes from files
    Apply(verbs::apply::Args),
    /// Define one process without a file
    Register(verbs::register::Args),
    /// List instances with their measurements
    #[command(visible_alias = "ls")]
    List(verbs::list::Args),
    /// Overview of all processes, or the details of one
    Status(verbs::status::Args),
    /// Everything about processes or instances: definition, state, events
    Describe(verbs::describe::Args),
    /// Say in words what a policy does, and when
    Explain(verbs::explain::Args),
    /// Start processes or instances
    Start(verbs::start::Args),
    /// Stop processes or instances; they stay stopped
    Stop(verbs::stop::Args),
    /// Stop and start processes or instances once
    Restart(verbs::restart::Args),
    /// Make processes or instances read their configuration anew
    Reload(verbs::reload::Args),
    /// Send processes or instances a signal
    Signal(verbs::signal::Args),
    /// Stop processes and forget them
    Delete(verbs::delete::Args),
    /// Show what programs wrote
    Logs(verbs::logs::Args),
    /// Show what happened
    Events(verbs::events::Args),
    /// List servers
    Nodes(verbs::nodes::Args),
    /// Start, stop, restart or reload systemd units on nodes
    Unit(verbs::unit::Args),
    /// List orders as start, stop and signal, and what became of them
    Actions(verbs::actions::Args),
    /// List changes: who asked for what, and why; verify and export the log
    Audit(verbs::audit::Args),
    /// Save everything that the registry knows, inspect it, restore it
    Backup(verbs::backup::Args),
    /// List the definitions that a process has had
    History(verbs::history::Args),
    /// List the runs of what has a schedule or runs once
    Runs(verbs::runs::Args),
    /// Show what differs between two definitions of a process, or of a file
    Diff(verbs::diff::Args),
    /// Bring an earlier definition of a process back
    Rollback(verbs::rollback::Args),
    /// How instances come to a new definition: status, pause, promote, undo, rolling restart
    Rollout(verbs::rollout::Args),
    /// More or fewer instances of a process
    Scale(verbs::scale::Args),
    /// Wait until something is so of a process
    Wait(verbs::wait::Args),
    /// The registry's replicas: how they fare; who takes part, and who leads
    Cluster(verbs::cluster::Args),
    /// Print a shell's completion script
    Completion(verbs::completion::Args),
    /// Print the versions of client and server
    Version(verbs::version::Args),
}

impl Verb {
    /// Carries it out.
    ///
    /// # Errors
    /// What its user should read.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Up(args) => verbs::up::run(context, args),
            Self::Down(args) => verbs::down::run(context, &args),
            Self::Watch(args) => verbs::watch::run(context, &args),
            Self::Validate(args) => verbs::validate::run(context, &args),
            Self::Schema(args) => verbs::schema::run(context, &args),
            Self::Apply(args) => verbs::apply::run(context, args),
            Self::Register(args) => verbs::register::run(context, args),
            Self::List(args) => verbs::list::run(context, args),
            Self::Status(args) => verbs::status::run(context, args),
            Self::Describe(args) => verbs::describe::run(context, args),
            Self::Explain(args) => verbs::explain::run(context, args),
            Self::Start(args) => verbs::start::run(context, args),
            Self::Stop(args) => verbs::stop::run(context, args),
            Self::Restart(args) => verbs::restart::run(context, args),
            Self::Reload(args) => verbs::reload::run(context, args),
            Self::Signal(args) => verbs::signal::run(context, args),
            Self::Unit(args) => verbs::unit::run(context, args),
            Self::Delete(args) => verbs::delete::run(context, args),
            Self::Logs(args) => verbs::logs::run(context, args),
            Self::Events(args) => verbs::events::run(context, args),
            Self::Nodes(args) => verbs::nodes::run(context, args),
            Self::Actions(args) => verbs::actions::run(context, args),
            Self::Audit(args) => verbs::audit::run(context, args),
            Self::Backup(args) => verbs::backup::run(context, args),
            Self::History(args) => verbs::history::run(context, args),
            Self::Runs(args) => verbs::runs::run(context, args),
            Self::Diff(args) => verbs::diff::run(context, args),
            Self::Rollback(args) => verbs::rollback::run(context, args),
            Self::Rollout(args) => verbs::rollout::run(context, args),
            Self::Scale(args) => verbs::scale::run(context, args),
            Self::Wait(args) => verbs::wait::run(context, args),
            Self::Cluster(args) => verbs::cluster::run(context, args),
            Self::Completion(args) => verbs::completion::run(context, &args, &mut Cli::command()),
            Self::Version(args) => verbs::version::run(context, &args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_every_verb_shows_an_example() {
        Cli::command().debug_assert();
        for verb in Cli::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("pmctl "), "{} has no example", verb.get_name());
        }
    }
}
