//! A stream of messages as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! ```text
//! : stream            at once, so that headers leave every proxy
//! event: event|progress|snapshot_end|chunk|…   the frame's kind, its name in the contract
//! id: 42              the revision seen, or the places of all outputs that
//!                     were read, for Last-Event-ID
//! data: {…}           the frame, canonical JSON; log chunks with `text` besides
//! : idle              after 15 s without a frame
//! event: complete     the stream ended as it should; connect no more
//! event: problem      it broke; data is a problem document
//! ```
//! An `id` of logs names a place for each output: with very many of them it
//! would not fit into a header, and is left out.

use super::call::attribute;
use super::routes::Answer;
use crate::backend::Backend;
use crate::grpc::reply::shutting_down;
use crate::meters::Observation;
use crate::problem::Problem;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderValue, Response, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use pm_proto::json::dynamic_to_value;
use prost_reflect::DynamicMessage;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status, Streaming};
use tracing::Instrument as _;

/// Silence after which a comment is sent: proxies cut a connection that is
/// silent for longer, most of them after 30 s or 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Longest `id`: servers and proxies take headers of 8 KiB.
const LONGEST_ID: usize = 6 * 1024;

/// Places that were read to, by output: `web-1/stdout` to the whole cursor.
pub(crate) type Places = BTreeMap<String, String>;

struct Feed {
    frames: Box<Streaming<DynamicMessage>>,
    kind: Answer,
    backend: Backend,
    shutdown: CancellationToken,
    places: Places,
    /// Taken when the last block is out.
    observation: Option<Observation>,
}

/// The places that a request goes on from: they stay in the `id` until the
/// output is read again.
pub(crate) fn places(request: &DynamicMessage) -> Places {
    let cursors = request.get_field_by_name("cursors");
    let cursors = cursors.as_ref().and_then(|cursors| cursors.as_list()).unwrap_or_default();
    let places = cursors.iter().filter_map(|cursor| {
        let cursor = cursor.as_str()?;
        Some((cursor.rsplit_once('/')?.0.to_owned(), cursor.to_owned()))
    });
    places.collect()
}

