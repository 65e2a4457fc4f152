//! The audit log: newest first page by page, and whole, oldest first, for
//! whoever verifies it.

use super::request::{check_text, page, place, time};
use super::status::{bad_field, closing};
use crate::core::Core;
use futures::Stream;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::read_audit_log_response::Frame;
use process_model::audit::Anchor;
use process_model::{AuditEntry, InstanceId, Selector, Timestamp};
use registry_domain::State;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use tonic::{Code, Status};

/// Entries looked at while the state is held, as for events.
const SCAN: usize = 10_000;
/// Entries taken out at a time: with all their changes about 100 KB each at
/// most, seldom more than 1 KB.
const CHUNK: usize = 128;
/// Longest actor or target that is looked for.
const TEXT_BYTES: usize = 4 << 10;

struct Query {
    actor: Option<Selector>,
    target: Option<Selector>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Query {
    fn lets_through(&self, entry: &AuditEntry) -> bool {
        // A process stands for its instances too: `stop web-1` is about web.
        let about = |target: &String, wanted: &Selector| match target.parse::<InstanceId>() {
            Ok(id) => wanted.matches(target) || wanted.selects_instance(&id),
            Err(_) => wanted.matches(target),
        };
        self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
            && self.actor.as_ref().is_none_or(|actor| actor.matches(&entry.actor))
            && self.target.as_ref().is_none_or(|wanted| entry.targets.iter().any(|target| about(target, wanted)))
    }
}

pub(super) async fn list(
    core: &Core,
    request: v1::ListAuditEntriesRequest,
) -> Result<v1::ListAuditEntriesResponse, Status> {
    check_text("actor", &request.actor, TEXT_BYTES)?;
    check_text("target", &request.target, TEXT_BYTES)?;
    let most = page(request.page_size)?;
    let mut before = place(&request.page_token)?.unwrap_or(u64::MAX);
    let selector = |text: String| (!text.is_empty()).then(|| Selector::new(text));
    let query = Query {
        since: time("since", request.since.as_ref())?,
        until: time("until", request.until.as_ref())?,
        actor: selector(request.actor),
        target: selector(request.target),
    };
    core.read_barrier(request.stale).await?;
    let mut answer = v1::ListAuditEntriesResponse::default();
    loop {
        let machine = core.view.read();
        let state = &machine.state;
        answer.anchor = Some((&state.meta().audit_anchor).into());
        answer.head = Some((&head(state)).into());
        let mut seen = 0;
        for (number, entry) in state.audit().range(..before).rev().take(SCAN) {
            if answer.entries.len() == most {
                answer.next_page_token = before.to_string();
                return Ok(answer);
            }
            (seen, before) = (seen + 1, number);
            if query.lets_through(entry) {
                answer.entries.push((&**entry).into());
            }
        }
        if seen < SCAN {
            return Ok(answer);
        }
    }
}

/// The newest entry, or what stands in its place when none is kept.
fn head(state: &State) -> Anchor {
    state.audit().last().map_or(state.meta().audit_anchor, |(_, entry)| Anchor::of(entry))
}

/// The stream of a reader.
pub(super) type Frames = Pin<Box<dyn Stream<Item = Result<v1::ReadAuditLogResponse, Status>> + Send>>;

struct Reader {
    core: Arc<Core>,
    /// The first number that has not been looked at.
    next: u64,
    head: Anchor,
    ready: VecDeque<Frame>,
    ended: bool,
}

pub(super) async fn read(core: Arc<Core>, request: v1::ReadAuditLogRequest) -> Result<Frames, Status> {
    core.read_barrier(false).await?;
    let (next, anchor, head) = {
        let machine = core.view.read();
        let head = head(&machine.state);
        let (next, anchor) = begin(&machine.state, request.from_number, head)?;
        (next, anchor, head)
    };
    let ready = VecDeque::from([Frame::Anchor((&anchor).into())]);
    let reader = Reader { core, next, head, ready, ended: false };
    Ok(Box::pin(futures::stream::try_unfold(reader, |mut reader| async move {
        let frame = reader.frame()?;
        Ok(frame.map(|frame| (v1::ReadAuditLogResponse { frame: Some(frame) }, reader)))
    })))
}

/// Where a reader begins, and the entry before it.
fn begin(state: &State, from: u64, head: Anchor) -> Result<(u64, Anchor), Status> {
    let anchor = state.meta().audit_anchor;
    let oldest = state.audit().first().map_or(head.number.saturating_add(1), |(number, _)| number);
    match from {
        0 => Ok((oldest, anchor)),
        from if from < oldest => Err(dropped(from, oldest)),
        from if from > head.number.saturating_add(1) => {
            let fix = format!("write at most {}", head.number.saturating_add(1));
            Err(bad_field("from_number", format!("the newest entry is {}", head.number), fix))
        }
        // Among entries that stand before the chain, or just after them.
        from if from <= anchor.number.saturating_add(1) => Ok((from, anchor)),
        from => Ok((from, state.audit().get(from - 1).map_or(anchor, |entry| Anchor::of(entry)))),
    }
}

impl Reader {
    fn frame(&mut self) -> Result<Option<Frame>, Status> {
        if self.core.stopped().is_cancelled() {
            return Err(closing());
        }
        if self.ready.is_empty() && !self.ended {
            self.take_chunk()?;
        }
        Ok(self.ready.pop_front())
    }

    fn take_chunk(&mut self) -> Result<(), Status> {
        let machine = self.core.view.read();
        let entries = machine.state.audit().range(self.next..).take(CHUNK);
        for (number, entry) in entries.take_while(|(number, _)| *number <= self.head.number) {
            if number != self.next {
                return Err(dropped(self.next, number));
            }
            self.next += 1;
            self.ready.push_back(Frame::Entry((&**entry).into()));
        }
        if self.next > self.head.number {
            self.ready.push_back(Frame::Head((&self.head).into()));
            self.ended = true;
        } else if self.ready.is_empty() {
            return Err(dropped(self.next, self.head.number.saturating_add(1)));
        }
        Ok(())
    }
}

fn dropped(from: u64, oldest: u64) -> Status {
    let text = format!("audit entry {from} is no longer kept, the oldest is {oldest}; begin there");
    status(Code::OutOfRange, reason::REVISION_COMPACTED, text, &[("oldest", &oldest.to_string())])
}
