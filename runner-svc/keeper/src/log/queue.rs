//! What was asked of the scribe and is not done yet. While a disk hangs nothing
//! is, for days perhaps; so a run that begins and ends meanwhile leaves behind
//! only how much of its output is missing.

use super::ask::{Ask, Missed};
use super::wire::Wire;
use std::collections::VecDeque;

/// Lines for the diary beyond this are lost.
const MOST: usize = 10_000;

/// Runs whose last words, of a pipe each at most, wait in their pipes. Those of more are dropped: a program that is to
/// wait for the disk, and is started again and again while it hangs, would use up all descriptors.
const KEPT: usize = 256;

/// In its order.
#[derive(Default)]
pub(super) struct Queue(VecDeque<Ask>);

impl Queue {
    /// Whether it was empty before.
    pub(super) fn push(&mut self, ask: Ask) -> bool {
        let was_empty = self.0.is_empty();
        if let Ask::Close { run } = ask
            && self.is_all_of(run)
        {
            self.drop_run(run);
        } else if !matches!(ask, Ask::Say(_)) || self.0.len() < MOST {
            self.0.push_back(ask);
        }
        was_empty
    }

    pub(super) fn pop(&mut self) -> Option<Ask> {
        self.0.pop_front()
    }

    /// Nobody has begun with this run, and there is nothing left of it to be read. (A start that was tried again has
    /// asked twice.)
    fn is_all_of(&self, run: u64) -> bool {
        let opened = self.0.iter().filter(|ask| matches!(ask, Ask::Open { .. }));
        if opened.clone().count() > KEPT {
            opened.clone().filter(|ask| ask.run() == Some(run)).for_each(|ask| wires(ask).for_each(Wire::drop_rest));
        }
        let mut of_run = opened.filter(|ask| ask.run() == Some(run)).peekable();
        of_run.peek().is_some() && of_run.flat_map(wires).all(Wire::is_quiet)
    }

    fn drop_run(&mut self, run: u64) {
        let all = std::mem::take(&mut self.0);
        let mut opened = Vec::new();
        let mut missed = Vec::new();
        for ask in all {
            if ask.run() != Some(run) {
                self.0.push_back(ask);
            } else if let Ask::Open { outputs, .. } = ask {
                opened.extend(outputs);
            } else if let Ask::Begin { key, policy, json } = ask
                && let Some((_, wire, path)) = opened.iter().rfind(|(of, ..)| *of == key)
            {
                missed.push(Missed { path: path.clone(), policy, json, bytes: wire.take_missing() });
            }
        }
        for missed in missed.into_iter().filter(|missed| missed.bytes > 0) {
            let mut counted =
                self.0.iter_mut().filter_map(|ask| if let Ask::Count(counted) = ask { Some(counted) } else { None });
            match counted.find(|counted| counted.path == missed.path) {
                Some(before) => *before = Missed { bytes: before.bytes + missed.bytes, ..missed },
                None => self.0.push_back(Ask::Count(missed)),
            }
        }
    }
}

fn wires(opened: &Ask) -> impl Iterator<Item = &Wire> {
    let outputs = if let Ask::Open { outputs, .. } = opened { outputs.as_slice() } else { &[] };
    outputs.iter().map(|(_, wire, _)| &**wire)
}

#[cfg(test)]
mod tests {
    use super::super::ask::Key;
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;

    /// A run whose output is begun; with its pipe.
    fn begin(queue: &mut Queue, run: u64) -> (Arc<Wire>, std::os::fd::OwnedFd) {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        let (key, wire) = (Key { run, index: 0 }, Arc::new(Wire::new(read)));
        queue.push(Ask::Open { outputs: vec![(key, wire.clone(), "/log".into())], opened: sync_channel(1).0 });
        queue.push(Ask::Begin { key, policy: None, json: None });
        (wire, write)
    }

    #[test]
    fn of_runs_that_begin_and_end_while_nothing_is_done_only_what_is_missing_is_left() {
        let mut queue = Queue::default();
        assert!(queue.push(Ask::Say("first".into())));
        for run in 1..=100 {
            let (wire, _pipe) = begin(&mut queue, run);
            wire.drop_bytes(10);
            queue.push(Ask::Drain { run, done: sync_channel(1).0 });
            assert!(!queue.push(Ask::Close { run }));
            assert_eq!(Arc::strong_count(&wire), 1, "its pipe is held");
        }
        assert!(matches!(queue.pop(), Some(Ask::Say(_))));
        let Some(Ask::Count(missed)) = queue.pop() else { panic!("it is not counted") };
        assert_eq!((missed.bytes, missed.path.to_str()), (1000, Some("/log")));
        assert!(queue.pop().is_none());
    }

    #[test]
    fn a_run_that_was_begun_with_or_has_left_something_is_closed_as_ever() {
        let mut queue = Queue::default();
        let (_wire, pipe) = begin(&mut queue, 1);
        rustix::io::write(&pipe, b"x").unwrap();
        queue.push(Ask::Close { run: 1 });
        queue.push(Ask::Close { run: 2 });
        assert!(matches!(queue.pop(), Some(Ask::Open { .. })));
        assert!(matches!(queue.pop(), Some(Ask::Begin { .. })));
        assert!(matches!(queue.pop(), Some(Ask::Close { run: 1 })));
        assert!(matches!(queue.pop(), Some(Ask::Close { run: 2 })));
    }

    #[test]
    fn what_waits_in_pipes_is_kept_of_so_many_runs_and_counted_of_the_others() {
        let mut queue = Queue::default();
        let wires: Vec<_> = (1..=300)
            .map(|run| {
                let (wire, pipe) = begin(&mut queue, run);
                rustix::io::write(&pipe, b"last words").unwrap();
                queue.push(Ask::Close { run });
                wire
            })
            .collect();
        assert_eq!(wires.iter().filter(|wire| Arc::strong_count(wire) > 1).count(), KEPT);
        let counted = std::iter::from_fn(|| queue.pop())
            .filter_map(|ask| if let Ask::Count(missed) = ask { Some(missed.bytes) } else { None });
        assert_eq!(counted.collect::<Vec<_>>(), [10 * (300 - KEPT as u64)]);
    }

    #[test]
    fn what_a_second_try_to_start_has_left_is_not_taken_for_nothing() {
        let mut queue = Queue::default();
        let (_wire, _pipe) = begin(&mut queue, 1);
        let (_second, pipe) = begin(&mut queue, 1);
        rustix::io::write(&pipe, b"x").unwrap();
        queue.push(Ask::Close { run: 1 });
        let last = std::iter::from_fn(|| queue.pop()).last();
        assert!(matches!(last, Some(Ask::Close { run: 1 })));
    }
}
