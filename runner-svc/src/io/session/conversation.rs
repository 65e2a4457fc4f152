//! The state of one session: what is on its way up, and the parts of an
//! update that has not come to its end.

use super::Ended;
use super::beats::Beats;
use super::neighbours::ToldLines;
use crate::clock::boot_time;
use crate::io::journal::{Journal, Reported};
use crate::roster::{SeenLines, Unreadable, Update};
use pm_proto::v1;
use pm_proto::v1::run_session_request::Message as Up;
use process_model::{Assignment, InstanceId};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Reports in one message: small enough for one Raft entry, large enough that
/// a thousand starts are a few commits.
const BATCH: usize = 512;

/// Between the first thing that there is to report and its report: an end, the
/// new start and its outcome are one message, one commit, and no work for the
/// processors before the program runs again.
const LINGER: Duration = Duration::from_millis(3);

/// The same while there is much to report: whoever restarts again and again,
/// or starts a thousand at once, is better served by fewer, larger messages.
const LINGER_BUSY: Duration = Duration::from_millis(10);

/// How recent the last report is when there is much to report.
const BUSY: Duration = Duration::from_millis(50);

/// Between heartbeats before the registry has said how often.
const HEARTBEAT: Duration = Duration::from_secs(1);

pub(super) struct Conversation {
    up: mpsc::Sender<v1::RunSessionRequest>,
    pub(super) heartbeat: tokio::time::Interval,
    pub(super) beats: Beats,
    /// Whether this is the right registry. Until then it is told nothing.
    pub(super) welcomed: bool,
    /// The epoch of who said welcome; what follows says its term.
    pub(super) epoch: u64,
    /// Highest sequence number that is on its way; nothing more is sent until
    /// it is confirmed, so that reports arriving meanwhile share a commit.
    in_flight: Option<u64>,
    /// Until when what follows from the same event is waited for.
    pub(super) lingers: Option<Instant>,
    /// When the last report was sent.
    reported: Option<Instant>,
    /// Parts of an update that has not come to its end.
    parts: Update,
    /// What the newest update reflects.
    revision: u64,
    /// What a registry that looks on has yet to be told.
    pub(super) inventory: Vec<v1::Report>,
    /// Lines that others wait for, as far as it was told of them.
    pub(super) lines: ToldLines,
}

impl Conversation {
    pub(super) fn new(up: mpsc::Sender<v1::RunSessionRequest>) -> Self {
        let mut this = Self {
            up,
            heartbeat: tokio::time::interval(HEARTBEAT),
            beats: Beats::new(),
            welcomed: false,
            epoch: 0,
            in_flight: None,
            lingers: None,
            reported: None,
            parts: Update::default(),
            revision: 0,
            inventory: Vec::new(),
            lines: ToldLines::default(),
        };
        this.beat_every(HEARTBEAT);
        this
    }

    pub(super) fn beat_every(&mut self, interval: Duration) {
        self.heartbeat = tokio::time::interval(interval);
        self.heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }

    /// What belongs here was told. That it still does is confirmed by the next heartbeat, which is sent at once.
    pub(super) fn told(&mut self) {
        if self.beats.told() {
            self.heartbeat.reset_immediately();
        }
    }

    /// Whether a report may be sent now.
    pub(super) fn may_report(&self) -> bool {
        self.welcomed && self.in_flight.is_none() && self.lingers.is_none()
    }

    /// There is something to report; more of it may follow at once.
    pub(super) fn linger(&mut self) {
        let now = Instant::now();
        let is_busy = self.reported.is_some_and(|at| now.duration_since(at) < BUSY);
        self.lingers = Some(now + if is_busy { LINGER_BUSY } else { LINGER });
    }

    async fn send(&self, message: Up) -> Result<(), Ended> {
        self.up.send(v1::RunSessionRequest { message: Some(message) }).await.map_err(|_| Ended::Closed)
    }

    pub(super) async fn beat(&mut self) -> Result<(), Ended> {
        // Taken before it is sent: by then at the latest it says that this node lives.
        let (at, boot) = (Instant::now(), boot_time());
        let seq = self.beats.send(at, boot);
        self.send(Up::Heartbeat(v1::Heartbeat { seq })).await
    }

    /// Tells of lines that somebody on another node waits for.
    pub(super) async fn tell_lines(&mut self, seen: &SeenLines) -> Result<(), Ended> {
        let lines = self.lines.news(seen);
        if lines.is_empty() {
            return Ok(());
        }
        self.send(Up::Report(v1::Report { lines, ..v1::Report::default() })).await
    }

    pub(super) async fn report(&mut self, journal: &Journal) -> Result<(), Ended> {
        let batch = journal.unconfirmed(BATCH);
        let Some((newest, _)) = batch.last() else { return Ok(()) };
        let mut report = v1::Report { seq: *newest, ..v1::Report::default() };
        self.in_flight = Some(*newest);
        self.reported = Some(Instant::now());
        for (_, reported) in &batch {
            match reported {
                Reported::Instance(instance) => report.instances.push(instance.into()),
                Reported::Action(action) => report.actions.push(action.into()),
                Reported::Run(run) => report.runs.push(run.into()),
            }
        }
        self.send(Up::Report(report)).await
    }

