//! Following actions to their end, by the events that tell of it: no polling.
//! Also instances of deleted processes, until nothing of them is left.

use crate::connection::Connection;
use crate::error::Failure;
use crate::exit::Exit;
use crate::follow::{Followed, Follower};
use crate::output::{Cell, Column, Listed, Tone};
use pm_proto::json::JsonError;
use pm_proto::v1::event::Detail;
use pm_proto::v1::{Action, ActionState, ActionVerb, Event, WatchEventsRequest};
use process_model::event_type;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

/// How long verbs wait unless `--timeout` says otherwise: longer than any
/// default stop sequence and than most programs need to become ready.
pub const DEFAULT_WAIT: &str = "90s";

/// What is known of some actions.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    actions: BTreeMap<String, Action>,
    pids: BTreeMap<String, u32>,
}

impl Progress {
    /// From the answer that queued them.
    #[must_use]
    pub fn new(actions: Vec<Action>) -> Self {
        Self { actions: actions.into_iter().map(|action| (action.id.clone(), action)).collect(), pids: BTreeMap::new() }
    }

    /// Takes an event in. Says which instance's action came to its end by it.
    pub fn observe(&mut self, event: &Event) -> Option<ActionRow> {
        match &event.detail {
            Some(Detail::Action(action)) => {
                let known = self.actions.get_mut(&action.id)?;
                if is_final(known) {
                    return None;
                }
                *known = action.clone();
                is_final(action).then(|| self.row(action.clone()))
            }
            Some(Detail::Instance(instance)) => {
                self.pids.insert(event.instance_id.clone(), instance.pid);
                None
            }
            // Of a rollout, and so of no action.
            Some(Detail::Rollout(_)) | None => None,
        }
    }

    /// Whether each has come to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.actions.values().all(is_final)
    }

    /// All of them, by instance.
    #[must_use]
    pub fn rows(&self) -> Vec<ActionRow> {
        let mut rows: Vec<_> = self.actions.values().cloned().map(|action| self.row(action)).collect();
        rows.sort_by_cached_key(|row| instance_order(&row.subject()));
        rows
    }

    /// What the whole amounts to.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let count = |state| self.actions.values().filter(|action| action.state() == state).count();
        Exit::of_counts(count(ActionState::Done), count(ActionState::Failed) + count(ActionState::Expired))
    }

    /// What the actions that go on are for.
    #[must_use]
    pub fn open(&self) -> Vec<String> {
        self.actions.values().filter(|action| !is_final(action)).map(subject).collect()
    }

    fn row(&self, action: Action) -> ActionRow {
        let pid = self.pids.get(&action.instance_id).copied().filter(|pid| *pid > 0);
        ActionRow { action, pid }
    }
}

fn is_final(action: &Action) -> bool {
    matches!(action.state(), ActionState::Done | ActionState::Failed | ActionState::Expired)
}

/// What it is for, for people: an instance, or a unit on its node.
fn subject(action: &Action) -> String {
    if action.unit.is_empty() { action.instance_id.clone() } else { format!("{} on {}", action.unit, action.node) }
}

fn instance_order(id: &str) -> (String, u32) {
    id.parse::<process_model::InstanceId>().map_or_else(|_| (id.to_owned(), 0), |id| (id.process.to_string(), id.index))
}

/// An action as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRow {
    /// The action.
    pub action: Action,
    /// The instance's process id, when it is known and there is one.
    pub pid: Option<u32>,
}

