//! What the audit log says, and what it keeps.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::audit::{Anchor, AuditOutcome, GenerationStep, link};
use process_model::{ActionVerb, ProcessSpec, Timestamp};
use proptest::prelude::*;
use registry_domain::*;
use std::time::Duration;
use world::*;

const CANARY: &str = "canary-5150";

fn with_env(value: &str) -> ProcessSpec {
    let mut web = spec("web", 1);
    web.env.insert("API_KEY".into(), value.into());
    web
}

fn refusal(entry: &AuditEntry) -> (String, u64) {
    match &entry.outcome {
        AuditOutcome::Refused { reason, count } => (reason.clone(), *count),
        AuditOutcome::Accepted => panic!("accepted: {entry:?}"),
    }
}

fn refusals(world: &World) -> Vec<(String, u64)> {
    world.state.audit().values().filter(|e| e.outcome != AuditOutcome::Accepted).map(|entry| refusal(entry)).collect()
}

fn admin() -> Header {
    Header { actor: "admin".into(), source: "10.0.0.7:5".into(), reason: "why".into(), ..Header::default() }
}

#[test]
fn an_entry_says_who_where_why_and_what_changed_and_no_secret() {
    let mut world = World::new();
    world.run(admin(), apply(vec![with_env("before")]));
    let mut next = with_env(CANARY);
    next.command = process_model::spec::Command::Shell("run --new".into());
    world.run(Header { request_id: "r-9".into(), ..admin() }, apply(vec![next]));
    let entry = world.entry();
    assert_eq!((entry.number, entry.revision), (2, world.state.revision()));
    let said = (entry.actor.as_str(), entry.source.as_str(), entry.reason.as_str(), entry.request_id.as_str());
    assert_eq!(said, ("admin", "10.0.0.7:5", "why", "r-9"));
    assert_eq!(entry.generations, [GenerationStep { process: "web".parse().unwrap(), from: 1, to: 2 }]);
    let fields: Vec<_> = entry.changes.iter().map(|c| (c.field.path.as_str(), c.field.hidden)).collect();
    assert_eq!(fields, [("command.shell", false), ("env.API_KEY", true)]);
    assert_eq!(entry.changes[0].field.after.as_deref(), Some("run --new"));
    assert!(!format!("{entry:?}").contains(CANARY));
    world.run(admin(), delete("web"));
    assert_eq!(world.entry().generations, [GenerationStep { process: "web".parse().unwrap(), from: 2, to: 0 }]);
}

#[test]
fn what_the_registry_and_the_nodes_do_comes_from_themselves() {
    let mut world = World::new();
    world.run(Header { actor: "registry".into(), ..Header::default() }, configure(1_000, None));
    assert_eq!(world.entry().source, "registry");
    world.run(Header { actor: "node:alpha".into(), ..Header::default() }, hello("alpha"));
    assert_eq!(world.entry().source, "node:alpha");
}

#[test]
fn who_changes_what_is_kept_stands_in_the_log_with_it() {
    let mut world = World::new();
    world.ok(configure(1_000, None));
    world.ok(configure(1_000, Some(Retention { audit_entries: 500, ..Retention::default() })));
    assert!(world.entry().reason.contains("500 audit entries"), "{}", world.entry().reason);
    let before = world.state.audit().len();
    world.ok(configure(1_000, Some(Retention { audit_entries: 500, ..Retention::default() })));
    assert_eq!(world.state.audit().len(), before, "nothing changed");
    world.ok(configure(1_000, None));
    assert_eq!(world.state.meta().retention.audit_entries, 500, "a version without the setting leaves it alone");
}

#[test]
fn a_large_request_makes_an_entry_of_bounded_size() {
    let mut world = World::new();
    let many = |line: &str| {
        let one = |n: usize| {
            let mut spec = spec(&format!("p{n}"), 0);
            spec.command = process_model::spec::Command::Shell(line.repeat(4_000));
            spec.instances = 0;
            spec
        };
        apply((0..300).map(one).collect())
    };
    step(&mut world.state, Command { header: admin(), order: many("a") });
    step(&mut world.state, Command { header: admin(), order: many("b") });
    let entry = world.entry();
    assert_eq!((entry.generations.len(), entry.changes.len(), entry.targets.len()), (100, 200, 101));
    assert_eq!(entry.left_out, 200 + 100);
    assert!(format!("{entry:?}").len() < 200 * 1_000);
}

