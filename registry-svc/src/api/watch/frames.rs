//! Messages of the stream as bytes. The codec of the stream sends bytes as they
//! are, so that an event is encoded once for all watchers.

use bytes::{BufMut, Bytes};
use pm_proto::v1;
use pm_proto::v1::watch_events_response::Frame;
use process_model::Event;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// What a stream keeps for its next message: an event or two. The usual 8 KiB
/// would be 40 MB for 5,000 watchers.
const BUFFER: usize = 512;
/// Messages that wait are sent together up to here, as usual.
const TOGETHER: usize = 32 << 10;

/// An event as a frame.
pub(super) fn event(event: &Event) -> Bytes {
    encode(Frame::Event(event.into()))
}

/// A frame as bytes.
pub(super) fn encode(frame: Frame) -> Bytes {
    v1::WatchEventsResponse { frame: Some(frame) }.encode_to_vec().into()
}

/// Requests in, bytes out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = v1::WatchEventsRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, TOGETHER)
    }
}

impl Decoder for Encoded {
    type Item = v1::WatchEventsRequest;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let request = v1::WatchEventsRequest::decode(from);
        request.map(Some).map_err(|error| Status::internal(format!("the request is no protobuf message: {error}")))
    }
}
