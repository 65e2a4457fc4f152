//! What people are shown on SIGUSR1, a line each: the runner itself, then every
//! instance with what it waits for.

use super::Runner;
use crate::instance::Seen;
use process_model::{InstanceId, Timestamp};

impl Runner {
    /// The runner and its instances in lines, for a debug dump.
    #[must_use]
    pub fn dump(&self) -> Vec<String> {
        let keeper = self.roster.keeper();
        let seen = self.roster.seen();
        let mut lines = vec![
            format!("runner: node={} version={} instances={}", self.node, env!("CARGO_PKG_VERSION"), seen.len()),
            format!(
                "keeper: connected={} pid={} protocol={} build={} lost={} containment={} {:?}",
                keeper.connected,
                keeper.pid,
                keeper.version,
                keeper.build,
                keeper.losses,
                keeper.containment,
                keeper.containment_note
            ),
        ];
        match self.reloads.last() {
            None => lines.push("reload: never".to_owned()),
            Some(reloaded) => {
                let at = in_words(reloaded.at);
                lines.push(format!("reload: at {at}, {} faults", reloaded.faults.len()));
                lines.extend(reloaded.faults.into_iter().map(|fault| format!("reload: {fault}")));
            }
        }
        lines.extend(seen.iter().map(|(id, seen)| of_instance(id, seen)));
        lines
    }
}

fn of_instance(id: &InstanceId, seen: &Seen) -> String {
    let view = &seen.view;
    let mut line = format!(
        "{id}: phase={} ready={} pid={} restarts={} wanted={} generation={}",
        view.phase, view.ready, view.pid, view.restarts, seen.assignment.wanted, seen.assignment.generation
    );
    if let Some(schedule) = &seen.assignment.spec.schedule {
        line.push_str(&format!(" schedule={:?} timezone={}", schedule.cron, schedule.timezone));
    }
    if let Some(next) = view.next_restart {
        line.push_str(&format!(" next={}", in_words(next)));
    }
    for (name, text) in [("containment", &*seen.containment), ("status", &view.status), ("message", &view.message)] {
        if !text.is_empty() {
            line.push_str(&format!(" {name}={text:?}"));
        }
    }
    line
}

fn in_words(time: Timestamp) -> String {
    let since = std::time::Duration::new(u64::try_from(time.seconds()).unwrap_or(0), time.subsec_nanos());
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}