#[test]
fn every_refusal_of_a_user_is_audited_with_its_reason() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    let etags = |etags: &[(&str, &str)]| {
        let etags = etags.iter().map(|(name, etag)| ((*name).to_owned(), (*etag).to_owned())).collect();
        Order::Apply(Apply { specs: vec![spec("web", 2).into()], etags, ..Apply::default() })
    };
    for (order, command, target, reason) in [
        (switch(ActionVerb::Stop, "wbe"), "stop", "wbe", "NOT_FOUND"),
        (delete("nothing"), "delete", "nothing", "NOT_FOUND"),
        (etags(&[("web", "old")]), "apply", "web", "ETAG_MISMATCH"),
        (apply(vec![spec("a", 1), spec("a", 2)]), "apply", "a", "INVALID_ARGUMENT"),
        (rollback("web", Some(7)), "rollback", "web", "NOT_FOUND"),
        (apply(vec![spec("big", 100_001)]), "apply", "big", "REQUEST_TOO_LARGE"),
    ] {
        let refused = world.run(admin(), order).reply.unwrap_err();
        let entry = world.entry();
        assert_eq!((entry.command.as_str(), entry.targets[0].as_str()), (command, target));
        assert_eq!(refusal(entry), (reason.to_owned(), 1));
        assert_eq!(refused.reason(), reason);
        assert_eq!(
            (entry.actor.as_str(), entry.source.as_str(), entry.reason.as_str()),
            ("admin", "10.0.0.7:5", "why")
        );
    }
    let once = |order| Command { header: Header { request_id: "r".into(), fingerprint: 1, ..admin() }, order };
    step(&mut world.state, once(switch(ActionVerb::Stop, "web")));
    let mut other = once(switch(ActionVerb::Start, "web"));
    other.header.fingerprint = 2;
    step(&mut world.state, other);
    assert_eq!(refusal(world.entry()), ("REQUEST_ID_REUSED".to_owned(), 1));
}

#[test]
fn what_nodes_say_in_vain_is_no_attempt_of_a_user() {
    let mut world = World::new();
    world.refused(lost("ghost"));
    world.refused(report("ghost", vec![]));
    assert!(world.state.audit().is_empty());
}

/// Attempts at these seconds.
fn attempts(world: &mut World, seconds: &[i64], selector: &str) {
    for second in seconds {
        // `run` adds a second.
        world.clock = (second - 1) * 1_000_000_000;
        world.run(admin(), delete(selector));
    }
}

#[test]
fn attempts_that_are_alike_share_an_entry_for_ten_seconds_and_none_is_lost() {
    let mut world = World::new();
    attempts(&mut world, &[100, 101, 102, 109], "x");
    assert_eq!(refusals(&world), [("NOT_FOUND".to_owned(), 1)]);
    // Ten seconds after the first: one entry, for it and for what was counted.
    attempts(&mut world, &[110], "y");
    assert_eq!(refusals(&world).last(), Some(&("NOT_FOUND".to_owned(), 4)));
    attempts(&mut world, &[111, 112], "z");
    assert_eq!(refusals(&world).len(), 2);
    // Whatever is audited next tells of those that were only counted.
    world.clock = 130_000_000_000;
    world.ok(apply(vec![spec("web", 1)]));
    let all = refusals(&world);
    assert_eq!((all.len(), all[2].1), (3, 2));
    assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), 7);
    assert!(world.state.meta().refusals.is_empty());
}

#[test]
fn attempts_that_differ_in_actor_command_or_reason_have_entries_of_their_own() {
    let mut world = World::new();
    world.run(admin(), delete("x"));
    world.run(admin(), switch(ActionVerb::Stop, "x"));
    world.run(admin(), Order::Delete { selectors: vec![] });
    world.run(Header { actor: "other".into(), ..admin() }, delete("x"));
    assert_eq!(refusals(&world).len(), 4);
}

#[test]
fn a_storm_of_attempts_under_ever_new_names_cannot_fill_the_log() {
    let mut world = World::new();
    for n in 0..5_000u32 {
        let time = Timestamp(1_000_000_000_000 + i64::from(n) * 1_000_000);
        let header = Header { actor: format!("actor-{n}"), time, ..Header::default() };
        step(&mut world.state, Command { header, order: delete(&format!("x{n}")) });
    }
    let entries = refusals(&world);
    assert!(entries.len() <= 65, "{}", entries.len());
    let counted: u64 = world.state.meta().refusals.iter().map(|one| one.more).sum();
    assert_eq!(entries.iter().map(|(_, count)| count).sum::<u64>() + counted, 5_000);
    assert!(world.state.meta().refusals.len() <= 65);
}

#[test]
fn a_clock_that_went_back_does_not_silence_the_log() {
    let mut world = World::new();
    attempts(&mut world, &[1_000, 500], "x");
    assert_eq!(refusals(&world).len(), 2);
}

