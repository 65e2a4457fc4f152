//! A backup takes the place of the state, and the registry looks on until
//! somebody has confirmed.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::{ActionVerb, Phase};
use registry_domain::digest::Sum;
use registry_domain::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use world::*;

/// The rows of a state, as a backup has them.
fn body(state: &State) -> (Vec<u8>, [u8; 32]) {
    let (mut bytes, mut sum) = (Vec::new(), Sum::default());
    for row in state.rows().filter(is_content) {
        let row = rmp_serde::to_vec_named(&row).unwrap();
        sum.add(&row);
        bytes.extend((row.len() as u32).to_be_bytes());
        bytes.extend(row);
    }
    (bytes, sum.digest())
}

fn begin(state: &State, force: bool) -> RestoreBegin {
    let (bytes, digest) = body(state);
    RestoreBegin { id: "one".into(), force, bytes: bytes.len() as u64, digest, epoch: 3, level: 1 }
}

fn part(number: u32, bytes: &[u8]) -> Order {
    let piece = Arc::new(Piece { number, bytes: bytes.to_vec() });
    Order::Restore(RestoreStep::Part(RestorePart { id: "one".into(), piece }))
}

fn end() -> Order {
    Order::Restore(RestoreStep::End { id: "one".into() })
}

/// Everything but the last step.
fn prepare(world: &mut World, of: &State, force: bool) {
    world.ok(Order::Restore(RestoreStep::Begin(begin(of, force))));
    for (number, piece) in (0..).zip(body(of).0.chunks(100)) {
        world.ok(part(number, piece));
    }
}

/// The last step. Every node of either state is concerned, whatever it had to
/// do, so it is not for `World` to judge.
fn finish(world: &mut World) -> Result<Reply, Refusal> {
    world.clock += 1_000_000_000;
    let time = process_model::Timestamp(world.clock);
    let header = Header { actor: "admin".into(), reason: "lost".into(), time, ..Header::default() };
    let outcome = step(&mut world.state, Command { header, order: end() });
    for key in &outcome.touched {
        match world.state.row(key) {
            Some(row) => drop(world.rows.insert(key.clone(), row)),
            None => drop(world.rows.remove(key)),
        }
    }
    assert_eq!(world.rows.values().cloned().collect::<State>(), world.state, "the rows are not the state");
    assert_eq!(invariants::broken(&world.state), Vec::<String>::new());
    world.verify().unwrap();
    outcome.reply
}

fn restored(of: &State) -> World {
    let mut world = World::new();
    // A node of the old cluster looks in, and finds another one.
    world.ok(hello("alpha"));
    prepare(&mut world, of, false);
    finish(&mut world).unwrap();
    world
}

/// A cluster that was in use.
fn old() -> World {
    let mut world = World::new();
    world.ok(configure(1_000, None));
    world.ok(hello("alpha"));
    world.ok(apply(vec![spec("web", 2), spec("db", 1)]));
    world.ok(apply(vec![{
        let mut web = spec("web", 2);
        web.env.insert("KEY".into(), "2".into());
        web
    }]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running), seen("web-2", 1, Phase::Running)]));
    world.ok(switch(ActionVerb::Restart, "db"));
    world
}

fn entry(id: &str, generation: u64, phase: Phase) -> InventoryEntry {
    InventoryEntry {
        instance: id.parse().unwrap(),
        generation,
        fingerprint: None,
        phase,
        pid: 77,
        restarts: 0,
        wanted: true,
        restart_count: 4,
    }
}

fn inventory(node: &str, entries: Vec<InventoryEntry>) -> Order {
    Order::Inventory(NodeInventory { node: node.parse().unwrap(), begins: true, complete: true, entries })
}

fn confirm(unknown: Option<Unknown>) -> Order {
    Order::ConfirmRestore(ConfirmRestore { unknown })
}

fn findings(world: &World) -> Vec<(String, Finding)> {
    compare(&world.state).into_iter().map(|one| (one.instance.to_string(), one.finding)).collect()
}

