//! Which commands may be proposed: those of a level that every replica knows.
//! Each says so with every link; whoever leads writes it down once it has
//! heard it from all. So replicas of two versions work together, and what only
//! the later one knows begins when the earlier one is gone.

use crate::driver::{Driver, OWN_ACTOR};
use crate::machine::payload;
use crate::peers::LevelBook;
use crate::view::View;
use pm_proto::error::{reason, status};
use registry_consensus::{Consensus, ReplicaId};
use registry_domain::Order;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// So long a change waits for the level that it needs: a cluster that has just
/// begun, or whose last replica was just upgraded, has it in a moment.
const PATIENCE: Duration = Duration::from_secs(3);

/// What this replica knows, and the others.
pub(crate) struct Levels {
    pub(crate) ours: u16,
    pub(crate) others: LevelBook,
    pub(crate) consensus: Consensus,
    pub(crate) view: Arc<View>,
}

/// Whether every replica of this state knows the order.
pub(crate) fn has(view: &View, order: &Order) -> bool {
    payload::level(order) <= view.read().state.meta().level()
}

impl Levels {
    /// Whether every replica knows this order. Asked before it is proposed: in
    /// the log it would end those that do not.
    pub(crate) async fn permit(&self, order: &Order) -> Result<(), Status> {
        if has(&self.view, order) {
            return Ok(());
        }
        let needed = payload::level(order);
        let mut applied = self.consensus.applied();
        let reached = async {
            // Raising it is no event, and changes no revision.
            while self.view.read().state.meta().level() < needed {
                if applied.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_ok() {
            return Ok(());
        }
        let level = self.view.read().state.meta().level();
        let text = format!("this needs level {needed}, and the cluster has {level}: {}", self.who_lacks(needed));
        let data = [("needed", needed.to_string()), ("level", level.to_string())];
        let data: Vec<(&str, &str)> = data.iter().map(|(k, v)| (*k, v.as_str())).collect();
        Err(status(Code::FailedPrecondition, reason::FEATURE_LEVEL, text, &data))
    }

    /// Whether a replica that knows this level can be one of them: what is in
    /// the log already would end one that knows less.
    pub(crate) fn takes(&self, level: u16) -> Result<(), Status> {
        let has = self.view.read().state.meta().level();
        // One of before there were levels says nothing.
        if level.max(1) >= has {
            return Ok(());
        }
        let text = format!("the cluster has level {has}, and the replica that joins knows only {level}; upgrade it");
        let data = [("needed", has.to_string()), ("level", level.to_string())];
        let data: Vec<(&str, &str)> = data.iter().map(|(k, v)| (*k, v.as_str())).collect();
        Err(status(Code::FailedPrecondition, reason::FEATURE_LEVEL, text, &data))
    }

    fn who_lacks(&self, needed: u16) -> String {
        let (me, members) = {
            let standing = self.consensus.standing();
            let standing = standing.borrow();
            (standing.me, standing.members.all())
        };
        let known = self.others.watch();
        let known = known.borrow();
        let lacks = |id: &ReplicaId| match known.get(id) {
            _ if *id == me && self.ours < needed => {
                Some(format!("replica {id} is held at level {}; start it without --feature-level-max", self.ours))
            }
            _ if *id == me => None,
            Some(one) if one.level < needed => {
                Some(format!("replica {id} runs version {} and knows level {}; upgrade it", one.version, one.level))
            }
            Some(_) => None,
            None => Some(format!("replica {id} has not said what it knows; start it")),
        };
        let who: Vec<String> = members.iter().filter_map(lacks).collect();
        if who.is_empty() { "its leader has not written it down yet; try again".to_owned() } else { who.join("; ") }
    }
}

/// Writes the level down, whenever this replica leads and all know a higher
/// one.
pub(crate) async fn raise(
    consensus: Consensus,
    view: Arc<View>,
    driver: Driver,
    others: LevelBook,
    ours: u16,
    stop: CancellationToken,
) {
    let mut standing = consensus.standing();
    let mut known = others.watch();
    loop {
        let (leads, me, members) = {
            let standing = standing.borrow_and_update();
            (standing.leads(), standing.me, standing.members.all())
        };
        let common = {
            let known = known.borrow_and_update();
            let level = |id: &ReplicaId| if *id == me { Some(ours) } else { known.get(id).map(|one| one.level) };
            members.iter().map(level).min().flatten()
        };
        if let Some(level) = common.filter(|_| leads)
            && consensus.read_barrier().await.is_ok()
            && level > view.read().state.meta().level()
        {
            match driver.note(OWN_ACTOR, Order::SetLevel { level }).await {
                Ok(Ok(_)) => tracing::info!(level, "every replica knows this level"),
                Ok(Err(refusal)) => tracing::error!(%refusal, "the level was refused"),
                // Whoever leads next does it.
                Err(error) => tracing::info!(%error, "the level was not written"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
            changed = known.changed() => if changed.is_err() { return },
        }
    }
}
