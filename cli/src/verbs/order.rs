//! What `start`, `stop` and `restart` share: their arguments, and following
//! the actions that they queued to the end.

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::list;
use crate::wait::{self, ActionRow, DEFAULT_WAIT, Progress};
use pm_proto::v1::Action;
use std::time::Duration;

/// Arguments of every order.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// Process names, instance ids or patterns ("web-*")
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Do not wait for the end
    #[arg(long)]
    pub no_wait: bool,
    /// Longest wait; the actions go on after it (exit code 6)
    #[arg(long, default_value = DEFAULT_WAIT, value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    pub reason: String,
}

impl Target {
    /// `start web, "db-*"`, for messages.
    #[must_use]
    pub fn what(&self, verb: &str) -> String {
        format!("{verb} {}", self.targets.join(" "))
    }
}

/// Follows the actions and prints how each ended.
///
/// # Errors
/// The wait takes too long, or the stream of events is refused.
pub async fn carry_out(
    context: &Context,
    connection: &Connection,
    target: &Target,
    actions: Vec<Action>,
    revision: u64,
) -> Result<Exit, Failure> {
    let terminal = &context.terminal;
    let mut progress = Progress::new(actions);
    let people = !context.format.is_machine();
    let say = |row: &ActionRow| terminal.line(terminal.out.paint(row.tone(), row.sentence()));
    if target.no_wait {
        if people {
            progress.rows().iter().try_for_each(say)?;
        } else {
            list(terminal, context.format, &progress.rows(), Some(revision))?;
        }
        return Ok(Exit::Done);
    }
    if people {
        // What had ended before the answer came is told by no event.
        let open = progress.open();
        let ended = |row: &&ActionRow| !row.is_bad() && !open.contains(&row.subject());
        progress.rows().iter().filter(ended).try_for_each(say)?;
    }
    let waited = wait::actions(connection, &mut progress, revision, target.timeout, |row| {
        if people && !row.is_bad() { say(row) } else { Ok(()) }
    })
    .await;
    if !people {
        list(terminal, context.format, &progress.rows(), Some(revision))?;
    }
    waited?;
    refusal(&progress).map_or(Ok(Exit::Done), Err)
}

/// What is to be said when not every action was done: exit 1 when none was, 9
/// when some were.
fn refusal(progress: &Progress) -> Option<Failure> {
    let rows = progress.rows();
    let failed: Vec<_> = rows.iter().filter(|row| row.is_bad()).collect();
    let first = failed.first()?;
    let failure = if failed.len() == 1 {
        Failure::new(progress.exit(), first.sentence())
    } else {
        let count = format!("{} of {} failed", failed.len(), rows.len());
        Failure::new(progress.exit(), count).faults(failed.iter().map(|row| row.sentence()))
    };
    let id = &first.action.instance_id;
    let help = match id.is_empty() {
        false => format!("`pmctl status {id}` says more, `pmctl logs {id}` shows what the program wrote"),
        true => format!("`systemctl status {}` on the node says more", first.action.unit),
    };
    Some(failure.help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::ActionState;

    fn progress(states: &[ActionState]) -> Progress {
        let action = |(number, state): (usize, &ActionState)| Action {
            id: number.to_string(),
            instance_id: format!("web-{}", number + 1),
            verb: pm_proto::v1::ActionVerb::Start.into(),
            state: (*state).into(),
            message: "why".to_owned(),
            ..Action::default()
        };
        Progress::new(states.iter().enumerate().map(action).collect())
    }

    #[test]
    fn some_failures_are_told_apart_from_nothing_but_failures() {
        use ActionState::{Done, Failed};
        assert!(refusal(&progress(&[Done, Done])).is_none());
        let one = refusal(&progress(&[Failed])).unwrap();
        assert_eq!((one.exit(), one.summary()), (Exit::Failed, "web-1 start failed: why"));
        let some = refusal(&progress(&[Done, Failed, Failed])).unwrap();
        assert_eq!((some.exit(), some.summary()), (Exit::Partial, "2 of 3 failed"));
        assert!(some.to_string().contains("web-2") && some.to_string().contains("web-3"));
    }
}
