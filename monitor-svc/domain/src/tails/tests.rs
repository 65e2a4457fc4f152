//! A client, a runner and the wire between them, against the relays.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

fn follow() -> Wish {
    Wish { outputs: Outputs::BOTH, last_lines: None, follow: true, picked: None }
}

const SESSION: SessionId = SessionId(1);

/// Opens one tail and lets the session take its request.
fn asked(tails: &mut Tails, read: u64) -> (TailId, u64) {
    tails.opened(ReadId(read), follow(), [(id("web-1"), SESSION)]).unwrap();
    let Some(ToRunner::Request { request, credit, .. }) = tails.next_for(SESSION) else { panic!("no request") };
    (TailId { session: SESSION, request }, credit)
}

#[test]
fn a_read_without_targets_is_over_at_once() {
    let read = ReadId(1);
    assert_eq!(Tails::default().opened(read, follow(), []), Ok(vec![Effect::Finish { read }]));
}

#[test]
fn a_request_carries_what_was_wished_and_wakes_its_session() {
    let mut tails = Tails::default();
    let wish = Wish { outputs: Outputs::only(Output::Stderr), last_lines: Some(10), follow: false, picked: None };
    let effects = tails.opened(ReadId(1), wish.clone(), [(id("web-1"), SESSION)]).unwrap();
    assert_eq!(effects, [Effect::Wake { session: SESSION }]);
    let request = ToRunner::Request { request: 1, instance: id("web-1"), wish, credit: 256 << 10 };
    assert_eq!(tails.next_for(SESSION), Some(request));
    assert_eq!(tails.next_for(SESSION), None);
}

#[test]
fn many_tails_of_one_read_share_its_budget() {
    let mut tails = Tails::default();
    let targets = (1..=8).map(|n| (id(&format!("web-{n}")), SESSION));
    tails.opened(ReadId(1), follow(), targets).unwrap();
    let mut granted = 0;
    while let Some(told) = tails.next_for(SESSION) {
        let ToRunner::Request { credit, .. } = told else { panic!("{told:?}") };
        granted += credit;
    }
    assert_eq!(granted, READ_BUDGET);
}

#[test]
fn credit_comes_back_when_the_client_has_taken_half_a_window() {
    let mut tails = Tails::default();
    let (tail, window) = asked(&mut tails, 1);
    tails.chunk_arrived(tail, &id("web-1"), Output::Stdout, window);
    assert_eq!(tails.consumed(tail, window / 2 - 1), []);
    assert_eq!(tails.next_for(SESSION), None);
    assert_eq!(tails.consumed(tail, 1), [Effect::Wake { session: SESSION }]);
    assert_eq!(tails.consumed(tail, 5), [], "a session that was woken is not woken again");
    let bytes = window / 2 + 5;
    assert_eq!(tails.next_for(SESSION), Some(ToRunner::Credit { request: tail.request, bytes }));
}

#[test]
fn a_client_that_leaves_before_its_request_was_taken_is_never_mentioned() {
    let mut tails = Tails::default();
    tails.opened(ReadId(1), follow(), [(id("web-1"), SESSION)]).unwrap();
    assert_eq!(tails.reader_gone(ReadId(1)), []);
    assert_eq!((tails.next_for(SESSION), tails.tails()), (None, 0));
}

#[test]
fn a_client_that_leaves_cancels_and_what_was_on_its_way_is_dropped() {
    let mut tails = Tails::default();
    let (tail, _) = asked(&mut tails, 1);
    assert_eq!(tails.reader_gone(ReadId(1)), [Effect::Wake { session: SESSION }]);
    assert_eq!(tails.chunk_arrived(tail, &id("web-1"), Output::Stdout, 10), []);
    assert_eq!(tails.end_arrived(tail, None, ""), []);
    assert_eq!(tails.next_for(SESSION), Some(ToRunner::Cancel { request: tail.request }));
    assert_eq!((tails.next_for(SESSION), tails.tails(), tails.reads()), (None, 0, 0));
    assert_eq!(tails.reader_gone(ReadId(1)), [], "saying it again changes nothing");
}

#[test]
fn a_read_is_over_when_both_outputs_of_all_its_tails_ended() {
    let mut tails = Tails::default();
    let (tail, _) = asked(&mut tails, 1);
    let read = ReadId(1);
    let ended = |output| Effect::End { read, instance: id("web-1"), output, error: String::new() };
    assert_eq!(tails.end_arrived(tail, Some(Output::Stderr), ""), [ended(Output::Stderr)]);
    assert_eq!(tails.end_arrived(tail, Some(Output::Stderr), ""), [], "an output ends once");
    assert_eq!(tails.end_arrived(tail, Some(Output::Stdout), ""), [ended(Output::Stdout), Effect::Finish { read }]);
    assert_eq!((tails.tails(), tails.reads()), (0, 0));
}

