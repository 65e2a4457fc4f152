//! The first bytes of a connection: HTTP/2's preface, or anything else, which
//! is HTTP/1.1's to judge. In bounded time, so that a client that says nothing
//! holds nothing.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// RFC 9113 section 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Time to the first bytes, and later to a request's headers. A client
/// connects because it has something to say.
pub(crate) const OPENING_TIME: Duration = Duration::from_secs(10);

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    Http2,
}

/// Reads until it is clear. Returns what was read, to be read again.
pub(crate) async fn listen<R: AsyncRead + Unpin>(stream: &mut R, limit: Duration) -> io::Result<(Speaks, Vec<u8>)> {
    let reading = async {
        let mut seen = Vec::with_capacity(PREFACE.len());
        let mut buffer = [0; PREFACE.len()];
        loop {
            let want = PREFACE.len() - seen.len();
            let got = stream.read(&mut buffer[..want]).await?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            seen.extend_from_slice(&buffer[..got]);
            if !PREFACE.starts_with(&seen) {
                return Ok((Speaks::Http1, seen));
            }
            if seen.len() == PREFACE.len() {
                return Ok((Speaks::Http2, seen));
            }
        }
    };
    tokio::time::timeout(limit, reading).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

#[cfg(test)]
mod tests {
    use super::{Duration, OPENING_TIME, PREFACE, Speaks, listen};
    use std::io::ErrorKind;

    #[tokio::test]
    async fn the_preface_in_any_cut_is_http2() {
        let mut pieces = tokio_test_io(&[&PREFACE[..3], &PREFACE[3..]]);
        assert_eq!(listen(&mut pieces, OPENING_TIME).await.unwrap(), (Speaks::Http2, PREFACE.to_vec()));
    }

    #[tokio::test]
    async fn anything_else_is_http1_from_its_first_odd_byte_on() {
        for text in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PUT ", b"PRI * HTTP/1.1", b"\x16\x03\x01\x02"] {
            let mut stream = tokio_test_io(&[text]);
            assert_eq!(listen(&mut stream, OPENING_TIME).await.unwrap().0, Speaks::Http1, "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_says_too_little_is_given_up() {
        let (mut near, far) = tokio::io::duplex(64);
        assert_eq!(listen(&mut near, Duration::from_millis(20)).await.unwrap_err().kind(), ErrorKind::TimedOut);
        drop(far);
        assert_eq!(listen(&mut near, Duration::from_millis(20)).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    /// A reader that yields these pieces one by one.
    fn tokio_test_io(pieces: &[&[u8]]) -> Box<dyn tokio::io::AsyncRead + Unpin> {
        use tokio::io::AsyncReadExt as _;
        let mut all: Box<dyn tokio::io::AsyncRead + Unpin> = Box::new(tokio::io::empty());
        for piece in pieces {
            all = Box::new(all.chain(std::io::Cursor::new(piece.to_vec())));
        }
        all
    }
}
