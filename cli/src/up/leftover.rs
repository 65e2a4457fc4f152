//! A keeper whose runner has gone: it holds instances that nobody supervises.

use super::notices::line_of_notice;
use super::services::drain;
use crate::error::Failure;
use crate::error::chain;
use crate::output::{Terminal, human};
use crate::signals::Signals;
use runner_svc::{NoticeKind, Options, Runner};
use service_host::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// Stops everything that the keeper of this folder holds, and the keeper.
///
/// # Errors
/// The runner's folder cannot be used. False: not everything could be stopped.
pub async fn stop(runner_state: PathBuf, log_dir: PathBuf, terminal: &Terminal) -> Result<bool, Failure> {
    let node = "localhost".parse().map_err(|e| Failure::failed(format!("the node has no name: {e}")))?;
    let options = Options {
        state_dir: runner_state,
        log_dir,
        // Nothing is started here.
        types_dir: None,
        plugins_dir: None,
        labels: [].into(),
        policy_file: runner_svc::PolicyFile::Nowhere,
        log_quota: None,
        node,
        registry: None,
        monitor: None,
        token: Secret::generate(),
        sample_interval: Duration::from_secs(3600),
    };
    let mut signals = Signals::new()?;
    let runner = Runner::start(options)
        .await
        .map_err(|e| Failure::failed(format!("cannot take over what runs: {}", chain(&e))))?;
    Ok(drain(runner, &mut signals, &mut |notice| {
        if matches!(notice.kind, NoticeKind::Lifecycle { .. }) {
            terminal.note(line_of_notice(notice).render(terminal.err, 12, human::now()));
        }
    })
    .await)
}
