//! Waiting for something to be so of a process: looked at once, and again
//! after each event that may have made it so. No polling, and nothing that
//! happens in between is missed.

use crate::connection::Connection;
use crate::error::Failure;
use crate::exit::Exit;
use crate::follow::{Followed, Follower};
use crate::pages;
use pm_proto::error::{reason, reason_of};
use pm_proto::v1::{
    Event, GetProcessRequest, GetRolloutRequest, InstancePhase, ListInstancesRequest, Rollout, RolloutCause,
    RolloutState, WatchEventsRequest,
};
use std::time::Duration;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Every instance that was asked for runs, and is ready.
    Ready,
    /// Nothing of it runs.
    Stopped,
    /// The process and its instances are no more.
    Deleted,
    /// Its rollout is over, well.
    Rollout(Goal),
}

/// Which rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The one that goes on, else the last one.
    Any,
    /// The one that brings this generation.
    Generation(u64),
    /// The one that restarts.
    Restart,
}

/// How far it is.
#[derive(Debug)]
enum Standing {
    Holds,
    /// Not so, and why.
    NotYet(String),
}

/// Waits until a condition holds of a process. `told` hears of the events of
/// its rollouts meanwhile.
///
/// # Errors
/// Exit 6 when it takes longer than `timeout`; exit 11 when a rollout failed;
/// else what went wrong.
pub async fn wait_for(
    connection: &Connection,
    name: &str,
    condition: Condition,
    timeout: Duration,
    mut told: impl FnMut(&Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut last = String::new();
    let work = async {
        let (mut standing, revision) = look(connection, name, condition).await?;
        let request = WatchEventsRequest {
            // Zero would mean "from now on" and could miss the end.
            from_revision: revision.saturating_add(1),
            follow: true,
            types: types(condition).iter().map(|kind| (*kind).to_owned()).collect(),
            ..WatchEventsRequest::default()
        };
        let mut follower = Follower::new(connection.clone(), request, true);
        loop {
            match standing {
                Standing::Holds => return Ok(()),
                Standing::NotYet(why) => last = why,
            }
            let event = loop {
                if let Followed::Event(event) = follower.next().await?
                    && event.process == name
                {
                    break event;
                }
            };
            if event.r#type.starts_with("rollout.") {
                told(&event)?;
            }
            standing = look(connection, name, condition).await?.0;
        }
    };
    let in_time = tokio::time::timeout(timeout, work).await;
    in_time.unwrap_or_else(|_| {
        let after = humantime::format_duration(timeout);
        let what = format!("process {name} is not so far after {after}: {last}; it goes on");
        Err(Failure::new(Exit::TimedOut, what).help("--timeout waits longer"))
    })
}

fn types(condition: Condition) -> &'static [&'static str] {
    match condition {
        Condition::Ready | Condition::Stopped | Condition::Deleted => &["instance.*", "process.*"],
        Condition::Rollout(_) => &["rollout.*", "process.deleted"],
    }
}

async fn look(connection: &Connection, name: &str, condition: Condition) -> Result<(Standing, u64), Failure> {
    match condition {
        Condition::Ready => ready(connection, name).await,
        Condition::Stopped => stopped(connection, name).await,
        Condition::Deleted => deleted(connection, name).await,
        Condition::Rollout(goal) => {
            let request = GetRolloutRequest { name: name.to_owned(), stale: false };
            let mut client = connection.rollouts();
            let answer =
                connection.call(&format!("look at the rollout of {name}"), client.get_rollout(request)).await?;
            Ok((judge(name, goal, answer.rollout.as_ref())?, answer.revision))
        }
    }
}

/// What a rollout means to whoever waits for one.
fn judge(name: &str, goal: Goal, rollout: Option<&Rollout>) -> Result<Standing, Failure> {
    // It begins with the change, so there is nothing to wait for.
    let Some(rollout) = rollout else { return Ok(Standing::Holds) };
    let is_another = match goal {
        Goal::Any => false,
        Goal::Generation(wanted) => rollout.to > wanted && rollout.reverts != wanted,
        Goal::Restart => rollout.cause() != RolloutCause::Restart,
    };
    if is_another {
        let what = format!("a later change of process {name} took its place");
        return Err(Failure::new(Exit::Conflict, what).help(format!("`pmctl rollout status {name}` shows it")));
    }
    let is_over = !matches!(
        rollout.state(),
        RolloutState::Progressing | RolloutState::AwaitingPromotion | RolloutState::Paused | RolloutState::Reverting
    );
    if is_over && matches!(goal, Goal::Generation(wanted) if rollout.to < wanted) {
        // Instances did not notice the change: the last one that they did tells nothing of it.
        return Ok(Standing::Holds);
    }
    let numbers = format!("{} of {} instances serve", rollout.available, rollout.instances);
    match rollout.state() {
        RolloutState::Succeeded => Ok(Standing::Holds),
        RolloutState::Failed => Err(failed(name, format!("the rollout of process {name} failed: {}", rollout.why))),
        RolloutState::Reverted => {
            Err(failed(name, format!("generation {} of process {name} failed, and was taken back", rollout.reverts)))
        }
        RolloutState::Superseded => Ok(Standing::NotYet("another one begins".to_owned())),
        RolloutState::Reverting => Ok(Standing::NotYet(format!("it failed and is taken back; {numbers}"))),
        RolloutState::AwaitingPromotion => {
            Ok(Standing::NotYet(format!("it waits for `pmctl rollout promote {name}`; {numbers}")))
        }
        RolloutState::Paused => Ok(Standing::NotYet(format!("it is held; {numbers}"))),
        RolloutState::Progressing | RolloutState::Unspecified => Ok(Standing::NotYet(numbers)),
    }
}

