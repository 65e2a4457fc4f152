//! Random lives. The invariants are in [`World`]: no double start, no start of
//! what nobody wants or of what has to wait, no signal to what is not there,
//! one command at a time and each at its place, every stop bounded.

use super::world::{Run, S, World, assignment, depends, hook, hooks, spec};
use crate::hooks::GRACE;
use crate::{Input, Notification, RunId, State, Timer, Verdict};
use process_model::spec::{
    CatchUp, Check, HookKind, LogAction, Overlap, Probe, RestartLimit, RestartMode, Schedule, Scope, Signal, StopStep,
};
use process_model::{ActionVerb, ExitStatus, ProcessSpec, RunOutcome, Timestamp};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Happening {
    Want(bool),
    AskRestart,
    EditProgram(u8),
    EditPolicy(u8),
    Unassign,
    Hold,
    StopTimeout(u8),
    Spawned,
    SpawnFails,
    Exits(i32, bool),
    TreeEmpties,
    CommandEnds(bool),
    LateCommand(HookKind, usize),
    Fires(Timer),
    ProbeOk,
    ProbeBad,
    Alive(bool),
    Silent,
    Memory,
    Line(LogAction),
    Says(Notification),
    Depends(bool),
    Lease(bool),
    Fenced,
    Reload,
    Signal,
    Due,
    Late(u64),
    RunnerDies,
    Time(u16),
}

fn word() -> impl Strategy<Value = Notification> {
    prop_oneof![
        Just(Notification::Ready),
        Just(Notification::Reloading),
        Just(Notification::Stopping),
        Just(Notification::Status("busy".into())),
        Just(Notification::Alive),
        Just(Notification::Dead),
        (1..20_u32).prop_map(|s| Notification::WatchdogInterval(S * s)),
        (1..7200_u32).prop_map(|s| Notification::ExtendTimeout(S * s)),
        Just(Notification::MainPid(77)),
    ]
}

fn kind() -> impl Strategy<Value = HookKind> {
    use HookKind::{PostStart, PostStop, PreStart, PreStop, Reload};
    prop::sample::select(vec![PreStart, PostStart, Reload, PreStop, PostStop])
}

fn timer() -> impl Strategy<Value = Timer> {
    prop::sample::select(vec![
        Timer::Restart,
        Timer::Restart,
        Timer::Stop,
        Timer::Stop,
        Timer::Watchdog,
        Timer::MaxRuntime,
        Timer::Reload,
    ])
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    prop_oneof![
        2 => any::<bool>().prop_map(H::Want),
        1 => Just(H::AskRestart),
        1 => (0..3_u8).prop_map(H::EditProgram),
        1 => (0..10_u8).prop_map(H::EditPolicy),
        1 => Just(H::Unassign),
        1 => Just(H::Hold),
        1 => (0..10_u8).prop_map(H::StopTimeout),
        5 => Just(H::Spawned),
        1 => Just(H::SpawnFails),
        3 => ((0..2_i32), any::<bool>()).prop_map(|(code, empty)| H::Exits(code, empty)),
        2 => Just(H::TreeEmpties),
        6 => any::<bool>().prop_map(H::CommandEnds),
        1 => (kind(), 0..3_usize).prop_map(|(kind, step)| H::LateCommand(kind, step)),
        4 => timer().prop_map(H::Fires),
        1 => Just(H::ProbeOk),
        1 => Just(H::ProbeBad),
        1 => any::<bool>().prop_map(H::Alive),
        1 => Just(H::Silent),
        1 => Just(H::Memory),
        1 => prop::sample::select(LogAction::ALL.to_vec()).prop_map(H::Line),
        2 => word().prop_map(H::Says),
        2 => any::<bool>().prop_map(H::Depends),
        3 => any::<bool>().prop_map(H::Lease),
        1 => Just(H::Fenced),
        1 => Just(H::Reload),
        1 => Just(H::Signal),
        2 => Just(H::Due),
        1 => (0..50_u64).prop_map(H::Late),
        2 => Just(H::RunnerDies),
        1 => (0..200_u16).prop_map(H::Time),
    ]
}

fn step() -> impl Strategy<Value = StopStep> {
    prop_oneof![
        (0..9_u32).prop_map(|s| StopStep::Signal { signal: Signal::INT, to: Scope::Main, wait: S * s }),
        (0..9_u32).prop_map(|s| StopStep::Signal { signal: Signal::TERM, to: Scope::Tree, wait: S * s }),
        (1..9_u32).prop_map(|s| StopStep::Hook(hook(s))),
        (0..9_u32).prop_map(|s| StopStep::Wait(S * s)),
    ]
}

