//! What is heard of other nodes, and what is told to them in return: the lines
//! that were seen here. What cannot be read is left out and said in the log:
//! nothing is held and nothing is started for it.

use crate::roster::{NeighbourNews, SeenLines};
use pm_proto::convert::{WireFault, duration_from_wire, timestamp_to_wire};
use pm_proto::v1;
use process_model::{InstanceId, ProcessName, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// What the registry says of other nodes.
pub(super) fn read(update: &v1::NeighbourUpdate) -> NeighbourNews {
    NeighbourNews {
        full: update.full,
        set: update.set.iter().filter_map(|one| readable(one.try_into())).collect(),
        held: update.held.iter().filter_map(|one| readable(held(one))).collect(),
        watched: update.watches.iter().filter_map(|one| readable(watch(one))).collect(),
    }
}

fn readable<T>(read: Result<T, WireFault>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "cannot read what the registry says of other nodes")).ok()
}

fn held(wire: &v1::HeldStop) -> Result<(InstanceId, Duration), WireFault> {
    let instance = wire.instance_id.parse().map_err(|error: process_model::InvalidInstanceId| WireFault {
        field: "held.instance_id",
        problem: error.to_string(),
    })?;
    let longest = wire.longest.as_ref().map(|longest| duration_from_wire("held.longest", longest)).transpose()?;
    Ok((instance, longest.unwrap_or_default()))
}

fn watch(wire: &v1::LineWatch) -> Result<(ProcessName, BTreeSet<String>), WireFault> {
    let process = wire.process.parse().map_err(|error: process_model::InvalidName| WireFault {
        field: "watches.process",
        problem: error.to_string(),
    })?;
    Ok((process, wire.patterns.iter().cloned().collect()))
}

/// Which lines the registry was told of in this session.
#[derive(Debug, Default)]
pub(super) struct ToldLines(Option<SeenLines>);

impl ToldLines {
    /// The registry has said which it wants to hear of; before, it knows of none.
    pub(super) fn ask(&mut self) {
        self.0.get_or_insert_default();
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// What differs from what it was told; remembers it as told.
    pub(super) fn news(&mut self, seen: &SeenLines) -> Vec<v1::SeenLines> {
        let Some(told) = &mut self.0 else { return Vec::new() };
        let gone = told.iter().filter(|(instance, _)| !seen.contains_key(*instance));
        let gone = gone.map(|(instance, (started, _))| wire(instance, *started, &BTreeSet::new()));
        let news = seen.iter().filter(|(instance, now)| told.get(*instance) != Some(*now));
        let news = news.map(|(instance, (started, patterns))| wire(instance, *started, patterns));
        let news = gone.chain(news).collect();
        told.clone_from(seen);
        news
    }
}

fn wire(instance: &InstanceId, started: Timestamp, patterns: &BTreeSet<String>) -> v1::SeenLines {
    v1::SeenLines {
        instance_id: instance.to_string(),
        start_time: Some(timestamp_to_wire(started)),
        patterns: patterns.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_once_and_taken_back_and_only_to_who_asks() {
        let seen: SeenLines = [("db-1".parse().unwrap(), (Timestamp(7), BTreeSet::from(["up".to_owned()])))].into();
        let mut told = ToldLines::default();
        assert!(told.news(&seen).is_empty() && !told.is_asked(), "nobody has asked");
        told.ask();
        let news = told.news(&seen);
        assert_eq!((news.len(), news[0].instance_id.as_str(), news[0].patterns.len()), (1, "db-1", 1));
        told.ask();
        assert!(told.news(&seen).is_empty(), "told already");
        let back = told.news(&SeenLines::new());
        assert_eq!((back.len(), back[0].patterns.len()), (1, 0));
        assert!(told.news(&SeenLines::new()).is_empty());
    }

    #[test]
    fn what_cannot_be_read_hurts_only_itself() {
        let held = |id: &str| v1::HeldStop { instance_id: id.into(), longest: None };
        let watch = |name: &str| v1::LineWatch { process: name.into(), patterns: vec!["up".into()] };
        let update = v1::NeighbourUpdate {
            full: true,
            set: vec![v1::DependencyStanding::default()],
            held: vec![held("db-1"), held("?")],
            watches: vec![watch("?"), watch("db")],
            term: 0,
        };
        let news = read(&update);
        assert_eq!((news.full, news.set.len(), news.held.len(), news.watched.len()), (true, 0, 1, 1));
    }
}
