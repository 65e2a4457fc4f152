//! What systemd is told by a service of `Type=notify`: that it has started, how
//! it fares, that it lives, and that it ends. Without `NOTIFY_SOCKET` nobody is
//! told anything.

use crate::ops::Readiness;
use sd_notify::NotifyState;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Tells systemd how a service fares, until `shutdown`. To be begun when the
/// service takes what it is for; a registry that waits for others and a runner
/// that is cut off have started all the same, and say so in their status.
///
/// It lives as long as the runtime that this runs on does its work: one that
/// hangs misses the watchdog (`WatchdogSec=`).
pub async fn tell(mut readiness: watch::Receiver<Readiness>, shutdown: CancellationToken) {
    let first = status(&readiness.borrow_and_update());
    say(&[NotifyState::Ready, NotifyState::Status(&first)]);
    let mut pulse = sd_notify::watchdog_enabled().map(|within| tokio::time::interval(pace(within)));
    let mut told = true;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            changed = readiness.changed(), if told => {
                // Nobody says more; the watchdog goes on.
                told = changed.is_ok();
                let now = status(&readiness.borrow_and_update());
                say(&[NotifyState::Status(&now)]);
            }
            () = beat(pulse.as_mut()) => say(&[NotifyState::Watchdog]),
        }
    }
    say(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// A third of the time that systemd waits: one beat may be late, and one lost.
fn pace(within: Duration) -> Duration {
    (within / 3).max(Duration::from_millis(1))
}

async fn beat(pulse: Option<&mut tokio::time::Interval>) {
    match pulse {
        Some(pulse) => drop(pulse.tick().await),
        None => std::future::pending().await,
    }
}

fn status(readiness: &Readiness) -> String {
    match readiness {
        Readiness::Ready => "ready".to_owned(),
        Readiness::NotReady(why) => format!("not ready: {}", why.replace('\n', " ")),
    }
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told how this service fares");
    }
}
