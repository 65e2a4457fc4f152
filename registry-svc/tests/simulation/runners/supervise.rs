//! Instances under the real machine: input → step → journal → effects.

use super::Node;
use super::journal::{Reported, Stored};
use super::keeper::exited;
use process_model::{ActionReport, ActionState, Assignment, InstanceId, InstanceReport, RunReport, event_type};
use runner_domain::{Context, Effect, Input, Machine, Memo, Order, RunId, Timer, Verdict, order};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// An instance in a runner's memory.
pub(super) struct Supervised {
    pub(super) machine: Machine,
    orders: Vec<Order>,
    /// When each timer was armed last, as a count.
    timers: BTreeMap<Timer, u64>,
    armed: u64,
    /// The keeper has said that the present run began.
    began: bool,
    /// What it was told of its lease.
    pub(super) lease: Option<bool>,
}

impl Supervised {
    pub(super) fn new(machine: Machine) -> Self {
        Self { machine, orders: Vec::new(), timers: BTreeMap::new(), armed: 0, began: false, lease: None }
    }
}

impl Node {
    /// What the keeper, a timer or the registry says of an instance, to the runner that runs now.
    pub(super) fn hear_of(self: &Arc<Self>, instance: &InstanceId, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let mut gone = false;
        while let Some(input) = inputs.pop_front() {
            let Some(effects) = self.step(instance, input) else { return };
            for effect in effects {
                gone |= effect == Effect::Gone;
                inputs.extend(self.act(instance, effect));
            }
        }
        // What was ordered before it went is answered.
        self.settle(instance);
        if gone {
            let mut state = self.lock();
            state.instances.remove(instance);
            state.journal.instances.remove(instance);
        }
        self.news.notify_one();
    }

    /// One step; what it leaves behind is written down before it has any effect.
    fn step(&self, instance: &InstanceId, input: Input) -> Option<Vec<Effect>> {
        let (now, wall) = (self.age(), self.wall());
        let roll = self.dice.between(0, 1_000) as f64 / 1e3;
        let mut state = self.lock();
        let next_run = RunId(state.journal.newest_run + 1);
        let supervised = state.instances.get_mut(instance)?;
        supervised.began |= matches!(input, Input::Spawned { .. } | Input::Adopted { .. });
        let effects = supervised.machine.step(input, &Context { now, wall, roll, next_run });
        supervised.began &= supervised.machine.state().run().is_some();
        let (memo, began) = (Memo::from(&supervised.machine), supervised.began);
        let fenced =
            |effect: &&Effect| matches!(effect, Effect::Report { event, .. } if *event == event_type::INSTANCE_FENCED);
        effects.iter().filter(fenced).for_each(|_| self.judge.oracle.count("singleton fenced"));
        let reports: Vec<_> = effects.iter().filter_map(|effect| report(&supervised.machine, effect, wall)).collect();
        state.journal.stepped(instance, memo, began);
        reports.into_iter().for_each(|report| state.journal.report(report, &self.judge.oracle));
        Some(effects)
    }

