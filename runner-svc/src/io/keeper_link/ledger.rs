//! What was asked of the keeper, what it said, and so what became of each run
//! when the connection breaks.
//!
//! ```text
//!            written            Spawned              ending with an empty tree
//!  unsent ──────────▶ asked ──────────────▶ held ──────────────────────────────▶ (nothing)
//!     ▲                 │ SpawnFailed: (nothing)
//!     └─────────────────┘ same keeper, and it does not know the run
//!  another keeper: asked and held are lost; what is unsent goes to it
//! ```

use crate::io::leftovers::{Lost, MainProcess, ticks_since_boot};
use runner_keeper::frame;
use runner_keeper::protocol::{Event, Request, RunRecord};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Not written yet, oldest first.
    unsent: VecDeque<Outgoing>,
    /// Spawns that were written and not answered.
    asked: BTreeMap<u64, Outgoing>,
    /// Runs that the keeper holds and that are not over.
    held: BTreeMap<u64, Held>,
    /// Whether the keeper was told to end and has not refused. Nothing but its
    /// refusal takes that back.
    shutting_down: bool,
}

#[derive(Debug)]
struct Outgoing {
    request: Request,
    bytes: Vec<u8>,
    /// When it was queued, in clock ticks since boot: nothing of it is older.
    since: u64,
}

#[derive(Debug)]
struct Held {
    instance: String,
    main: MainProcess,
}

impl Ledger {
    /// Takes a request in. Returns the answer of one that cannot even be
    /// written: it must not stand before all others for ever.
    pub(super) fn queue(&mut self, request: Request) -> Option<Event> {
        self.shutting_down |= matches!(request, Request::Shutdown);
        let mut bytes = Vec::new();
        match frame::encode(&request, &mut bytes) {
            Ok(()) => {
                self.unsent.push_back(Outgoing { request, bytes, since: ticks_since_boot() });
                None
            }
            Err(e) => match request {
                Request::Spawn(spawn) => {
                    Some(Event::SpawnFailed { run: spawn.run, stage: "request".to_owned(), message: e.to_string() })
                }
                // A few numbers each: always encodable.
                Request::Hello { .. } | Request::SignalTree { .. } | Request::Forget { .. } | Request::Shutdown => None,
            },
        }
    }

    /// Everything that is to be written: one write for a burst, so 500 starts
    /// are a few system calls.
    pub(super) fn burst(&self) -> Vec<u8> {
        self.unsent.iter().flat_map(|outgoing| outgoing.bytes.iter().copied()).collect()
    }

