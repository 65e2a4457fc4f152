//! Messages on a byte stream: a length in four bytes, little-endian, then the
//! message.

use serde::{Serialize, de::DeserializeOwned};

/// Longest message. A spawn request with the largest arguments and environment
/// that Linux takes (`ARG_MAX`, 2 MiB by default) fits.
pub const MAX_FRAME: usize = 8 << 20;

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The announced length is beyond [`MAX_FRAME`].
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
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
    let body = rmp_serde::to_vec_named(message)?;
    let len =
        u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_FRAME).ok_or(FrameError::TooLong(body.len()))?;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// Takes the first whole message off `buffer`; `None` while it is incomplete.
///
/// # Errors
/// The bytes are no message: the connection cannot be used further.
pub fn decode<M: DeserializeOwned>(buffer: &mut Vec<u8>) -> Result<Option<M>, FrameError> {
    let Some(header) = buffer.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_le_bytes(*header) as usize;
    if len > MAX_FRAME {
        return Err(FrameError::TooLong(len));
    }
    let Some(body) = buffer.get(4..4 + len) else { return Ok(None) };
    let message = rmp_serde::from_slice(body)?;
    buffer.drain(..4 + len);
    Ok(Some(message))
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
