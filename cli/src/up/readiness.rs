//! Who is ready, and who will not be soon. Pure: the snapshot and the events
//! go in, a judgement comes out.

use crate::live::LiveLine;
use crate::output::human;
use pm_proto::v1::event::Detail;
use pm_proto::v1::{Event, Instance, InstancePhase};
use process_model::{InstanceId, ProcessSpec, Timestamp, event_type};
use std::collections::BTreeMap;

/// Where a wanted instance stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// On its way; what was last heard.
    Waiting(String),
    /// Ready.
    Ready,
    /// Not ready, and it will not be soon by itself; why.
    Not(String),
    /// At rest as it should be.
    AtRest,
}

/// The instances that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    instances: BTreeMap<InstanceId, Standing>,
    /// What happened before this is history that the runner hands in late.
    since: Timestamp,
}

impl Readiness {
    /// What is to become ready: the instances of the specs, and those that
    /// were wanted before. `before` was taken when no runner ran, so what it
    /// says of running instances is old.
    #[must_use]
    pub fn new(before: &[Instance], specs: &[ProcessSpec], since: Timestamp) -> Self {
        let mut instances = BTreeMap::new();
        for spec in specs.iter().filter(|spec| spec.autostart) {
            for index in 1..=spec.instances {
                instances.insert(InstanceId::new(spec.name.clone(), index), Standing::Waiting(String::new()));
            }
        }
        for instance in before {
            let Ok(id) = instance.id.parse::<InstanceId>() else { continue };
            let standing = match (instance.wanted && !instance.removing, instance.phase()) {
                (false, _) => Standing::AtRest,
                (true, InstancePhase::Failed) => Standing::Not(instance.message.clone()),
                (true, InstancePhase::Exited) => Standing::AtRest,
                (
                    true,
                    InstancePhase::Unspecified
                    | InstancePhase::Pending
                    | InstancePhase::Starting
                    | InstancePhase::Running
                    | InstancePhase::Backoff
                    | InstancePhase::Stopping
                    | InstancePhase::Stopped
                    | InstancePhase::Lost,
                ) => Standing::Waiting(String::new()),
            };
            instances.insert(id, standing);
        }
        Self { instances, since }
    }

