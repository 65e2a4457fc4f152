//! When two appends are one, as the real links have it: the library repeats
//! what is not answered within a heartbeat, and the repeated one joins the
//! one that is under way.

use registry_consensus::{Answer, Append, Appended, Call, Position, Vote};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

type Pair = (u64, u64);
type Voted = (u64, Option<u64>, bool);

/// Appends with equal values are the same, or one begins as the other.
pub(super) type Sameness = (Voted, Option<Pair>, Option<Option<Pair>>);

fn pair(at: Position) -> Pair {
    (at.term, at.index)
}

/// Of an append, and its last entry.
pub(super) fn sameness(call: &Call) -> Option<(Sameness, Option<Position>)> {
    let Call::Append(Append { vote, previous, entries, committed }) = call else { return None };
    let Vote { term, voted_for, committed: granted } = *vote;
    let last = entries.last().map(|entry| entry.at);
    let heartbeat = if last.is_none() { Some(committed.map(pair)) } else { None };
    Some((((term, voted_for, granted), previous.map(pair), heartbeat), last))
}

/// Those who joined an append that is under way, by what it is.
#[derive(Default)]
pub(super) struct Joined(BTreeMap<Sameness, Group>);

struct Group {
    sent: Option<Position>,
    waiting: Vec<(Option<Position>, oneshot::Sender<Answer>)>,
}

impl Joined {
    /// True: it is under way already, and the asker will hear of that.
    pub(super) fn join(&mut self, same: Sameness, last: Option<Position>, asker: oneshot::Sender<Answer>) -> bool {
        let under_way = self.0.contains_key(&same);
        let group = self.0.entry(same).or_insert(Group { sent: last, waiting: Vec::new() });
        group.waiting.push((last, asker));
        under_way
    }

    pub(super) fn answer(&mut self, same: &Sameness, answer: &Answer) {
        let Some(group) = self.0.remove(same) else { return };
        for (wants, asker) in group.waiting {
            // The library may have given up.
            let _ = asker.send(fitting(wants, group.sent, answer));
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The answer to an append up to `wants`, from the answer to one up to `sent`.
fn fitting(wants: Option<Position>, sent: Option<Position>, answer: &Answer) -> Answer {
    let (Some(wants), Some(sent)) = (wants, sent) else { return answer.clone() };
    let reached = match answer {
        Answer::Appended(Appended::All) => sent,
        Answer::Appended(Appended::UpTo(Some(reached))) => *reached,
        _ => return answer.clone(),
    };
    Answer::Appended(if reached >= wants { Appended::All } else { Appended::UpTo(Some(reached)) })
}