#[test]
fn what_was_backed_up_is_what_there_is_and_the_audit_log_goes_on_from_it() {
    let old = old();
    let (mut world, cluster) = (World::new(), old.state.meta().cluster_id.clone());
    prepare(&mut world, &old.state, false);
    let reply = finish(&mut world).unwrap();
    let Reply::Restored { digest, cluster_id, epoch, backup_revision, processes, instances, revision } = reply else {
        panic!("{reply:?}")
    };
    assert_eq!((digest, cluster_id, epoch), (body(&old.state).1, cluster, 3));
    assert_eq!((backup_revision, processes, instances), (old.state.revision(), 2, 3));
    assert!(revision > old.state.revision() + 1_000_000);
    // Row by row, but for what nobody can know any more.
    let now = &world.state;
    for row in old.state.rows() {
        let is = now.row(&row.key());
        match row {
            Row::Meta(meta) => assert!(now.meta().audited == meta.audited + 1 && now.meta().cut >= meta.revision),
            Row::Node(node) => assert_eq!(now.nodes()[&node.name].state, NodeState::Lost),
            Row::Instance(instance) => {
                let is = &now.instances()[&instance.id];
                // What a node has may have begun at any time.
                let born = if instance.node.is_some() { 0 } else { instance.born };
                assert_eq!(Instance { lost_since: is.lost_since, born, ..Instance::clone(&instance) }, **is);
            }
            Row::Action(action) if !action.state.is_final() => {
                let number = action_number(&action.id).unwrap();
                assert!(now.actions()[&number].state.is_final(), "it would be done twice");
            }
            row => assert_eq!(is, Some(row)),
        }
    }
    assert_eq!(world.entry().command, "restore");
    assert_eq!(world.entry().previous, old.entry().hash);
    assert_eq!(now.row(&RowKey::Piece(0)), None);
    assert_eq!(now.oldest_revision(), now.meta().cut + 1, "an old watcher would go on as if nothing had happened");
}

#[test]
fn a_cluster_that_is_not_empty_is_replaced_only_by_force_and_says_what_is_there() {
    let old = old();
    let mut world = World::new();
    world.ok(apply(vec![spec("other", 1)]));
    let refusal = world.refused(Order::Restore(RestoreStep::Begin(begin(&old.state, false))));
    let Refusal::NotEmpty { what } = &refusal else { panic!("{refusal:?}") };
    assert_eq!(what, "1 processes (other), 1 instances (other-1)");
    prepare(&mut world, &old.state, true);
    finish(&mut world).unwrap();
    assert_eq!(world.state.processes().len(), 2);
    assert!(world.entry().targets.iter().any(|target| target.contains("1 processes (other)")), "{:?}", world.entry());
}

#[test]
fn a_restore_that_is_damaged_incomplete_or_left_changes_nothing() {
    let old = old();
    let (bytes, _) = body(&old.state);
    let mut world = World::new();
    let before = world.state.clone();
    // A piece too few.
    world.ok(Order::Restore(RestoreStep::Begin(begin(&old.state, false))));
    world.ok(part(0, &bytes[..100]));
    assert!(matches!(finish(&mut world), Err(Refusal::NotRestored { .. })));
    // Out of turn, twice, too much.
    assert!(matches!(world.refused(part(2, &bytes[..1])), Refusal::NotRestored { .. }));
    world.ok(part(0, b"again"));
    assert!(matches!(world.refused(part(1, &bytes)), Refusal::NotRestored { .. }));
    // Meanwhile nobody changes anything, and nobody else restores.
    assert_eq!(world.refused(apply(vec![spec("web", 1)])), Refusal::Restoring);
    let other = RestoreBegin { id: "two".into(), ..begin(&old.state, false) };
    assert_eq!(world.refused(Order::Restore(RestoreStep::Begin(other))), Refusal::Restoring);
    world.ok(Order::Restore(RestoreStep::Abort { id: "two".into() }));
    world.ok(Order::Restore(RestoreStep::Abort { id: "one".into() }));
    let plain = |state: &State| state.rows().filter(|row| !matches!(row, Row::Audit(_) | Row::Meta(_))).count();
    assert_eq!(plain(&world.state), plain(&before));
    // Another content than the digest's.
    let mut other = begin(&old.state, false);
    other.digest[0] ^= 1;
    world.ok(Order::Restore(RestoreStep::Begin(other)));
    world.ok(part(0, &bytes));
    assert!(matches!(finish(&mut world), Err(Refusal::NotRestored { why }) if why.contains("digest")));
    // Nobody goes on with it: the next one who comes finds it as it was.
    world.clock += 61_000_000_000;
    world.ok(apply(vec![spec("web", 1)]));
    assert_eq!(world.state.meta().restoring, None);
    assert_eq!(world.state.row(&RowKey::Piece(0)), None);
}

#[test]
fn what_only_a_higher_level_knows_is_not_restored() {
    let begin = RestoreBegin { level: 2, ..begin(&old().state, false) };
    let mut world = World::new();
    assert!(matches!(
        world.refused(Order::Restore(RestoreStep::Begin(begin.clone()))),
        Refusal::NotRestored { why } if why.contains("level 2")
    ));
    world.ok(Order::SetLevel { level: 2 });
    world.ok(Order::SetLevel { level: 1 });
    assert_eq!(world.state.meta().level(), 2, "a level is never taken back");
    world.ok(Order::Restore(RestoreStep::Begin(begin)));
}