fn any_spec() -> impl Strategy<Value = ProcessSpec> {
    let hook_kinds = prop::collection::vec(kind(), 0..5);
    let steps = prop::collection::vec(step(), 0..4);
    let waits = (any::<bool>(), prop::option::weighted(0.2, prop::sample::select(Overlap::ALL.to_vec())));
    let bounds = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0..RestartMode::ALL.len(), hook_kinds, steps, 0..3_u8, waits, bounds).prop_map(
        |(mode, kinds, steps, readiness, (dependent, overlap), (watchdog, runtime, limit, singleton))| {
            let mut spec = spec(RestartMode::ALL[mode]);
            spec.hooks = (!kinds.is_empty()).then(|| hooks(&kinds)).flatten();
            spec.stop.steps = steps;
            spec.readiness = match readiness {
                0 => None,
                1 => Some(Probe::new(Check::Tcp { port: 1 })),
                _ => Some(Probe::new(Check::Notify)),
            };
            spec.liveness = Some(Probe::new(Check::Tcp { port: 2 }));
            spec.depends_on = if dependent { depends() } else { Vec::new() };
            spec.schedule = overlap.map(|overlap| {
                let (cron, timezone) = ("@hourly".to_owned(), "UTC".to_owned());
                Box::new(Schedule { cron, timezone, overlap, catch_up: CatchUp::None, jitter: Duration::ZERO })
            });
            spec.singleton = singleton.then(Box::default);
            spec.notify_watchdog = watchdog.then_some(S * 10);
            spec.restart.max_runtime = runtime.then_some(S * 300);
            spec.restart.max_memory = Some(1 << 20);
            spec.restart.limit = limit.then_some(RestartLimit { restarts: 3, within: S * 600 });
            spec
        },
    )
}

fn edit_policy(spec: &mut ProcessSpec, which: u8) {
    match which {
        0 => spec.restart.mode = RestartMode::Never,
        1 => spec.stop.steps = vec![StopStep::Wait(S)],
        2 => spec.stop.steps.clear(),
        3 => spec.restart.max_runtime = None,
        4 => spec.restart.max_runtime = Some(S * 50),
        5 => spec.depends_on.clear(),
        6 => spec.liveness = None,
        7 => spec.singleton = None,
        8 => spec.singleton = Some(Box::default()),
        _ => spec.restart.limit = None,
    }
}

fn happens(world: &mut World, happening: &Happening) {
    let run = world.current();
    match happening {
        Happening::Want(wanted) => world.assign(|a| a.wanted = *wanted),
        Happening::AskRestart => world.assign(|a| a.restart_count += 1),
        Happening::EditProgram(n) => world.edit(|spec| {
            spec.env.insert("N".into(), n.to_string());
        }),
        Happening::EditPolicy(which) => world.edit(|spec| edit_policy(spec, *which)),
        Happening::Unassign => world.step(Input::Unassigned),
        Happening::Hold => world.step(Input::Held),
        Happening::StopTimeout(s) => world.step(Input::StopTimeoutGiven(Duration::from_secs(u64::from(*s)))),
        Happening::Spawned => world.spawned(),
        Happening::SpawnFails => world.spawn_fails(),
        Happening::Exits(code, empty) => world.exits(*code, *empty),
        Happening::TreeEmpties => world.tree_empties(),
        Happening::CommandEnds(well) => world.command_ends(if *well { Ok(()) } else { Err("exit code 1") }),
        Happening::LateCommand(hook, step) => {
            // Of a command that was cancelled: only while none goes on that it could be taken for.
            if world.command.is_none() {
                world.step(Input::HookEnded { run, hook: *hook, outcome: Err("late".into()) });
                world.step(Input::StopHookEnded { run, step: *step, outcome: Ok(()) });
            }
        }
        Happening::Fires(timer) => world.timer_fires(*timer),
        Happening::Lease(valid) => world.step(Input::Lease { valid: *valid }),
        Happening::Fenced => world.step(Input::Fenced { run }),
        Happening::ProbeOk => world.step(Input::ProbeSucceeded { run }),
        Happening::ProbeBad => world.step(Input::ProbeFailed { run, why: "no".into() }),
        Happening::Alive(true) => world.step(Input::LivenessSucceeded { run }),
        Happening::Alive(false) => world.step(Input::LivenessFailed { run, why: "no".into() }),
        Happening::Silent => world.step(Input::WentSilent { run, silence: S * 60 }),
        Happening::Memory => world.step(Input::MemoryExceeded { run, bytes: 2 << 20 }),
        Happening::Line(action) => {
            world.step(Input::LogMatched { run, rule: "r".into(), action: *action, line: "l".into(), suppressed: 0 });
        }
        Happening::Says(word) => world.says(word.clone()),
        Happening::Depends(met) => {
            if !world.spec().depends_on.is_empty() {
                world.step(Input::Dependencies { waiting_for: (!met).then(|| "db".to_owned()) });
            }
        }
        Happening::Reload => world.step(Input::ReloadAsked),
        Happening::Signal => world.step(Input::SignalAsked(Signal::HUP)),
        Happening::Due => {
            let next = Timestamp(0).plus(world.now + S * 3600);
            world.step(Input::NextDue(Some(next)));
            world.due();
        }
        Happening::Late(old) if !world.runs.contains_key(&RunId(*old)) => {
            let (run, status, at) = (RunId(*old), ExitStatus::Code(0), Timestamp(3));
            // A run that is being prepared is not an older one.
            if world.machine.state().run() != Some(run) {
                world.step(Input::Exited { run, status, at, tree_empty: true, out_of_memory: false });
            }
        }
        Happening::Late(_) => {}
        Happening::RunnerDies => world.runner_dies(),
        Happening::Time(s) => world.now += Duration::from_secs(u64::from(*s)),
    }
}

