//! Words for nodes.

use crate::output::Tone;
use pm_proto::v1::{Node, NodeState};

/// What a node is up to: whether it is heard from, and whether it takes
/// anything new.
pub(super) fn condition(node: &Node) -> (Tone, String) {
    let (tone, state) = match node.state() {
        NodeState::Ready => (Tone::Good, "ready"),
        NodeState::Suspect => (Tone::Warn, "suspect"),
        NodeState::Lost => (Tone::Bad, "lost"),
        NodeState::Unspecified => (Tone::Warn, "unknown"),
    };
    let more = match &node.drain {
        Some(drain) if drain.done_time.is_some() => Some("drained"),
        Some(_) => Some("draining"),
        None => node.cordoned.then_some("cordoned"),
    };
    match more {
        Some(more) => (if tone == Tone::Good { Tone::Warn } else { tone }, format!("{state}, {more}")),
        None => (tone, state.to_owned()),
    }
}

/// Its labels, by name.
pub(super) fn labels(node: &Node) -> String {
    let mut labels: Vec<String> = node.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.sort_unstable();
    labels.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::NodeDrain;

    #[test]
    fn a_node_says_whether_it_is_there_and_whether_it_takes_anything() {
        let ready = Node { state: NodeState::Ready.into(), ..Node::default() };
        let text = |node: &Node| condition(node).1;
        assert_eq!(condition(&ready), (Tone::Good, "ready".to_owned()));
        assert_eq!(text(&Node { cordoned: true, ..ready.clone() }), "ready, cordoned");
        let drain = NodeDrain { left: 2, ..NodeDrain::default() };
        assert_eq!(text(&Node { cordoned: true, drain: Some(drain), ..ready.clone() }), "ready, draining");
        let done = NodeDrain { done_time: Some(prost_types::Timestamp::default()), ..NodeDrain::default() };
        let lost = Node { state: NodeState::Lost.into(), drain: Some(done), ..ready };
        assert_eq!(condition(&lost), (Tone::Bad, "lost, drained".to_owned()));
    }
}
