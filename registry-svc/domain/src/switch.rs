//! Start, stop, restart, reload: what is wanted of instances. The wanted state is the
//! level that nodes act on; the action is the edge that people see.

use crate::actions::Wish;
use crate::audit::Subject;
use crate::command::Switch;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::reply::Reply;
use crate::selection::Selection;
use crate::{Refusal, actions, dependencies, rollout};
use process_model::{ActionVerb, Phase};

pub(crate) fn switch(draft: &mut Draft<'_>, order: &Switch) -> Result<Decided, Refusal> {
    let targets = Selection::required(&order.selectors)?.instances(draft.state())?;
    let (verb, stop_timeout, traceparent) = (order.verb, order.stop_timeout, order.traceparent.as_str());
    let wish = Wish { verb, signal: None, stop_timeout, traceparent };
    if order.verb == ActionVerb::Stop {
        dependencies::in_order(draft, &targets, stop_timeout);
    }
    let mut queued = Vec::with_capacity(targets.len());
    for id in &targets {
        let scheduled = draft.state().processes().get(&id.process).is_some_and(|p| p.spec.schedule.is_some());
        draft.change_instance(id, |instance| {
            instance.traceparent.clone_from(&order.traceparent);
            // On its way to another node: what is wanted of it there.
            if let Some(moving) = &mut instance.moving {
                match order.verb {
                    ActionVerb::Start => moving.wanted = true,
                    ActionVerb::Stop => moving.wanted = false,
                    ActionVerb::Restart => {
                        moving.wanted = true;
                        instance.restart_count += 1;
                    }
                    ActionVerb::Reload | ActionVerb::Signal => {}
                }
                return;
            }
            match order.verb {
                ActionVerb::Start => {
                    // Wanted already, but it ended or waits: to want it once more says nothing, so it is a restart.
                    // One that follows its schedule and has not run yet rests as stopped; it is run now.
                    let ended = matches!(instance.phase(), Phase::Exited | Phase::Failed | Phase::Backoff)
                        || (scheduled && instance.phase() == Phase::Stopped);
                    instance.restart_count += u64::from(instance.wanted && ended);
                    (instance.wanted, instance.stops_after) = (true, None);
                }
                ActionVerb::Stop => instance.wanted = false,
                ActionVerb::Restart => {
                    (instance.wanted, instance.stops_after) = (true, None);
                    instance.restart_count += 1;
                }
                // Nothing else is wanted than before.
                ActionVerb::Reload | ActionVerb::Signal => {}
            }
        });
        actions::supersede(draft, id, order.verb);
        queued.extend(actions::queue(draft, &wish, id));
    }
    rollout::advance_of(draft, &targets);
    let audit = Subject::new(order.verb.as_str(), &targets);
    let revision = draft.state().revision();
    Ok(Decided { reply: Reply::Switched { actions: queued, revision }, audit: Some(audit) })
}
