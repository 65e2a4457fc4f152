//! More or fewer instances of a process: its spec with another number, as a
//! new generation. Acts at once; a rollout that goes on counts anew.

use crate::apply::{self, Why};
use crate::command::{Apply, Scale};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::{Refusal, placement, selection};
use process_model::ProcessSpec;

pub(crate) fn scale(draft: &mut Draft<'_>, order: &Scale) -> Result<Decided, Refusal> {
    let name = &order.process;
    let state = draft.state();
    let process = state.processes().get(name).ok_or_else(|| selection::no_process(state, name.as_str()))?;
    let daemon = placement::of(&process.spec).daemon;
    let fixed = match (daemon, process.spec.singleton.is_some() && order.instances > 1) {
        (true, _) => Some("it is a daemon: there is one instance on each node that it fits"),
        (false, true) => Some("it is a singleton: there is one instance at most"),
        (false, false) => None,
    };
    if let Some(why) = fixed {
        return Err(Refusal::FixedNumber { process: name.to_string(), why: why.to_owned() });
    }
    let spec = ProcessSpec { instances: order.instances, ..ProcessSpec::clone(&process.spec) };
    let apply = Apply {
        specs: vec![spec.into()],
        source: process.source.clone(),
        generations: order.expected.map(|expected| (name.to_string(), expected)).into_iter().collect(),
        traceparent: order.traceparent.clone(),
        ..Apply::default()
    };
    apply::carry_out(draft, &apply, Why::Scale)
}
