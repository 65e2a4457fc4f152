//! Attempts that were refused: by this registry, or by a door in front of it.
//! They are audited like what was carried out, but an attacker must not be
//! able to fill the log with them: attempts that are alike (actor, command,
//! reason) make one entry in ten seconds, and are counted.
//!
//! ```text
//! first ─▶ entry ─ alike within 10 s ─▶ counted ─ 10 s over ─▶ entry (count), once something else is audited
//! ```
//! Time is the commands' own.

use crate::audit::{Subject, append, source, trim};
use crate::command::{Denial, Order};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Header, Refusal};
use process_model::Timestamp;
use process_model::audit::AuditOutcome;
use serde::{Deserialize, Serialize};

/// Attempts that are alike share an entry for so long: 10 s.
const WINDOW_NANOS: u64 = 10_000_000_000;
/// Kinds of attempts that are told apart at a time. They are written with
/// every change; what comes beyond is counted under one name.
const KINDS: usize = 64;
/// The actor of attempts beyond [`KINDS`].
const MANY: &str = "(many)";

/// Attempts that are alike, of which the first has an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// Who.
    pub actor: String,
    /// The command.
    pub command: String,
    /// Stable reason of the refusal.
    pub reason: String,
    /// Where the first came from.
    pub source: String,
    /// When the first came.
    pub since: Timestamp,
    /// How many came after it.
    pub more: u64,
}

impl Repeated {
    fn is_like(&self, actor: &str, command: &str, reason: &str) -> bool {
        (self.actor.as_str(), self.command.as_str(), self.reason.as_str()) == (actor, command, reason)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        // Either way: a new leader's clock may be behind the old one's.
        self.since.0.abs_diff(now.0) >= WINDOW_NANOS
    }
}

/// A refusal of this registry's own. What nodes and replicas say is no
/// request of a user.
pub(crate) fn command(draft: &mut Draft<'_>, order: &Order, refusal: &Refusal) {
    let (command, targets) = match order {
        Order::Apply(apply) => ("apply", apply.specs.iter().map(|spec| spec.name.to_string()).collect()),
        Order::Delete { selectors } => ("delete", selectors.clone()),
        Order::Switch(switch) => (switch.verb.as_str(), switch.selectors.clone()),
        Order::Signal(order) => ("signal", order.selectors.clone()),
        Order::ControlUnits(order) => ("control-units", vec![order.unit.clone()]),
        Order::Rollback(rollback) => ("rollback", vec![rollback.process.to_string()]),
        Order::PauseRollout { process } => ("pause-rollout", vec![process.to_string()]),
        Order::ResumeRollout { process } => ("resume-rollout", vec![process.to_string()]),
        Order::PromoteRollout { process } => ("promote-rollout", vec![process.to_string()]),
        Order::RollingRestart(order) => ("rolling-restart", order.selectors.clone()),
        Order::Scale(order) => ("scale", vec![order.process.to_string()]),
        Order::Enroll(enroll) => ("enroll-member", vec![enroll.address.clone()]),
        Order::MemberGone(order) => ("retire-member", vec![order.id.to_string()]),
        Order::Invite(order) => ("invite-node", order.node.iter().map(ToString::to_string).collect()),
        Order::Admit(order) => ("admit-node", vec![order.node.to_string()]),
        Order::Restore(step) if step.is_last() => ("restore", Vec::new()),
        Order::ConfirmRestore(_) => ("confirm-restore", Vec::new()),
        Order::ReleaseBrake => ("release-brake", Vec::new()),
        Order::SetSchedulable(order) if order.schedulable => ("uncordon-node", vec![order.node.to_string()]),
        Order::SetSchedulable(order) => ("cordon-node", vec![order.node.to_string()]),
        Order::Drain(order) => ("drain-node", vec![order.node.to_string()]),
        Order::LabelNode(order) => ("label-node", vec![order.node.to_string()]),
        Order::RemoveNode(order) => ("remove-node", vec![order.node.to_string()]),
        Order::Restore(_)
        | Order::Inventory(_)
        | Order::SetLevel { .. }
        | Order::Tick
        | Order::Configure(_)
        | Order::NodeConnected(_)
        | Order::NodeArrived(_)
        | Order::NodeLost { .. }
        | Order::NodeSuspect { .. }
        | Order::NodeSilent { .. }
        | Order::Report(_)
        | Order::Runs(_)
        | Order::ActionsDelivered { .. }
        | Order::RecordRefusals(_)
        | Order::MemberUp(_)
        | Order::MemberCertified(_)
        | Order::MemberNote(_) => return,
    };
    let header = draft.header.clone();
    attempt(draft, &header, Subject::new(command, targets), refusal.reason(), 1);
    trim(draft);
}