#[test]
fn while_it_looks_on_nothing_is_placed_and_nobody_changes_anything() {
    let old = old();
    let mut world = restored(&old.state);
    assert_eq!(world.refused(apply(vec![spec("web", 1)])), Refusal::Observing);
    assert_eq!(world.refused(delete("web")), Refusal::Observing);
    assert_eq!(world.refused(switch(ActionVerb::Stop, "web")), Refusal::Observing);
    assert_eq!(world.refused(rollback("web", Some(1))), Refusal::Observing);
    // An instance that waited for a node when the backup was taken may run on one by now.
    let mut empty = World::new();
    empty.ok(apply(vec![spec("web", 1)]));
    let mut world = restored(&empty.state);
    world.ok(hello("alpha"));
    assert_eq!(world.instance("web-1").node, None);
    assert_eq!(world.refused(confirm(None)).reason(), "UNKNOWN_INSTANCES", "alpha has not said what it runs");
    world.ok(inventory("alpha", vec![]));
    world.ok(hello("beta"));
    world.ok(inventory("beta", vec![entry("web-1", 1, Phase::Running)]));
    world.ok(confirm(None));
    assert_eq!(world.instance("web-1").node.as_ref().unwrap().as_str(), "beta", "it would run twice");
}

#[test]
fn what_runs_as_it_was_restored_is_adopted_and_numbers_never_go_back() {
    let old = old();
    let mut world = restored(&old.state);
    world.ok(hello("alpha"));
    let kept = InventoryEntry { wanted: false, ..entry("db-1", 1, Phase::Stopped) };
    // web-2 was changed after the backup, twice.
    let entries = vec![entry("web-1", 2, Phase::Running), entry("web-2", 4, Phase::Running), kept];
    world.ok(inventory("alpha", entries));
    let expected = [("db-1", Finding::Missing), ("web-1", Finding::Adopted), ("web-2", Finding::Differs)];
    assert_eq!(findings(&world), expected.map(|(id, finding)| (id.to_owned(), finding)));
    let outcome = world.ok(confirm(None));
    assert!(outcome.orders.contains(&"alpha".parse().unwrap()));
    assert_eq!(world.state.meta().mode, Mode::Normal);
    let web: ProcessGeneration = (&world, "web").into();
    assert_eq!(web.0, 5, "above what web-2 runs");
    assert_eq!(world.instance("web-1").generation, 2);
    assert_eq!(world.instance("web-2").generation, 5);
    assert_eq!(
        world.instance("web-1").restart_count,
        4,
        "a restart that is asked for now would be taken for an old one"
    );
    assert_eq!(world.entry().command, "confirm-restore");
    assert_eq!(world.refused(confirm(Some(Unknown::Stop))), Refusal::NotObserving);
}

struct ProcessGeneration(u64);

impl From<(&World, &str)> for ProcessGeneration {
    fn from((world, name): (&World, &str)) -> Self {
        Self(world.state.processes()[&name.parse().unwrap()].generation)
    }
}

#[test]
fn what_was_not_restored_is_stopped_or_kept_but_never_forgotten_about() {
    let old = old();
    let all = || {
        let db = entry("db-1", 1, Phase::Running);
        vec![
            entry("web-1", 2, Phase::Running),
            entry("web-2", 2, Phase::Running),
            db,
            entry("new-1", 9, Phase::Running),
        ]
    };
    for unknown in [Unknown::Stop, Unknown::Keep] {
        let mut world = restored(&old.state);
        world.ok(hello("alpha"));
        world.ok(inventory("alpha", all()));
        let refusal = world.refused(confirm(None));
        assert!(matches!(&refusal, Refusal::UnknownRuns { what } if what.contains("new-1")), "{refusal:?}");
        world.ok(confirm(Some(unknown)));
        let kept: BTreeSet<_> = world.state.inventories().flat_map(|one| one.entries.keys().cloned()).collect();
        if unknown == Unknown::Stop {
            assert!(kept.is_empty() && world.state.meta().mode.is_all());
            continue;
        }
        assert!(!world.state.meta().mode.is_all(), "its node would be told that it has to go");
        assert_eq!(kept, BTreeSet::from(["new-1".parse().unwrap()]));
        // Applied again, it is taken over where it runs, above the generation that it has.
        world.ok(hello("beta"));
        world.ok(apply(vec![spec("new", 1)]));
        let new = world.instance("new-1");
        assert_eq!((new.node.as_ref().unwrap().as_str(), new.generation), ("alpha", 10));
        world.ok(confirm(Some(Unknown::Stop)));
        assert!(world.state.meta().mode.is_all());
    }
}
