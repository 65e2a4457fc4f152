//! A request body that may not hold a message larger than the limit. It reads
//! the length in front of each message (one byte of flags, four of length) and
//! passes the bytes on untouched.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// Largest message of a gRPC request. The same number as the services'
/// decoders have: here it is only refused earlier and with a reason.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 4 * 1024 * 1024;

/// A message is larger than [`MAX_MESSAGE_BYTES`].
#[derive(Debug, thiserror::Error)]
#[error("a message of {0} bytes is too large")]
pub(crate) struct TooLarge(u32);

/// The limited body.
#[derive(Debug)]
pub(crate) struct FrameLimit<B> {
    inner: B,
    meter: Meter,
    tell: Option<oneshot::Sender<u32>>,
}

impl<B> FrameLimit<B> {
    /// Limits `inner`; `tell` hears the size of a message that is too large.
    pub(crate) fn new(inner: B, tell: oneshot::Sender<u32>) -> Self {
        Self { inner, meter: Meter::default(), tell: Some(tell) }
    }
}

impl<B> Body for FrameLimit<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        if let Some(data) = frame.data_ref()
            && let Err(TooLarge(size)) = self.meter.take(data)
        {
            if let Some(tell) = self.tell.take() {
                // Nobody listens when the call is over already.
                let _ = tell.send(size);
            }
            return Poll::Ready(Some(Err(TooLarge(size).into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Where in the sequence of messages the body is.
#[derive(Debug, Default)]
struct Meter {
    prefix: [u8; 5],
    have: usize,
    left: usize,
}

impl Meter {
    fn take(&mut self, mut data: &[u8]) -> Result<(), TooLarge> {
        while !data.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(data.len());
                self.left -= skipped;
                data = &data[skipped..];
                continue;
            }
            self.prefix[self.have] = data[0];
            self.have += 1;
            data = &data[1..];
            if self.have == self.prefix.len() {
                self.have = 0;
                let [_, length @ ..] = self.prefix;
                let length = u32::from_be_bytes(length);
                if length > MAX_MESSAGE_BYTES {
                    return Err(TooLarge(length));
                }
                self.left = usize::try_from(length).unwrap_or(usize::MAX);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_MESSAGE_BYTES, Meter};

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(5 + length as usize, 7);
        bytes
    }

    #[test]
    fn messages_are_followed_through_any_cut_of_the_bytes() {
        let stream = [message(0), message(3), message(300)].concat();
        for cut in 1..12 {
            let mut meter = Meter::default();
            for piece in stream.chunks(cut) {
                meter.take(piece).unwrap();
            }
            assert_eq!((meter.have, meter.left), (0, 0), "pieces of {cut}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
        let mut prefix = vec![0];
        prefix.extend((MAX_MESSAGE_BYTES + 1).to_be_bytes());
        assert!(Meter::default().take(&prefix).is_err());
        prefix[1..].copy_from_slice(&MAX_MESSAGE_BYTES.to_be_bytes());
        assert!(Meter::default().take(&prefix).is_ok());
    }
}
