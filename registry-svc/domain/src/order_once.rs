//! Orders that leave nothing that is wanted: a signal to instances, a word to
//! units of systemd. Each is an action and no more.

use crate::Refusal;
use crate::actions::{self, Wish};
use crate::audit::Subject;
use crate::command::{ControlUnits, SendSignal};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::reply::Reply;
use crate::selection::Selection;
use process_model::ActionVerb;

pub(crate) fn signal(draft: &mut Draft<'_>, order: &SendSignal) -> Result<Decided, Refusal> {
    let targets = Selection::required(&order.selectors)?.instances(draft.state())?;
    let (verb, traceparent) = (ActionVerb::Signal, order.traceparent.as_str());
    let wish = Wish { verb, signal: Some(order.signal), stop_timeout: None, traceparent };
    let actions = targets.iter().filter_map(|id| actions::queue(draft, &wish, id)).collect();
    let audit = Subject::new(&format!("signal {}", order.signal), &targets);
    Ok(Decided { reply: Reply::Switched { actions, revision: draft.state().revision() }, audit: Some(audit) })
}

pub(crate) fn units(draft: &mut Draft<'_>, order: &ControlUnits) -> Result<Decided, Refusal> {
    let nodes = Selection::required(&order.nodes)?.nodes(draft.state())?;
    let (verb, traceparent) = (order.verb, order.traceparent.as_str());
    let wish = Wish { verb, signal: None, stop_timeout: None, traceparent };
    let actions = nodes.iter().map(|node| actions::queue_for_unit(draft, &wish, node, &order.unit)).collect();
    let targets = nodes.iter().map(|node| format!("{} on {node}", order.unit));
    let audit = Subject::new(&format!("unit-{}", verb.as_str()), targets);
    Ok(Decided { reply: Reply::Switched { actions, revision: draft.state().revision() }, audit: Some(audit) })
}
