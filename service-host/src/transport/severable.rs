//! A connection that can be cut from outside.
//!
//! A server's connections live in tasks of their own, which nobody can abort: dropping the server leaves them
//! running. So every connection carries a token; once it is cancelled, the next read or write that would wait
//! fails instead, and the connection's task ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// `C`, until the token is cancelled.
pub(crate) struct Severable<C> {
    connection: C,
    // One for each direction: reader and writer may be two tasks, and a future wakes only the last that asked.
    reader: Severed,
    writer: Severed,
}

struct Severed(Pin<Box<WaitForCancellationFutureOwned>>);

impl<C> Severable<C> {
    pub(crate) fn new(connection: C, sever: CancellationToken) -> Self {
        let (reader, writer) = (Severed::by(sever.clone()), Severed::by(sever));
        Self { connection, reader, writer }
    }

    pub(crate) fn get_ref(&self) -> &C {
        &self.connection
    }
}

impl Severed {
    fn by(sever: CancellationToken) -> Self {
        Self(Box::pin(sever.cancelled_owned()))
    }

    /// What the connection answered, unless it would wait and is cut. Asked only then: the fast path pays nothing.
    fn or<T>(&mut self, cx: &mut Context<'_>, answer: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match answer {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => match self.0.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Severable<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.connection).poll_read(cx, buf);
        self.reader.or(cx, answer)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Severable<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.connection).poll_write(cx, buf);
        self.writer.or(cx, answer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.connection).poll_write_vectored(cx, bufs);
        self.writer.or(cx, answer)
    }

    /// No: HTTP/2 then copies the small frames of an answer into one buffer, which costs less than a list of them
    /// does (2 µs less for a read of a kilobyte). Large ones it hands on as they are.
    fn is_write_vectored(&self) -> bool {
        false
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.connection).poll_flush(cx);
        self.writer.or(cx, answer)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.connection).poll_shutdown(cx);
        self.writer.or(cx, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_waiting_read_and_a_blocked_write_end_when_the_connection_is_cut() {
        let (near, far) = tokio::io::duplex(4);
        let sever = CancellationToken::new();
        let (mut reader, mut writer) = tokio::io::split(Severable::new(near, sever.clone()));
        let reading = tokio::spawn(async move { reader.read_u8().await });
        let writing = tokio::spawn(async move { writer.write_all(&[0; 64]).await });
        tokio::task::yield_now().await;
        sever.cancel();
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        drop(far);
    }
}
