//! How a node introduces itself. Labels and what it says of its system are for
//! replicas that all know of them; the others hear what they always did.

use crate::api::request::check_text;
use crate::api::status::bad_field;
use pm_proto::v1;
use process_model::{NodeName, label};
use registry_domain::{NodeArrived, NodeFacts, NodeHello, NodeState, Order, State};
use tonic::Status;

/// Longest text of a hello.
const HELLO_BYTES: usize = 256;
/// The level that knows of labels.
const OF_LABELS: u16 = 3;

/// How a node introduces itself.
pub(super) struct Introduction {
    pub(super) hello: NodeHello,
    facts: NodeFacts,
    /// Whether it takes in what it is told of other nodes.
    pub(super) hears_neighbours: bool,
}

impl Introduction {
    /// A hello from the wire. `fences`: every replica knows what that is.
    pub(super) fn read(hello: v1::SessionHello, fences: bool) -> Result<Self, Status> {
        let node = hello.node.parse().map_err(|error: process_model::InvalidName| {
            bad_field("hello.node", error.to_string(), "send a valid name")
        })?;
        let texts = [
            ("hello.boot_id", &hello.boot_id),
            ("hello.runner_version", &hello.runner_version),
            ("hello.os", &hello.os),
            ("hello.arch", &hello.arch),
            ("hello.kernel", &hello.kernel),
        ];
        texts.into_iter().try_for_each(|(field, text)| check_text(field, text, HELLO_BYTES))?;
        if hello.labels.len() > label::MOST {
            let problem = format!("there are {}", hello.labels.len());
            return Err(bad_field("hello.labels", problem, format!("set at most {}", label::MOST)));
        }
        for (name, value) in &hello.labels {
            label::check(name, value)
                .map_err(|wrong| bad_field("hello.labels", wrong.to_string(), "correct --label of the runner"))?;
        }
        let (fences, hears_neighbours) = (hello.fences && fences, hello.hears_neighbours);
        let v1::SessionHello { boot_id, runner_version, cpus, memory_bytes, labels, os, arch, kernel, .. } = hello;
        let hello = NodeHello { node, boot_id, runner_version, cpus, memory_bytes, fences };
        let facts = NodeFacts { labels: labels.into_iter().collect(), os, arch, kernel };
        Ok(Self { hello, facts, hears_neighbours })
    }

    pub(super) fn node(&self) -> &NodeName {
        &self.hello.node
    }

    pub(super) fn version(&self) -> &str {
        &self.hello.runner_version
    }

    /// Whether the state has the node as it is, and ready.
    pub(super) fn is_known(&self, state: &State) -> bool {
        let Self { hello, facts, hears_neighbours: _ } = self;
        state.nodes().get(&hello.node).is_some_and(|node| {
            node.state == NodeState::Ready
                && node.boot_id == hello.boot_id
                && node.runner_version == hello.runner_version
                && node.cpus == hello.cpus
                && node.memory_bytes == hello.memory_bytes
                && node.fences == hello.fences
                && (node.facts == *facts || state.meta().level() < OF_LABELS)
        })
    }

    /// What tells the state of it.
    pub(super) fn order(&self, state: &State) -> Order {
        if state.meta().level() < OF_LABELS {
            return Order::NodeConnected(self.hello.clone());
        }
        Order::NodeArrived(NodeArrived { hello: self.hello.clone(), facts: self.facts.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> v1::SessionHello {
        let labels = [("zone".to_owned(), "eu".to_owned())].into();
        v1::SessionHello {
            node: "a".into(),
            boot_id: "b".into(),
            labels,
            os: "linux".into(),
            ..v1::SessionHello::default()
        }
    }

    #[test]
    fn labels_wait_until_every_replica_knows_of_them() {
        let mut state = State::default();
        let hello = Introduction::read(said(), false).unwrap();
        let tell = |state: &mut State, order: Order| {
            let header = registry_domain::Header::default();
            assert!(registry_domain::step(state, registry_domain::Command { header, order }).reply.is_ok());
        };
        let order = hello.order(&state);
        assert!(matches!(order, Order::NodeConnected(_)), "{order:?}");
        tell(&mut state, order);
        assert!(hello.is_known(&state));
        tell(&mut state, Order::SetLevel { level: OF_LABELS });
        assert!(!hello.is_known(&state), "its labels are not known yet");
        let order = hello.order(&state);
        tell(&mut state, order);
        assert!(hello.is_known(&state));
        assert_eq!(state.nodes().values().next().unwrap().label("zone"), Some("eu"));
    }

    #[test]
    fn a_label_that_is_none_is_refused_by_name() {
        for (name, value) in [("node.cpus", "4"), ("", "x"), ("zone", ""), ("a b", "x")] {
            let hello = v1::SessionHello { labels: [(name.to_owned(), value.to_owned())].into(), ..said() };
            let status = Introduction::read(hello, true).err().unwrap();
            assert!(status.message().contains("hello.labels"), "{status:?}");
        }
    }
}
