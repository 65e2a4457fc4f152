//! How the state is kept: what is found quickly is right, a frozen copy stays
//! as it was, equal states have one digest, and replies are remembered for as
//! long as is promised.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::{ActionVerb, Phase, Timestamp};
use registry_domain::*;
use world::*;

fn a_town() -> World {
    let mut world = World::new();
    world.ok(hello("alpha"));
    world.ok(hello("beta"));
    world.ok(apply(vec![spec("web", 4), spec("web-1", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    world.ok(switch(ActionVerb::Restart, "web"));
    world
}

fn digest_of(state: &State) -> [u8; 32] {
    digest::of(&state.freeze()).unwrap()
}

#[test]
fn a_digest_does_not_depend_on_the_order_of_rows_and_every_row_counts() {
    let world = a_town();
    let rows: Vec<Row> = world.state.rows().collect();
    let whole = digest_of(&world.state);
    assert_eq!(digest::of_rows(rows.iter().rev().cloned()).unwrap(), whole);
    for left_out in 0..rows.len() {
        let others = rows.iter().enumerate().filter(|(n, _)| *n != left_out).map(|(_, row)| row.clone());
        assert_ne!(digest::of_rows(others).unwrap(), whole, "{:?}", rows[left_out].key());
    }
    let mut changed = world.state.clone();
    step(&mut changed, Command { header: Header::default(), order: lost("beta") });
    assert_ne!(digest_of(&changed), whole);
}

#[test]
fn what_is_frozen_stays_as_it_was_whatever_happens_to_the_state() {
    let mut world = a_town();
    let frozen = world.state.freeze();
    let before: Vec<Row> = world.state.rows().collect();
    let digest = digest_of(&world.state);
    world.ok(report("alpha", vec![seen("web-1", 9, Phase::Failed)]));
    world.ok(switch(ActionVerb::Stop, "*"));
    world.ok(lost("alpha"));
    world.ok(delete("*"));
    assert_eq!(frozen.rows().collect::<Vec<_>>(), before);
    assert_eq!(digest::of(&frozen).unwrap(), digest);
    assert_ne!(digest_of(&world.state), digest);
}

#[test]
fn only_the_nodes_that_a_command_is_about_are_told() {
    let mut world = a_town();
    let node = world.instance("web-2").node.clone().unwrap();
    let stopped = world.ok(switch(ActionVerb::Stop, "web-2"));
    assert_eq!(stopped.orders.into_iter().collect::<Vec<_>>(), [node]);
    let reported = world.ok(report("alpha", vec![seen("web-3", 1, Phase::Running)]));
    assert!(reported.orders.is_empty(), "what a node says of itself is no order");
}

#[test]
fn a_plain_name_finds_one_process_or_one_instance_and_a_pattern_finds_both() {
    let mut world = a_town();
    let stopped = |world: &mut World, selector: &str| match world.ok(switch(ActionVerb::Stop, selector)).reply {
        Ok(Reply::Switched { actions, .. }) => actions.len(),
        other => panic!("{other:?}"),
    };
    // `web-1` is a process here, and the first instance of `web` has its name.
    assert_eq!(stopped(&mut world, "web-1"), 1);
    assert!(world.instance("web-1").wanted && !world.instance("web-1-1").wanted);
    assert_eq!((stopped(&mut world, "web-2"), stopped(&mut world, "web"), stopped(&mut world, "web-?")), (1, 4, 5));
    assert!(matches!(world.refused(switch(ActionVerb::Stop, "web-9")), Refusal::NotFound(_)));
    world.ok(delete("web"));
    assert!(matches!(world.refused(switch(ActionVerb::Stop, "web-2")), Refusal::NotFound(_)), "it is being removed");
}

fn asked(state: &mut State, id: &str, fingerprint: u64, seconds: i64) -> Result<Reply, Refusal> {
    let time = Timestamp(seconds * 1_000_000_000);
    let header = Header { actor: "admin".into(), request_id: id.into(), fingerprint, time, ..Header::default() };
    step(state, Command { header, order: switch(ActionVerb::Restart, "web") }).reply
}

#[test]
fn a_reply_is_kept_for_ten_minutes_among_many_and_then_forgotten() {
    let mut state = State::default();
    step(&mut state, Command { header: Header::default(), order: apply(vec![spec("web", 1)]) }).reply.unwrap();
    let first = asked(&mut state, "first", 1, 0).unwrap();
    for n in 0..limits::REPLIES_KEPT * 3 {
        asked(&mut state, &format!("r{n}"), 1, 1).unwrap();
    }
    assert_eq!(asked(&mut state, "first", 1, 599), Ok(first), "1,000 were not too many");
    assert_eq!(asked(&mut state, "first", 2, 599), Err(Refusal::RequestIdReused("first".into())));
    let revision = state.revision();
    asked(&mut state, "late", 1, 602).unwrap();
    assert!(asked(&mut state, "first", 1, 603).unwrap().revision() > revision, "after ten minutes it is decided anew");
    // The others go in a while, and the newest stay however old they are.
    for n in 0..200 {
        asked(&mut state, &format!("late{n}"), 1, 604).unwrap();
    }
    let kept = state.rows().filter(|row| matches!(row, Row::Reply(_))).count();
    assert_eq!(kept, limits::REPLIES_KEPT);
    assert_eq!(invariants::broken(&state), Vec::<String>::new());
}

#[test]
fn of_very_many_replies_the_oldest_is_forgotten_first() {
    let mut state = State::default();
    step(&mut state, Command { header: Header::default(), order: apply(vec![spec("web", 1)]) }).reply.unwrap();
    let first = asked(&mut state, "first", 1, 0).unwrap();
    let second = asked(&mut state, "second", 1, 0).unwrap();
    for n in 0..limits::STORED_REPLIES - 2 {
        asked(&mut state, &format!("r{n}"), 1, 1).unwrap();
    }
    assert_eq!(asked(&mut state, "first", 1, 2), Ok(first.clone()));
    asked(&mut state, "one more", 1, 2).unwrap();
    assert_eq!(asked(&mut state, "second", 1, 2), Ok(second));
    assert_ne!(asked(&mut state, "first", 1, 2), Ok(first));
}

#[test]
fn a_stored_reply_of_an_earlier_version_reads_back() {
    #[derive(serde::Serialize)]
    struct Before {
        number: u64,
        request_id: &'static str,
        fingerprint: u64,
        reply: Reply,
    }
    let before = Before { number: 7, request_id: "r", fingerprint: 9, reply: Reply::Noted { revision: 3 } };
    let read: StoredReply = rmp_serde::from_slice(&rmp_serde::to_vec_named(&before).unwrap()).unwrap();
    let expected = StoredReply {
        number: 7,
        request_id: "r".into(),
        fingerprint: 9,
        reply: Reply::Noted { revision: 3 },
        time: Timestamp(0),
    };
    assert_eq!(read, expected);
}
