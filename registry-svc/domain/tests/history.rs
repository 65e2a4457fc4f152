//! Generations of a process: kept, compared, brought back.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::ProcessName;
use registry_domain::*;
use world::*;

fn web() -> ProcessName {
    "web".parse().unwrap()
}

fn generations(world: &World) -> Vec<u64> {
    world.state.generations(&web()).iter().map(|one| one.generation).collect()
}

fn expecting(instances: u32, generation: u64) -> Order {
    let generations = [("web".to_owned(), generation)].into();
    Order::Apply(Apply { specs: vec![spec("web", instances).into()], generations, ..Apply::default() })
}

fn few(generations: u64, audit_entries: u64) -> Order {
    configure(1_000, Some(Retention { generations, audit_entries, ..Retention::default() }))
}

#[test]
fn every_change_of_a_spec_is_a_generation_with_who_and_why() {
    let mut world = World::new();
    for (n, reason) in [(1, "first"), (2, "second")] {
        let header =
            Header { actor: "admin".into(), reason: reason.into(), source: "10.0.0.7:5".into(), ..Header::default() };
        world.run(header, apply(vec![spec("web", n)]));
    }
    world.ok(apply(vec![spec("web", 2)]));
    let kept = world.state.generations(&web());
    let said: Vec<_> = kept.iter().map(|g| (g.generation, g.spec.instances, g.reason.as_str())).collect();
    assert_eq!(said, [(1, 1, "first"), (2, 2, "second")]);
    assert_eq!((kept[1].actor.as_str(), kept[1].source.as_str()), ("admin", "10.0.0.7:5"));
    assert_eq!(kept[1].revision, world.state.processes()[&web()].changed);
    assert_eq!(kept[1].time, world.state.processes()[&web()].updated);
}

#[test]
fn a_change_writes_the_rows_of_one_generation_and_no_more() {
    let mut world = World::new();
    for n in 0..20 {
        world.ok(apply(vec![spec("web", n % 2)]));
    }
    let outcome = world.ok(apply(vec![spec("web", 2)]));
    let of_history: Vec<&RowKey> =
        outcome.touched.iter().filter(|key| matches!(key, RowKey::Generation(..) | RowKey::Lineage(_))).collect();
    assert_eq!(of_history, [&RowKey::Generation(web(), 21), &RowKey::Lineage(web())]);
    assert!(outcome.touched.iter().all(|key| world.state.row(key).is_some()), "{:?}", outcome.touched);
}

#[test]
fn a_rollback_brings_a_spec_back_as_a_new_generation() {
    let mut world = World::new();
    for n in 1..=3 {
        world.ok(apply(vec![spec("web", n)]));
    }
    world.ok(rollback("web", Some(1)));
    assert_eq!(generations(&world), [1, 2, 3, 4]);
    let process = world.state.processes()[&web()].clone();
    assert_eq!((process.generation, process.spec.instances), (4, 1));
    assert_eq!(world.state.generation(&web(), 4).unwrap().restored, Some(1));
    assert_eq!((world.entry().command.as_str(), world.entry().targets[0].as_str()), ("rollback", "web"));
    assert_eq!((world.entry().generations[0].from, world.entry().generations[0].to), (3, 4));
    // Without a number: the one before, so twice is there and back.
    world.ok(rollback("web", None));
    assert_eq!(world.state.processes()[&web()].spec.instances, 3);
    let outcome = world.ok(rollback("web", Some(3)));
    assert!(outcome.events.is_empty(), "it has that spec already");
    assert_eq!(generations(&world).last(), Some(&5));
}

#[test]
fn a_rollback_to_what_is_not_kept_says_what_is() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    let refused = world.refused(rollback("web", Some(9)));
    assert_eq!(refused.to_string(), "process web has no generation 9; 1 to 1 are kept");
    assert!(matches!(world.refused(rollback("web", None)), Refusal::NoGeneration { wanted: 0, .. }));
    assert_eq!(world.refused(rollback("nginx", None)).to_string(), "nothing matches \"nginx\"");
    let refused = world.refused(rollback("webb", Some(1)));
    assert_eq!(refused.to_string(), "nothing matches \"webb\"; did you mean \"web\"?");
}

#[test]
fn a_deleted_process_keeps_its_history_and_can_be_brought_back() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(apply(vec![spec("web", 2)]));
    world.ok(delete("web"));
    assert_eq!(generations(&world), [1, 2]);
    world.ok(rollback("web", None));
    let process = &world.state.processes()[&web()];
    assert_eq!((process.generation, process.spec.instances), (3, 2));
    assert_eq!((world.entry().generations[0].from, world.entry().generations[0].to), (0, 3));
}

#[test]
fn a_process_that_is_made_again_goes_on_counting() {
    let mut world = World::new();
    for _ in 0..3 {
        world.ok(apply(vec![spec("web", 1)]));
        world.ok(delete("web"));
    }
    world.ok(apply(vec![spec("web", 1)]));
    assert_eq!(world.state.processes()[&web()].generation, 4);
    assert_eq!(generations(&world), [1, 2, 3, 4]);
    world.ok(apply(vec![spec("other", 1)]));
    assert_eq!(world.state.processes()[&"other".parse().unwrap()].generation, 1);
}

#[test]
fn a_history_goes_with_the_audit_entry_of_its_deletion_and_its_numbers_never_come_again() {
    let mut world = World::new();
    world.ok(few(1_000, 100));
    for n in 1..=3 {
        world.ok(apply(vec![spec("web", n)]));
    }
    world.ok(delete("web"));
    world.ok(apply(vec![spec("stays", 1)]));
    for n in 0..98 {
        world.ok(apply(vec![spec("stays", n % 2)]));
    }
    assert_eq!(generations(&world), [1, 2, 3], "its deletion is the oldest entry");
    world.ok(apply(vec![spec("stays", 7)]));
    assert!(generations(&world).is_empty());
    assert!(world.state.history().lineage(&web()).is_none());
    world.ok(apply(vec![spec("web", 1)]));
    assert_eq!(world.state.processes()[&web()].generation, 4);
}

