//! The search for an order. Enters: the operations on one key. Leaves: whether
//! there is an order, or how far the best one came.
//!
//! Calls and returns stand in a list by time. The operation whose call comes
//! before the first return may be the next in the order: it is taken out of the
//! list and the search begins at the front again. At a return nothing more can
//! be taken: the last one taken is put back, and what follows it is tried. What
//! was taken and what the register holds then decide all that follows, so the
//! same pair is never gone into twice (Lowe 2017).

use super::Op;
use super::register::{State, step};
use std::collections::HashSet;
use std::fmt::Write as _;

/// Steps after which a search is given up: some ten seconds.
const MOST_STEPS: u64 = 100_000_000;
/// Operations told of before the place where nothing goes on.
const TOLD: usize = 12;

/// What the search found.
pub(super) enum Found {
    /// An order.
    Order,
    /// None.
    None {
        /// Where the longest one ended.
        story: String,
    },
    /// Neither in time.
    TooLong,
}

/// A place in the list: the front, a call, or a return.
type Place = usize;
const FRONT: Place = 0;

/// Calls and returns by time, as a list that places are taken out of and put
/// back into in the reverse order.
struct Timeline {
    /// Operation of each place, and whether the place is its call.
    what: Vec<(usize, bool)>,
    next: Vec<Place>,
    previous: Vec<Place>,
    /// Place of each operation's return; none for an open one.
    returns: Vec<Option<Place>>,
}

impl Timeline {
    fn of(ops: &[Op]) -> Self {
        let mut moments = Vec::new();
        for (n, op) in ops.iter().enumerate() {
            moments.push((op.invoked, false, n));
            if let Some((at, _)) = op.returned {
                moments.push((at, true, n));
            }
        }
        // At the same moment calls come first: then neither is before the other.
        moments.sort_unstable();
        let last = moments.len();
        let mut returns = vec![None; ops.len()];
        let mut what = vec![(usize::MAX, false)];
        for (place, (_, is_return, n)) in moments.into_iter().enumerate() {
            what.push((n, !is_return));
            if is_return {
                returns[n] = Some(place + 1);
            }
        }
        let next = (0..=last).map(|place| if place == last { FRONT } else { place + 1 }).collect();
        let previous = (0..=last).map(|place| if place == FRONT { last } else { place - 1 }).collect();
        Self { what, next, previous, returns }
    }

    fn unlink(&mut self, place: Place) {
        let (before, after) = (self.previous[place], self.next[place]);
        self.next[before] = after;
        self.previous[after] = before;
    }

    fn link(&mut self, place: Place) {
        let (before, after) = (self.previous[place], self.next[place]);
        self.next[before] = place;
        self.previous[after] = place;
    }

    fn take_out(&mut self, call: Place) {
        self.unlink(call);
        if let Some(place) = self.returns[self.what[call].0] {
            self.unlink(place);
        }
    }

    fn put_back(&mut self, call: Place) {
        if let Some(place) = self.returns[self.what[call].0] {
            self.link(place);
        }
        self.link(call);
    }
}

/// Searches for an order of these operations.
pub(super) fn search(ops: &[Op]) -> Found {
    let mut timeline = Timeline::of(ops);
    let mut answered = ops.iter().filter(|op| op.returned.is_some()).count();
    let mut taken = vec![0_u64; ops.len().div_ceil(64)];
    let mut tried: HashSet<(Box<[u64]>, State)> = HashSet::new();
    let mut order: Vec<(Place, State)> = Vec::new();
    let mut best: Vec<usize> = Vec::new();
    let mut state = None;
    let mut place = timeline.next[FRONT];
    let mut steps = 0;
    while answered > 0 {
        steps += 1;
        if steps > MOST_STEPS {
            return Found::TooLong;
        }
        let (n, is_call) = timeline.what[place];
        // All calls that are left were tried, and a return of one is still to
        // come; the front is only reached by open ones at the end.
        if place == FRONT || !is_call {
            if order.len() >= best.len() {
                best = order.iter().map(|(place, _)| timeline.what[*place].0).collect();
            }
            let Some((last, before)) = order.pop() else { return Found::None { story: story(ops, &best) } };
            let n = timeline.what[last].0;
            taken[n / 64] &= !(1 << (n % 64));
            answered += usize::from(ops[n].returned.is_some());
            state = before;
            timeline.put_back(last);
            place = timeline.next[last];
            continue;
        }
        let op = &ops[n];
        let after = step(state, op.call, op.returned.map(|(_, answer)| answer));
        if let Some(after) = after {
            taken[n / 64] |= 1 << (n % 64);
            if tried.insert((taken.clone().into(), after)) {
                order.push((place, state));
                answered -= usize::from(op.returned.is_some());
                state = after;
                timeline.take_out(place);
                place = timeline.next[FRONT];
                continue;
            }
            taken[n / 64] &= !(1 << (n % 64));
        }
        place = timeline.next[place];
    }
    Found::Order
}

/// The end of the longest order, and what was under way then.
fn story(ops: &[Op], best: &[usize]) -> String {
    let mut story = format!("{} of {} operations have an order; it ends with\n", best.len(), ops.len());
    for n in &best[best.len().saturating_sub(TOLD)..] {
        let _ = writeln!(story, "    {}", told(&ops[*n]));
    }
    let left = || (0..ops.len()).filter(|n| !best.contains(n)).map(|n| &ops[n]);
    let first_return = left().filter_map(|op| op.returned).map(|(at, _)| at).min().unwrap_or(u64::MAX);
    story += "  none of these can be the next\n";
    for op in left().filter(|op| op.invoked <= first_return) {
        let _ = writeln!(story, "    {}", told(op));
    }
    story
}

fn told(op: &Op) -> String {
    let millis = |nanos: u64| nanos as f64 / 1e6;
    let (from, call) = (millis(op.invoked), op.call);
    match op.returned {
        Some((at, answer)) => {
            format!("client {:>2}: {call:?} → {answer:?}, {from:.3} to {:.3} ms", op.client, millis(at))
        }
        None => format!("client {:>2}: {call:?} → unknown, from {from:.3} ms", op.client),
    }
}
