//! An HTTP/1.1 client: one connection for each request.

use super::{ADMIN, soon};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpStream;

pub(crate) struct Ask {
    address: SocketAddr,
    request: http::request::Builder,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The problem document, after a look at its outside.
    pub(crate) fn problem(&self, status: u16, reason: &str) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!((self.status.as_u16(), &problem["status"]), (status, &status.into()), "{problem}");
        assert_eq!(problem["reason"], reason, "{problem}");
        for field in ["type", "title", "detail", "code", "domain"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {problem}");
        }
        problem
    }
}

impl Ask {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        Self { address, request: Request::builder().method(method).uri(path).header("host", address.to_string()) }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    /// Without a body.
    pub(crate) async fn send(self) -> Answer {
        self.send_bytes(Bytes::new()).await
    }

    /// With a JSON body.
    pub(crate) async fn send_json(self, body: impl Into<Bytes>) -> Answer {
        self.header("content-type", "application/json").send_bytes(body.into()).await
    }

    pub(crate) async fn send_bytes(self, body: Bytes) -> Answer {
        let (status, headers, mut stream) = self.open(body).await;
        let mut text = String::new();
        while let Some(piece) = stream.piece().await {
            text.push_str(&piece);
        }
        Answer { status, headers, text }
    }

    /// The answer while it is still coming.
    pub(crate) async fn stream(self) -> (StatusCode, HeaderMap, Stream) {
        self.open(Bytes::new()).await
    }

    async fn open(self, body: Bytes) -> (StatusCode, HeaderMap, Stream) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = self.request.body(Full::new(body)).unwrap();
        let response = soon("the answer's head", sender.send_request(request)).await.unwrap();
        let (head, body) = response.into_parts();
        (head.status, head.headers, Stream { body, _sender: Box::new(sender) })
    }
}

pub(crate) struct Stream {
    body: Incoming,
    _sender: Box<dyn Send>,
}

impl Stream {
    /// The next bytes; `None` at the end.
    pub(crate) async fn piece(&mut self) -> Option<String> {
        loop {
            let frame = soon("the next piece of an answer", self.body.frame()).await?;
            let frame = frame.expect("an answer that does not break off");
            if let Ok(data) = frame.into_data() {
                return Some(String::from_utf8(data.to_vec()).unwrap());
            }
        }
    }

    /// Reads until `needle` has come; everything read.
    pub(crate) async fn until(&mut self, needle: &str) -> String {
        let mut text = String::new();
        while !text.contains(needle) {
            let piece = self.piece().await.unwrap_or_else(|| panic!("ended before {needle:?}: {text}"));
            text.push_str(&piece);
        }
        text
    }
}

/// A gRPC call with an empty message, by hand; the headers of an answer that
/// has no messages.
pub(crate) async fn raw_grpc(address: SocketAddr, path: &str, timeout: &str) -> HeaderMap {
    let stream = TcpStream::connect(address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("grpc-timeout", timeout)
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    soon("the answer", sender.send_request(request)).await.unwrap().headers().clone()
}
