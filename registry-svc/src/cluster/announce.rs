//! Says who this replica is, where the whole cluster can read it: after its
//! start, and whenever a leader turns up and it is not written down yet.

use crate::driver::{Driver, OWN_ACTOR};
use crate::levels;
use crate::peers::Links;
use crate::view::View;
use registry_consensus::Consensus;
use registry_domain::members::{MemberCertified, MemberUp};
use registry_domain::{Order, Refusal};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Before it is said again, if it could not be written down: nobody waits for it.
const AGAIN: Duration = Duration::from_secs(1);

/// Says it until it is known, each time that the standing changes.
pub(crate) async fn announce(
    consensus: Consensus,
    view: Arc<View>,
    driver: Driver,
    links: Links,
    me: MemberUp,
    certificate: Option<String>,
    stop: CancellationToken,
) {
    let mut standing = consensus.standing();
    let mut applied = consensus.applied();
    let order = Order::MemberUp(me.clone());
    let certified = certificate.map(|name| Order::MemberCertified(MemberCertified { id: me.id, name }));
    loop {
        let leader = standing.borrow_and_update().leader;
        let mut again = false;
        applied.borrow_and_update();
        // In the log it would end a replica that does not know it.
        let waits = leader.is_some() && !levels::has(&view, &order);
        if let Some(leader) = leader.filter(|_| !waits && !is_known(&view, &me)) {
            match driver.note(OWN_ACTOR, order.clone()).await {
                // Here it is known a moment after the leader knows it, and then there is more to tell.
                Ok(Ok(_)) => {
                    let known = applied.wait_for(|_| is_known(&view, &me));
                    again = tokio::time::timeout(AGAIN, known).await.is_err();
                }
                Ok(Err(refusal @ (Refusal::MemberGone(_) | Refusal::MemberStore(_) | Refusal::MemberBoot { .. }))) => {
                    return links.end(leader, &refusal.to_string());
                }
                Ok(Err(refusal)) => tracing::error!(%refusal, "this replica is not written down as a member"),
                Err(error) => {
                    tracing::debug!(%error, "this replica is not written down as a member yet");
                    again = true;
                }
            }
        }
        // Told once it is written down who this is.
        let certified =
            certified.as_ref().filter(|_| leader.is_some() && is_known(&view, &me) && !is_certified(&view, &me));
        let waits = waits || certified.is_some_and(|order| !levels::has(&view, order));
        if let Some(order) = certified.filter(|_| !waits) {
            match driver.note(OWN_ACTOR, order.clone()).await {
                Ok(Ok(_)) => tracing::info!(replica = me.id, "its certificate stands for its number from now on"),
                Ok(Err(refusal)) => {
                    tracing::error!(%refusal, "this replica's certificate is not the one it is known by")
                }
                Err(error) => {
                    tracing::debug!(%error, "this replica's certificate is not written down yet");
                    again = true;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
            changed = applied.changed(), if waits => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if again => {}
        }
    }
}

fn is_certified(view: &View, me: &MemberUp) -> bool {
    view.read().state.members().get(&me.id).is_some_and(|known| !known.certificate.is_empty())
}

fn is_known(view: &View, me: &MemberUp) -> bool {
    let replicated = view.read();
    let Some(known) = replicated.state.members().get(&me.id) else { return false };
    let MemberUp { id: _, store, boot, start, address, version, level } = me;
    (&known.store, known.boot, known.start) == (store, *boot, *start)
        && (&known.address, &known.version, known.level) == (address, version, *level)
}
