//! Messages on a byte stream: four bytes, little-endian, then the message. The
//! lower three bytes are its length; the upper one is the number of
//! descriptors that come with it (see `passing`), which version 1 always
//! leaves at 0.

use crate::passing::{MAX_DESCRIPTORS, Sets};
use serde::{Serialize, de::DeserializeOwned};
use std::os::fd::OwnedFd;

/// Longest message. A spawn request with the largest arguments and environment
/// that Linux takes (`ARG_MAX`, 2 MiB by default) fits.
pub const MAX_FRAME: usize = 8 << 20;

/// Bits of the header that are the length.
const LENGTH_BITS: u32 = 24;

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The announced length is beyond [`MAX_FRAME`].
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    /// The descriptors that came are not those that were announced.
    #[error("{came} descriptors came with a message that announced {announced}")]
    Descriptors {
        /// As its header says.
        announced: usize,
        /// As the kernel says.
        came: usize,
    },
    /// The bytes are not a message.
    #[error("cannot decode a message: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// The message cannot be encoded.
    #[error("cannot encode a message: {0}")]
    Unencodable(#[from] rmp_serde::encode::Error),
}

/// Appends a message to `out`.
///
/// # Errors
/// The message is too long or cannot be encoded; `out` is as before.
pub fn encode<M: Serialize>(message: &M, out: &mut Vec<u8>) -> Result<(), FrameError> {
    encode_with(message, 0, out)
}

/// Appends a message that this many descriptors are sent with.
///
/// # Errors
/// The message is too long, has too many descriptors or cannot be encoded;
/// `out` is as before.
pub fn encode_with<M: Serialize>(message: &M, descriptors: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let body = rmp_serde::to_vec_named(message)?;
    let count = u8::try_from(descriptors)
        .ok()
        .filter(|_| descriptors <= MAX_DESCRIPTORS)
        .ok_or(FrameError::Descriptors { announced: descriptors, came: 0 })?;
    let len =
        u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_FRAME).ok_or(FrameError::TooLong(body.len()))?;
    out.extend_from_slice(&(u32::from(count) << LENGTH_BITS | len).to_le_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// Takes the first whole message off `buffer`, where no descriptors are
/// expected; `None` while it is incomplete.
///
/// # Errors
/// The bytes are no message: the connection cannot be used further.
pub fn decode<M: DeserializeOwned>(buffer: &mut Vec<u8>) -> Result<Option<M>, FrameError> {
    Ok(decode_with(buffer, &mut Sets::default())?.map(|(message, _)| message))
}

/// Takes the first whole message off `buffer`, and its descriptors off `sets`;
/// `None` while it is incomplete. The descriptors are missing, all of them,
/// when this process may not open as many.
///
/// # Errors
/// The bytes are no message, or come with other descriptors than they say: the
/// connection cannot be used further.
pub fn decode_with<M: DeserializeOwned>(
    buffer: &mut Vec<u8>,
    sets: &mut Sets,
) -> Result<Option<(M, Vec<OwnedFd>)>, FrameError> {
    let Some(header) = buffer.first_chunk::<4>() else {
        sets.check(!buffer.is_empty(), None)?;
        return Ok(None);
    };
    let header = u32::from_le_bytes(*header);
    let (len, count) = ((header & ((1 << LENGTH_BITS) - 1)) as usize, (header >> LENGTH_BITS) as usize);
    if len > MAX_FRAME {
        return Err(FrameError::TooLong(len));
    }
    if count > MAX_DESCRIPTORS {
        return Err(FrameError::Descriptors { announced: count, came: 0 });
    }
    let Some(body) = buffer.get(4..4 + len) else {
        sets.check(true, Some(count))?;
        return Ok(None);
    };
    let message = rmp_serde::from_slice(body)?;
    let descriptors = sets.take(count)?;
    buffer.drain(..4 + len);
    Ok(Some((message, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Event, Request};
    use proptest::prelude::*;

    #[test]
    fn messages_survive_any_cut_of_the_stream() {
        let requests =
            [Request::Hello { version: 1 }, Request::SignalTree { run: 7, signal: 15 }, Request::Forget { run: 7 }];
        let mut stream = Vec::new();
        for request in &requests {
            encode(request, &mut stream).unwrap();
        }
        let (mut buffer, mut seen) = (Vec::new(), Vec::new());
        for byte in stream {
            buffer.push(byte);
            while let Some(request) = decode::<Request>(&mut buffer).unwrap() {
                seen.push(request);
            }
        }
        assert_eq!(seen, requests);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_waited_for() {
        let mut buffer = u32::MAX.to_le_bytes().to_vec();
        assert!(matches!(decode::<Request>(&mut buffer), Err(FrameError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_waited_for_but_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = bytes.clone();
            let _ = decode::<Request>(&mut buffer);
            let mut framed = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
            framed.extend(&bytes);
            let _ = decode::<Event>(&mut framed);
        }
    }
}
