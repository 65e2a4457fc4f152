//! Whatever happens while instances come to a new spec: never too few serve
//! because of it, never too many are there, what is held stays, and in the end
//! it is over.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod fleet;
mod world;

use fleet::*;
use process_model::spec::{Share, UpdatePolicy};
use process_model::{InstanceId, Phase};
use proptest::prelude::*;
use registry_domain::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use world::*;

#[derive(Debug, Clone)]
enum Happening {
    Serves(usize),
    Begins(usize),
    Falls(usize),
    Fails(usize),
    Exits(usize),
    LetsGo(usize),
    Repeats(usize),
    Changes(u8),
    Scales(u32),
    Pauses,
    Resumes,
    Promotes,
    Restarts,
    Stops(u32),
    Starts(u32),
    Waits(u64),
    NodeLost,
    NodeBack,
}

fn a_share() -> impl Strategy<Value = Share> {
    prop_oneof![(0..4u32).prop_map(Share::Count), (0..=100u8).prop_map(Share::Percent)]
}

fn an_update() -> impl Strategy<Value = UpdatePolicy> {
    let flags = (any::<bool>(), any::<bool>());
    (a_share(), a_share(), prop::sample::select(vec![0, 0, 20]), 0..3u32, flags).prop_map(
        |(max_unavailable, max_surge, min_ready, canary, (auto_promote, auto_revert))| UpdatePolicy {
            max_unavailable,
            max_surge,
            min_ready: Duration::from_secs(min_ready),
            canary,
            auto_promote,
            auto_revert,
            progress_deadline: Duration::from_secs(300),
        },
    )
}

fn a_happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        12 => (0..9usize).prop_map(Serves),
        3 => (0..9usize).prop_map(Begins),
        2 => (0..9usize).prop_map(Falls),
        1 => (0..9usize).prop_map(Fails),
        1 => (0..9usize).prop_map(Exits),
        4 => (0..9usize).prop_map(LetsGo),
        3 => (0..9usize).prop_map(Repeats),
        4 => (1..5u8).prop_map(Changes),
        2 => (0..7u32).prop_map(Scales),
        1 => Just(Pauses),
        2 => Just(Resumes),
        2 => Just(Promotes),
        1 => Just(Restarts),
        1 => (1..6u32).prop_map(Stops),
        1 => (1..6u32).prop_map(Starts),
        4 => prop::sample::select(vec![1, 10, 25, 400]).prop_map(Waits),
        1 => Just(NodeLost),
        2 => Just(NodeBack),
    ]
}

/// Serves in truth: a new order that ends its run has not come since.
fn serving(state: &State) -> BTreeSet<InstanceId> {
    let serves = |one: &&std::sync::Arc<Instance>| {
        let owed = one.handover.as_ref().is_some_and(|turn| turn.restarts && one.seen.started == turn.started);
        one.wanted && !one.removing && !owed && one.phase() == Phase::Running && one.is_ready()
    };
    state.instances().values().filter(serves).map(|one| one.id.clone()).collect()
}

fn bounds(process: &Process, running: u32) -> (u32, u32) {
    let update = process.spec.update.as_ref().unwrap();
    let surge = update.max_surge.of(running);
    let unavailable = update.max_unavailable.of(running);
    (if surge == 0 { unavailable.max(1) } else { unavailable }, surge)
}