/// The longest that a stop of `spec` can take, with everything in its way.
fn longest_stop(spec: &ProcessSpec) -> Duration {
    let of_hook =
        |kind| spec.hooks.as_ref().and_then(|hooks| hooks.get(kind)).map_or(Duration::ZERO, |h| h.timeout + GRACE);
    let of_step = |step: &StopStep| match step {
        StopStep::Signal { wait, .. } | StopStep::Wait(wait) => *wait,
        StopStep::Hook(hook) => hook.timeout + GRACE,
    };
    let steps: Duration = spec.stop.steps.iter().map(of_step).sum();
    let steps = if spec.stop.steps.is_empty() { spec.stop.timeout } else { steps.max(spec.stop.timeout) };
    of_hook(HookKind::PreStop) + steps + spec.stop.kill_timeout + of_hook(HookKind::PostStop)
}

/// Nobody answers: only time passes, until no stop goes on. `killable`:
/// SIGKILL works.
fn wait_for_the_stop(world: &mut World, killable: bool) {
    while matches!(world.machine.state(), State::Stopping(_) | State::Cleaning { .. }) {
        let killed = world.signals.last().is_some_and(|(run, signal)| {
            *signal == Signal::KILL && world.runs.get(run).is_some_and(|run| *run != Run::Requested)
        });
        if killable && killed {
            world.exits(9, true);
            world.tree_empties();
            continue;
        }
        assert!(world.next_timer_fires(), "a stop that waits for nothing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn no_life_breaks_an_invariant(spec in any_spec(), life in prop::collection::vec(happening(), 1..80)) {
        let mut world = World::new(assignment(spec, true));
        for happening in &life {
            happens(&mut world, happening);
        }
        // Whatever happened: a stop, with a world that answers, ends at rest.
        world.assign(|a| a.wanted = false);
        world.let_everything_end();
        prop_assert!(world.runs.is_empty() && world.command.is_none());
        prop_assert!(world.phase().is_at_rest());
        prop_assert_eq!(world.order(ActionVerb::Stop, 0), Verdict::Done);
        // Each time that came was run, or left out, and is told of once.
        for due in &world.taken {
            let told = world.runs_of(*due);
            prop_assert_eq!(told.len(), 1, "{:?}: {:?}", due, told);
            prop_assert_ne!(&told[0].outcome, &RunOutcome::Running);
        }
        // And nothing comes back by itself.
        let spawns = world.spawns;
        while world.next_timer_fires() {}
        prop_assert_eq!(world.spawns, spawns);
    }

    #[test]
    fn each_stop_ends_within_the_sum_of_its_bounds(
        spec in any_spec(),
        life in prop::collection::vec(happening(), 1..40),
        killable in any::<bool>(),
        patience in prop::option::of(0..30_u32),
    ) {
        // Whoever asks for more time gets it; that is not what is measured here.
        let asks = |h: &Happening| matches!(h, Happening::Says(Notification::ExtendTimeout(_)) | Happening::EditPolicy(_) | Happening::StopTimeout(_));
        let mut world = World::new(assignment(spec, true));
        life.iter().filter(|happening| !asks(happening)).for_each(|happening| happens(&mut world, happening));
        world.assign(|a| a.wanted = false);
        let begun = world.now;
        let mut bound = longest_stop(world.spec());
        if let (Some(patience), State::Stopping(_)) = (patience, world.machine.state()) {
            world.step(Input::StopTimeoutGiven(S * patience));
            bound = bound.max(S * patience + longest_stop(world.spec()));
        }
        wait_for_the_stop(&mut world, killable);
        prop_assert!(world.now - begun <= bound, "{:?} is longer than {bound:?}", world.now - begun);
        prop_assert!(world.phase().is_at_rest());
        prop_assert_eq!(world.command, None);
    }

    #[test]
    fn who_asks_for_sigkill_after_a_time_gets_it_then(spec in any_spec(), patience in 0..30_u32) {
        let mut world = World::new(assignment(spec, true));
        world.step(Input::Dependencies { waiting_for: None });
        world.due();
        world.command_ends(Ok(()));
        world.spawned();
        prop_assume!(matches!(world.machine.state(), State::Running { .. }));
        world.assign(|a| a.wanted = false);
        let begun = world.now;
        world.step(Input::StopTimeoutGiven(S * patience));
        while world.signals.last().is_none_or(|(_, signal)| *signal != Signal::KILL) {
            prop_assert!(world.next_timer_fires());
        }
        prop_assert!(world.now - begun <= S * patience);
    }
}
