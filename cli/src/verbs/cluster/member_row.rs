//! A replica as a row.

use crate::output::{Cell, Column, Listed, Tone, human};
use pm_proto::json::JsonError;
use pm_proto::v1::{ReplicaHealth, ReplicaRole};
use std::time::Duration;

/// Entries that a replica may lack without anybody minding: what is under way.
const NOTHING: u64 = 1_000;

/// A replica.
pub(super) struct MemberRow(pub(super) ReplicaHealth);

impl MemberRow {
    fn role(&self) -> Cell {
        let replica = &self.0;
        match (replica.reachable, replica.role()) {
            (false, _) => Cell::new(Tone::Bad, if replica.voter { "unreachable" } else { "unreachable, no vote" }),
            (true, ReplicaRole::Leader) => Cell::new(Tone::Good, "leader"),
            (true, ReplicaRole::Follower) => Cell::plain("follower"),
            (true, ReplicaRole::Candidate) => Cell::new(Tone::Warn, "candidate"),
            (true, ReplicaRole::Learner) => Cell::new(Tone::Warn, "learner"),
            (true, ReplicaRole::Unspecified) => Cell::new(Tone::Warn, "unknown"),
        }
    }

    fn disk(&self) -> Cell {
        let Some(disk) = &self.0.disk else { return Cell::optional(None) };
        let tone = match disk.condition.as_str() {
            "well" => Tone::Good,
            "low" | "stalled" => Tone::Warn,
            _ => Tone::Bad,
        };
        let free =
            if disk.free_bytes > 0 { format!(", {} free", human::bytes(disk.free_bytes)) } else { String::new() };
        Cell::new(tone, format!("{}{free}", disk.condition))
    }
}

/// Microseconds as milliseconds.
fn millis(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}

fn silence(millis: u64) -> String {
    if millis < 1_000 { format!("{millis}ms") } else { human::duration(Duration::from_millis(millis)) }
}

impl Listed for MemberRow {
    const COLUMNS: &'static [Column] = &[
        Column::number("ID"),
        Column::text("ROLE"),
        Column::text("ADDRESS"),
        Column::number("TERM"),
        Column::number("APPLIED"),
        Column::number("MATCHED"),
        Column::number("LAG"),
        Column::number("HEARD"),
        Column::text("DISK"),
        Column::number("FSYNC"),
        Column::text("VERSION"),
        Column::number("FSYNC P99").wide(),
        Column::number("LOG").wide(),
        Column::number("SNAPSHOT").wide(),
        Column::number("STARTS").wide(),
        Column::text("STORE").wide(),
    ];

    fn cells(&self, _: bool) -> Vec<Cell> {
        let replica = &self.0;
        let seen = |value: String| Cell::optional(Some(value).filter(|_| replica.reachable));
        let lag = match replica.lag {
            Some(lag) if lag > NOTHING => Cell::new(Tone::Warn, lag.to_string()),
            lag => Cell::optional(lag.map(|lag| lag.to_string())),
        };
        let disk = replica.disk.as_ref();
        vec![
            Cell::plain(replica.id.to_string()),
            self.role(),
            Cell::optional(Some(replica.address.clone()).filter(|address| !address.is_empty())),
            seen(replica.term.to_string()),
            seen(replica.applied_index.to_string()),
            Cell::optional(replica.matched_index.map(|index| index.to_string())),
            lag,
            Cell::optional(replica.silence_ms.map(silence)),
            self.disk(),
            Cell::optional(disk.map(|disk| millis(disk.flush_mean_us))),
            Cell::plain(&replica.version),
            Cell::optional(disk.map(|disk| millis(disk.flush_p99_us))),
            Cell::optional(disk.map(|disk| human::bytes(disk.log_bytes))),
            seen(replica.snapshot_index.to_string()),
            Cell::plain(replica.boot.to_string()),
            Cell::plain(&replica.store_id),
        ]
    }

    fn name(&self) -> String {
        format!("replica/{}", self.0.id)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.0)
    }
}
