//! The event history, newest first, page by page: what is still kept of it.

use super::request::{check_selectors, check_text, page, place, time};
use super::watch::Filter;
use crate::core::Core;
use pm_proto::v1;
use process_model::{Event, Timestamp};
use tonic::Status;

/// Events looked at while the state is held: a filter that lets nothing
/// through must not stop writers for as long as all events take.
const SCAN: usize = 10_000;
/// Longest name of a node that is looked for.
const NODE_BYTES: usize = 256;

struct Query {
    filter: Filter,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Query {
    fn lets_through(&self, event: &Event) -> bool {
        let in_time = self.since.is_none_or(|since| event.time >= since) && self.until.is_none_or(|t| event.time < t);
        in_time && self.filter.lets_through(event)
    }
}

pub(super) async fn list(core: &Core, request: v1::ListEventsRequest) -> Result<v1::ListEventsResponse, Status> {
    check_selectors("selectors", &request.selectors)?;
    check_selectors("types", &request.types)?;
    check_text("node", &request.node, NODE_BYTES)?;
    let most = page(request.page_size)?;
    let mut before = place(&request.page_token)?.unwrap_or(u64::MAX);
    let query = Query {
        since: time("since", request.since.as_ref())?,
        until: time("until", request.until.as_ref())?,
        filter: Filter::new(request.selectors, request.types, request.node),
    };
    core.read_barrier(request.stale).await?;
    let mut answer = v1::ListEventsResponse::default();
    loop {
        let machine = core.view.read();
        let state = &machine.state;
        (answer.revision, answer.oldest_revision) = (state.revision(), state.oldest_revision());
        let mut seen = 0;
        for (revision, event) in state.events().range(..before).rev().take(SCAN) {
            if answer.events.len() == most {
                answer.next_page_token = before.to_string();
                return Ok(answer);
            }
            (seen, before) = (seen + 1, revision);
            if query.lets_through(event) {
                answer.events.push((&**event).into());
            }
        }
        if seen < SCAN {
            return Ok(answer);
        }
    }
}
