//! Bodies that are kept: a request, to be sent again; an answer, to be judged before anybody has seen a part of it.
//! Frames are kept as they came and passed on as they are.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body as _, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// Bytes of a body that are kept: as much as one message may have. What is larger is passed on while it comes, and is
/// not repeated.
pub(super) const MAX_HELD_BYTES: usize = crate::server::MAX_MESSAGE_BYTES;

/// A body that is kept, or too large for it.
pub(super) enum Held {
    /// All of it.
    Whole(Kept),
    /// What has come of it, and the rest as it comes.
    TooLarge(Body),
}

/// A whole body.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    data: Vec<Bytes>,
    pub(super) trailers: Option<HeaderMap>,
}

impl Kept {
    /// The same as a body.
    pub(super) fn into_body(self) -> Body {
        if self.data.is_empty() && self.trailers.is_none() {
            return Body::empty();
        }
        Body::new(Again { data: self.data.into(), trailers: self.trailers, rest: None })
    }
}

/// Reads a body to its end, or until it is too large.
///
/// # Errors
/// What the body broke with.
pub(super) async fn hold(mut body: Body) -> Result<Held, Status> {
    let mut kept = Kept::default();
    let mut bytes = 0_usize;
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame?.into_data() {
            Ok(data) => {
                bytes = bytes.saturating_add(data.len());
                kept.data.push(data);
                if bytes > MAX_HELD_BYTES {
                    let again = Again { data: kept.data.into(), trailers: None, rest: Some(body) };
                    return Ok(Held::TooLarge(Body::new(again)));
                }
            }
            Err(frame) => kept.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Held::Whole(kept))
}

/// Kept frames, then the rest.
struct Again {
    data: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Body>,
}

impl hyper::body::Body for Again {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(data) = self.data.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
            && self.trailers.is_none()
            && self.rest.as_ref().is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // None, so that no `content-length` is added to a call that had none.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: &[usize], rest: Option<Body>) -> Body {
        let data = pieces.iter().map(|len| Bytes::from(vec![7; *len])).collect();
        Body::new(Again { data, trailers: None, rest })
    }

    async fn len(body: Body) -> usize {
        match hold(body).await.unwrap() {
            Held::Whole(kept) => kept.data.iter().map(Bytes::len).sum(),
            Held::TooLarge(_) => panic!("too large"),
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_the_same_again_as_often_as_wanted() {
        let Held::Whole(kept) = hold(body(&[3, 5], None)).await.unwrap() else { panic!("too large") };
        for _ in 0..2 {
            assert_eq!(len(kept.clone().into_body()).await, 8);
        }
        assert!(Kept::default().into_body().is_end_stream());
    }

    #[tokio::test]
    async fn what_is_too_large_passes_with_all_its_parts() {
        let large = body(&[MAX_HELD_BYTES, 1], Some(body(&[9], None)));
        let Held::TooLarge(passed) = hold(large).await.unwrap() else { panic!("kept") };
        let mut passed = passed;
        let mut bytes = 0;
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut passed).poll_frame(cx)).await {
            bytes += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(bytes, MAX_HELD_BYTES + 10);
        assert!(matches!(hold(body(&[MAX_HELD_BYTES], None)).await.unwrap(), Held::Whole(_)));
    }
}
