//! From what is wanted and what is so to the steps between.

use super::{Advice, Change, MemberRefusal, Reach, Roll, Stage};
use crate::ReplicaId;
use std::collections::BTreeSet;

/// A learner that lacks no more entries than this has caught up: the rest passes while the joint change is committed.
const NEXT_TO_NOTHING: u64 = 256;

/// What is left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order; none: it is so already.
    pub stages: Vec<Stage>,
    /// What to say about the outcome.
    pub advice: Option<Advice>,
}

/// The steps that are left of a joint change which somebody began and did not finish; asked by every new leader.
#[must_use]
pub fn unfinished(roll: &Roll) -> Option<Stage> {
    roll.voters.is_joint().then(|| Stage::FinishJoint(roll.voters.target()))
}

/// The steps that are left towards `change`.
///
/// # Errors
/// Why it must not be begun, or gone on with, as things are.
pub fn plan(change: Change, roll: &Roll, reach: &Reach) -> Result<Plan, MemberRefusal> {
    let target = roll.voters.target();
    let (stages, voters) = match change {
        Change::Add(id) => {
            known(roll, id)?;
            let mut stages = Vec::new();
            if !roll.is_member(id) {
                stages.push(Stage::AddLearner(id));
            }
            if !roll.voters.contains(id) && reach.lag(id) > NEXT_TO_NOTHING {
                stages.push(Stage::CatchUp(id));
            }
            (stages, target)
        }
        Change::Promote(id) => {
            known(roll, id)?;
            if !roll.is_member(id) {
                return Err(MemberRefusal::NotAMember(id));
            }
            let voters: BTreeSet<ReplicaId> = target.iter().copied().chain([id]).collect();
            (voting(change, roll, reach, &voters, Some(id), None)?, voters)
        }
        Change::Remove(id) => {
            let voters = without(&target, id);
            let mut stages = Vec::new();
            if roll.voters.contains(id) {
                stages = voting(change, roll, reach, &voters, None, Some(id))?;
            }
            stages.extend(leaving(roll, id)?);
            (stages, voters)
        }
        Change::Replace { old, new } => {
            if old == new {
                return Err(MemberRefusal::Same(old));
            }
            known(roll, new)?;
            let replaced = !roll.voters.contains(old) && target.contains(&new);
            if !replaced && !roll.voters.contains(old) {
                return Err(gone_or_stranger(roll, old));
            }
            if !roll.voters.is_joint() && target.contains(&new) && target.contains(&old) {
                return Err(MemberRefusal::Votes(new));
            }
            let mut stages = Vec::new();
            let voters: BTreeSet<ReplicaId> = without(&target, old).into_iter().chain([new]).collect();
            if !replaced {
                if !roll.is_member(new) {
                    stages.push(Stage::AddLearner(new));
                }
                stages.extend(voting(change, roll, reach, &voters, Some(new), Some(old))?);
            }
            stages.extend(leaving(roll, old)?);
            (stages, voters)
        }
    };
    if !stages.is_empty() {
        // Whatever is left has to be committed by those who vote now, and after what was begun before.
        if roll.voters.is_joint() && !stages.iter().any(|stage| matches!(stage, Stage::FinishJoint(_))) {
            return Err(MemberRefusal::UnderWay { asked: change, towards: roll.voters.target() });
        }
        commits(roll, reach)?;
    }
    Ok(Plan { stages, advice: Advice::on(voters.len()) })
}

/// The way from the present voters to these: `new` has to catch up before, `old` must not lead meanwhile.
fn voting(
    change: Change,
    roll: &Roll,
    reach: &Reach,
    voters: &BTreeSet<ReplicaId>,
    new: Option<ReplicaId>,
    old: Option<ReplicaId>,
) -> Result<Vec<Stage>, MemberRefusal> {
    let mut stages = Vec::new();
    let target = roll.voters.target();
    if roll.voters.is_joint() && target != *voters {
        return Err(MemberRefusal::UnderWay { asked: change, towards: target });
    }
    if !roll.voters.is_joint() && target == *voters {
        return Ok(stages);
    }
    if voters.is_empty() {
        return Err(MemberRefusal::LastVoter(old.unwrap_or(reach.leader)));
    }
    commits(roll, reach)?;
    let missing: BTreeSet<ReplicaId> = voters.difference(&reach.reachable).copied().collect();
    if let Some(new) = new.filter(|new| missing.contains(new)) {
        return Err(MemberRefusal::Unreachable(new));
    }
    if voters.len() - missing.len() <= voters.len() / 2 {
        return Err(MemberRefusal::WouldLoseQuorum { voters: voters.clone(), missing });
    }
    if let Some(new) = new.filter(|new| !roll.voters.contains(*new) && reach.lag(*new) > NEXT_TO_NOTHING) {
        stages.push(Stage::CatchUp(new));
    }
    if old == Some(reach.leader) {
        // Who takes over has to vote already and to stay.
        let stays = voters.iter().filter(|id| roll.voters.contains(**id) && reach.reachable.contains(id));
        let heir = stays.filter(|id| Some(**id) != old).max_by_key(|id| (reach.matched.get(id).copied(), **id));
        let to = *heir.ok_or(MemberRefusal::NoHeir(reach.leader))?;
        stages.push(Stage::HandOver { from: reach.leader, to });
    }
    if !roll.voters.is_joint() {
        stages.push(Stage::ChangeVoters(voters.clone()));
    }
    stages.push(Stage::FinishJoint(voters.clone()));
    Ok(stages)
}

/// What remains of a member once it does not vote; nothing for one that is gone.
fn leaving(roll: &Roll, id: ReplicaId) -> Result<Vec<Stage>, MemberRefusal> {
    if roll.gone.contains(&id) {
        // A learner that was retired before it was dropped: dropped now.
        let dropped = roll.learners.contains(&id).then_some(Stage::DropLearner(id));
        return Ok(dropped.into_iter().collect());
    }
    if roll.voters.contains(id) || roll.learners.contains(&id) {
        return Ok(vec![Stage::DropLearner(id), Stage::Retire(id)]);
    }
    // Dropped and not retired: its number was given out, so it is on the list of the past next.
    if id.0 < roll.next { Ok(vec![Stage::Retire(id)]) } else { Err(MemberRefusal::NotAMember(id)) }
}

/// The number was given out, and to nobody that has left.
fn known(roll: &Roll, id: ReplicaId) -> Result<(), MemberRefusal> {
    if roll.gone.contains(&id) {
        return Err(MemberRefusal::Gone(id));
    }
    if id.0 >= roll.next && !roll.is_member(id) {
        return Err(MemberRefusal::NotEnrolled(id));
    }
    Ok(())
}

fn gone_or_stranger(roll: &Roll, id: ReplicaId) -> MemberRefusal {
    if roll.gone.contains(&id) { MemberRefusal::Gone(id) } else { MemberRefusal::NotAMember(id) }
}

fn commits(roll: &Roll, reach: &Reach) -> Result<(), MemberRefusal> {
    if roll.voters.majority(|id| reach.reachable.contains(&id)) {
        return Ok(());
    }
    Err(MemberRefusal::NoQuorum { missing: roll.voters.all().difference(&reach.reachable).copied().collect() })
}

fn without(ids: &BTreeSet<ReplicaId>, id: ReplicaId) -> BTreeSet<ReplicaId> {
    ids.iter().copied().filter(|other| *other != id).collect()
}