    /// The kernel took this many bytes of the burst. A request of which it
    /// took only a part is as good as unsent: no keeper acts on half of one.
    pub(super) fn written(&mut self, mut bytes: usize) {
        while let Some(outgoing) = self.unsent.pop_front() {
            let Some(rest) = bytes.checked_sub(outgoing.bytes.len()) else {
                self.unsent.push_front(outgoing);
                return;
            };
            bytes = rest;
            match &outgoing.request {
                Request::Spawn(spawn) => {
                    self.asked.insert(spawn.run, outgoing);
                }
                // A keeper drops no record of a run that is not over: it goes on holding it.
                Request::Forget { .. } => {}
                Request::Hello { .. } | Request::SignalTree { .. } | Request::Shutdown => {}
            }
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    /// Takes in what the keeper says.
    pub(super) fn heard(&mut self, event: &Event) {
        match event {
            Event::Spawned { run, pid, start_time, .. } => {
                let main = MainProcess { pid: *pid, start_time: *start_time };
                if let Some(Request::Spawn(spawn)) = self.asked.remove(run).map(|asked| asked.request) {
                    self.held.insert(*run, Held { instance: spawn.instance, main });
                }
            }
            Event::SpawnFailed { run, .. } => {
                self.asked.remove(run);
            }
            Event::Exited { run, ending } => {
                // With an empty tree nothing is left to be lost; only the record is.
                if ending.tree_empty {
                    self.held.remove(run);
                }
            }
            Event::TreeEmptied { run } => {
                self.held.remove(run);
            }
            Event::ShutdownRefused { .. } => self.shutting_down = false,
            Event::Welcome { .. } => {}
        }
    }

    /// Takes in what a keeper holds that was just connected to. Returns the
    /// runs that nobody holds any more, with how to find what is left of them.
    pub(super) fn reconcile(&mut self, records: &[RunRecord], same_keeper: bool) -> Vec<(u64, Lost)> {
        let mut there = BTreeSet::new();
        for record in records {
            there.insert(record.run);
            self.asked.remove(&record.run);
            let over = record.ending.as_ref().is_some_and(|ending| ending.tree_empty);
            if over {
                self.held.remove(&record.run);
            } else {
                let main = MainProcess { pid: record.pid, start_time: record.start_time };
                self.held.insert(record.run, Held { instance: record.instance.clone(), main });
            }
        }
        let mut lost = Vec::new();
        for (run, asked) in std::mem::take(&mut self.asked).into_iter().rev() {
            match asked.request {
                // It never took it in, or its answer was lost: it starts no run twice.
                _ if same_keeper => self.unsent.push_front(asked),
                // The other one may have started it before it died.
                Request::Spawn(spawn) => lost.push((run, Lost::unanswered(spawn.instance, asked.since))),
                Request::Hello { .. } | Request::SignalTree { .. } | Request::Forget { .. } | Request::Shutdown => {}
            }
        }
        for (run, held) in self.held.extract_if(.., |run, _| !there.contains(run)) {
            lost.push((run, Lost::of(held.main, held.instance)));
        }
        if self.shutting_down && !self.unsent.iter().any(|outgoing| matches!(outgoing.request, Request::Shutdown)) {
            // It was not heard, or the keeper would not be there.
            self.queue(Request::Shutdown);
        }
        lost.sort_by_key(|(run, _)| *run);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::ExitStatus;
    use runner_keeper::protocol::{Ending, SpawnRequest};

    fn spawn(run: u64) -> Request {
        Request::Spawn(Box::new(SpawnRequest {
            run,
            instance: format!("web-{run}"),
            argv: vec!["sleep".into()],
            env: Vec::new(),
            working_dir: "/".into(),
            identity: None,
            stdout: "/dev/null".into(),
            stderr: "/dev/null".into(),
        }))
    }

    fn spawned(run: u64) -> Event {
        Event::Spawned { run, pid: 10, start_time: 20, started_at: 30 }
    }

    fn record(run: u64, ending: Option<Ending>) -> RunRecord {
        let instance = format!("web-{run}");
        RunRecord { run, instance, pid: 10, start_time: 20, started_at: 30, age: 0, ending }
    }

    fn over() -> Ending {
        Ending { status: ExitStatus::Code(0), at: 0, tree_empty: true }
    }

    fn asked(runs: &[u64]) -> Ledger {
        let mut ledger = Ledger::default();
        for run in runs {
            assert!(ledger.queue(spawn(*run)).is_none());
        }
        ledger.written(ledger.burst().len());
        ledger
    }

    fn unsent(ledger: &Ledger) -> Vec<&Request> {
        ledger.unsent.iter().map(|outgoing| &outgoing.request).collect()
    }

    fn runs(lost: Vec<(u64, Lost)>) -> Vec<u64> {
        lost.into_iter().map(|(run, _)| run).collect()
    }

    #[test]
    fn a_spawn_that_was_not_written_is_not_lost_with_a_keeper_that_never_saw_it() {
        let mut ledger = Ledger::default();
        ledger.queue(spawn(1));
        ledger.queue(spawn(2));
        let first = ledger.unsent.front().unwrap().bytes.len();
        // The second was cut in the middle.
        ledger.written(first + 3);
        assert_eq!(unsent(&ledger), [&spawn(2)]);
        assert_eq!(runs(ledger.reconcile(&[], false)), [1]);
        assert_eq!(unsent(&ledger), [&spawn(2)]);
    }

    #[test]
    fn the_same_keeper_is_asked_again_for_what_it_does_not_know_and_in_order() {
        let mut ledger = asked(&[1, 2, 3]);
        ledger.queue(Request::Forget { run: 9 });
        assert_eq!(runs(ledger.reconcile(&[record(2, None)], true)), Vec::<u64>::new());
        assert_eq!(unsent(&ledger), [&spawn(1), &spawn(3), &Request::Forget { run: 9 }]);
    }

    #[test]
    fn a_run_whose_end_is_known_is_not_lost_with_its_keeper() {
        let mut ledger = asked(&[1, 2, 3, 4]);
        (1..=4).for_each(|run| ledger.heard(&spawned(run)));
        ledger.heard(&Event::Exited { run: 1, ending: over() });
        ledger.heard(&Event::Exited { run: 2, ending: Ending { tree_empty: false, ..over() } });
        ledger.heard(&Event::Exited { run: 3, ending: Ending { tree_empty: false, ..over() } });
        ledger.heard(&Event::TreeEmptied { run: 3 });
        assert_eq!(runs(ledger.reconcile(&[], false)), [2, 4]);
        assert_eq!(runs(ledger.reconcile(&[], false)), Vec::<u64>::new(), "lost twice");
    }

    #[test]
    fn a_spawn_that_failed_or_ended_is_never_lost() {
        let mut ledger = asked(&[1, 2]);
        ledger.heard(&Event::SpawnFailed { run: 1, stage: String::new(), message: String::new() });
        assert_eq!(runs(ledger.reconcile(&[record(2, Some(over()))], false)), Vec::<u64>::new());
        assert_eq!(runs(ledger.reconcile(&[], false)), Vec::<u64>::new());
    }

    #[test]
    fn only_a_refusal_ends_a_shutdown() {
        let mut ledger = Ledger::default();
        ledger.queue(Request::Shutdown);
        ledger.queue(Request::Forget { run: 1 });
        ledger.written(ledger.burst().len());
        assert!(ledger.is_shutting_down(), "a later request took it back");
        ledger.reconcile(&[], true);
        assert_eq!(unsent(&ledger), [&Request::Shutdown], "the keeper that is still there was not told again");
        ledger.heard(&Event::ShutdownRefused { alive: 1 });
        assert!(!ledger.is_shutting_down());
    }

    #[test]
    fn a_request_that_is_too_long_is_answered_and_blocks_nobody() {
        let mut ledger = Ledger::default();
        let Request::Spawn(mut long) = spawn(1) else { unreachable!() };
        long.argv.push("x".repeat(frame::MAX_FRAME));
        let answer = ledger.queue(Request::Spawn(long));
        assert!(matches!(answer, Some(Event::SpawnFailed { run: 1, .. })), "{answer:?}");
        assert!(!ledger.has_unsent());
    }
}
