//! HTTP/1.1 by hand over a TCP connection: enough to use the gateway as `curl`
//! does, and to send it what no client would.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status code; 0 when what came back is no HTTP.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, put together.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// One request on a connection of its own. `authority` is `host:port`.
///
/// # Panics
/// When nothing answers within the deadline.
#[must_use]
pub fn request(authority: &str, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    if let Some(token) = token {
        text += &format!("authorization: Bearer {token}\r\n");
    }
    if let Some(body) = body {
        text += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body.unwrap_or_default();
    parse(&exchange(authority, text.as_bytes()))
}

/// A number among the metrics of a service; `authority` is its operations port.
///
/// # Panics
/// When it does not answer, or has no metric of that name.
#[must_use]
pub fn metric(authority: &str, name: &str) -> u64 {
    let text = get(authority, "/metrics", None).body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is missing in\n{text}")).parse().expect("it is a whole number")
}

/// A GET.
#[must_use]
pub fn get(authority: &str, path: &str, token: Option<&str>) -> Answer {
    request(authority, "GET", path, token, None)
}

/// A connection with our deadline on every read and write.
///
/// # Panics
/// When nothing listens there.
#[must_use]
pub fn connect(authority: &str, wait: Duration) -> TcpStream {
    let stream = TcpStream::connect(authority).unwrap_or_else(|error| panic!("cannot connect to {authority}: {error}"));
    stream.set_read_timeout(Some(wait)).unwrap();
    stream.set_write_timeout(Some(wait)).unwrap();
    stream
}

/// Sends bytes and reads until the other side closes the connection; a reset
/// is an end as well.
#[must_use]
pub fn exchange(authority: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(authority, crate::DEADLINE);
    // The other side may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
    }
    answer
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_default();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    Answer { status, headers, body }
}

/// Puts a chunked body together (RFC 9112, 7.1).
fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let Some(size) = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0) else { break };
        let Some(chunk) = tail.get(..size) else { break };
        body += chunk;
        rest = tail.get(size + 2..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_put_together() {
        let answer = parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!((answer.status, answer.body.as_str()), (200, "abcde"));
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    }

    #[test]
    fn what_is_no_http_has_no_status() {
        assert_eq!(parse(b"\x00\x00garbage").status, 0);
    }
}
