//! The next certificate, when two thirds of this one's life are over: a new key, certified over a connection that shows the old
//! one. Sessions that are open go on with the certificate that they began with.

use super::kept::Kept;
use crate::io::wall_timer::WallTimer;
use anyhow::Context as _;
use pm_proto::v1;
use pm_proto::v1::node_identity_service_client::NodeIdentityServiceClient;
use process_model::Timestamp;
use service_host::client::ClientContext;
use service_host::identity::{Identity, KeyOrder};
use service_host::transport::Dial;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;

/// Of the time that is left, a try takes so much; so there are many before it is over.
const TRIES: u32 = 30;
/// Between two tries at least; a registry that is away is not asked all the time.
const SHORTEST: Duration = Duration::from_secs(1);
/// And at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// Has the certificate renewed until `stop`. The files' watcher takes the new one up.
pub async fn keep_renewed(identity: Identity, kept: Kept, dial: Dial, stop: CancellationToken) {
    let mut changes = identity.changes();
    loop {
        changes.borrow_and_update();
        tokio::select! {
            () = stop.cancelled() => return,
            () = until(identity.validity().renewal()) => {}
            changed = changes.changed() => if changed.is_ok() { continue } else { return },
        }
        let renewed = tokio::select! {
            () = stop.cancelled() => return,
            renewed = renew(&kept, &dial) => renewed,
        };
        let left = identity.validity().to.duration_since(SystemTime::now()).unwrap_or_default();
        let pause = (left / TRIES).clamp(SHORTEST, LONGEST);
        if let Err(error) = renewed {
            tracing::warn!(
                error = format!("{error:#}"),
                left_s = left.as_secs(),
                "the certificate was not renewed; trying again"
            );
        }
        // Renewed, the watcher says so at once; else it is tried again.
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Waits for a time of the wall clock, which may be set meanwhile.
async fn until(time: SystemTime) {
    let due = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let due = Timestamp(i64::try_from(due).unwrap_or(i64::MAX));
    loop {
        if SystemTime::now() >= time {
            return;
        }
        let armed = WallTimer::new().and_then(|timer| timer.arm(Some(due)).map(|told| (timer, told)));
        let waited = match armed {
            Ok((timer, true)) => timer.wait().await,
            // The clock was set at this very moment: looked at anew.
            Ok((_, false)) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = waited {
            tracing::error!(%error, "no timer on the wall clock; the certificate's renewal is looked after each hour");
            tokio::time::sleep(LONGEST).await;
        }
    }
}

async fn renew(kept: &Kept, dial: &Dial) -> anyhow::Result<()> {
    let order = KeyOrder::new()?;
    let channel = dial.channel()?;
    let mut client = NodeIdentityServiceClient::new(InterceptedService::new(channel, ClientContext::without_token()));
    let request = v1::RenewCertificateRequest { signing_request: order.request().to_vec().into(), node: String::new() };
    let answer = client.renew_certificate(request).await.map_err(|status| anyhow::anyhow!("{}", status.message()));
    let answer = answer.context("the registry")?.into_inner();
    let (kept, key) = (kept.clone(), order.key_pem());
    tokio::task::spawn_blocking(move || kept.renew(&answer.certificate, &key, &answer.ca)).await??;
    Ok(())
}
