//! `pmctl cluster status` and `members`.

use super::health;
use super::member_row::MemberRow;
use crate::connection::Connection;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Terminal, Tone, document, list};
use pm_proto::v1::{AlarmSeverity, ClusterAlarm, GetClusterHealthResponse, RegistryMode};

pub(super) async fn run(context: &Context, connection: &Connection) -> Result<Exit, Failure> {
    let health = health(connection).await?;
    let terminal = &context.terminal;
    if context.format.is_machine() {
        document(terminal, context.format, &pm_proto::json::to_value(&health)?)?;
        return Ok(Exit::Done);
    }
    let acts = mode(&health);
    let GetClusterHealthResponse {
        cluster_id,
        epoch,
        leader_id,
        term,
        alarms,
        replicas,
        removed_ids,
        feature_level,
        ..
    } = health;
    let leader = if leader_id == 0 {
        terminal.out.paint(Tone::Bad, "no leader").to_string()
    } else {
        format!("leader {leader_id}")
    };
    terminal.line(format_args!(
        "cluster {cluster_id}, epoch {epoch}, term {term}, feature level {feature_level}, {leader}"
    ))?;
    if let Some(text) = acts {
        terminal.line(terminal.out.paint(Tone::Warn, text))?;
    }
    let rows: Vec<_> = replicas.into_iter().map(MemberRow).collect();
    list(terminal, context.format, &rows, None)?;
    if !removed_ids.is_empty() {
        let ids: Vec<String> = removed_ids.iter().map(ToString::to_string).collect();
        terminal.line(format_args!("removed: {}", ids.join(", ")))?;
    }
    tell(terminal, &alarms)?;
    Ok(Exit::Done)
}

/// What the registry does not do since a backup was restored.
fn mode(health: &GetClusterHealthResponse) -> Option<&'static str> {
    match health.mode() {
        RegistryMode::Observe => Some(
            "it looks on since a backup was restored: nothing is started, stopped or placed; see `pmctl backup status`",
        ),
        RegistryMode::KeepUnknown => Some("what runs and was not restored is left alone; see `pmctl backup status`"),
        RegistryMode::Normal | RegistryMode::Unspecified => None,
    }
}

/// What is wrong, a line each.
pub(super) fn tell(terminal: &Terminal, alarms: &[ClusterAlarm]) -> Result<(), Failure> {
    for alarm in alarms {
        let (tone, word) = match alarm.severity() {
            AlarmSeverity::Critical => (Tone::Bad, "critical"),
            AlarmSeverity::Warning => (Tone::Warn, "warning"),
            AlarmSeverity::Advice | AlarmSeverity::Unspecified => (Tone::Dim, "advice"),
        };
        let word = terminal.out.paint(tone, word);
        terminal.line(format_args!("{word}: {} ({})", alarm.message, alarm.reason))?;
    }
    Ok(())
}

pub(super) async fn members(context: &Context, connection: &Connection) -> Result<Exit, Failure> {
    let health = health(connection).await?;
    let rows: Vec<_> = health.replicas.into_iter().map(MemberRow).collect();
    list(&context.terminal, context.format, &rows, None)?;
    Ok(Exit::Done)
}
