//! What every mutation has: bounds on what comes in, who asks, and what tells
//! a repeated request from another one.

use super::answers;
use super::status::{bad_field, not_proposed, refused};
use crate::core::Core;
use crate::driver::{Answer, OWN_ACTOR, Pending};
use pm_proto::convert::timestamp_from_wire;
use pm_proto::error::{reason, reason_of, status};
use pm_proto::metadata;
use pm_proto::v1;
use process_model::Timestamp;
use registry_domain::{Command, Denial, Header, Order, Reply, RestoreStep};
use tonic::{Code, Request, Status};

/// Longest text of the small kind.
const TEXT_BYTES: usize = 4 << 10;
/// Longest request id; a UUID has 36.
const REQUEST_ID_BYTES: usize = 128;
/// Longest text that says where a request came from: an address and a port.
const SOURCE_BYTES: usize = 256;
/// Selectors in one request.
const SELECTORS: usize = 1_000;

/// A mutation, taken apart.
pub(super) struct Mutation {
    actor: String,
    reason: String,
    request_id: String,
    source: String,
    fingerprint: u64,
    bytes: usize,
}

impl Mutation {
    /// Checks what every mutation has. `method` goes into the fingerprint, so
    /// that the same body in another call is another request.
    pub(super) fn new<M: prost::Message>(
        method: &str,
        request: &Request<M>,
        request_id: &str,
        reason: &str,
    ) -> Result<Self, Status> {
        check_text("reason", reason, TEXT_BYTES)?;
        let request_id = effective_request_id(request, request_id)?;
        check_text("request_id", request_id, REQUEST_ID_BYTES)?;
        let actor = service_host::auth::actor(request);
        check_text("pm-actor", &actor, TEXT_BYTES)?;
        let source = source(request)?;
        // Without the source: who repeats a request may have another port.
        let body = request.get_ref().encode_to_vec();
        let fingerprint = fnv1a([method.as_bytes(), b"\0", actor.as_bytes(), b"\0", &body]);
        let (reason, request_id) = (reason.to_owned(), request_id.to_owned());
        Ok(Self { actor, reason, request_id, source, fingerprint, bytes: body.len() })
    }

    /// The same for what cannot be answered a second time as it was the first.
    pub(super) fn without_request_id(self) -> Self {
        Self { request_id: String::new(), ..self }
    }

    /// Who asks, why and when.
    pub(super) fn header(&self, registry: &Core) -> Header {
        self.header_for(registry, self.request_id.clone())
    }

    /// The order in the name of whoever asks.
    pub(super) fn command(&self, registry: &Core, order: Order) -> Command {
        Command { header: self.header(registry), order }
    }

    /// Proposes the order, if every replica knows it, and waits for its reply,
    /// and until this replica's own state is what the reply tells.
    pub(super) async fn run(self, registry: &Core, order: Order) -> Result<Reply, Status> {
        let reply = self.finish(registry, order).await?;
        registry.knows(reply.revision()).await;
        Ok(reply)
    }

    /// The same for an order that queues actions: these as they are then, and
    /// the revision.
    pub(super) async fn queue(self, registry: &Core, order: Order) -> Result<(Vec<v1::Action>, u64), Status> {
        let reply = self.run(registry, order).await?;
        let Reply::Switched { actions, revision } = &reply else { return Err(unexpected(&reply)) };
        Ok((answers::actions(&registry.view.read().state, actions), *revision))
    }

    /// The same for the last of several orders.
    pub(super) async fn finish(&self, registry: &Core, order: Order) -> Result<Reply, Status> {
        registry.levels.permit(&order).await?;
        Self::judge(registry.driver.propose(self.command(registry, order), self.bytes).await)
    }

    /// A step on the way, which may come twice.
    pub(super) async fn step(
        &self,
        registry: &Core,
        id: &str,
        number: u32,
        step: RestoreStep,
        bytes: usize,
    ) -> Result<Reply, Status> {
        Self::judge(self.submit(registry, id, number, step, bytes).await?.answer().await)
    }

    /// The same, without waiting for its answer.
    pub(super) async fn submit(
        &self,
        registry: &Core,
        id: &str,
        number: u32,
        step: RestoreStep,
        bytes: usize,
    ) -> Result<Pending, Status> {
        let header = self.header_for(registry, format!("{id}-{number}"));
        let command = Command { header, order: Order::Restore(step) };
        registry.driver.submit(command, bytes).await.map_err(|error| not_proposed(&error))
    }

    /// Has it in the audit log that what was asked for was refused before a
    /// command came of it. The caller is told all the same when that fails.
    pub(super) async fn note_refusal(&self, registry: &Core, method: &str, targets: &[String], told: &Status) {
        let Some(why) = reason_of(told).filter(|_| told.code() == Code::FailedPrecondition) else { return };
        let denial = Denial {
            actor: self.actor.clone(),
            source: self.source.clone(),
            method: method.to_owned(),
            targets: targets.to_vec(),
            reason: why,
            request_id: self.request_id.clone(),
            count: 1,
        };
        match registry.driver.note(OWN_ACTOR, Order::RecordRefusals(vec![denial])).await {
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) => tracing::warn!(%refusal, method, "a refused attempt is not in the audit log"),
            Err(error) => tracing::warn!(%error, method, "a refused attempt is not in the audit log"),
        }
    }

    fn header_for(&self, registry: &Core, request_id: String) -> Header {
        Header {
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            request_id,
            fingerprint: self.fingerprint,
            time: registry.now(),
            source: self.source.clone(),
        }
    }

    /// What an answer means to the caller.
    pub(super) fn judge(answer: Answer) -> Result<Reply, Status> {
        match answer {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(refusal)) => Err(refused(&refusal)),
            Err(error) => Err(not_proposed(&error)),
        }
    }
}

