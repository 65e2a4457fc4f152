//! Work of seconds that no client waits for. It has a thread of its own, since
//! those of the runtime's pool are used again with the priority they had.

use registry_consensus::MachineFault;
use std::io;
use tokio::sync::oneshot;

/// How far it steps back (nice(2)): a thread that answers gets some three times
/// as much of a processor that both want.
const NICE: i32 = 5;

/// Does `work`; `what` it is stands in the fault when that ends early.
pub(super) async fn aside<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, MachineFault> + Send + 'static,
) -> Result<T, MachineFault> {
    let (done, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("aside".to_owned()).spawn(move || {
        // Nobody listens any more when the registry ends.
        let _ = done.send(work());
    });
    thread.map_err(|error| MachineFault::new(format!("cannot start a thread for {what}"), error))?;
    ended.await.unwrap_or_else(|error| Err(MachineFault::new(format!("{what} ended early"), error)))
}

/// From here on the thread does what may take longer. Not while it holds the
/// state: who wants that would wait for its turn.
pub(super) fn step_back() {
    // Of this thread alone (setpriority(2), "C library/kernel differences").
    let stepped = rustix::process::getpriority_process(None)
        .and_then(|now| rustix::process::setpriority_process(None, now.saturating_add(NICE)));
    if let Err(error) = stepped {
        tracing::debug!(error = %io::Error::from(error), "a snapshot is taken with the priority of everything else");
    }
}
