//! What may be done now. A function of the picture: over what it led to, it
//! finds nothing more to do.

use super::Stage;
use super::picture::{Picture, Turn, Unit, count};
use process_model::change::Taking;
use std::collections::BTreeSet;

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// An instance has its turn.
    Hand { index: u32, taking: Taking },
    /// One more instance than asked for, for the time being.
    Surge { index: u32 },
    /// One beyond the number goes.
    Retire { index: u32 },
}

/// What may be done now.
pub(super) fn moves(picture: &Picture) -> Vec<Move> {
    let mut moves = Vec::new();
    match picture.stage {
        // Of more than may be, which is so after the number changed, some go even from a rollout that is held.
        Stage::Paused => retire_excess(picture, &mut moves),
        Stage::Progressing | Stage::Awaiting => {
            retire_excess(picture, &mut moves);
            if moves.is_empty() {
                surge(picture, &mut moves);
                hand(picture, &mut moves);
            }
        }
        Stage::Succeeded => moves.extend(picture.extras().map(|unit| Move::Retire { index: unit.index })),
        Stage::Failed { .. } => {
            retire_excess(picture, &mut moves);
            if moves.is_empty() {
                retire_needless(picture, &mut moves);
            }
        }
    }
    moves
}

/// Those that serve least go first; one that nobody wants to run would only
/// take the place of one that could serve.
fn retire_excess(picture: &Picture, moves: &mut Vec<Move>) {
    moves.extend(picture.extras().filter(|unit| !unit.wanted).map(|unit| Move::Retire { index: unit.index }));
    let mut extras: Vec<&Unit> = picture.extras().filter(|unit| unit.wanted).collect();
    let excess = extras.len().saturating_sub(picture.bounds.surge as usize);
    extras.sort_by_key(|unit| (unit.is_available(picture.now), unit.is_updated(), std::cmp::Reverse(unit.index)));
    moves.extend(extras.iter().take(excess).map(|unit| Move::Retire { index: unit.index }));
}

/// What failed may leave too few that serve: then those beyond the number stay
/// in their place.
fn retire_needless(picture: &Picture, moves: &mut Vec<Move>) {
    let mut available = picture.available();
    for unit in picture.extras() {
        let serves = unit.wanted && unit.is_available(picture.now);
        if serves && available <= picture.floor() {
            continue;
        }
        available -= u32::from(serves);
        moves.push(Move::Retire { index: unit.index });
    }
}

/// Instances beyond the number come first, as many as there are others that
/// will not serve for a while.
fn surge(picture: &Picture, moves: &mut Vec<Move>) {
    let costs = |unit: &&Unit| unit.serves && unit.turn == Turn::Waits(Taking::Restart);
    let wanted = count(picture.running().filter(costs)).min(picture.bounds.surge);
    let taken: BTreeSet<u32> =
        picture.units.iter().map(|unit| unit.index).chain(picture.leaving.iter().copied()).collect();
    let all = count(taken.iter());
    let most = picture.number.saturating_add(picture.bounds.surge);
    let missing = wanted.saturating_sub(count(picture.extras())).min(most.saturating_sub(all));
    let missing = missing.min(picture.room()).min(picture.free);
    let free = (picture.number.saturating_add(1)..=most).filter(|index| !taken.contains(index));
    moves.extend(free.take(missing as usize).map(|index| Move::Surge { index }));
}

/// Those that do not serve anyway first, then one after the other as long as
/// enough are left.
fn hand(picture: &Picture, moves: &mut Vec<Move>) {
    let mut available = picture.available();
    let mut room = picture.room().saturating_sub(count(moves.iter()));
    let mut unproven = count(picture.units.iter().filter(|unit| is_unproven(unit, picture)));
    let least_at_a_time = picture.bounds.unavailable.max(1);
    let floor = picture.floor();
    let mut waiting: Vec<(&Unit, Taking)> = Vec::new();
    for unit in &picture.units {
        match unit.turn {
            Turn::Waits(taking) => waiting.push((unit, taking)),
            Turn::Had { .. } => {}
        }
    }
    waiting.sort_by_key(|(unit, taking)| (unit.wanted, unit.serves, *taking != Taking::Same, !unit.extra, unit.index));
    for (unit, taking) in waiting {
        if !unit.wanted {
            // It costs nothing, but would run the new spec if somebody started it: not before the canaries are believed.
            if picture.room() < u32::MAX {
                continue;
            }
            moves.push(Move::Hand { index: unit.index, taking });
            continue;
        }
        if room == 0 {
            continue;
        }
        if unit.serves && picture.bounds.gated {
            match taking {
                Taking::Same => {}
                Taking::InPlace if unproven >= least_at_a_time => continue,
                Taking::InPlace if picture.bounds.min_ready.is_zero() => {}
                Taking::InPlace => {
                    unproven += 1;
                    available = available.saturating_sub(1);
                }
                Taking::Restart if available <= floor => continue,
                Taking::Restart => available -= 1,
            }
        }
        room -= 1;
        moves.push(Move::Hand { index: unit.index, taking });
    }
}

/// It goes on with what it took in, and has not for long enough.
fn is_unproven(unit: &Unit, picture: &Picture) -> bool {
    match unit.turn {
        Turn::Waits(_) => false,
        Turn::Had { in_place, gated, .. } => in_place && gated && unit.wanted && !unit.is_available(picture.now),
    }
}
