//! What a node has to be told: the difference between what it was told in this
//! session and what the state says now. Level-triggered: it may be asked at
//! any time, and after a lost signal the next question finds the same.

use pm_proto::convert::duration_to_wire;
use pm_proto::v1;
use pm_proto::v1::run_session_response::Message;
use process_model::{Action, ActionState, ActionTarget, Assignment, InstanceId, NodeName};
use prost::Message as _;
use registry_domain::State;
use std::collections::{BTreeMap, BTreeSet};

/// Assignments in one message, in bytes: well below the 4 MiB that every gRPC
/// library takes.
const UPDATE_BYTES: usize = 2 << 20;

/// What the node was told in this session.
#[derive(Default)]
pub(super) struct Told {
    began: bool,
    /// That what it was told is everything.
    is_all: bool,
    assignments: BTreeMap<InstanceId, (u64, bool, u64)>,
    /// By the generation that has to go: one that was given again and has to go again is another one.
    removals: BTreeMap<InstanceId, u64>,
    actions: BTreeSet<u64>,
}

/// What it has to be told now.
#[derive(Default)]
pub(super) struct Orders {
    /// In the order in which they have to be sent: an action after the
    /// assignment that goes with it.
    pub(super) messages: Vec<v1::RunSessionResponse>,
    /// Actions among them that were not known to be delivered.
    pub(super) undelivered: Vec<String>,
}

impl Told {
    /// What is new for `node`, and remembers it as told.
    pub(super) fn news(&mut self, state: &State, node: &NodeName) -> Orders {
        let mut orders = Orders::default();
        if !state.meta().mode.acts() {
            return orders;
        }
        self.assign(state, node, &mut orders);
        self.order(state, node, &mut orders);
        orders
    }

    fn assign(&mut self, state: &State, node: &NodeName, orders: &mut Orders) {
        let now = state.assignments(node);
        let generation = |id: &InstanceId| state.instances().get(id).map_or(0, |instance| instance.generation);
        let removals: BTreeMap<InstanceId, u64> =
            state.removals(node).into_iter().map(|id| (id.clone(), generation(&id))).collect();
        let key = |a: &Assignment| (a.generation, a.wanted, a.restart_count);
        // What the node has besides is left alone while the registry does not know better.
        let full = !self.is_all && state.meta().mode.is_all();
        let set: Vec<v1::Assignment> = (now.iter())
            .filter(|a| full || self.assignments.get(&a.instance) != Some(&key(a)))
            .map(Into::into)
            .collect();
        let assignments: BTreeMap<_, _> = now.iter().map(|a| (a.instance.clone(), key(a))).collect();
        // What was told and is no longer there has been removed already; what
        // is there to be removed may never have been told.
        let news = removals.iter().filter(|(id, generation)| self.removals.get(*id) != Some(*generation));
        let mut removed: BTreeMap<InstanceId, u64> = news.map(|(id, generation)| (id.clone(), *generation)).collect();
        for (id, (generation, _, _)) in &self.assignments {
            if !assignments.contains_key(id) && !self.removals.contains_key(id) {
                removed.entry(id.clone()).or_insert(*generation);
            }
        }
        if full || !self.began || !set.is_empty() || !removed.is_empty() {
            orders.messages.extend(updates(full, set, removed, state.revision()));
        }
        self.is_all |= full;
        (self.began, self.assignments, self.removals) = (true, assignments, removals);
    }

    fn order(&mut self, state: &State, node: &NodeName, orders: &mut Orders) {
        let mut open = BTreeSet::new();
        for (number, action) in state.open_actions(node) {
            open.insert(number);
            if self.actions.contains(&number) {
                continue;
            }
            if action.state == ActionState::Queued {
                orders.undelivered.push(action.id.clone());
            }
            let message = Some(Message::Action(order(action)));
            orders.messages.push(v1::RunSessionResponse { message });
        }
        self.actions = open;
    }
}

fn order(action: &Action) -> v1::ActionOrder {
    v1::ActionOrder {
        action_id: action.id.clone(),
        verb: v1::ActionVerb::from(action.verb).into(),
        instance_id: action.target.instance().map(ToString::to_string).unwrap_or_default(),
        stop_timeout: action.stop_timeout.map(duration_to_wire),
        restart_count: action.restart_count,
        traceparent: action.traceparent.clone(),
        term: 0,
        unit: match &action.target {
            ActionTarget::Instance(_) => String::new(),
            ActionTarget::Unit(unit) => unit.clone(),
        },
        signal: action.signal.map(|signal| signal.to_string()).unwrap_or_default(),
    }
}

/// The same message, said in this term.
pub(super) fn in_term(mut said: v1::RunSessionResponse, term: u64) -> v1::RunSessionResponse {
    match &mut said.message {
        Some(Message::Assignments(update)) => update.term = term,
        Some(Message::Action(order)) => order.term = term,
        Some(Message::Neighbours(update)) => update.term = term,
        // The welcome has it from its maker; acknowledgements order nothing.
        Some(Message::Welcome(_) | Message::ReportAck(_) | Message::HeartbeatAck(_)) | None => {}
    }
    said
}

