//! What runners saw. A runner repeats what was not acknowledged, so most of
//! this is about what to leave aside: what is known already (by the number of
//! the instance's report), what comes from a node that does not have the
//! instance, and what is about an instance that is no more.

use crate::command::Report;
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::nodes::replacement;
use crate::placement::{self, Scope};
use crate::{Refusal, Seen, actions, apply, limits, moving, retire, rollout};
use process_model::{EventDetail, ExitStatus, InstanceReport, NodeName, event_type};

pub(crate) fn report(draft: &mut Draft<'_>, report: &Report) -> Result<Decided, Refusal> {
    if !draft.state().nodes().contains_key(&report.node) {
        return Err(Refusal::UnknownNode(report.node.to_string()));
    }
    for seen in &report.instances {
        instance(draft, &report.node, seen);
    }
    moving::advance(draft);
    rollout::advance_of(draft, report.instances.iter().map(|seen| &seen.instance));
    for action in &report.actions {
        actions::reported(draft, &report.node, action);
    }
    Ok(Decided::noted(draft))
}

fn instance(draft: &mut Draft<'_>, node: &NodeName, report: &InstanceReport) {
    let id = &report.instance;
    if draft.state().meta().level() >= 3 && replacement::said_of_left(draft, node, report) {
        return;
    }
    let news =
        draft.state().instances().get(id).is_some_and(|i| i.node.as_ref() == Some(node) && report.seq > i.seen.seq);
    if !news {
        return;
    }
    // Those who do not know of rollouts would not note it.
    let now = (draft.state().meta().level() >= 3).then_some(draft.header.time);
    let observed = draft.change_instance(id, |instance| {
        instance.observe(report, now);
        // One that does not say which was there may have had any.
        let is_this = report.generation == 0 || report.generation >= instance.born;
        (instance.removing && is_this, instance.detail(ending(report), log_lines(report)))
    });
    let Some((removing, detail)) = observed else { return };
    // `instance.removed` is ours to say, once the row is gone.
    if report.event_type != event_type::INSTANCE_REMOVED {
        draft.emit(Fact {
            kind: report.event_type.clone(),
            time: Some(report.time),
            instance: Some(id.clone()),
            node: Some(node.clone()),
            message: report.message.clone(),
            detail: Some(EventDetail::Instance(detail)),
            ..Fact::default()
        });
    }
    if report.gone && removing {
        if let Some(left) = retire::removed(draft, id) {
            apply::wanted_again(draft, &left, Some((node, report.seq)));
            placement::settle(draft, Scope::Node(node));
        }
    } else if report.gone {
        // Said once more, of an instance that was given to the node again: it
        // begins there, or has to go there again.
        draft.change_instance(id, |instance| {
            instance.seen = Seen { seq: report.seq, ..Seen::nothing(report.time) };
        });
    }
}

/// How it ended, when the report is of an end: later reports repeat the last
/// exit, but their events are not ends.
fn ending(report: &InstanceReport) -> Option<ExitStatus> {
    let is_end = [event_type::INSTANCE_EXITED, event_type::INSTANCE_STOPPED, event_type::INSTANCE_FAILED]
        .contains(&report.event_type.as_str());
    if is_end { report.last_exit.clone() } else { None }
}

/// The newest lines that fit: what a program said last is what explains its
/// end. A line that alone is too long loses its beginning.
fn log_lines(report: &InstanceReport) -> Vec<String> {
    let mut left = limits::EVENT_LOG_BYTES;
    let mut kept: Vec<String> = Vec::new();
    for line in report.log_lines.iter().rev().take(limits::EVENT_LOG_LINES) {
        if line.len() > left {
            if kept.is_empty() {
                let from = (line.len() - left..=line.len()).find(|at| line.is_char_boundary(*at));
                kept.extend(from.and_then(|at| line.get(at..)).map(str::to_owned));
            }
            break;
        }
        left -= line.len();
        kept.push(line.clone());
    }
    kept.reverse();
    kept
}