/// The response whose body is the stream.
pub(crate) fn respond(
    frames: Box<Streaming<DynamicMessage>>,
    (kind, places): (Answer, Places),
    backend: Backend,
    shutdown: CancellationToken,
    observation: Observation,
) -> Response<Body> {
    let feed = Feed { frames, kind, backend, shutdown, places, observation: Some(observation) };
    let begin = futures::stream::iter([Bytes::from_static(b": stream\nretry: 1000\n\n")]);
    let blocks = futures::stream::unfold(feed, |mut feed| async move {
        let block = feed.next().await?;
        Some((Bytes::from(block), feed))
    });
    let body = begin.chain(blocks).map(|block| Ok::<_, Infallible>(Frame::data(block)));
    let mut response = Response::new(Body::new(StreamBody::new(body)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Feed {
    /// The next block of text; `None` after the last.
    async fn next(&mut self) -> Option<String> {
        let span = self.observation.as_ref()?.span().clone();
        async {
            let frame = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => Ok(Err(shutting_down())),
                frame = tokio::time::timeout(KEEP_ALIVE, self.frames.message()) => frame,
            };
            Some(match frame {
                Err(_) => String::from(": idle\n\n"),
                Ok(Ok(Some(frame))) => match block(&frame, self.kind, &mut self.places) {
                    Ok(block) => block,
                    Err(status) => self.end(&status),
                },
                Ok(Ok(None)) => {
                    self.finish(Code::Ok);
                    String::from("event: complete\ndata: {}\n\n")
                }
                Ok(Err(status)) => {
                    let status = attribute(&self.backend, status);
                    self.end(&status)
                }
            })
        }
        .instrument(span)
        .await
    }

    fn end(&mut self, status: &Status) -> String {
        self.finish(status.code());
        format!("event: problem\ndata: {}\n\n", Problem::new(status, false).to_json())
    }

    fn finish(&mut self, code: Code) {
        if let Some(observation) = self.observation.take() {
            observation.finish(code);
        }
    }
}

/// One frame as a block.
fn block(frame: &DynamicMessage, kind: Answer, places: &mut Places) -> Result<String, Status> {
    let internal = |error| Status::internal(format!("writing a frame as JSON: {error}"));
    let mut value = dynamic_to_value(frame).map_err(|error| internal(error.to_string()))?;
    let set = frame.fields().next();
    let mut text = String::new();
    if let Some((field, inner)) = set {
        let inner = inner.as_message();
        let field_of = |name| inner.and_then(|inner| inner.get_field_by_name(name));
        if kind == Answer::Logs
            && let Some(data) = field_of("data").as_ref().and_then(|data| data.as_bytes())
            && let Some(object) = value.as_object_mut()
        {
            object.insert(String::from("text"), String::from_utf8_lossy(data).into());
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "event: {}", field.name());
        if kind == Answer::Events
            && let Some(revision) = field_of("revision").and_then(|revision| revision.as_u64())
        {
            let _ = writeln!(text, "id: {revision}");
        }
        if kind == Answer::Logs
            && let Some(cursor) = field_of("cursor").as_ref().and_then(|cursor| cursor.as_str())
            && let Some((output, _)) = cursor.rsplit_once('/')
        {
            places.insert(output.to_owned(), cursor.to_owned());
            if places.values().map(|place| place.len() + 1).sum::<usize>() <= LONGEST_ID {
                let places: Vec<&str> = places.values().map(String::as_str).collect();
                let _ = writeln!(text, "id: {}", places.join(","));
            }
        }
    }
    let _ = write!(text, "data: {value}\n\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Answer, DynamicMessage, Places, block};

    fn frame(message: &str, json: serde_json::Value) -> DynamicMessage {
        let descriptor = pm_proto::json::pool().unwrap().get_message_by_name(message).unwrap();
        DynamicMessage::deserialize(descriptor, json).unwrap()
    }

    #[test]
    fn events_and_progress_carry_the_revision_to_resume_after() {
        let json = serde_json::json!({"event": {"revision": "42", "type": "instance.started"}});
        let text = block(&frame("pm.v1.WatchEventsResponse", json), Answer::Events, &mut Places::new()).unwrap();
        assert!(text.starts_with("event: event\nid: 42\ndata: {\"event\":{"), "{text}");
        let json = serde_json::json!({"progress": {"revision": "50"}});
        let text = block(&frame("pm.v1.WatchEventsResponse", json), Answer::Events, &mut Places::new()).unwrap();
        assert_eq!(text, "event: progress\nid: 50\ndata: {\"progress\":{\"revision\":\"50\"}}\n\n");
    }

    #[test]
    fn a_snapshot_can_be_resumed_after_its_end_only() {
        let id = |json| {
            let text = block(&frame("pm.v1.WatchEventsResponse", json), Answer::Events, &mut Places::new()).unwrap();
            text.lines().take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        for kind in ["node", "process", "instance"] {
            let [event, data] = &id(serde_json::json!({kind: {}}))[..] else { panic!("{kind}") };
            assert!(*event == format!("event: {kind}") && data.starts_with("data: "), "{event}\n{data}");
        }
        let end = serde_json::json!({"snapshotEnd": {"revision": "42"}});
        assert_eq!(id(end), ["event: snapshot_end", "id: 42"]);
    }

    #[test]
    fn a_log_chunk_has_its_text_beside_its_bytes() {
        let json = serde_json::json!({"chunk": {"instanceId": "web-1", "offset": "7", "data": "aGkK"}});
        let text = block(&frame("pm.v1.ReadLogsResponse", json), Answer::Logs, &mut Places::new()).unwrap();
        let (head, data) = text.split_once("data: ").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(head, "event: chunk\n");
        assert_eq!((&data["text"], &data["chunk"]["data"]), (&"hi\n".into(), &"aGkK".into()));
    }

    #[test]
    fn l06_an_id_names_the_place_of_every_output_that_was_read() {
        let mut places = Places::new();
        let mut id = |cursor: &str| {
            let json = serde_json::json!({"chunk": {"cursor": cursor, "data": "aGkK"}});
            let text = block(&frame("pm.v1.ReadLogsResponse", json), Answer::Logs, &mut places).unwrap();
            text.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned)
        };
        assert_eq!(id("web-1/stdout/l1.5").unwrap(), "web-1/stdout/l1.5");
        assert_eq!(id("web-1/stderr/l2.7").unwrap(), "web-1/stderr/l2.7,web-1/stdout/l1.5");
        assert_eq!(id("web-1/stdout/l1.9").unwrap(), "web-1/stderr/l2.7,web-1/stdout/l1.9");
        let many = (0..1000).map(|i| id(&format!("web-{i}/stdout/l1.9"))).last().unwrap();
        assert_eq!(many, None, "longer than any header may be");
    }

    #[test]
    fn a_block_is_one_line_of_data_whatever_the_program_wrote() {
        let json = serde_json::json!({"chunk": {"data": "YQoKZXZlbnQ6IHgKDQ=="}});
        let text = block(&frame("pm.v1.ReadLogsResponse", json), Answer::Logs, &mut Places::new()).unwrap();
        assert_eq!(text.trim_end().lines().count(), 2, "{text}");
    }
}
