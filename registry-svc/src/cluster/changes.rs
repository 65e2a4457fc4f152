//! Changes of the members, carried out by the leader: `registry_quorum::members`
//! plans from the present, the first step is done, and it plans again, until
//! nothing is left. Whoever leads next can go on at any point.

use super::health::ask;
use crate::core::Core;
use crate::driver::{OWN_ACTOR, ProposeError};
use crate::levels;
use futures::future::join_all;
use registry_consensus::{ConsensusError, HandOverEnd, ReplicaId};
use registry_domain::members::MemberGone;
use registry_domain::{Command, Header, Order, Refusal};
use registry_quorum::members::{Advice, Change, MemberRefusal, Reach, Roll, Stage, plan};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// So long one request waits for a replica to catch up, or for the change before it.
const PATIENCE: Duration = Duration::from_secs(20);
/// So long a replica that has just been started may take until it is linked to the leader.
const GREETING: Duration = Duration::from_secs(3);
/// Between two looks at how far a replica has come: the library tells of it with each entry, which is too often.
const LOOK: Duration = Duration::from_millis(50);

/// Why a change is not made, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeFault {
    /// Another replica has to do it.
    #[error("this replica does not lead the cluster")]
    NotLeader,
    /// Not as things are.
    #[error(transparent)]
    Refused(#[from] MemberRefusal),
    /// It has not caught up yet.
    #[error(
        "replica {id} lacks {lacks} entries still: ask again when it has caught up, as `pmctl cluster status` shows"
    )]
    Behind {
        /// Who.
        id: ReplicaId,
        /// How many entries.
        lacks: u64,
    },
    /// Leadership stays where it is.
    #[error("leadership stays where it is: {0}; ask again, or look with `pmctl cluster status`")]
    Stays(HandOverEnd),
    /// The state refused it.
    #[error(transparent)]
    State(#[from] Refusal),
    /// It could not be written.
    #[error(transparent)]
    Proposal(#[from] ProposeError),
    /// The engine refused it.
    #[error(transparent)]
    Engine(ConsensusError),
}

impl From<ConsensusError> for ChangeFault {
    fn from(error: ConsensusError) -> Self {
        match error {
            ConsensusError::NotLeader => Self::NotLeader,
            ConsensusError::Stopped(_) | ConsensusError::Refused(_) => Self::Engine(error),
        }
    }
}

/// What a change has led to.
pub(crate) struct Changed {
    pub(crate) voters: BTreeSet<ReplicaId>,
    pub(crate) advice: Option<Advice>,
}

/// Refuses what must not be begun, as things are.
pub(crate) async fn check(core: &Core, change: Change) -> Result<(), ChangeFault> {
    let late = Instant::now() + GREETING;
    loop {
        match plan(change, &roll(core), &reach(core).await) {
            Ok(_) => return Ok(()),
            Err(MemberRefusal::Unreachable(_)) if Instant::now() < late => tokio::time::sleep(LOOK).await,
            Err(refusal) => return Err(refusal.into()),
        }
    }
}

/// Makes a change, in the name of whoever asked for it.
pub(crate) async fn carry_out(core: &Core, change: Change, header: &Header) -> Result<Changed, ChangeFault> {
    let _one_at_a_time = core.changing.lock().await;
    let late = Instant::now() + PATIENCE;
    loop {
        if !core.consensus.standing().borrow().leads() {
            return Err(ChangeFault::NotLeader);
        }
        let (roll, reach) = (roll(core), reach(core).await);
        let steps = plan(change, &roll, &reach)?;
        let Some(stage) = steps.stages.into_iter().next() else {
            return Ok(Changed { voters: roll.voters.target(), advice: steps.advice });
        };
        tracing::info!(%change, %stage, "changing the members");
        match stage {
            Stage::AddLearner(id) => core.consensus.add_learner(id).await?,
            Stage::CatchUp(id) => {
                if Instant::now() >= late {
                    return Err(ChangeFault::Behind { id, lacks: reach.lag(id) });
                }
                tokio::time::sleep(LOOK).await;
            }
            Stage::HandOver { from: _, to } => match core.consensus.hand_over(Some(to)).await {
                HandOverEnd::Done | HandOverEnd::NotLeading => return Err(ChangeFault::NotLeader),
                end @ (HandOverEnd::NoHeir | HandOverEnd::Refused(_) | HandOverEnd::TimedOut(_)) => {
                    return Err(ChangeFault::Stays(end));
                }
            },
            Stage::ChangeVoters(voters) | Stage::FinishJoint(voters) => core.consensus.set_voters(&voters).await?,
            Stage::DropLearner(id) => core.consensus.remove_learner(id).await?,
            Stage::Retire(id) => retire(core, id, header).await?,
        }
    }
}

/// Lets a replica receive the log; it catches up by itself.
pub(crate) async fn add(core: &Core, id: ReplicaId) -> Result<(), ChangeFault> {
    let _one_at_a_time = core.changing.lock().await;
    let roll = roll(core);
    if roll.gone.contains(&id) {
        return Err(MemberRefusal::Gone(id).into());
    }
    if !roll.is_member(id) {
        core.consensus.add_learner(id).await?;
    }
    Ok(())
}

/// Retires numbers that nobody else does; `left` says which.
pub(crate) async fn retire_all(
    core: &Core,
    left: impl Fn() -> Vec<ReplicaId>,
    header: &Header,
) -> Result<(), ChangeFault> {
    // Whoever removes a replica now retires its number, too, and names who wanted it.
    let _one_at_a_time = core.changing.lock().await;
    for id in left() {
        retire(core, id, header).await?;
    }
    Ok(())
}

/// Writes down that a number is gone. Without the request's id: that is the request's own entry.
async fn retire(core: &Core, id: ReplicaId, header: &Header) -> Result<(), ChangeFault> {
    let Command { header: now, order } = core.driver.noted(OWN_ACTOR, Order::MemberGone(MemberGone { id: id.0 }));
    // Without the level there are no numbers in the state yet.
    if !levels::has(&core.view, &order) {
        return Ok(());
    }
    let (actor, reason, source) = (header.actor.clone(), header.reason.clone(), header.source.clone());
    let command = Command { header: Header { actor, reason, source, ..now }, order };
    core.driver.propose(command, 0).await??;
    Ok(())
}

/// The members, as log and state have them.
fn roll(core: &Core) -> Roll {
    let members = core.consensus.standing().borrow().members.clone();
    let above = members.all().last().map_or(0, |id| id.0);
    let replicated = core.view.read();
    let rows = replicated.state.members();
    Roll {
        gone: rows.values().filter(|member| member.gone.is_some()).map(|member| ReplicaId(member.id)).collect(),
        next: replicated.state.meta().next_member.max(above + 1),
        voters: members.voters,
        learners: members.learners,
    }
}

/// What the leader sees of the others: each is asked, as a process that died a moment ago still counts in every figure.
async fn reach(core: &Core) -> Reach {
    let leader = core.links.identity().id();
    let members = core.consensus.standing().borrow().members.all();
    let asked = join_all(members.iter().map(|id| ask(core, *id))).await;
    let reached = core.consensus.reached();
    Reach {
        leader,
        reachable: members.into_iter().zip(asked).filter(|(_, answer)| answer.is_ok()).map(|(id, _)| id).collect(),
        matched: reached.matched.iter().filter_map(|(id, at)| Some((*id, (*at)?))).collect::<BTreeMap<_, _>>(),
        last: reached.last.map_or(0, |at| at.index),
    }
}