#[test]
fn a_session_that_ends_ends_its_tails_and_no_others() {
    let mut tails = Tails::default();
    let other = SessionId(2);
    let read = ReadId(1);
    tails.opened(read, follow(), [(id("web-1"), SESSION), (id("web-2"), other)]).unwrap();
    let ended = |output| Effect::End { read, instance: id("web-1"), output, error: "node a is gone".into() };
    assert_eq!(tails.session_ended(SESSION, "node a is gone"), [ended(Output::Stdout), ended(Output::Stderr)]);
    assert_eq!(tails.next_for(SESSION), None);
    assert!(matches!(tails.next_for(other), Some(ToRunner::Request { .. })));
    assert!(tails.session_ended(other, "").contains(&Effect::Finish { read }));
}

#[test]
fn a_runner_that_sends_more_than_its_credit_is_cancelled_and_the_reader_told() {
    let mut tails = Tails::default();
    let (tail, window) = asked(&mut tails, 1);
    let effects = tails.chunk_arrived(tail, &id("web-1"), Output::Stdout, window + 1);
    assert!(matches!(&effects[0], Effect::End { error, .. } if error.contains("more than it was allowed")));
    assert_eq!(effects.last(), Some(&Effect::Finish { read: ReadId(1) }));
    assert_eq!(tails.next_for(SESSION), Some(ToRunner::Cancel { request: tail.request }));
    assert_eq!(tails.tails(), 0);
}

#[test]
fn a_chunk_of_another_instance_or_of_an_ended_output_is_not_handed_on() {
    let mut tails = Tails::default();
    let (tail, _) = asked(&mut tails, 1);
    tails.end_arrived(tail, Some(Output::Stdout), "");
    let effects = tails.chunk_arrived(tail, &id("web-1"), Output::Stdout, 1);
    assert!(!effects.contains(&Effect::Deliver { read: ReadId(1) }), "{effects:?}");
    let mut tails = Tails::default();
    let (tail, _) = asked(&mut tails, 2);
    let effects = tails.chunk_arrived(tail, &id("api-1"), Output::Stdout, 1);
    assert!(!effects.contains(&Effect::Deliver { read: ReadId(2) }), "{effects:?}");
}

#[test]
fn readers_beyond_the_limit_are_refused_and_those_inside_go_on() {
    let mut tails = Tails::default();
    for read in 0..MAX_READS as u64 {
        tails.opened(ReadId(read), follow(), [(id("web-1"), SESSION)]).unwrap();
    }
    let more = ReadId(MAX_READS as u64);
    assert_eq!(tails.opened(more, follow(), [(id("web-1"), SESSION)]), Err(TooManyReads));
    tails.reader_gone(ReadId(3));
    assert!(tails.opened(more, follow(), [(id("web-1"), SESSION)]).is_ok());
}

#[derive(Debug, Clone)]
enum Step {
    Open { read: u64, instances: u8 },
    Take { session: u64 },
    Chunk { pick: usize, bytes: u64 },
    Consume { pick: usize },
    End { pick: usize, output: Option<bool> },
    Leave { read: u64 },
    Break { session: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..6_u64, 1..4_u8).prop_map(|(read, instances)| Step::Open { read, instances }),
        6 => (0..2_u64).prop_map(|session| Step::Take { session }),
        6 => (any::<usize>(), 0..400_000_u64).prop_map(|(pick, bytes)| Step::Chunk { pick, bytes }),
        6 => any::<usize>().prop_map(|pick| Step::Consume { pick }),
        1 => (any::<usize>(), any::<Option<bool>>()).prop_map(|(pick, output)| Step::End { pick, output }),
        1 => (0..6_u64).prop_map(|read| Step::Leave { read }),
        1 => (0..2_u64).prop_map(|session| Step::Break { session }),
    ];
    prop::collection::vec(step, 0..300)
}

/// What a well-behaved runner and its clients would know.
#[derive(Default)]
struct World {
    tails: Tails,
    /// Requests that the runner knows, with the credit it believes to have.
    runner: BTreeMap<TailId, (InstanceId, u64)>,
    /// Bytes buffered for the clients.
    buffered: BTreeMap<TailId, u64>,
    open: BTreeMap<u64, usize>,
    next: u64,
    names: BTreeMap<u64, ReadId>,
}

