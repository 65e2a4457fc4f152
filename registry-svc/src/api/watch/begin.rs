//! Where a watcher begins: at a revision, at the newest events, at a snapshot,
//! or now. A replica that has not come as far as the revision that a watcher
//! asks for waits until it has; what no replica has come to is refused, as the
//! watcher would miss what happens until then.

use super::snapshot::Items;
use super::{Filter, PROGRESS, Watch};
use crate::api::request::{check_selectors, check_text};
use crate::api::status::bad_field;
use crate::core::Core;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use registry_domain::State;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// Longest name of a node that is looked for.
const NODE_BYTES: usize = 256;

impl Watch {
    /// A watcher at its beginning.
    pub(in crate::api) async fn begin(
        core: Arc<Core>,
        shutdown: CancellationToken,
        request: v1::WatchEventsRequest,
    ) -> Result<Self, Status> {
        check(&request)?;
        let v1::WatchEventsRequest { from_revision, tail, follow, selectors, types, snapshot, node, stale } = request;
        let filter = Filter::new(selectors, types, node);
        let isolation = core.isolation.anew();
        reach(&core, from_revision).await?;
        // Before anything is looked at, so that no change falls between.
        let listener = follow.then(|| core.view.feed().listen(&filter.interest()));
        let items = match snapshot {
            true => {
                core.read_barrier(stale).await?;
                Some(Items::new(core.rosters.of(&core.view, &filter).await))
            }
            false => None,
        };
        let (next, last) = {
            let machine = core.view.read();
            let next = match &items {
                Some(items) => items.revision() + 1,
                None => first(&machine.state, &filter, from_revision, tail)?,
            };
            (next, machine.state.revision())
        };
        core.numbers.watchers.inc();
        let now = items.is_none() && follow && from_revision == 0 && tail == 0;
        let mut watch = Self {
            progress_due: Instant::now() + PROGRESS,
            ready: VecDeque::new(),
            behind: true,
            core,
            shutdown,
            isolation,
            filter,
            listener,
            items,
            next,
            last,
        };
        if now {
            // Tells a watcher who asked for "from now on" what now is.
            watch.push_progress();
        }
        Ok(watch)
    }
}

fn check(request: &v1::WatchEventsRequest) -> Result<(), Status> {
    check_selectors("selectors", &request.selectors)?;
    check_selectors("types", &request.types)?;
    check_text("node", &request.node, NODE_BYTES)?;
    let begins = [request.from_revision != 0, request.tail != 0, request.snapshot];
    if begins.into_iter().filter(|begin| *begin).count() > 1 {
        let field = if request.snapshot { "snapshot" } else { "tail" };
        let problem = "from_revision, tail and snapshot are three places to begin at";
        return Err(bad_field(field, problem, "set one of them"));
    }
    Ok(())
}

/// Waits until this replica knows what was before a revision.
async fn reach(core: &Core, from: u64) -> Result<(), Status> {
    let newest = || core.view.read().state.revision();
    if from <= newest() + 1 {
        return Ok(());
    }
    core.read_barrier(false).await?;
    let newest = newest();
    if from <= newest + 1 { Ok(()) } else { Err(future(from, newest)) }
}

fn first(state: &State, filter: &Filter, from_revision: u64, tail: u32) -> Result<u64, Status> {
    match (from_revision, tail) {
        (0, 0) => Ok(state.revision() + 1),
        (0, tail) => {
            let newest = state.events().values().rev().filter(|event| filter.lets_through(event));
            Ok(newest.take(tail as usize).last().map_or(state.revision() + 1, |event| event.revision))
        }
        (from, _) if from < state.oldest_revision() => Err(compacted(from, state)),
        (from, _) => Ok(from),
    }
}

fn future(from: u64, newest: u64) -> Status {
    let text = format!(
        "nothing has revision {} yet, the newest is {newest}; is it of another cluster, or of before a restore? list \
         what there is and watch from its revision on",
        from - 1
    );
    status(Code::OutOfRange, reason::REVISION_FUTURE, text, &[("newest", &newest.to_string())])
}

fn compacted(from: u64, state: &State) -> Status {
    let oldest = state.oldest_revision();
    let text = format!(
        "revision {from} is no longer kept, the oldest is {oldest}; list what there is and watch from its revision on"
    );
    status(Code::OutOfRange, reason::REVISION_COMPACTED, text, &[("oldest", &oldest.to_string())])
}

/// The end of a watcher that did not keep up; `next`: where it would go on.
pub(super) fn too_slow(next: u64, state: &State) -> Status {
    let oldest = state.oldest_revision();
    let text = format!("the watcher was at revision {next} when only {oldest} and later were kept; read faster");
    let data = [("next", next.to_string()), ("oldest", oldest.to_string())];
    let data: Vec<(&str, &str)> = data.iter().map(|(k, v)| (*k, v.as_str())).collect();
    status(Code::ResourceExhausted, reason::WATCHER_TOO_SLOW, text, &data)
}

/// The end of a watcher whose replica hears nothing of the others.
pub(super) fn cut_off() -> Status {
    let text = "this replica is cut off from the others; watch from the last revision on at another one";
    status(Code::Unavailable, reason::NO_LEADER, text, &[("leader", "")])
}