fn happen(fleet: &mut Fleet, what: &Happening) -> Option<Outcome> {
    let ids: Vec<(String, bool)> = fleet
        .world
        .state
        .instances()
        .values()
        .filter(|one| one.node.is_some())
        .map(|one| (one.id.to_string(), one.removing))
        .collect();
    let at = |n: usize, removing: bool| {
        let fit: Vec<&String> = ids.iter().filter(|(_, goes)| *goes == removing).map(|(id, _)| id).collect();
        (!fit.is_empty()).then(|| fit[n % fit.len()].clone())
    };
    let order = |fleet: &mut Fleet, order| Some(fleet.world.admin(order));
    match what {
        Happening::Serves(n) => at(*n, false).map(|id| fleet.serve(&id)),
        Happening::Begins(n) => at(*n, false).map(|id| fleet.begin(&id)),
        Happening::Falls(n) => at(*n, false).map(|id| fleet.fall(&id)),
        Happening::Fails(n) => at(*n, false).map(|id| fleet.fail(&id)),
        Happening::Exits(n) => at(*n, false).map(|id| fleet.exit(&id)),
        Happening::LetsGo(n) => at(*n, true).map(|id| fleet.let_go(&id)),
        Happening::Repeats(n) => at(*n, false).map(|id| fleet.before(&id)),
        Happening::Changes(to) => Some(fleet.change(&to.to_string())),
        Happening::Scales(to) => Some(fleet.scale(*to)),
        Happening::Pauses => order(fleet, pause()),
        Happening::Resumes => order(fleet, resume()),
        Happening::Promotes => order(fleet, promote()),
        Happening::Restarts => order(fleet, rolling_restart("web")),
        Happening::Stops(n) => order(fleet, switch(process_model::ActionVerb::Stop, &format!("web-{n}"))),
        Happening::Starts(n) => order(fleet, switch(process_model::ActionVerb::Start, &format!("web-{n}"))),
        Happening::Waits(seconds) => Some(fleet.tick(*seconds)),
        Happening::NodeLost => order(fleet, lost("beta")),
        Happening::NodeBack => order(fleet, hello("beta")),
    }
}

/// What a rollout keeps to, after each thing that happens.
fn keeps_its_bounds(before: &State, after: &State) -> Result<(), TestCaseError> {
    let Some(process) = after.processes().values().next() else { return Ok(()) };
    let there = || after.instances().values().filter(|one| !one.removing);
    let number = process.spec.instances;
    let running = there().filter(|one| one.wanted && one.id.index <= number).count() as u32;
    let done = there().filter(|one| one.wanted && one.phase() == Phase::Exited).count() as u32;
    let (unavailable, surge) = bounds(process, running);
    prop_assert!(there().count() as u32 <= number + surge, "{} of {number} + {surge}", there().count());
    // Who had a turn in this step that ended what served.
    let (was, is) = (serving(before), serving(after));
    let turn = |state: &State, id: &InstanceId| state.instances().get(id).and_then(|one| one.handover.clone());
    // What fell by itself, or with its node, is not the rollout's doing.
    let would_serve = |one: &Instance| one.wanted && !one.removing && one.phase() == Phase::Running && one.is_ready();
    let ended = was.iter().any(|id| {
        let by_itself = after.instances().get(id).is_none_or(|one| !would_serve(one));
        !is.contains(id) && !by_itself && turn(before, id) != turn(after, id)
    });
    if ended {
        let floor = running.saturating_sub(unavailable + done);
        prop_assert!(is.len() as u32 >= floor, "{} serve of {running}, at least {floor} should: {is:?}", is.len());
    }
    Ok(())
}

