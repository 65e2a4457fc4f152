//! An HTTP/1.1 request to the loopback address and what its answer has to be.
//! Redirections are not followed: where they lead may be another server.

use super::question::connect;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use process_model::spec::HttpCheck;
use regex::bytes::Regex;

/// So much of a body is looked at.
const MAX_BODY: usize = 64 * 1024;

/// Up to this, a body is looked through at each piece of it; beyond, whenever
/// it has doubled: a body that drips must not cost its square.
const OFTEN: usize = 4 * 1024;

pub(super) struct Request {
    check: HttpCheck,
    /// What the body has to have; an error when it is no expression.
    body: Option<Result<Regex, String>>,
}

impl Request {
    pub(super) fn new(check: HttpCheck) -> Self {
        let body = check.body.as_ref().map(|pattern| Regex::new(pattern).map_err(|e| format!("body: {e}")));
        Self { check, body }
    }

    fn name(&self) -> String {
        let method = self.check.method.as_deref().unwrap_or("GET");
        format!("{method} {} on port {}", self.check.path, self.check.port)
    }

    pub(super) async fn send(&self) -> Result<(), String> {
        let body = self.body.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
        let io = TokioIo::new(connect(self.check.port).await?);
        let describe = |e: hyper::Error| format!("{}: {e}", self.name());
        let (mut sender, connection) = http1::handshake(io).await.map_err(describe)?;
        let request = self.build()?;
        // Both are polled here, so that dropping this future ends the connection too.
        let exchange = async {
            let response = sender.send_request(request).await.map_err(describe)?;
            let status = response.status().as_u16();
            if !self.check.accepts(status) {
                return Err(format!("{}: status {status}", self.name()));
            }
            match body {
                Some(pattern) if !has(response.into_body(), pattern).await.map_err(describe)? => {
                    Err(format!("{}: the body has no match for {:?}", self.name(), pattern.as_str()))
                }
                Some(_) | None => Ok(()),
            }
        };
        tokio::pin!(connection);
        tokio::pin!(exchange);
        tokio::select! {
            outcome = &mut exchange => outcome,
            ended = &mut connection => {
                ended.map_err(describe)?;
                exchange.await
            }
        }
    }

    /// Values of headers may be secrets: they are in no error.
    fn build(&self) -> Result<http::Request<Empty<bytes::Bytes>>, String> {
        let method = self.check.method.as_deref().unwrap_or("GET");
        let mut request = http::Request::builder()
            .method(method)
            .uri(&self.check.path)
            .body(Empty::new())
            .map_err(|e| format!("{}: {e}", self.name()))?;
        let headers = request.headers_mut();
        let host = http::HeaderValue::from_str(&format!("localhost:{}", self.check.port)).map_err(|e| e.to_string())?;
        headers.insert(http::header::HOST, host);
        let agent = http::HeaderValue::from_static(concat!("pm/", env!("CARGO_PKG_VERSION")));
        headers.insert(http::header::USER_AGENT, agent);
        headers.insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        let mut given = http::HeaderMap::new();
        for (name, value) in &self.check.headers {
            let fault = |what: &str| format!("{}: header {name:?} {what}", self.name());
            let header: http::HeaderName = name.parse().map_err(|_| fault("is no name of a header"))?;
            let mut value = http::HeaderValue::from_str(value).map_err(|_| fault("has a value that cannot be sent"))?;
            value.set_sensitive(true);
            given.append(header, value);
        }
        // Those of the spec come over ours; one that it names twice is sent twice.
        for name in given.keys() {
            headers.remove(name);
        }
        for name in given.keys() {
            for value in given.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        Ok(request)
    }
}

/// Whether a pattern is in the part of a body that is looked at. It need not
/// end: a match is enough.
async fn has(mut body: Incoming, pattern: &Regex) -> Result<bool, hyper::Error> {
    let mut seen = Vec::new();
    let mut looked_at = 0;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        let room = MAX_BODY - seen.len();
        seen.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if seen.len() == MAX_BODY {
            break;
        }
        if seen.len() <= OFTEN || seen.len() >= looked_at * 2 {
            if pattern.is_match(&seen) {
                return Ok(true);
            }
            looked_at = seen.len();
        }
    }
    Ok(pattern.is_match(&seen))
}
