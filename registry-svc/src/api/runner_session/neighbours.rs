//! What a node has to know of other nodes: how what its instances depend on
//! stands there, which of its stops wait for others, which lines others wait
//! for. Level-triggered as the orders are; woken by events about the processes
//! that it is about and by nothing else.

use crate::line_desk::{Asker, LineDesk, Lines};
use crate::machine::feed::{Feed, Interest, Listener, Subject};
use pm_proto::convert::duration_to_wire;
use pm_proto::v1;
use process_model::spec::{Condition, Dependency};
use process_model::{Elsewhere, InstanceId, NodeName, ProcessName, Timestamp};
use registry_domain::{Instance, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Rest after a look, for each dependency and held stop that was looked at:
/// what many nodes depend on may change a thousand times a second.
const EACH: Duration = Duration::from_micros(200);

/// What a node was told of others in this session.
pub(super) struct Neighbours {
    node: NodeName,
    feed: Arc<Feed>,
    desk: LineDesk,
    asker: Asker,
    asked: watch::Receiver<u64>,
    /// Of the processes that it has to hear of; `None`: of none.
    listener: Option<Listener>,
    interest: BTreeSet<Subject>,
    needs: BTreeSet<Dependency>,
    /// Something has changed, and nobody has looked since.
    due: bool,
    /// Nothing is looked at before.
    rests: Instant,
    began: bool,
    told: BTreeMap<Dependency, Elsewhere>,
    held: BTreeMap<InstanceId, Duration>,
    watches: Lines,
}

impl Neighbours {
    pub(super) fn new(node: NodeName, feed: Arc<Feed>, desk: LineDesk) -> Self {
        let (asker, asked) = (desk.asker(), desk.changes());
        Self {
            node,
            feed,
            desk,
            asker,
            asked,
            listener: None,
            interest: BTreeSet::new(),
            needs: BTreeSet::new(),
            due: false,
            rests: Instant::now(),
            began: false,
            told: BTreeMap::new(),
            held: BTreeMap::new(),
            watches: Lines::new(),
        }
    }

    /// Until there may be something to tell. False: never again, the registry
    /// is closing.
    pub(super) async fn changed(&mut self) -> bool {
        if !self.due {
            let rung = async {
                match &self.listener {
                    Some(listener) => listener.rung().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = rung => {}
                open = self.asked.changed() => if open.is_err() { return false },
            }
            // Whoever waits for this may turn to something else during the rest.
            self.due = true;
        }
        tokio::time::sleep_until(self.rests).await;
        true
    }

    /// What the node's instances need may have changed.
    pub(super) fn follow(&mut self, state: &State) {
        self.needs = state.needs_of(&self.node);
        let needed = self.needs.iter().map(|dependency| dependency.process.clone());
        let interest: BTreeSet<Subject> =
            needed.chain(state.stops_wait_for(&self.node)).map(Subject::Process).collect();
        if interest != self.interest {
            // What happens from now on is heard; what was before is looked at next.
            self.listener = (!interest.is_empty()).then(|| self.feed.listen(&Interest::Of(interest.clone())));
            self.interest = interest;
        }
    }

    /// What is new for the node, and remembers it as told.
    pub(super) fn news(&mut self, state: &State) -> Option<v1::NeighbourUpdate> {
        // From which revision on does not matter: the state is looked at as it is.
        self.listener.as_ref().and_then(Listener::take);
        self.asked.mark_unchanged();
        self.due = false;
        if !state.meta().mode.acts() {
            return None;
        }
        let has_line = |instance: &Instance, pattern: &str| self.desk.has(&instance.id, instance.seen.started, pattern);
        let of = |dependency: &Dependency| state.elsewhere(&self.node, dependency, has_line);
        let now: BTreeMap<Dependency, Elsewhere> =
            self.needs.iter().map(|dependency| (dependency.clone(), of(dependency))).collect();
        self.asker.ask(now.iter().filter_map(asks).collect());
        let held: BTreeMap<InstanceId, Duration> =
            state.held_stops(&self.node).map(|(id, longest)| (id.clone(), longest)).collect();
        let watches = self.desk.asked(|process| state.has_here(&self.node, process));
        self.rests = Instant::now() + EACH * u32::try_from(now.len() + held.len()).unwrap_or(u32::MAX);

        let is_less = self.told.keys().any(|dependency| !now.contains_key(dependency));
        // First of all it forgets what it was told in another session, though it may need nothing now.
        let full = is_less || !self.began;
        let set: Vec<v1::DependencyStanding> = (now.iter())
            .filter(|(dependency, standing)| full || self.told.get(dependency) != Some(standing))
            .map(Into::into)
            .collect();
        let is_news = full || !set.is_empty() || held != self.held || watches != self.watches;
        (self.began, self.told, self.held, self.watches) = (true, now, held, watches);
        is_news.then(|| v1::NeighbourUpdate {
            full,
            set,
            held: self.held.iter().map(held_stop).collect(),
            watches: self.watches.iter().map(line_watch).collect(),
            term: 0,
        })
    }

    /// Lines that an instance of this node has written.
    pub(super) fn saw(&self, state: &State, instance: &InstanceId, started: Timestamp, patterns: Vec<String>) {
        let is_here = state.instances().get(instance).is_some_and(|one| one.node.as_ref() == Some(&self.node));
        if is_here {
            self.desk.saw(instance, started, patterns.into_iter());
        }
    }
}

/// The line that is to be looked for elsewhere.
fn asks((dependency, standing): (&Dependency, &Elsewhere)) -> Option<(ProcessName, String)> {
    match &dependency.condition {
        Condition::Log(pattern) if standing.exists => Some((dependency.process.clone(), pattern.clone())),
        Condition::Log(_) | Condition::Started | Condition::Ready | Condition::Completed | Condition::CompletedOk => {
            None
        }
    }
}

fn held_stop((instance, longest): (&InstanceId, &Duration)) -> v1::HeldStop {
    v1::HeldStop { instance_id: instance.to_string(), longest: Some(duration_to_wire(*longest)) }
}

fn line_watch((process, patterns): (&ProcessName, &BTreeSet<String>)) -> v1::LineWatch {
    v1::LineWatch { process: process.to_string(), patterns: patterns.iter().cloned().collect() }
}