/// An update, cut into messages. Of a full one each but the last says that
/// there is more.
fn updates(
    full: bool,
    set: Vec<v1::Assignment>,
    removed: BTreeMap<InstanceId, u64>,
    revision: u64,
) -> impl Iterator<Item = v1::RunSessionResponse> {
    let mut pieces: Vec<Vec<v1::Assignment>> = vec![Vec::new()];
    let mut bytes = 0;
    for assignment in set {
        bytes += assignment.encoded_len();
        if bytes > UPDATE_BYTES && pieces.last().is_some_and(|piece| !piece.is_empty()) {
            bytes = assignment.encoded_len();
            pieces.push(Vec::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(assignment);
        }
    }
    let last = pieces.len() - 1;
    let mut removed = Some(removed);
    pieces.into_iter().enumerate().map(move |(n, set)| {
        let (removed, removed_generations) =
            removed.take().unwrap_or_default().into_iter().map(|(id, generation)| (id.to_string(), generation)).unzip();
        let update = v1::AssignmentUpdate {
            full: full && n == 0,
            set,
            removed,
            revision,
            more: full && n < last,
            term: 0,
            removed_generations,
        };
        v1::RunSessionResponse { message: Some(Message::Assignments(update)) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::Command as Program;
    use process_model::{ActionVerb, ProcessSpec};
    use registry_domain::{Apply, Command, Header, NodeHello, Order, Switch, step};

    fn run(state: &mut State, order: Order) {
        assert!(step(state, Command { header: Header::default(), order }).reply.is_ok());
    }

    fn apply(state: &mut State, instances: u32, text: &str) {
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Program::Shell("run".into()));
        spec.instances = instances;
        spec.env.insert("TEXT".into(), text.into());
        run(state, Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() }));
    }

    fn world() -> (State, NodeName) {
        let (mut state, node): (State, NodeName) = (State::default(), "alpha".parse().unwrap());
        let hello = NodeHello {
            node: node.clone(),
            boot_id: "b".into(),
            runner_version: "1".into(),
            cpus: 1,
            memory_bytes: 1,
            fences: false,
        };
        run(&mut state, Order::NodeConnected(hello));
        (state, node)
    }

    fn summary(orders: &Orders) -> Vec<(bool, usize, Vec<String>, bool)> {
        (orders.messages.iter())
            .filter_map(|m| match &m.message {
                Some(Message::Assignments(u)) => Some((u.full, u.set.len(), u.removed.clone(), u.more)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_first_word_is_everything_and_then_only_what_differs() {
        let (mut state, node) = world();
        let mut told = Told::default();
        assert_eq!(summary(&told.news(&state, &node)), [(true, 0, vec![], false)]);
        apply(&mut state, 2, "");
        assert_eq!(summary(&told.news(&state, &node)), [(false, 2, vec![], false)]);
        assert!(told.news(&state, &node).messages.is_empty(), "asking again finds nothing");
        apply(&mut state, 1, "");
        assert_eq!(summary(&told.news(&state, &node)), [(false, 0, vec!["web-2".into()], false)]);
        assert!(told.news(&state, &node).messages.is_empty());
        assert_eq!(summary(&Told::default().news(&state, &node)), [(true, 1, vec!["web-2".into()], false)]);
    }

    #[test]
    fn an_instance_that_was_given_again_and_has_to_go_again_is_told_again() {
        let (mut state, node) = world();
        apply(&mut state, 2, "");
        let mut told = Told::default();
        told.news(&state, &node);
        apply(&mut state, 1, "");
        assert_eq!(summary(&told.news(&state, &node)), [(false, 0, vec!["web-2".into()], false)]);
        apply(&mut state, 2, "");
        let gone = process_model::InstanceReport {
            instance: "web-2".parse().unwrap(),
            seq: 1,
            generation: 1,
            event_type: "instance.removed".into(),
            time: process_model::Timestamp(1),
            phase: process_model::Phase::Stopped,
            ready: false,
            pid: 0,
            restarts: 0,
            last_exit: None,
            started: None,
            message: String::new(),
            next_restart: None,
            gone: true,
            containment: String::new(),
            status: String::new(),
            log_lines: vec![],
        };
        let report = registry_domain::Report {
            node: node.clone(),
            boot_id: "b".into(),
            seq: 1,
            instances: vec![gone],
            actions: vec![],
        };
        run(&mut state, Order::Report(report));
        apply(&mut state, 1, "");
        assert_eq!(summary(&told.news(&state, &node)), [(false, 0, vec!["web-2".into()], false)]);
        assert!(told.news(&state, &node).messages.is_empty());
    }

    #[test]
    fn an_action_comes_once_in_a_session_and_after_its_assignment() {
        let (mut state, node) = world();
        apply(&mut state, 1, "");
        let mut told = Told::default();
        told.news(&state, &node);
        let selectors = vec!["web".into()];
        let verb = ActionVerb::Restart;
        run(&mut state, Order::Switch(Switch { verb, selectors, stop_timeout: None, traceparent: String::new() }));
        let orders = told.news(&state, &node);
        let is_action = |n: usize| matches!(orders.messages[n].message, Some(Message::Action(_)));
        assert_eq!((orders.messages.len(), is_action(0), is_action(1)), (2, false, true));
        assert_eq!(orders.undelivered.len(), 1);
        assert!(told.news(&state, &node).messages.is_empty());
    }

    #[test]
    fn a_full_set_that_is_too_large_says_that_there_is_more() {
        let (mut state, node) = world();
        apply(&mut state, 30, &"x".repeat(100_000));
        let orders = Told::default().news(&state, &node);
        let parts = summary(&orders);
        assert_eq!(parts.iter().map(|p| p.1).sum::<usize>(), 30);
        assert_eq!(parts.iter().map(|p| (p.0, p.3)).collect::<Vec<_>>(), [(true, true), (false, false)]);
        assert!(orders.messages.iter().all(|m| m.encoded_len() < 4 << 20));
    }
}