fn failed(name: &str, what: String) -> Failure {
    Failure::new(Exit::RolloutFailed, what)
        .help(format!("`pmctl events --tail 50` tells the story, `pmctl logs {name}` shows what the programs wrote"))
}

async fn ready(connection: &Connection, name: &str) -> Result<(Standing, u64), Failure> {
    let what = format!("look at {name}");
    let mut client = connection.processes();
    let request = GetProcessRequest { name: name.to_owned(), ..GetProcessRequest::default() };
    let process = connection.call(&what, client.get_process(request)).await?;
    let number = process.process.and_then(|process| process.spec).map_or(0, |spec| spec.instances.unwrap_or(1));
    let list = pages::instances(connection, &what, of(name)).await?;
    let there = || list.instances.iter().filter(|one| one.process == name && !one.removing);
    if let Some(lost) = there().find(|one| one.wanted && one.phase() == InstancePhase::Failed) {
        return Err(failed(name, format!("{} was given up: {}", lost.id, lost.message)));
    }
    let ready = there().filter(|one| one.ready).count();
    // A one-shot that has ended well has done what it is for; what nobody wants to run is not waited for.
    let done = |one: &&pm_proto::v1::Instance| one.ready || !one.wanted || one.phase() == InstancePhase::Exited;
    let standing = if there().filter(done).count() >= number as usize {
        Standing::Holds
    } else {
        Standing::NotYet(format!("{ready} of {number} instances are ready"))
    };
    Ok((standing, process.revision))
}

async fn stopped(connection: &Connection, name: &str) -> Result<(Standing, u64), Failure> {
    let list = pages::instances(connection, &format!("look at {name}"), of(name)).await?;
    let at_rest = |phase| {
        matches!(phase, InstancePhase::Stopped | InstancePhase::Exited | InstancePhase::Failed | InstancePhase::Pending)
    };
    let run = list.instances.iter().filter(|one| one.process == name && (one.pid > 0 || !at_rest(one.phase()))).count();
    Ok((if run == 0 { Standing::Holds } else { Standing::NotYet(format!("{run} instances run")) }, list.revision))
}

async fn deleted(connection: &Connection, name: &str) -> Result<(Standing, u64), Failure> {
    let list = pages::instances(connection, &format!("look at {name}"), of(name)).await?;
    let left = list.instances.iter().filter(|one| one.process == name).count();
    let mut client = connection.processes();
    let request = GetProcessRequest { name: name.to_owned(), ..GetProcessRequest::default() };
    match client.get_process(request).await {
        Ok(_) => Ok((Standing::NotYet("it is there".to_owned()), list.revision)),
        Err(status) if reason_of(&status).as_deref() == Some(reason::NOT_FOUND) && left == 0 => {
            Ok((Standing::Holds, list.revision))
        }
        Err(status) if reason_of(&status).as_deref() == Some(reason::NOT_FOUND) => {
            Ok((Standing::NotYet(format!("{left} instances end")), list.revision))
        }
        Err(status) => Err(connection.refused(&format!("look at {name}"), &status)),
    }
}

fn of(name: &str) -> ListInstancesRequest {
    ListInstancesRequest { selectors: vec![name.to_owned()], ..ListInstancesRequest::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(state: RolloutState, to: u64, reverts: u64) -> Rollout {
        Rollout { state: state.into(), to, reverts, ..Rollout::default() }
    }

    fn exit(goal: Goal, rollout: &Rollout) -> Result<bool, Exit> {
        judge("web", goal, Some(rollout)).map(|one| matches!(one, Standing::Holds)).map_err(|failure| failure.exit())
    }

    #[test]
    fn each_end_of_a_rollout_has_its_exit() {
        use RolloutState::{Failed, Paused, Progressing, Reverted, Reverting, Succeeded};
        let goal = Goal::Generation(2);
        assert_eq!(exit(goal, &rollout(Progressing, 2, 0)), Ok(false));
        assert_eq!(exit(goal, &rollout(Paused, 2, 0)), Ok(false));
        assert_eq!(exit(goal, &rollout(Succeeded, 2, 0)), Ok(true));
        assert_eq!(exit(goal, &rollout(Failed, 2, 0)), Err(Exit::RolloutFailed));
        // Taken back: over once it is back.
        assert_eq!(exit(goal, &rollout(Reverting, 3, 2)), Ok(false));
        assert_eq!(exit(goal, &rollout(Reverted, 3, 2)), Err(Exit::RolloutFailed));
        assert_eq!(exit(goal, &rollout(Progressing, 3, 0)), Err(Exit::Conflict), "another change");
        assert_eq!(exit(Goal::Any, &rollout(Succeeded, 9, 0)), Ok(true));
        assert_eq!(exit(goal, &rollout(Failed, 1, 0)), Ok(true), "it noticed nothing of generation 2");
    }
}
