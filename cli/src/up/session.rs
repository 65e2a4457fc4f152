//! The time between start and stop: apply, wait until all is ready or has said
//! why not, then show what happens until somebody ends it.

use super::home::Home;
use super::notices::{is_worth_a_line, line_of_notice};
use super::plan::Plan;
use super::readiness::Readiness;
use super::reporter::Reporter;
use super::services::Services;
use super::summary::Summary;
use crate::applying::{self, Manner};
use crate::connection::Connection;
use crate::error::Failure;
use crate::follow::{Followed, Follower};
use crate::live::is_minor;
use crate::output::{Tone, human};
use crate::pages;
use crate::signals::{Signals, Stop};
use futures::StreamExt;
use pm_proto::v1::{ApplyOutcome, ListInstancesRequest, WatchEventsRequest};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// What is known before the runner starts.
pub struct Prepared {
    readiness: Readiness,
    revision: u64,
}

/// Takes stock and applies the plan's processes.
///
/// # Errors
/// The registry refuses them.
pub async fn prepare(connection: &Connection, plan: &Plan, reporter: &Reporter) -> Result<Prepared, Failure> {
    let before = pages::instances(connection, "read the stored instances", ListInstancesRequest::default()).await?;
    let specs = plan.processes.as_deref().unwrap_or_default();
    if plan.processes.is_some() {
        let manner = Manner { source: "up", prune: true, reason: "pmctl up".to_owned(), ..Manner::default() };
        let answer = applying::apply(connection, "apply the processes", specs, &manner).await?;
        // What changed comes as events; that nothing did, they cannot tell.
        if answer.results.iter().all(|result| result.outcome() == ApplyOutcome::Unchanged) {
            reporter.say(Tone::Dim, "the processes are as they were");
        }
    }
    Ok(Prepared { readiness: Readiness::new(&before.instances, specs, human::now()), revision: before.revision })
}

/// Runs until somebody asks for the end.
///
/// # Errors
/// A service ended by itself.
pub async fn run(
    connection: &Connection,
    prepared: Prepared,
    plan: &Plan,
    home: &Home,
    services: &mut Services,
    signals: &mut Signals,
    reporter: &mut Reporter,
) -> Result<Stop, Failure> {
    let Prepared { mut readiness, revision } = prepared;
    let request = WatchEventsRequest { from_revision: revision + 1, follow: true, ..WatchEventsRequest::default() };
    let mut follower = Follower::new(connection.clone(), request, true).going_on();
    let mut notices = services.notices();
    let mut dumps =
        service_host::signals::debug_dumps().map_err(|e| Failure::failed(format!("cannot listen for signals: {e}")))?;
    reporter.set_width(readiness.width());
    let begun = Instant::now();
    let mut given_up = plan.wait.is_none();
    let mut announced = false;
    loop {
        if !announced {
            let (ready, wanted) = readiness.counts();
            if given_up || readiness.is_settled() {
                announced = true;
                let waited = plan.wait.filter(|_| given_up && !readiness.is_settled());
                reporter.announce(&Summary {
                    endpoint: home.endpoint().to_owned(),
                    token_file: home.state().token(),
                    pid: home.pid(),
                    ready,
                    wanted,
                    missing: readiness.missing(),
                    gave_up_after: waited.map(|wait| wait.as_secs()),
                    detached: reporter.is_detached(),
                })?;
            } else {
                reporter.progress(ready, wanted);
            }
        }
        let notice = async {
            match &mut notices {
                Some(notices) => notices.recv().await,
                None => std::future::pending().await,
            }
        };
        let patience = async {
            match plan.wait {
                Some(wait) if !announced => tokio::time::sleep_until(begun + wait).await,
                Some(_) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            stop = signals.next() => return Ok(stop),
            failure = services.broken() => return Err(failure),
            _ = dumps.next() => reporter.dump(&services.dump()),
            followed = follower.next() => match followed? {
                Followed::Event(event) => {
                    readiness.observe(&event);
                    if !is_minor(&event) {
                        reporter.event(&event);
                    }
                }
                Followed::Lost(failure) => tracing::warn!(%failure, "the stream of events broke"),
                Followed::End => {}
            },
            notice = notice => match notice {
                Ok(notice) if is_worth_a_line(&notice) => reporter.live(&line_of_notice(&notice)),
                // What the registry tells as well, or what was lost to a full buffer.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => notices = None,
            },
            () = patience => given_up = true,
        }
    }
}
