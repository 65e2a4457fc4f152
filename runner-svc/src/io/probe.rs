//! Readiness probes: HTTP and TCP on the loopback address. At most one is in
//! flight; results go to the instance's machine, which counts them.

use crate::instance::Message;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use process_model::spec::{Check, Probe};
use runner_domain::{Input, RunId};
use std::net::Ipv4Addr;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Tries again this soon while an instance is not ready yet, when the spec's
/// interval is longer: a start is not to wait for half an interval.
const EAGER: std::time::Duration = std::time::Duration::from_millis(100);

/// Probes until dropped.
pub(crate) async fn run(probe: Probe, run: RunId, inbox: mpsc::UnboundedSender<Message>) {
    tokio::time::sleep(probe.initial_delay).await;
    let mut ready = false;
    loop {
        let begun = Instant::now();
        let outcome = match timeout(probe.timeout, ask(&probe.check)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {:.1} s", probe.timeout.as_secs_f64())),
        };
        let input = match outcome {
            Ok(()) => {
                ready = true;
                Input::ProbeSucceeded { run }
            }
            Err(why) => Input::ProbeFailed { run, why },
        };
        if inbox.send(input.into()).is_err() {
            return;
        }
        let interval = if ready { probe.interval } else { probe.interval.min(EAGER) };
        tokio::time::sleep_until(begun + interval).await;
    }
}

async fn ask(check: &Check) -> Result<(), String> {
    match check {
        Check::Tcp { port } => connect(*port).await.map(drop),
        Check::Http { port, path } => get(*port, path).await,
    }
}

async fn connect(port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| format!("connect to port {port}: {e}"))
}

async fn get(port: u16, path: &str) -> Result<(), String> {
    let io = TokioIo::new(connect(port).await?);
    let describe = |e: hyper::Error| format!("GET {path} on port {port}: {e}");
    let (mut sender, connection) = http1::handshake(io).await.map_err(describe)?;
    let request = http::Request::get(path)
        .header(http::header::HOST, format!("localhost:{port}"))
        .header(http::header::USER_AGENT, concat!("pm/", env!("CARGO_PKG_VERSION")))
        .header(http::header::CONNECTION, "close")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|e| e.to_string())?;
    // Both are polled here, so that dropping this future ends the connection too.
    let exchange = async {
        let response = sender.send_request(request).await.map_err(describe)?;
        let status = response.status();
        if status.is_success() || status.is_redirection() {
            Ok(())
        } else {
            Err(format!("GET {path} on port {port}: status {}", status.as_u16()))
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