    fn act(self: &Arc<Self>, instance: &InstanceId, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn { run } => self.spawn(run, instance.clone()),
            Effect::SignalTree { run, signal } | Effect::SignalMain { run, signal } => self.signal(run, &signal),
            Effect::RunHook { run, hook } => return Some(Input::HookEnded { run, hook, outcome: Ok(()) }),
            Effect::RunStopHook { run, step } => return Some(Input::StopHookEnded { run, step, outcome: Ok(()) }),
            Effect::ForgetRun { run } => drop(self.lock().keeper.runs.remove(&run)),
            Effect::Arm { timer, after } => self.arm(instance, timer, after),
            Effect::Disarm { timer } => {
                if let Some(supervised) = self.lock().instances.get_mut(instance) {
                    supervised.timers.remove(&timer);
                }
            }
            // Without probes, logs, sockets there is nothing to do; reports are written down already.
            Effect::CancelHooks
            | Effect::ReleaseSockets
            | Effect::SetLogs { .. }
            | Effect::Observe { .. }
            | Effect::Unobserve
            | Effect::Gone
            | Effect::Ran(_)
            | Effect::Report { .. } => {}
        }
        None
    }

    fn arm(self: &Arc<Self>, instance: &InstanceId, timer: Timer, after: Duration) {
        let mut state = self.lock();
        let life = state.life;
        let Some(supervised) = state.instances.get_mut(instance) else { return };
        supervised.armed += 1;
        let armed = supervised.armed;
        supervised.timers.insert(timer, armed);
        let (node, instance) = (self.clone(), instance.clone());
        tokio::spawn(async move {
            sleep(after).await;
            let fires = {
                let mut state = node.lock();
                let same_life = state.life == life;
                let supervised = state.instances.get_mut(&instance).filter(|_| same_life);
                supervised.is_some_and(|supervised| {
                    supervised.timers.get(&timer) == Some(&armed) && supervised.timers.remove(&timer).is_some()
                })
            };
            if fires {
                node.hear_of(&instance, Input::TimerFired(timer));
            }
        });
    }

    /// An action of the registry.
    pub(super) fn ordered(self: &Arc<Self>, instance: &InstanceId, order: Order, stop_timeout: Option<Duration>) {
        let asked = order.asked();
        {
            let wall = self.wall();
            let mut state = self.lock();
            let Some(supervised) = state.instances.get_mut(instance) else {
                let message = format!("instance {instance} is not on this node");
                let report = ActionReport { action: order.action, state: ActionState::Failed, message, time: wall };
                state.journal.report(Reported::Action(report), &self.judge.oracle);
                drop(state);
                return self.news.notify_one();
            };
            if supervised.orders.iter().any(|known| known.action == order.action) {
                return;
            }
            supervised.orders.push(order.clone());
            let (action, message) = (order.action, String::new());
            let report = ActionReport { action, state: ActionState::Delivered, message, time: wall };
            state.journal.report(Reported::Action(report), &self.judge.oracle);
        }
        if let Some(timeout) = stop_timeout {
            self.hear_of(instance, Input::StopTimeoutGiven(timeout));
        }
        if let Some(asked) = asked {
            self.hear_of(instance, asked);
        }
        self.settle(instance);
        self.news.notify_one();
    }

    fn settle(&self, instance: &InstanceId) {
        let wall = self.wall();
        let mut state = self.lock();
        let Some(supervised) = state.instances.get_mut(instance) else { return };
        let mut reports = Vec::new();
        let machine = &supervised.machine;
        supervised.orders.retain(|pending| {
            let (state, message) = match order::judge(pending, machine) {
                Verdict::Pending => return true,
                Verdict::Done => (ActionState::Done, String::new()),
                Verdict::Failed(why) => (ActionState::Failed, why),
            };
            reports.push(ActionReport { action: pending.action.clone(), state, message, time: wall });
            false
        });
        reports.into_iter().for_each(|report| state.journal.report(Reported::Action(report), &self.judge.oracle));
    }

    /// A runner begins: it believes the journal and the keeper.
    pub(super) fn take_over(self: &Arc<Self>, rebooted: bool) {
        let stored: Vec<Stored> = self.lock().journal.instances.values().cloned().collect();
        for stored in stored {
            self.resume(stored, rebooted);
        }
    }

    fn resume(self: &Arc<Self>, stored: Stored, rebooted: bool) {
        let Stored { assignment, memo, began, before } = stored;
        let id = assignment.instance.clone();
        let Some(memo) = memo else {
            return self.begin(assignment);
        };
        let mut supervised = Supervised::new(Machine::restore(before.unwrap_or(assignment.clone()), &memo));
        supervised.began = began;
        let wanted = supervised.machine.is_wanted();
        let record = {
            let mut state = self.lock();
            state.instances.insert(id.clone(), supervised);
            memo.run.and_then(|run| state.keeper.runs.get(&run).cloned())
        };
        match (memo.run, record) {
            (Some(run), Some(record)) => {
                self.judge.oracle.count("program taken over");
                match record.ended {
                    None => {
                        let (pid, started, age) = (record.pid, record.started, record.since.elapsed());
                        self.hear_of(&id, Input::Adopted { run, pid, started, age });
                    }
                    Some((status, at)) => {
                        self.hear_of(&id, Input::Unseen { run, pid: record.pid, started: record.started });
                        if record.fenced {
                            self.hear_of(&id, Input::Fenced { run });
                        }
                        self.hear_of(&id, exited(run, status, at));
                    }
                }
            }
            // The keeper was never heard to have taken the request: ask again, by the same number.
            (Some(_), None) if !began && !rebooted && wanted => self.redo(&id),
            (Some(run), None) => self.hear_of(&id, Input::RunLost { run, rebooted }),
            (None, _) => {
                if let Some((due, _)) = &memo.backoff {
                    let left = Duration::from_nanos(u64::try_from(due.0 - self.wall().0).unwrap_or(0));
                    let longest = self.lock().instances[&id].machine.spec().restart.backoff.max.mul_f64(2.0);
                    self.arm(&id, Timer::Restart, left.min(longest));
                }
                self.redo(&id);
            }
        }
        self.hear_of(&id, if memo.removing { Input::Unassigned } else { Input::Assigned(assignment) });
    }

    fn redo(self: &Arc<Self>, id: &InstanceId) {
        let effects = self.lock().instances.get_mut(id).map(|supervised| supervised.machine.redo());
        for effect in effects.into_iter().flatten() {
            if let Some(input) = self.act(id, effect) {
                self.hear_of(id, input);
            }
        }
    }

    /// An instance that this node has not had before.
    pub(super) fn begin(self: &Arc<Self>, assignment: Arc<Assignment>) {
        let id = assignment.instance.clone();
        self.lock().instances.insert(id.clone(), Supervised::new(Machine::new(assignment.clone())));
        self.leases.notify_one();
        self.hear_of(&id, Input::Assigned(assignment));
    }
}

fn report(machine: &Machine, effect: &Effect, time: process_model::Timestamp) -> Option<Reported> {
    let (event, message, gone) = match effect {
        Effect::Ran(run) => return Some(Reported::Run(RunReport::clone(run))),
        Effect::Report { event, message } => (*event, message.clone(), false),
        Effect::Gone => (event_type::INSTANCE_REMOVED, "removed".to_owned(), true),
        _ => return None,
    };
    let view = machine.view();
    Some(Reported::Instance(InstanceReport {
        instance: machine.instance().clone(),
        seq: 0,
        generation: machine.assignment().generation,
        event_type: event.to_owned(),
        time,
        phase: view.phase,
        ready: view.ready,
        pid: view.pid,
        restarts: view.restarts,
        last_exit: view.last_exit,
        started: view.started,
        message,
        next_restart: view.next_restart,
        gone,
        containment: String::new(),
        status: view.status,
        log_lines: Vec::new(),
    }))
}