impl ActionRow {
    /// What it is for.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(&self.action)
    }

    /// Whether it is over, and not done.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self.action.state(), ActionState::Failed | ActionState::Expired)
    }

    /// One line for people: `web-1 started, pid 12`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let action = &self.action;
        let (infinitive, participle) = match action.verb() {
            ActionVerb::Start => ("start", "started"),
            ActionVerb::Stop => ("stop", "stopped"),
            ActionVerb::Restart => ("restart", "restarted"),
            ActionVerb::Reload => ("reload", "reloaded"),
            ActionVerb::Signal => ("signal", "signalled"),
            ActionVerb::Unspecified => ("act", "done"),
        };
        let id = self.subject();
        let note = if action.message.is_empty() { String::new() } else { format!(": {}", action.message) };
        match action.state() {
            ActionState::Done => match (action.verb(), self.pid) {
                (ActionVerb::Start | ActionVerb::Restart, Some(pid)) => format!("{id} {participle}, pid {pid}{note}"),
                (ActionVerb::Start | ActionVerb::Restart, None)
                | (ActionVerb::Stop | ActionVerb::Reload | ActionVerb::Signal | ActionVerb::Unspecified, _) => {
                    format!("{id} {participle}{note}")
                }
            },
            ActionState::Failed => format!("{id} {infinitive} failed{note}"),
            ActionState::Expired => format!("{id} {infinitive} expired{note}"),
            ActionState::Queued | ActionState::Unspecified => format!("{id} {infinitive} queued{note}"),
            ActionState::Delivered => format!("{id} {infinitive} under way{note}"),
        }
    }

    /// The tone of its line.
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self.action.state() {
            ActionState::Done => Tone::Good,
            ActionState::Failed | ActionState::Expired => Tone::Bad,
            ActionState::Queued | ActionState::Delivered | ActionState::Unspecified => Tone::Warn,
        }
    }
}

impl Listed for ActionRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("TARGET"),
        Column::text("ACTION"),
        Column::text("STATE"),
        Column::text("NODE"),
        Column::text("AGE"),
        Column::text("ACTOR"),
        Column::text("MESSAGE"),
        Column::text("REASON").wide(),
        Column::text("ID").wide(),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        use crate::output::human;
        let action = &self.action;
        let message = if wide { action.message.clone() } else { human::shorten(&action.message, 60) };
        vec![
            Cell::plain(if action.unit.is_empty() { &action.instance_id } else { &action.unit }),
            Cell::plain([verb_word(action.verb()), &action.signal].join(" ").trim_end()),
            Cell::new(self.tone(), state_word(action.state())),
            Cell::plain(&action.node),
            Cell::plain(human::ago(human::time(action.create_time.as_ref()), human::now())),
            Cell::plain(&action.actor),
            Cell::plain(message),
            Cell::plain(human::shorten(&action.reason, 200)),
            Cell::plain(&action.id),
        ]
    }

    fn name(&self) -> String {
        format!("action/{}", self.action.id)
    }

    fn value(&self) -> Result<serde_json::Value, JsonError> {
        pm_proto::json::to_value(&self.action)
    }
}

/// The word for an action's verb.
#[must_use]
pub fn verb_word(verb: ActionVerb) -> &'static str {
    match verb {
        ActionVerb::Start => "start",
        ActionVerb::Stop => "stop",
        ActionVerb::Restart => "restart",
        ActionVerb::Reload => "reload",
        ActionVerb::Signal => "signal",
        ActionVerb::Unspecified => "unknown",
    }
}

fn state_word(state: ActionState) -> &'static str {
    match state {
        ActionState::Queued => "queued",
        ActionState::Delivered => "delivered",
        ActionState::Done => "done",
        ActionState::Failed => "failed",
        ActionState::Expired => "expired",
        ActionState::Unspecified => "unknown",
    }
}

fn watch_from(revision: u64, types: &[&str]) -> WatchEventsRequest {
    WatchEventsRequest {
        // Zero would mean "from now on" and could miss the end.
        from_revision: revision.max(1),
        follow: true,
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        ..WatchEventsRequest::default()
    }
}

/// Follows actions from the revision that queued them until each has ended.
/// `ended` is told of each one.
///
/// # Errors
/// Exit 6 when it takes longer than `timeout`; else what went wrong.
pub async fn actions(
    connection: &Connection,
    progress: &mut Progress,
    revision: u64,
    timeout: Duration,
    mut ended: impl FnMut(&ActionRow) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let request = watch_from(revision, &["action.*", event_type::INSTANCE_STARTED, event_type::INSTANCE_ADOPTED]);
    let mut follower = Follower::new(connection.clone(), request, true);
    let done = async {
        while !progress.is_over() {
            if let Followed::Event(event) = follower.next().await?
                && let Some(row) = progress.observe(&event)
            {
                ended(&row)?;
            }
        }
        Ok(())
    };
    match within(timeout, done).await {
        Some(result) => result,
        None => Err(timed_out(timeout, &progress.open(), "the actions go on")
            .help("`pmctl actions` shows what becomes of them")),
    }
}