impl World {
    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Wake { .. } | Effect::Deliver { .. } | Effect::End { .. } => {}
                Effect::Finish { read } => {
                    assert!(self.open.remove(&read.0).is_some(), "{read:?} finished twice");
                }
            }
        }
    }

    fn pick(&self, pick: usize) -> Option<TailId> {
        (!self.runner.is_empty()).then(|| *self.runner.keys().nth(pick % self.runner.len()).unwrap())
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Open { read, instances } => {
                if let Some(old) = self.names.remove(&read) {
                    self.leave(old);
                }
                self.next += 1;
                let name = ReadId(self.next);
                self.names.insert(read, name);
                self.open.insert(name.0, usize::from(instances));
                let targets = (1..=u64::from(instances)).map(|n| (id(&format!("web-{n}")), SessionId(n % 2)));
                let effects = self.tails.opened(name, follow(), targets).unwrap();
                self.apply(effects);
            }
            Step::Take { session } => match self.tails.next_for(SessionId(session)) {
                None => {}
                Some(ToRunner::Request { request, instance, credit, .. }) => {
                    let tail = TailId { session: SessionId(session), request };
                    assert!(self.runner.insert(tail, (instance, credit)).is_none(), "a request number was used twice");
                }
                Some(ToRunner::Credit { request, bytes }) => {
                    assert!(bytes > 0, "credit of nothing");
                    let tail = TailId { session: SessionId(session), request };
                    self.runner.get_mut(&tail).expect("credit for a request that is over").1 += bytes;
                }
                Some(ToRunner::Cancel { request }) => {
                    assert!(request <= self.tails.requests, "cancel of a request that was never made");
                    // Not there when the runner's end and this cancel crossed on their way.
                    self.runner.remove(&TailId { session: SessionId(session), request });
                }
            },
            Step::Chunk { pick, bytes } => {
                let Some(tail) = self.pick(pick) else { return };
                let (instance, credit) = self.runner.get_mut(&tail).unwrap();
                let bytes = bytes.min(*credit);
                *credit -= bytes;
                let instance = instance.clone();
                let effects = self.tails.chunk_arrived(tail, &instance, Output::Stdout, bytes);
                if effects.iter().any(|effect| matches!(effect, Effect::Deliver { .. })) {
                    *self.buffered.entry(tail).or_default() += bytes;
                }
                self.apply(effects);
            }
            Step::Consume { pick } => {
                let Some(tail) = self.pick(pick) else { return };
                let bytes = self.buffered.remove(&tail).unwrap_or(0);
                let effects = self.tails.consumed(tail, bytes);
                self.apply(effects);
            }
            Step::End { pick, output } => {
                let Some(tail) = self.pick(pick) else { return };
                // A runner that ended stdout sends nothing more of it.
                let output = output.map(|_| Output::Stderr);
                let effects = self.tails.end_arrived(tail, output, "");
                if output.is_none() {
                    self.runner.remove(&tail);
                }
                self.apply(effects);
            }
            Step::Leave { read } => {
                if let Some(name) = self.names.remove(&read) {
                    self.leave(name);
                }
            }
            Step::Break { session } => {
                self.runner.retain(|tail, _| tail.session != SessionId(session));
                let effects = self.tails.session_ended(SessionId(session), "gone");
                self.apply(effects);
            }
        }
    }

    fn leave(&mut self, read: ReadId) {
        let effects = self.tails.reader_gone(read);
        self.open.remove(&read.0);
        self.apply(effects);
    }

    fn check(&self) {
        for (id, tail) in &self.tails.tails {
            let Stage::Asked { credit, owed } = tail.stage else { continue };
            let buffered = self.buffered.get(id).copied().unwrap_or(0);
            assert_eq!(credit + owed + buffered, tail.window, "bytes of a window were lost or made");
            if let Some((_, believed)) = self.runner.get(id) {
                assert_eq!(*believed, credit, "runner and monitor disagree");
            }
        }
        assert_eq!(self.tails.reads(), self.open.len(), "an open read was lost or kept");
        let pending: usize = self.tails.pending.values().map(VecDeque::len).sum();
        assert!(pending <= self.tails.requests as usize);
        for (session, requests) in &self.tails.pending {
            let mut seen = BTreeSet::new();
            assert!(requests.iter().all(|request| seen.insert(request)), "{session:?} is told something twice");
        }
    }
}

proptest! {
    #[test]
    fn no_byte_of_a_window_is_lost_and_nothing_is_left_over(steps in steps()) {
        let mut world = World::default();
        for step in steps {
            world.step(step);
            world.check();
        }
        // Everything is taken and consumed: every tail can go on.
        for session in 0..2 {
            while let Some(before) = world.tails.pending.get(&SessionId(session)).map(VecDeque::len) {
                world.step(Step::Take { session });
                prop_assert!(world.tails.pending.get(&SessionId(session)).is_none_or(|q| q.len() <= before));
            }
        }
        for tail in world.runner.keys().copied().collect::<Vec<_>>() {
            let bytes = world.buffered.remove(&tail).unwrap_or(0);
            world.tails.consumed(tail, bytes);
        }
        for session in 0..2 {
            while world.tails.pending.contains_key(&SessionId(session)) {
                world.step(Step::Take { session });
            }
        }
        for (_, credit) in world.runner.values() {
            prop_assert!(*credit > 0, "a tail whose client took everything is stuck");
        }
        for read in 0..6 {
            world.step(Step::Leave { read });
        }
        for session in 0..2 {
            world.step(Step::Break { session });
        }
        prop_assert_eq!((world.tails.tails(), world.tails.reads(), world.tails.pending.len()), (0, 0, 0));
    }
}