#[test]
fn only_the_newest_generations_are_kept() {
    let mut world = World::new();
    world.ok(few(3, 10_000));
    for n in 1..=6 {
        world.ok(apply(vec![spec("web", n)]));
    }
    assert_eq!(generations(&world), [4, 5, 6]);
    world.ok(few(2, 10_000));
    assert_eq!(generations(&world), [5, 6]);
}

#[test]
fn the_oldest_past_generations_of_all_processes_go_first_when_there_are_too_many() {
    let mut world = World::new();
    let limit = retention::PAST_GENERATIONS as u64;
    // Plain steps: the checks of `run` would take minutes here.
    let run = |world: &mut World, order| {
        assert!(step(&mut world.state, Command { header: Header::default(), order }).reply.is_ok());
    };
    run(&mut world, apply(vec![spec("first", 0)]));
    for round in 0..=limit / 500 {
        let version = |n: u32| {
            let mut spec = spec(&format!("p{n}"), 0);
            spec.labels.insert("round".into(), round.to_string());
            spec
        };
        run(&mut world, apply((0..500).map(version).collect()));
    }
    let past = |world: &World| {
        let all: usize = world.state.processes().keys().map(|name| world.state.generations(name).len()).sum();
        all - world.state.processes().len()
    };
    assert_eq!(past(&world) as u64, limit);
    let one_more = |n: u32| {
        let mut spec = spec(&format!("p{n}"), 0);
        spec.labels.insert("round".into(), "one more".into());
        spec
    };
    run(&mut world, apply((0..10).map(one_more).collect()));
    assert_eq!(past(&world) as u64, limit);
    assert_eq!(world.state.generations(&"p9".parse().unwrap())[0].generation, 2, "its first was the oldest");
    assert_eq!(world.state.generations(&"p10".parse().unwrap())[0].generation, 1);
    assert_eq!(world.state.generations(&"first".parse().unwrap()).len(), 1, "what a process has is no past");
    assert_eq!(invariants::broken(&world.state), Vec::<String>::new());
}

#[test]
fn who_comes_second_with_the_same_expectation_is_told_who_was_first() {
    let mut world = World::new();
    world.ok(expecting(1, 0));
    let first = Header { actor: "alice".into(), ..Header::default() };
    assert!(world.run(first, expecting(2, 1)).reply.is_ok());
    let refused = world.refused(expecting(3, 1));
    let Refusal::GenerationMismatch { expected: 1, actual: 2, actor, time: Some(_), .. } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(actor, "alice");
    assert!(refused.to_string().contains("generation 2, not 1: alice changed it"), "{refused}");
    assert_eq!(world.state.processes()[&web()].spec.instances, 2);
    assert!(matches!(world.refused(expecting(3, 0)), Refusal::GenerationMismatch { actual: 2, .. }));
    world.run(Header { actor: "bob".into(), ..Header::default() }, delete("web"));
    let refused = world.refused(expecting(3, 2));
    assert!(refused.to_string().contains("generation 0, not 2: bob deleted it"), "{refused}");
    let never = [("never".to_owned(), 1)].into();
    let never = world.refused(Order::Apply(Apply { generations: never, ..Apply::default() }));
    assert!(never.to_string().contains("generation 0, not 1: it does not exist"), "{never}");
    let expecting = Rollback { process: web(), to: Some(1), expected: Some(2), traceparent: String::new() };
    assert!(matches!(world.refused(Order::Rollback(expecting)), Refusal::GenerationMismatch { actual: 0, .. }));
}

#[test]
fn a_process_of_the_first_version_gets_its_history_with_its_next_change() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(apply(vec![spec("web", 2)]));
    world.ok(apply(vec![spec("gone", 1)]));
    let old = |row: &Row| !matches!(row, Row::Generation(_) | Row::Lineage(_));
    world.state = world.state.rows().filter(old).collect();
    world.rows = world.state.rows().map(|row| (row.key(), row)).collect();
    assert_eq!(generations(&world), [2], "what it has is known");
    world.ok(apply(vec![spec("web", 3)]));
    assert_eq!(generations(&world), [2, 3]);
    world.ok(rollback("web", None));
    assert_eq!(world.state.processes()[&web()].spec.instances, 2);
    world.ok(delete("gone"));
    assert_eq!(world.state.generations(&"gone".parse().unwrap()).len(), 1);
}

#[test]
fn what_a_rollout_had_pinned_outlives_the_process_until_its_name_is_used_again_or_its_deletion_is_forgotten() {
    for comes_back in [true, false] {
        let mut world = World::new();
        world.ok(Order::SetLevel { level: 3 });
        // The instance has generation 1, the rollout goes to 4.
        for n in 1..=4 {
            let mut one = spec("web", 1);
            one.env.insert("V".into(), n.to_string());
            world.ok(apply(vec![one]));
        }
        world.ok(few(2, 100));
        world.ok(delete("web"));
        assert!(generations(&world).len() > 2, "{:?}", generations(&world));
        if comes_back {
            world.ok(apply(vec![spec("web", 0)]));
            assert_eq!(generations(&world), [4, 5]);
            continue;
        }
        for n in 0..100 {
            world.ok(apply(vec![spec("other", n % 2)]));
        }
        assert!(generations(&world).is_empty());
    }
}