fn given(state: &State) -> BTreeMap<InstanceId, (u64, u64)> {
    state.instances().values().map(|one| (one.id.clone(), (one.generation, one.restart_count))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rollout_keeps_its_bounds_comes_to_rest_and_ends(
        instances in 0..6u32,
        update in an_update(),
        happenings in prop::collection::vec(a_happening(), 1..60),
    ) {
        prop_assume!(!(update.max_unavailable.is_zero() && update.max_surge.is_zero()));
        let mut fleet = Fleet::on(&["alpha", "beta"], instances, update);
        for what in &happenings {
            let before = fleet.world.state.clone();
            let held = fleet.process().rollout.as_ref().is_some_and(|one| one.stage == Stage::Paused);
            let Some(outcome) = happen(&mut fleet, what) else { continue };
            keeps_its_bounds(&before, &fleet.world.state)?;
            let by_itself = !matches!(
                what,
                Happening::Changes(_) | Happening::Scales(_) | Happening::Resumes | Happening::Promotes
                    | Happening::Restarts | Happening::Starts(_) | Happening::Stops(_) | Happening::LetsGo(_)
            );
            if held && by_itself && outcome.reply.is_ok() {
                prop_assert_eq!(given(&before), given(&fleet.world.state), "it is held, and {:?} changed something", what);
            }
            // A second look finds nothing more to do.
            let again = fleet.world.state.instances().values().find(|one| one.node.is_some() && one.seen.seq > 0).cloned();
            if let Some(one) = again {
                let node = one.node.as_ref().unwrap().as_str().to_owned();
                let stale = || report(&node, vec![seen(&one.id.to_string(), 1, Phase::Running)]);
                // Not every command looks: time may have come for something.
                fleet.world.clock -= 1_000_000_000;
                fleet.world.ok(stale());
                let rest = fleet.world.state.clone();
                fleet.world.clock -= 1_000_000_000;
                let outcome = fleet.world.ok(stale());
                prop_assert!(outcome.events.is_empty() && outcome.orders.is_empty(), "{:?}", outcome.events);
                prop_assert_eq!(given(&rest), given(&fleet.world.state));
            }
        }
        // All goes well from now on.
        fleet.world.ok(hello("beta"));
        let _ = fleet.world.admin(resume());
        let mut left = 60;
        while fleet.process().rollout.as_ref().is_some_and(|one| one.is_active()) {
            fleet.serve_all();
            let _ = fleet.world.admin(promote());
            fleet.tick(30);
            left -= 1;
            prop_assert!(left > 0, "it does not end: {:?}", fleet.rollout());
        }
        fleet.serve_all();
        let process = fleet.process();
        let number = process.spec.instances as usize;
        prop_assert_eq!(fleet.generations().len(), number, "none is left over");
        if let Some(rollout) = process.rollout.as_ref().filter(|one| one.stage == Stage::Succeeded) {
            let state = &fleet.world.state;
            for one in state.instances().values() {
                let spec = state.spec_of(one).unwrap();
                prop_assert!(process.runs_like(&spec), "{} has generation {} of {:?}", one.id, one.generation, rollout);
            }
        }
        prop_assert_eq!(process.rollout.as_ref().and_then(|one| one.due), None);
    }
}

/// A change of the spec, by what instances make of it.
fn edited(kind: u8, instances: u32, update: UpdatePolicy) -> process_model::ProcessSpec {
    let mut spec = version(if kind == 2 { "2" } else { "1" }, instances, update);
    if kind == 1 {
        spec.restart.max_restarts = 99;
    }
    spec
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_what_applying_comes_to(
        (before, after) in (0..5u32, 0..6u32),
        update in an_update(),
        kind in 0..3u8,
        stopped in 1..7u32,
    ) {
        prop_assume!(!(update.max_unavailable.is_zero() && update.max_surge.is_zero()));
        let update = UpdatePolicy { canary: 0, ..update };
        let mut fleet = Fleet::of(before, update.clone());
        let _ = fleet.world.admin(switch(process_model::ActionVerb::Stop, &format!("web-{stopped}")));
        let stopped = format!("web-{stopped}");
        if fleet.world.has(&stopped) {
            fleet.rest(&stopped);
        }
        let spec = edited(kind, after, update);
        let plan = preview(&fleet.world.state, &spec.name, Some(&spec));
        let was = fleet.world.state.clone();
        fleet.world.ok(apply(vec![spec]));
        let mut there: BTreeSet<InstanceId> = BTreeSet::new();
        for _ in 0..60 {
            there.extend(fleet.world.state.instances().keys().cloned());
            if fleet.process().rollout.as_ref().is_none_or(|one| !one.is_active()) {
                break;
            }
            fleet.serve_one();
            fleet.tick(21);
        }
        fleet.serve_all();
        let is = &fleet.world.state;
        let ever: BTreeSet<InstanceId> = plan.iter().map(|one| one.instance.clone()).collect();
        // While a smaller number leaves some over, who takes their place meanwhile depends on how soon they are gone.
        let told = |all: &BTreeSet<InstanceId>| -> BTreeSet<InstanceId> {
            all.iter().filter(|id| before <= after || id.index <= before).cloned().collect()
        };
        prop_assert_eq!(told(&ever), told(&there), "who is or was there is in the plan");
        for InstancePlan { instance, step } in &plan {
            let (old, new) = (was.instances().get(instance), is.instances().get(instance));
            let run = |one: Option<&std::sync::Arc<Instance>>| one.and_then(|one| one.seen.started);
            let generation = |one: Option<&std::sync::Arc<Instance>>| one.map(|one| one.generation);
            match step {
                Step::Create => prop_assert!(old.is_none() && new.is_some()),
                Step::Restart => prop_assert!(run(old) != run(new) && generation(old) < generation(new)),
                Step::InPlace => prop_assert!(run(old) == run(new) && generation(old) < generation(new)),
                Step::None => prop_assert!(run(old) == run(new) && generation(old) == generation(new)),
                Step::Remove => prop_assert!(old.is_some() && new.is_none()),
                Step::Surge => prop_assert!(old.is_none() && new.is_none()),
            }
        }
    }
}