/// What the doors refused.
pub(crate) fn denials(draft: &mut Draft<'_>, denials: &[Denial]) -> Decided {
    for denial in denials {
        let header = Header {
            actor: denial.actor.clone(),
            source: denial.source.clone(),
            request_id: denial.request_id.clone(),
            time: draft.header.time,
            ..Header::default()
        };
        let subject = Subject::new(&denial.method, &denial.targets);
        attempt(draft, &header, subject, &denial.reason, denial.count.max(1));
    }
    trim(draft);
    Decided::noted(draft)
}

fn attempt(draft: &mut Draft<'_>, header: &Header, subject: Subject, reason: &str, count: u64) {
    let count = count.saturating_add(take_over(draft, &header.actor, &subject.command, reason));
    settle(draft);
    let known = &draft.state().meta().refusals;
    let alike = |actor: &str| known.iter().position(|one| one.is_like(actor, &subject.command, reason));
    let (actor, found) = match alike(&header.actor) {
        Some(at) => (header.actor.as_str(), Some(at)),
        None if known.len() < KINDS => (header.actor.as_str(), None),
        // Only the first of each such kind can be one more than KINDS.
        None => (MANY, alike(MANY)),
    };
    let command = subject.command.clone();
    let repeated = Repeated {
        actor: actor.to_owned(),
        command,
        reason: reason.to_owned(),
        source: source(header),
        since: header.time,
        more: 0,
    };
    let known = &mut draft.touch(RowKey::Meta).meta.refusals;
    match found.and_then(|at| known.get_mut(at)) {
        Some(found) => found.more = found.more.saturating_add(count),
        None => {
            known.push(repeated);
            let header = Header { actor: actor.to_owned(), ..header.clone() };
            let outcome = AuditOutcome::Refused { reason: reason.to_owned(), count };
            append(draft, &header, subject, outcome);
        }
    }
}

/// What was counted of these attempts, when its time is over: the entry that
/// follows tells of them too, so that there is one and not two.
fn take_over(draft: &mut Draft<'_>, actor: &str, command: &str, reason: &str) -> u64 {
    let now = draft.header.time;
    let known = &draft.state().meta().refusals;
    let over = known.iter().position(|one| one.is_like(actor, command, reason) && one.is_over(now));
    over.map_or(0, |at| draft.touch(RowKey::Meta).meta.refusals.remove(at).more)
}

/// Writes down what was counted and whose time is over.
pub(crate) fn settle(draft: &mut Draft<'_>) {
    let now = draft.header.time;
    if !draft.state().meta().refusals.iter().any(|one| one.is_over(now)) {
        return;
    }
    let (over, open): (Vec<_>, Vec<_>) =
        draft.state().meta().refusals.iter().cloned().partition(|one| one.is_over(now));
    draft.touch(RowKey::Meta).meta.refusals = open;
    for Repeated { actor, command, reason, source, since: _, more } in over {
        if more > 0 {
            let header = Header { actor, source, time: now, ..Header::default() };
            let subject = Subject::new::<String>(&command, []);
            append(draft, &header, subject, AuditOutcome::Refused { reason, count: more });
        }
    }
}
