//! `pmctl cluster check`: for scripts and for the end of a change.

use super::health;
use super::status::tell;
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::document;
use pm_proto::v1::{AlarmSeverity, GetClusterHealthResponse};

pub(super) async fn run(context: &Context, connection: &Connection) -> Result<Exit, Failure> {
    let health = health(connection).await?;
    let exit = exit(&health);
    if context.format.is_machine() {
        document(&context.terminal, context.format, &pm_proto::json::to_value(&health)?)?;
        return Ok(exit);
    }
    tell(&context.terminal, &health.alarms)?;
    let (all, answer) = (health.replicas.len(), health.replicas.iter().filter(|replica| replica.reachable).count());
    let voters = health.replicas.iter().filter(|replica| replica.voter).count();
    context.terminal.line(format_args!(
        "{answer} of {all} replicas answer, {voters} vote; leader {}, term {}",
        if health.leader_id == 0 { "none".to_owned() } else { health.leader_id.to_string() },
        health.term
    ))?;
    Ok(exit)
}

/// Advice is no failure: an even number of voters is on the way to an odd one.
fn exit(health: &GetClusterHealthResponse) -> Exit {
    let wrong = health.alarms.iter().any(|alarm| match alarm.severity() {
        AlarmSeverity::Critical | AlarmSeverity::Warning | AlarmSeverity::Unspecified => true,
        AlarmSeverity::Advice => false,
    });
    if wrong { Exit::Failed } else { Exit::Done }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::ClusterAlarm;

    #[test]
    fn advice_is_no_failure_and_what_a_later_version_says_is() {
        let with = |severity: i32| GetClusterHealthResponse {
            alarms: vec![ClusterAlarm { severity, ..ClusterAlarm::default() }],
            ..GetClusterHealthResponse::default()
        };
        assert_eq!(exit(&GetClusterHealthResponse::default()), Exit::Done);
        assert_eq!(exit(&with(AlarmSeverity::Advice.into())), Exit::Done);
        assert_eq!(exit(&with(AlarmSeverity::Warning.into())), Exit::Failed);
        assert_eq!(exit(&with(AlarmSeverity::Critical.into())), Exit::Failed);
        assert_eq!(exit(&with(99)), Exit::Failed);
    }
}
