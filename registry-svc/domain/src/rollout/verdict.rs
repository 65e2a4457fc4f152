//! Where a rollout is, once everything that may be done now is done.

use super::Stage;
use super::picture::{Picture, Turn, count};
use process_model::Timestamp;

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on as it is.
    GoesOn,
    /// It is given up.
    Fails(String),
    /// The canaries serve: somebody has to say that the others may follow.
    Waits,
    /// All that should run serve.
    Succeeds,
}

/// Judges a picture. `deadline`: when a rollout without progress is given up.
pub(super) fn verdict(picture: &Picture, deadline: Timestamp) -> Verdict {
    match picture.stage {
        Stage::Progressing | Stage::Awaiting => {}
        // What is held stays as it is; what is over is.
        Stage::Paused | Stage::Succeeded | Stage::Failed { .. } => return Verdict::GoesOn,
    }
    for unit in picture.units.iter().filter(|unit| unit.wanted) {
        if let Turn::Had { failed: true, gated: true, .. } = unit.turn {
            return Verdict::Fails(format!("instance {} was given up", unit.index));
        }
    }
    let regular = || picture.units.iter().filter(|unit| !unit.extra);
    if count(regular()) >= picture.number && regular().all(|unit| unit.is_settled(picture.now)) {
        return Verdict::Succeeds;
    }
    if canaries_serve(picture) {
        return Verdict::Waits;
    }
    if picture.stage == Stage::Progressing && picture.now >= deadline {
        let (proven, all) = (picture.proven(), count(picture.running()));
        return Verdict::Fails(format!("no progress within its deadline: {proven} of {all} serve"));
    }
    Verdict::GoesOn
}

fn canaries_serve(picture: &Picture) -> bool {
    let had = || picture.units.iter().filter(|unit| unit.wanted && unit.is_updated());
    !picture.promoted
        && picture.bounds.canary > 0
        && count(had()) >= picture.bounds.canary
        && had().all(|unit| unit.is_settled(picture.now))
}

/// When the picture changes by time alone.
pub(super) fn next(picture: &Picture, deadline: Timestamp) -> Option<Timestamp> {
    let counts = picture.units.iter().filter_map(|unit| match unit.turn {
        Turn::Had { counts, .. } if unit.wanted => counts.filter(|at| *at > picture.now),
        Turn::Had { .. } | Turn::Waits(_) => None,
    });
    match picture.stage {
        Stage::Progressing => counts.chain([deadline]).min(),
        Stage::Awaiting => counts.min(),
        // Those beyond the number may go once others count.
        Stage::Failed { .. } if picture.extras().next().is_some() => counts.min(),
        Stage::Paused | Stage::Succeeded | Stage::Failed { .. } => None,
    }
}
