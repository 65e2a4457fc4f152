//! Signals as futures.
//!
//! Enters: SIGTERM, SIGINT, SIGUSR1. Leaves: the stop of a server, a request for its debug dump. Must be called inside
//! a Tokio runtime.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// Resolves at the first SIGTERM or SIGINT after this call. The handlers are installed by the call itself, not by the
/// first poll, so that no signal falls between. From then on these signals no longer end the program by themselves:
/// for a second Ctrl-C to mean "at once", call it again.
pub fn terminated() -> impl Future<Output = ()> + Send + 'static {
    let handlers = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let mut handlers: Vec<Signal> = handlers
            .into_iter()
            .filter_map(|handler| {
                // A signal without our handler still has its default: it ends the program, only less gracefully.
                handler.inspect_err(|error| tracing::error!(%error, "cannot handle a termination signal")).ok()
            })
            .collect();
        poll_fn(|cx| {
            let mut arrived = false;
            for handler in &mut handlers {
                // All of them, also after one has arrived: each must have the waker.
                arrived |= handler.poll_recv(cx).is_ready();
            }
            if arrived { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Requests for a debug dump: one item for each SIGUSR1 (several at once may come as one).
#[derive(Debug)]
pub struct DebugDumps(Signal);

impl Stream for DebugDumps {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.0.poll_recv(cx)
    }
}

/// The stream of debug dump requests.
///
/// # Errors
/// When the handler cannot be installed.
pub fn debug_dumps() -> io::Result<DebugDumps> {
    signal(SignalKind::user_defined1()).map(DebugDumps)
}

/// Calls `dump` at each SIGUSR1, in a task that lives as long as the runtime (or until the handle is aborted).
///
/// # Errors
/// When the handler cannot be installed.
pub fn on_debug_dump(mut dump: impl FnMut() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let mut requests = signal(SignalKind::user_defined1())?;
    Ok(tokio::spawn(async move {
        while requests.recv().await.is_some() {
            dump();
        }
    }))
}
