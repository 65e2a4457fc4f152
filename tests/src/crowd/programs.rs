//! What a simulated runner was told to run, and what of that the registry has not acknowledged. Survives sessions, as a
//! real runner's journal does.

use pm_proto::v1::{Assignment, AssignmentUpdate, InstancePhase, InstanceReport, Report};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Reports in one message, as a real runner has them.
const BATCH: usize = 512;

/// The instances of one node.
#[derive(Default)]
pub(super) struct Programs {
    /// Generation of each that runs.
    running: BTreeMap<String, u64>,
    /// Facts so far, of all instances: the number of the next is higher.
    facts: u64,
    unacknowledged: Vec<InstanceReport>,
    /// Reports that are on their way, with the number of the message.
    on_their_way: Option<(u64, usize)>,
}

impl Programs {
    /// A session begins: what was on its way in the last one may never have come.
    pub(super) fn begin(&mut self) {
        self.on_their_way = None;
    }

    /// Takes an update in; how many instances are new.
    pub(super) fn told(&mut self, update: AssignmentUpdate) -> usize {
        let mut new = 0;
        for assignment in update.set.iter().filter(|assignment| assignment.wanted) {
            let before = self.running.insert(assignment.instance_id.clone(), assignment.generation);
            if before == Some(assignment.generation) {
                continue;
            }
            new += 1;
            let report = self.runs(assignment);
            self.unacknowledged.push(report);
        }
        let generations = update.removed_generations.into_iter().chain(std::iter::repeat(0));
        for (id, generation) in update.removed.into_iter().zip(generations) {
            self.running.remove(&id);
            let report = self.gone(id, generation);
            self.unacknowledged.push(report);
        }
        new
    }

    /// The next message, unless one is on its way.
    pub(super) fn report(&mut self) -> Option<Report> {
        if self.on_their_way.is_some() || self.unacknowledged.is_empty() {
            return None;
        }
        let count = self.unacknowledged.len().min(BATCH);
        let instances = self.unacknowledged[..count].to_vec();
        let seq = instances.last()?.seq;
        self.on_their_way = Some((seq, count));
        Some(Report { seq, instances, ..Report::default() })
    }

    /// A message was acknowledged; how many instances were in it.
    pub(super) fn acknowledged(&mut self, seq: u64) -> usize {
        match self.on_their_way {
            Some((sent, count)) if sent == seq => {
                self.on_their_way = None;
                self.unacknowledged.drain(..count).count()
            }
            Some(_) | None => 0,
        }
    }

    /// What a runner says once a program has begun.
    fn runs(&mut self, assignment: &Assignment) -> InstanceReport {
        self.facts += 1;
        let now = Some(SystemTime::now().into());
        InstanceReport {
            instance_id: assignment.instance_id.clone(),
            seq: self.facts,
            generation: assignment.generation,
            event_type: "instance.started".to_owned(),
            time: now,
            phase: InstancePhase::Running.into(),
            ready: true,
            pid: 1_000 + assignment.index,
            start_time: now,
            containment: "cgroup-v2".to_owned(),
            ..InstanceReport::default()
        }
    }

    /// What a runner says once nothing of an instance is left.
    fn gone(&mut self, instance_id: String, generation: u64) -> InstanceReport {
        self.facts += 1;
        InstanceReport {
            instance_id,
            seq: self.facts,
            generation,
            event_type: "instance.removed".to_owned(),
            time: Some(SystemTime::now().into()),
            phase: InstancePhase::Stopped.into(),
            gone: true,
            ..InstanceReport::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(ids: &[&str]) -> AssignmentUpdate {
        let one = |id: &&str| Assignment {
            instance_id: (*id).to_owned(),
            generation: 1,
            wanted: true,
            ..Assignment::default()
        };
        AssignmentUpdate { set: ids.iter().map(one).collect(), ..AssignmentUpdate::default() }
    }

    #[test]
    fn what_was_not_acknowledged_is_said_again_and_what_is_told_again_is_not() {
        let mut programs = Programs::default();
        assert_eq!(programs.told(update(&["a-1", "a-2"])), 2);
        let first = programs.report().unwrap();
        assert_eq!((first.instances.len(), first.seq), (2, 2));
        assert!(programs.report().is_none(), "one message at a time");
        // The session broke before it was acknowledged, and the next one tells the same.
        programs.begin();
        assert_eq!(programs.told(update(&["a-1", "a-2"])), 0);
        assert_eq!(programs.report().unwrap().seq, first.seq);
        assert_eq!((programs.acknowledged(7), programs.acknowledged(first.seq)), (0, 2));
        assert!(programs.report().is_none());
        let removed = AssignmentUpdate {
            removed: vec!["a-1".to_owned()],
            removed_generations: vec![1],
            ..AssignmentUpdate::default()
        };
        assert_eq!(programs.told(removed), 0);
        let gone = programs.report().unwrap().instances.remove(0);
        assert!(gone.gone && gone.generation == 1 && gone.seq == 3);
    }
}