/// Has something recorded that is no request of a user. Repeating it is not
/// recognised; what it leads to is a count.
pub(super) async fn record<M: prost::Message>(
    registry: &Core,
    request: &Request<M>,
    order: Order,
) -> Result<Reply, Status> {
    Mutation::new("record", request, "", "")?.run(registry, order).await
}

/// Where a request came from, as the gateway says; empty when nobody does.
fn source<M>(request: &Request<M>) -> Result<String, Status> {
    let said = request.metadata().get(metadata::SOURCE).and_then(|value| value.to_str().ok());
    let source = said.unwrap_or_default().to_owned();
    check_text(metadata::SOURCE, &source, SOURCE_BYTES)?;
    Ok(source)
}

/// The message's own request id, or the one that came with the call: a client
/// that repeats calls by itself does not know the messages.
fn effective_request_id<'r, M>(request: &'r Request<M>, own: &'r str) -> Result<&'r str, Status> {
    match request.metadata().get(metadata::REQUEST_ID) {
        Some(id) if own.is_empty() => {
            id.to_str().map_err(|_| bad_field(metadata::REQUEST_ID, "it is not visible ASCII", "send a UUID"))
        }
        Some(_) | None => Ok(own),
    }
}

/// A reply of another kind than the order asks for: a request id that was used
/// for another kind of call has another fingerprint, so only a fault of ours.
pub(super) fn unexpected(reply: &Reply) -> Status {
    tracing::error!(?reply, "a reply does not fit its request");
    status(Code::Internal, reason::INTERNAL, "the registry gave an unexpected reply", &[])
}

pub(super) fn check_text(field: &str, text: &str, max: usize) -> Result<(), Status> {
    if text.len() > max {
        return Err(bad_field(field, format!("it has {} bytes", text.len()), format!("write at most {max}")));
    }
    if text.contains('\0') {
        return Err(bad_field(field, "it contains a NUL character", "leave it out"));
    }
    Ok(())
}

pub(super) fn check_selectors(field: &str, selectors: &[String]) -> Result<(), Status> {
    if selectors.len() > SELECTORS {
        return Err(bad_field(field, format!("there are {}", selectors.len()), format!("write at most {SELECTORS}")));
    }
    selectors.iter().try_for_each(|selector| check_text(field, selector, TEXT_BYTES))
}

/// Most entries of a list: `page_size`, 0 for 100.
pub(super) fn page(page_size: u32) -> Result<usize, Status> {
    page_or(page_size, 100)
}

/// Most entries of a list with another default.
pub(super) fn page_or(page_size: u32, default: usize) -> Result<usize, Status> {
    match page_size {
        0 => Ok(default),
        1..=1_000 => Ok(page_size as usize),
        _ => Err(bad_field("page_size", format!("{page_size} is out of range"), "write 0 to 1000")),
    }
}

/// The place in a list that a page token names; `None`: the beginning.
pub(super) fn place(page_token: &str) -> Result<Option<u64>, Status> {
    if page_token.is_empty() {
        return Ok(None);
    }
    page_token.parse().map(Some).map_err(|_| no_place())
}

/// A page token that is none.
pub(super) fn no_place() -> Status {
    bad_field("page_token", "it is none of this list", "send `next_page_token` of the page before, as it is")
}

/// A time of the request; `None`: not given.
pub(super) fn time(field: &'static str, wire: Option<&prost_types::Timestamp>) -> Result<Option<Timestamp>, Status> {
    Ok(wire.map(|time| timestamp_from_wire(field, time)).transpose()?)
}

/// FNV-1a, 64 bits: the same on every machine and in every version, which the
/// standard library's hash does not promise.
fn fnv1a<const N: usize>(parts: [&[u8]; N]) -> u64 {
    parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_id_of_the_call_counts_where_the_message_has_none() {
        let mut request = tonic::Request::new(());
        let of = |request: &tonic::Request<()>, own: &str| {
            super::effective_request_id(request, own).map(str::to_owned).map_err(|status| status.code())
        };
        assert_eq!(of(&request, ""), Ok(String::new()));
        request.metadata_mut().insert("pm-request-id", "from-the-call".parse().unwrap());
        assert_eq!(of(&request, ""), Ok("from-the-call".to_owned()));
        assert_eq!(of(&request, "own"), Ok("own".to_owned()));
        let odd = tonic::metadata::MetadataValue::try_from(&b"\xc3\xa9"[..]).unwrap();
        request.metadata_mut().insert("pm-request-id", odd);
        assert_eq!(of(&request, ""), Err(tonic::Code::InvalidArgument));
        assert_eq!(of(&request, "own"), Ok("own".to_owned()));
    }

    #[test]
    fn fnv1a_gives_its_published_values() {
        assert_eq!(super::fnv1a([b""]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::fnv1a([b"foo", b"bar"]), 0x8594_4171_f739_67e8);
    }
}