#[test]
fn what_a_door_refused_is_audited_under_the_name_of_who_tried() {
    let mut world = World::new();
    let denial = Denial {
        actor: "viewer".into(),
        source: "10.0.0.9:77".into(),
        method: "pm.v1.ProcessService/DeleteProcesses".into(),
        targets: vec!["web".into()],
        reason: "PERMISSION_DENIED".into(),
        request_id: "r".into(),
        count: 3,
    };
    let gateway = Header { actor: "gateway".into(), ..Header::default() };
    world.run(gateway.clone(), Order::RecordRefusals(vec![denial.clone(), Denial { count: 2, ..denial }]));
    let entry = world.entry();
    assert_eq!((entry.actor.as_str(), entry.source.as_str()), ("viewer", "10.0.0.9:77"));
    assert_eq!(refusal(entry), ("PERMISSION_DENIED".to_owned(), 3));
    assert_eq!(world.state.audit().len(), 1);
    world.clock += 20_000_000_000;
    world.ok(apply(vec![]));
    assert_eq!(refusals(&world)[1].1, 2);
}

#[test]
fn the_oldest_entries_go_by_number_and_the_rest_still_verifies() {
    let mut world = World::new();
    world.ok(configure(1_000, Some(Retention { audit_entries: 100, ..Retention::default() })));
    for n in 0..150 {
        world.ok(apply(vec![spec("web", n % 2)]));
    }
    assert_eq!(world.state.audit().len(), 100);
    let anchor = world.state.meta().audit_anchor;
    assert_eq!((anchor.number, anchor.hash.is_zero()), (51, false));
    assert_eq!(world.verify().unwrap().entries, 100);
}

#[test]
fn the_oldest_entries_go_by_age_and_the_newest_stays() {
    let mut world = World::new();
    let retention = Retention { audit_age: Some(Duration::from_secs(60)), ..Retention::default() };
    world.ok(configure(1_000, Some(retention)));
    world.ok(apply(vec![spec("web", 1)]));
    world.clock += 3_600_000_000_000;
    world.ok(delete("web"));
    assert_eq!(world.state.audit().iter().map(|(number, _)| number).collect::<Vec<_>>(), [3]);
    assert_eq!(world.verify().unwrap().entries, 1);
}

#[test]
fn a_log_of_the_first_version_is_gone_on_with_and_its_entries_stand_before_the_chain() {
    let mut world = World::new();
    world.ok(configure(1_000, Some(Retention { audit_entries: 100, ..Retention::default() })));
    world.ok(apply(vec![spec("web", 1)]));
    let plain = |row: Row| match row {
        Row::Audit(entry) => {
            let entry = AuditEntry::clone(&entry);
            Row::Audit(AuditEntry { hash: Default::default(), previous: Default::default(), ..entry }.into())
        }
        other => other,
    };
    world.state = world.state.rows().map(plain).collect();
    world.rows = world.state.rows().map(|row| (row.key(), row)).collect();
    world.ok(apply(vec![spec("web", 2)]));
    let verified = world.verify().unwrap();
    assert_eq!((verified.entries, verified.before_chain), (1, 2));
    for n in 0..120 {
        world.ok(apply(vec![spec("web", n % 2)]));
    }
    let verified = world.verify().unwrap();
    assert_eq!((verified.entries, verified.before_chain), (100, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// On the log that the registry itself wrote, with everything in it.
    #[test]
    fn a_log_that_was_touched_does_not_verify(
        steps in prop::collection::vec((0..6u8, 0..3u32), 3..25), at in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        for (what, n) in steps {
            match what {
                0 | 1 => drop(world.admin(apply(vec![spec("web", n), with_env(&n.to_string())]))),
                2 => drop(world.admin(apply(vec![with_env(&n.to_string())]))),
                3 => drop(world.admin(delete("web"))),
                4 => drop(world.admin(rollback("web", Some(u64::from(n))))),
                _ => drop(world.admin(switch(ActionVerb::Restart, "*"))),
            }
        }
        let (anchor, audit) = (world.state.meta().audit_anchor, world.state.audit().clone());
        prop_assume!(audit.len() > 1);
        let entries: Vec<AuditEntry> = audit.values().map(|entry| AuditEntry::clone(entry)).collect();
        let head = Anchor::of(&entries[entries.len() - 1]);
        let broken = |entries: &[AuditEntry]| {
            let mut verifier = process_model::audit::Verifier::new(anchor);
            entries.iter().try_for_each(|e| verifier.check(e)).and_then(|()| verifier.finish(Some(head))).is_err()
        };
        prop_assert!(!broken(&entries));
        let (at, to) = (at.index(entries.len()), to.index(entries.len()));
        let mut changed = entries.clone();
        changed[at].actor = "nobody".into();
        prop_assert!(broken(&changed));
        changed[at].hash = link(&changed[at].previous, &changed[at]);
        prop_assert!(broken(&changed), "signed anew");
        let mut removed = entries.clone();
        removed.remove(at);
        prop_assert!(broken(&removed));
        let mut inserted = entries.clone();
        inserted.insert(to, entries[at].clone());
        prop_assert!(broken(&inserted));
        let mut moved = entries.clone();
        moved.swap(at, to);
        prop_assert_eq!(broken(&moved), at != to);
    }
}