/// Waits until nothing of these instances is left.
///
/// # Errors
/// As [`actions`].
pub async fn removals(
    connection: &Connection,
    ids: Vec<String>,
    revision: u64,
    timeout: Duration,
) -> Result<(), Failure> {
    let mut left: BTreeSet<String> = ids.into_iter().collect();
    let request = watch_from(revision, &[event_type::INSTANCE_REMOVED]);
    let mut follower = Follower::new(connection.clone(), request, true);
    let done = async {
        while !left.is_empty() {
            if let Followed::Event(event) = follower.next().await? {
                left.remove(&event.instance_id);
            }
        }
        Ok(())
    };
    match within(timeout, done).await {
        Some(result) => result,
        None => Err(timed_out(timeout, &left.into_iter().collect::<Vec<_>>(), "their stop goes on")),
    }
}

async fn within<T>(timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(timeout, work).await.ok()
}

/// Exit 6: who is still missing after how long, and what happens to them.
#[must_use]
pub fn timed_out(timeout: Duration, missing: &[String], what: &str) -> Failure {
    let after = humantime::format_duration(timeout);
    let who = missing.join(", ");
    Failure::new(Exit::TimedOut, format!("not finished after {after}: {who}; {what}"))
        .help("--timeout waits longer, --no-wait not at all")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::InstanceDetail;

    fn action(id: &str, instance: &str, state: ActionState) -> Action {
        Action {
            id: id.to_owned(),
            instance_id: instance.to_owned(),
            verb: ActionVerb::Start.into(),
            state: state.into(),
            ..Action::default()
        }
    }

    fn told(action: Action) -> Event {
        Event { instance_id: action.instance_id.clone(), detail: Some(Detail::Action(action)), ..Event::default() }
    }

    #[test]
    fn waiting_is_over_when_each_action_has_ended_and_others_do_not_count() {
        let mut progress =
            Progress::new(vec![action("a", "web-2", ActionState::Queued), action("b", "web-10", ActionState::Queued)]);
        assert!(progress.observe(&told(action("z", "db-1", ActionState::Done))).is_none());
        assert!(progress.observe(&told(action("a", "web-2", ActionState::Delivered))).is_none());
        assert!(!progress.is_over());
        assert!(progress.observe(&told(action("a", "web-2", ActionState::Done))).is_some());
        assert!(progress.observe(&told(action("a", "web-2", ActionState::Done))).is_none(), "told twice");
        assert_eq!(progress.open(), ["web-10"]);
        assert!(progress.observe(&told(action("b", "web-10", ActionState::Failed))).is_some());
        assert!(progress.is_over());
        assert_eq!(progress.exit(), Exit::Partial);
        let order: Vec<_> = progress.rows().into_iter().map(|row| row.action.instance_id).collect();
        assert_eq!(order, ["web-2", "web-10"]);
    }

    #[test]
    fn a_start_is_told_with_its_pid() {
        let mut progress = Progress::new(vec![action("a", "web-1", ActionState::Queued)]);
        let started = Event {
            instance_id: "web-1".to_owned(),
            detail: Some(Detail::Instance(InstanceDetail { pid: 12, ..InstanceDetail::default() })),
            ..Event::default()
        };
        assert!(progress.observe(&started).is_none());
        let row = progress.observe(&told(action("a", "web-1", ActionState::Done))).unwrap();
        assert_eq!(row.sentence(), "web-1 started, pid 12");
    }

    #[test]
    fn a_reload_is_told_without_a_pid_since_it_begins_nothing() {
        let reload = |state| Action { verb: ActionVerb::Reload.into(), ..action("a", "web-1", state) };
        let mut progress = Progress::new(vec![reload(ActionState::Queued)]);
        let row = progress.observe(&told(reload(ActionState::Done))).unwrap();
        assert_eq!((row.sentence().as_str(), verb_word(row.action.verb())), ("web-1 reloaded", "reload"));
    }

    #[test]
    fn nothing_to_do_is_over_at_once_and_a_success() {
        assert!(Progress::default().is_over());
        assert_eq!(Progress::default().exit(), Exit::Done);
    }

    #[test]
    fn a_wait_that_took_too_long_names_who_is_missing() {
        let failure = timed_out(Duration::from_secs(5), &["web-1".to_owned()], "the actions go on");
        assert_eq!(failure.exit(), Exit::TimedOut);
        assert!(failure.to_string().contains("web-1") && failure.to_string().contains("5s"));
    }
}