    /// Takes an event in.
    pub fn observe(&mut self, event: &Event) {
        let Ok(id) = event.instance_id.parse::<InstanceId>() else { return };
        if event.r#type == event_type::INSTANCE_REMOVED {
            self.instances.remove(&id);
            return;
        }
        let Some(Detail::Instance(instance)) = &event.detail else { return };
        let is_history = human::time(event.time.as_ref()).is_some_and(|time| time < self.since);
        let is_final = matches!(instance.phase(), InstancePhase::Failed | InstancePhase::Exited);
        if is_history && !is_final {
            // What ran or was stopped then is about to be heard of again.
            return;
        }
        let text = || LiveLine::of_event(event).text;
        let standing = match (instance.phase(), instance.ready) {
            (InstancePhase::Running, true) => Standing::Ready,
            (InstancePhase::Backoff | InstancePhase::Failed | InstancePhase::Lost, _) => Standing::Not(text()),
            (InstancePhase::Exited | InstancePhase::Stopped, _) => Standing::AtRest,
            (
                InstancePhase::Unspecified
                | InstancePhase::Pending
                | InstancePhase::Starting
                | InstancePhase::Running
                | InstancePhase::Stopping,
                _,
            ) => match self.instances.get(&id) {
                // The next attempt does not take the earlier failure back.
                Some(Standing::Not(why)) => Standing::Not(why.clone()),
                Some(Standing::Waiting(_) | Standing::Ready | Standing::AtRest) | None => Standing::Waiting(text()),
            },
        };
        self.instances.insert(id, standing);
    }

    /// Whether waiting longer would tell nothing new.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.instances.values().any(|standing| matches!(standing, Standing::Waiting(_)))
    }

    /// How many of how many are ready; those at rest do not count.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let ready = self.instances.values().filter(|standing| **standing == Standing::Ready).count();
        let all = self.instances.values().filter(|standing| **standing != Standing::AtRest).count();
        (ready, all)
    }

    /// Who is not ready, and why.
    #[must_use]
    pub fn missing(&self) -> Vec<(String, String)> {
        self.instances
            .iter()
            .filter_map(|(id, standing)| match standing {
                Standing::Ready | Standing::AtRest => None,
                Standing::Not(why) => Some((id.to_string(), why.clone())),
                Standing::Waiting(what) if what.is_empty() => Some((id.to_string(), "not taken up yet".to_owned())),
                Standing::Waiting(what) => Some((id.to_string(), format!("not ready yet ({what})"))),
            })
            .collect()
    }

    /// The longest id, for the width of a column.
    #[must_use]
    pub fn width(&self) -> usize {
        self.instances.keys().map(|id| id.to_string().len()).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::InstanceDetail;
    use process_model::spec::Command;

    const START: Timestamp = Timestamp(1_000_000_000_000);

    fn spec(name: &str, instances: u32) -> ProcessSpec {
        let mut spec = ProcessSpec::new(name.parse().unwrap(), Command::Shell("true".to_owned()));
        spec.instances = instances;
        spec
    }

    fn event(id: &str, kind: &str, phase: InstancePhase, ready: bool) -> Event {
        Event {
            r#type: kind.to_owned(),
            instance_id: id.to_owned(),
            message: "because".to_owned(),
            detail: Some(Detail::Instance(InstanceDetail { phase: phase.into(), ready, ..InstanceDetail::default() })),
            ..Event::default()
        }
    }

    fn stored(id: &str, wanted: bool, phase: InstancePhase) -> Instance {
        Instance { id: id.to_owned(), wanted, phase: phase.into(), ready: true, ..Instance::default() }
    }

    #[test]
    fn waiting_ends_when_each_is_ready_or_has_said_why_not() {
        let mut readiness = Readiness::new(&[], &[spec("web", 2), spec("bad", 1)], START);
        assert!(!readiness.is_settled());
        readiness.observe(&event("web-1", event_type::INSTANCE_READY, InstancePhase::Running, true));
        readiness.observe(&event("web-2", event_type::INSTANCE_STARTED, InstancePhase::Running, false));
        readiness.observe(&event("bad-1", event_type::INSTANCE_BACKOFF, InstancePhase::Backoff, false));
        assert!(!readiness.is_settled(), "web-2 runs but is not ready");
        readiness.observe(&event("web-2", event_type::INSTANCE_READY, InstancePhase::Running, true));
        assert!(readiness.is_settled());
        assert_eq!(readiness.counts(), (2, 3));
        assert_eq!(readiness.missing(), [("bad-1".to_owned(), "backoff: because".to_owned())]);
        readiness.observe(&event("bad-1", event_type::INSTANCE_STARTED, InstancePhase::Running, false));
        assert!(readiness.is_settled(), "another attempt of who failed is not waited for");
    }

    #[test]
    fn what_ran_before_has_to_be_heard_of_again_and_what_was_stopped_does_not() {
        let before = [
            stored("web-1", true, InstancePhase::Running),
            stored("db-1", false, InstancePhase::Stopped),
            stored("job-1", true, InstancePhase::Exited),
            stored("held-1", true, InstancePhase::Stopped),
        ];
        let mut readiness = Readiness::new(&before, &[spec("db", 1)], START);
        assert_eq!(readiness.missing().len(), 2);
        readiness.observe(&event("web-1", event_type::INSTANCE_ADOPTED, InstancePhase::Running, true));
        readiness.observe(&event("held-1", event_type::INSTANCE_READY, InstancePhase::Running, true));
        assert!(readiness.is_settled());
        assert_eq!(readiness.counts(), (2, 2));
    }

    #[test]
    fn what_is_told_late_about_the_time_before_makes_nobody_ready() {
        let mut readiness = Readiness::new(&[], &[spec("web", 1), spec("job", 1)], START);
        let late = |mut event: Event| {
            event.time = Some(prost_types::Timestamp { seconds: 999, nanos: 0 });
            event
        };
        readiness.observe(&late(event("web-1", event_type::INSTANCE_ADOPTED, InstancePhase::Running, true)));
        readiness.observe(&late(event("web-1", event_type::INSTANCE_STOPPED, InstancePhase::Stopped, false)));
        readiness.observe(&late(event("job-1", event_type::INSTANCE_FAILED, InstancePhase::Failed, false)));
        assert!(!readiness.is_settled());
        assert_eq!(readiness.missing()[0].0, "job-1", "who failed for good then has failed");
        readiness.observe(&event("web-1", event_type::INSTANCE_STARTED, InstancePhase::Running, true));
        assert!(readiness.is_settled());
    }

    #[test]
    fn nothing_wanted_is_settled_at_once_and_removed_ones_are_forgotten() {
        assert!(Readiness::new(&[], &[], START).is_settled());
        let mut readiness = Readiness::new(&[stored("web-2", true, InstancePhase::Running)], &[], START);
        readiness.observe(&event("web-2", event_type::INSTANCE_REMOVED, InstancePhase::Stopped, false));
        assert!(readiness.is_settled());
        assert_eq!(readiness.counts(), (0, 0));
    }

    #[test]
    fn a_process_that_is_not_to_start_is_not_waited_for() {
        let mut lazy = spec("lazy", 1);
        lazy.autostart = false;
        assert!(Readiness::new(&[], &[lazy], START).is_settled());
    }
}