    /// Tells a registry that looks on what this node has.
    pub(super) async fn tell_inventory(&mut self) -> Result<(), Ended> {
        for part in std::mem::take(&mut self.inventory) {
            self.send(Up::Report(part)).await?;
        }
        Ok(())
    }

    /// The registry has committed everything up to `seq`. Returns what of that
    /// it can have seen: never more than was sent.
    pub(super) fn confirmed(&mut self, seq: u64) -> Option<u64> {
        let sent = self.in_flight?;
        if sent <= seq {
            self.in_flight = None;
        }
        Some(seq.min(sent))
    }

    /// Takes a part of an update in; returns the update at its end. What was
    /// said before something newer says nothing any more: a repetition.
    pub(super) fn update(&mut self, part: v1::AssignmentUpdate) -> Option<Update> {
        if part.revision < self.revision {
            tracing::warn!(said = part.revision, known = self.revision, "passed over assignments of before");
            return None;
        }
        self.revision = part.revision;
        for assignment in &part.set {
            self.assigned(assignment);
        }
        let generations = part.removed_generations.into_iter().chain(std::iter::repeat(0));
        for (id, generation) in part.removed.into_iter().zip(generations) {
            match id.parse() {
                Ok(instance) => self.parts.removed.push((instance, generation)),
                Err(error) => tracing::error!(id, %error, "told to remove an instance with an impossible name"),
            }
        }
        self.parts.full |= part.full;
        if part.more { None } else { Some(std::mem::take(&mut self.parts)) }
    }

    /// One that cannot be read must not keep the others from their nodes.
    fn assigned(&mut self, wire: &v1::Assignment) {
        match (Assignment::try_from(wire), wire.instance_id.parse::<InstanceId>()) {
            (Ok(mut assignment), _) => {
                // Instances of a process come one after the other: they share one spec.
                if let Some(last) = self.parts.set.last().filter(|last| last.spec == assignment.spec) {
                    assignment.spec = last.spec.clone();
                }
                self.parts.set.push(assignment);
            }
            (Err(fault), Ok(instance)) => {
                let why = fault.to_string();
                self.parts.unreadable.push(Unreadable { instance, generation: wire.generation, why });
            }
            (Err(fault), Err(error)) => {
                tracing::error!(id = wire.instance_id, %fault, %error, "cannot read an assignment, nor for what it is");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::convert::spec_to_wire;
    use process_model::ProcessSpec;
    use process_model::spec::Command;

    fn conversation() -> Conversation {
        Conversation::new(mpsc::channel(1).0)
    }

    fn wire(name: &str) -> v1::Assignment {
        let spec = ProcessSpec::new(name.parse().unwrap(), Command::Shell("true".into()));
        v1::Assignment {
            instance_id: format!("{name}-1"),
            index: 1,
            generation: 3,
            spec: Some(spec_to_wire(&spec)),
            ..v1::Assignment::default()
        }
    }

    #[tokio::test]
    async fn an_assignment_that_cannot_be_read_hurts_only_itself() {
        let broken = v1::Assignment { spec: None, ..wire("broken") };
        let nameless = v1::Assignment { spec: None, instance_id: "?".into(), ..wire("nameless") };
        let set = vec![wire("a"), broken, nameless, wire("b")];
        let update = conversation().update(v1::AssignmentUpdate { set, ..Default::default() }).unwrap();
        let read: Vec<_> = update.set.iter().map(|a| a.instance.to_string()).collect();
        assert_eq!(read, ["a-1", "b-1"]);
        let unread: Vec<_> = update.unreadable.iter().map(|u| (u.instance.to_string(), u.generation)).collect();
        assert_eq!(unread, [("broken-1".to_owned(), 3)]);
    }

    #[tokio::test]
    async fn an_update_in_parts_is_one_update() {
        let mut conversation = conversation();
        let removed = vec!["old-1".to_owned(), "?".to_owned()];
        let first =
            v1::AssignmentUpdate { full: true, more: true, set: vec![wire("a")], removed, ..Default::default() };
        assert!(conversation.update(first).is_none());
        let last = v1::AssignmentUpdate { set: vec![wire("b")], ..Default::default() };
        let update = conversation.update(last).unwrap();
        assert_eq!((update.full, update.set.len(), update.removed.len()), (true, 2, 1));
        let next = conversation.update(v1::AssignmentUpdate::default()).unwrap();
        assert!(!next.full && next.set.is_empty());
    }

    #[tokio::test]
    async fn what_was_said_before_something_newer_says_nothing() {
        let mut conversation = conversation();
        let said = |revision, name| v1::AssignmentUpdate { revision, set: vec![wire(name)], ..Default::default() };
        assert_eq!(conversation.update(said(7, "a")).unwrap().set.len(), 1);
        assert!(conversation.update(said(6, "b")).is_none());
        let again = conversation.update(said(7, "c")).unwrap();
        assert_eq!(again.set[0].instance.to_string(), "c-1");
    }

    #[tokio::test]
    async fn a_registry_cannot_confirm_what_it_was_not_sent() {
        let mut conversation = conversation();
        conversation.welcomed = true;
        assert_eq!(conversation.confirmed(u64::MAX), None);
        conversation.in_flight = Some(7);
        assert_eq!(conversation.confirmed(5), Some(5));
        assert!(!conversation.may_report());
        assert_eq!(conversation.confirmed(u64::MAX), Some(7));
        assert!(conversation.may_report());
    }
}
