//! What earlier versions wrote is read for ever. The files were written by the
//! version that first had the format; they are never made anew.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::audit::AuditOutcome;
use registry_domain::*;
use world::*;

/// Before histories and the audit chain.
mod v1 {
    pub(crate) const ROWS: &[u8] = include_bytes!("fixtures/v1/rows.mpk");
    pub(crate) const COMMANDS: &[u8] = include_bytes!("fixtures/v1/commands.mpk");
    pub(crate) const REPLIES: &[u8] = include_bytes!("fixtures/v1/replies.mpk");
}

fn rows() -> Vec<Row> {
    rmp_serde::from_slice(v1::ROWS).unwrap()
}

#[test]
fn rows_of_version_1_are_a_state_that_goes_on() {
    let mut world = World::new();
    world.state = rows().into_iter().collect();
    world.rows = world.state.rows().map(|row| (row.key(), row)).collect();
    world.clock = 1_000_000_000_000;
    assert_eq!(invariants::broken(&world.state), Vec::<String>::new());
    assert_eq!((world.state.processes().len(), world.state.audit().len()), (1, 9));
    let web = &world.state.processes()[&"web".parse().unwrap()];
    assert_eq!((web.generation, web.spec.env["API_KEY"].as_str()), (2, "canary-of-a-fixture"));
    assert!(world.state.audit().values().all(|entry| entry.outcome == AuditOutcome::Accepted && entry.hash.is_zero()));
    assert_eq!(world.state.meta().retention, Retention::default());
    // Every check of `run` holds for what comes after.
    world.ok(apply(vec![spec("web", 3), spec("new", 1)]));
    world.ok(rollback("web", Some(2)));
    world.ok(delete("*"));
    let verified = world.verify().unwrap();
    assert_eq!((verified.before_chain, verified.entries), (9, 3));
}

#[test]
fn commands_of_version_1_lead_to_what_they_led_to() {
    let commands: Vec<Command> = rmp_serde::from_slice(v1::COMMANDS).unwrap();
    let mut state = State::default();
    for command in commands {
        assert!(step(&mut state, command).reply.is_ok());
    }
    // Everything that version 1 knew, as it knew it.
    let then: State = rows().into_iter().collect();
    assert_eq!(state.processes(), then.processes());
    let known = |state: &State| -> Vec<Instance> {
        state.instances().values().map(|one| Instance { born: 0, ..Instance::clone(one) }).collect()
    };
    assert_eq!(known(&state), known(&then));
    assert_eq!(state.nodes(), then.nodes());
    assert_eq!(state.actions(), then.actions());
    assert_eq!(state.events(), then.events());
    let plain = |state: &State| -> Vec<(u64, u64, String, String, Vec<String>)> {
        let entries = state.audit().values();
        entries.map(|e| (e.number, e.revision, e.actor.clone(), e.command.clone(), e.targets.clone())).collect()
    };
    assert_eq!(plain(&state), plain(&then));
}

#[test]
fn replies_of_version_1_are_read() {
    let replies: Vec<Result<Reply, Refusal>> = rmp_serde::from_slice(v1::REPLIES).unwrap();
    assert_eq!(replies[0], Ok(Reply::Noted { revision: 1 }));
    assert_eq!(replies[1], Err(Refusal::NoSelectors));
    assert!(matches!(&replies[2], Err(Refusal::EtagMismatch { process, .. }) if process == "web"));
    assert!(matches!(&replies[3], Err(Refusal::NotFound(misses)) if misses[0].suggestion.as_deref() == Some("web")));
}
