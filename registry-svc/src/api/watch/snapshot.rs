//! What there is, for a watcher that begins with it: nodes, processes,
//! instances, all of one revision. What is looked up by name is looked up for
//! the watcher; everything at once is taken from the state for all who ask at
//! the same time, as thousands of watchers that come back together must not
//! hold it up a thousand times.

use super::{Filter, frames};
use crate::api::answers;
use crate::machine::feed::{Interest, Subject};
use crate::view::View;
use bytes::Bytes;
use pm_proto::v1::watch_events_response::Frame;
use process_model::{InstanceId, ProcessName};
use registry_domain::{Roster, State};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Rows encoded at a time, and rows of a roster that are looked at for it: few
/// enough that others get their turn.
const CHUNK: usize = 128;
/// Rests after taking a roster, in times of what it took.
const REST: u32 = 9;

/// The newest roster of everything, as long as somebody reads it.
#[derive(Debug, Default)]
pub(crate) struct Rosters(Mutex<Newest>);

#[derive(Debug, Default)]
struct Newest {
    roster: Weak<Roster>,
    /// No other one before.
    rest_until: Option<Instant>,
}

impl Rosters {
    /// What there is now, at least as far as a filter lets it through.
    pub(super) async fn of(&self, view: &View, filter: &Filter) -> Arc<Roster> {
        match filter.interest() {
            Interest::Of(subjects) => Arc::new(named(&view.read().state, &subjects)),
            Interest::Everything => self.everything(view).await,
        }
    }

    async fn everything(&self, view: &View) -> Arc<Roster> {
        let wanted = view.read().state.revision();
        // Those who wait here share what the next one takes.
        let mut newest = self.0.lock().await;
        loop {
            // A newer one is as good: the events go on from there.
            if let Some(roster) = newest.roster.upgrade().filter(|roster| roster.revision >= wanted) {
                return roster;
            }
            match newest.rest_until.filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => {
                    let began = Instant::now();
                    let roster = Arc::new(view.read().state.roster());
                    *newest = Newest {
                        roster: Arc::downgrade(&roster),
                        rest_until: Some(began + began.elapsed().max(Duration::from_micros(1)) * (REST + 1)),
                    };
                    return roster;
                }
            }
        }
    }
}

/// What there is of these.
fn named(state: &State, subjects: &BTreeSet<Subject>) -> Roster {
    let mut roster = Roster { revision: state.revision(), ..Roster::default() };
    let mut instances: BTreeSet<InstanceId> = BTreeSet::new();
    let mut processes: BTreeSet<&ProcessName> = BTreeSet::new();
    for subject in subjects {
        match subject {
            Subject::Process(name) => {
                processes.insert(name);
                instances.extend(state.instances_of(name).map(|instance| instance.id.clone()));
            }
            Subject::Instance(id) => drop(instances.insert(id.clone())),
            Subject::Node(name) => {
                roster.nodes.extend(state.nodes().get(name).map(|node| (node.clone(), state.usage_of(node))));
                instances.extend(state.instances_on(name).map(|instance| instance.id.clone()));
            }
        }
    }
    roster.processes.extend(processes.into_iter().filter_map(|name| state.processes().get(name).cloned()));
    roster.instances.extend(instances.iter().filter_map(|id| state.instances().get(id).cloned()));
    roster
}

/// A roster as far as it has been shown to one watcher.
pub(super) struct Items {
    roster: Arc<Roster>,
    /// Rows that have been looked at, in the order of the roster's fields.
    seen: usize,
}

impl Items {
    pub(super) fn new(roster: Arc<Roster>) -> Self {
        Self { roster, seen: 0 }
    }

    pub(super) fn revision(&self) -> u64 {
        self.roster.revision
    }

    /// Looks at the next rows; `false` when there are no more.
    pub(super) fn take(&mut self, filter: &Filter, to: &mut VecDeque<Bytes>) -> bool {
        let Roster { revision: _, nodes, processes, instances } = &*self.roster;
        let total = nodes.len() + processes.len() + instances.len();
        let (first, end) = (self.seen, total.min(self.seen + CHUNK));
        self.seen = end;
        for place in first..end {
            let frame = if let Some((node, usage)) = nodes.get(place) {
                filter.shows_node(node.name.as_str()).then(|| Frame::Node(answers::node(node, usage)))
            } else if let Some(process) = processes.get(place - nodes.len()) {
                let shown = filter.shows_process(process.spec.name.as_str());
                shown.then(|| Frame::Process(answers::process(process)))
            } else {
                let instance = instances.get(place - nodes.len() - processes.len());
                let shown = instance.filter(|instance| filter.shows_instance(instance));
                shown.map(|instance| Frame::Instance(answers::instance(instance)))
            };
            to.extend(frame.map(frames::encode));
        }
        first < total
    }
}
