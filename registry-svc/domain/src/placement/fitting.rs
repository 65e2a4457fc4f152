//! Why a node is not an option. All of it is decided here.

use super::seat::Room;
use crate::{Node, NodeState};
use process_model::ProcessName;
use process_model::spec::{Constraint, Matcher, Reservation};
use std::fmt;

/// Why a node is not an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exclusion {
    /// It is silent.
    Lost,
    /// It has been silent for half of its lease.
    Suspect,
    /// It was lost again and again, and is not steady yet.
    Flapping,
    /// Somebody said that it gets nothing new.
    Cordoned,
    /// What it has is on its way elsewhere.
    Draining,
    /// A constraint does not hold of it.
    Constraint {
        /// The constraint, as it is written.
        constraint: String,
        /// What the node has; `None`: it has no such attribute.
        has: Option<String>,
    },
    /// One of a process is there that it is apart from.
    ApartFrom(ProcessName),
    /// As many are there as may be.
    MaxPerNode(u32),
    /// Its processors are reserved; thousandths.
    NoCpu {
        /// What one instance takes.
        needs: u64,
        /// What is left.
        has: u64,
    },
    /// Its memory is reserved; bytes.
    NoMemory {
        /// What one instance takes.
        needs: u64,
        /// What is left.
        has: u64,
    },
}

impl Exclusion {
    /// What is counted as one reason.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Lost => "lost".to_owned(),
            Self::Suspect => "suspect".to_owned(),
            Self::Flapping => "flapping".to_owned(),
            Self::Cordoned => "cordoned".to_owned(),
            Self::Draining => "draining".to_owned(),
            Self::Constraint { constraint, .. } => format!("constraint \"{constraint}\""),
            Self::ApartFrom(other) => format!("apart_from {other}"),
            Self::MaxPerNode(most) => format!("max_per_node {most}"),
            Self::NoCpu { .. } => "no room: cpu".to_owned(),
            Self::NoMemory { .. } => "no room: memory".to_owned(),
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("it is lost"),
            Self::Suspect => f.write_str("it has not been heard for half of its lease"),
            Self::Flapping => f.write_str("it was lost again and again, and is not steady yet"),
            Self::Cordoned => f.write_str("it is cordoned"),
            Self::Draining => f.write_str("it is being drained"),
            Self::Constraint { constraint, has: Some(has) } => write!(f, "constraint \"{constraint}\": it has {has}"),
            Self::Constraint { constraint, has: None } => write!(f, "constraint \"{constraint}\": it has none"),
            Self::ApartFrom(other) => write!(f, "apart_from {other}: one is there"),
            Self::MaxPerNode(most) => write!(f, "max_per_node {most}: as many are there"),
            Self::NoCpu { needs, has } => write!(f, "no room: needs {} CPU, has {}", cpus(*needs), cpus(*has)),
            Self::NoMemory { needs, has } => write!(f, "no room: needs {} memory, has {}", bytes(*needs), bytes(*has)),
        }
    }
}

fn cpus(millis: u64) -> String {
    match (millis / 1_000, millis % 1_000) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part:03}").trim_end_matches('0').to_owned(),
    }
}

/// Whole MiB; a few bytes as they are.
fn bytes(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} B") }
}

/// Why a node takes nothing new, whatever it is.
pub(crate) fn closed(node: &Node) -> Option<Exclusion> {
    match node.state {
        NodeState::Lost => return Some(Exclusion::Lost),
        NodeState::Suspect => return Some(Exclusion::Suspect),
        NodeState::Ready => {}
    }
    if node.held_until.is_some() {
        return Some(Exclusion::Flapping);
    }
    if node.drain.is_some() {
        return Some(Exclusion::Draining);
    }
    node.cordoned.then_some(Exclusion::Cordoned)
}

/// Whether a node takes anything new.
pub(crate) fn takes_new(node: &Node) -> bool {
    closed(node).is_none()
}

/// Constraints, ready to be asked often; one that cannot be read holds of no
/// node.
pub(crate) type Compiled<'a> = Vec<(&'a Constraint, Option<Matcher>)>;

pub(crate) fn compiled(constraints: &[Constraint]) -> Compiled<'_> {
    constraints.iter().map(|constraint| (constraint, constraint.matcher().ok())).collect()
}

/// Whether all of them hold of a node.
pub(crate) fn holds(constraints: &Compiled<'_>, node: &Node) -> bool {
    constraints.iter().all(|one| one_holds(one, node))
}

fn one_holds((constraint, matcher): &(&Constraint, Option<Matcher>), node: &Node) -> bool {
    let has = node.attribute(&constraint.attribute);
    matcher.as_ref().is_some_and(|matcher| matcher.holds(has.as_deref()))
}

/// The first constraint that does not hold of a node.
pub(crate) fn constraint(constraints: &Compiled<'_>, node: &Node) -> Option<Exclusion> {
    let (constraint, _) = constraints.iter().find(|one| !one_holds(one, node))?;
    let has = node.attribute(&constraint.attribute).map(|has| has.into_owned());
    Some(Exclusion::Constraint { constraint: constraint.to_string(), has })
}

/// What there is not enough of.
pub(crate) fn room(free: &Room, reserve: &Reservation) -> Option<Exclusion> {
    if free.takes(reserve) {
        return None;
    }
    let cpu = u64::from(reserve.cpu_millis);
    if cpu > free.cpu_millis {
        return Some(Exclusion::NoCpu { needs: cpu, has: free.cpu_millis });
    }
    Some(Exclusion::NoMemory { needs: reserve.memory, has: free.memory })
}
