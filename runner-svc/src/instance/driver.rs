//! The seam of one instance: take an input → step → persist → act → reply.
//! Always in that order, always thin.

use super::commands::{Commands, Which};
use super::deps::Deps;
use super::message::Message;
use super::observer::Observer;
use super::orders::Orders;
use super::timers::Timers;
use super::{Handle, Origin, Restored, Seen};
use crate::clock;
use crate::io::keeper_link::{self, KeeperNews};
use crate::io::leftovers::MainProcess;
use crate::io::lines::Position;
use crate::io::program::LogFiles;
use crate::notice::Notice;
use crate::{latest, mailbox};
use process_model::spec::Check;
use process_model::{Assignment, InstanceId};
use runner_domain::{Effect, Input, Machine, Memo, Order, RunId, Timer, notify};
use runner_keeper::protocol::Request;
use service_host::{telemetry, trace_context};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The owner of one machine.
pub(crate) struct Instance {
    pub(super) deps: Arc<Deps>,
    pub(super) machine: Machine,
    orders: Orders,
    timers: Timers,
    observer: Observer,
    commands: Commands,
    pub(super) main: Option<MainProcess>,
    /// Where the output of the run begins, when somebody reads it.
    position: Option<Box<Position>>,
    /// What holds the tree of a run together that was taken over.
    pub(super) containment: Arc<str>,
    /// The trace's part of a start that is going on.
    exec: Option<Box<tracing::Span>>,
    inbox: mailbox::Receiver<Message>,
    pub(super) own: mailbox::Sender<Message>,
    keeper_news: mailbox::Receiver<KeeperNews>,
    keeper_inbox: mailbox::Sender<KeeperNews>,
    seen: latest::Sender<Seen>,
    /// A run that the keeper need not remember, to be told when there is nothing
    /// more urgent: its successor is asked for first.
    forgotten: Option<RunId>,
    /// What whoever hosts the runner is to hear.
    pub(super) untold: Vec<Notice>,
    /// What the last report said in words.
    pub(super) said: String,
    /// It is to begin with what it was assigned.
    fresh: bool,
    gone: bool,
}

impl Instance {
    /// An instance, set going, and the handle on it. It lives as long as
    /// [`Instance::run`] does.
    pub(crate) fn new(deps: Arc<Deps>, assignment: Arc<Assignment>, origin: Origin) -> (Box<Self>, Handle) {
        let (own, inbox) = mailbox::mailbox();
        let (keeper_inbox, keeper_news) = mailbox::mailbox();
        let machine = match &origin {
            Origin::New => Machine::new(assignment.clone()),
            Origin::Restored(restored) => {
                let followed = restored.before.as_ref().unwrap_or(&assignment);
                Machine::restore(followed.clone(), &restored.memo)
            }
        };
        let first =
            Seen { assignment: assignment.clone(), view: machine.view(), containment: Arc::default(), gone: false };
        let (seen, seen_rx) = latest::latest(first);
        // Boxed: a task that owns it by value would hold it several times over.
        let mut instance = Box::new(Self {
            deps,
            machine,
            orders: Orders::default(),
            timers: Timers::default(),
            observer: Observer::default(),
            commands: Commands::default(),
            main: None,
            position: None,
            containment: Arc::default(),
            exec: None,
            inbox,
            own: own.clone(),
            keeper_news,
            keeper_inbox,
            seen,
            forgotten: None,
            untold: Vec::new(),
            said: String::new(),
            fresh: false,
            gone: false,
        });
        match origin {
            // Begins in its own task: what a start needs for a moment is not to lie between what a thousand keep.
            Origin::New => instance.fresh = true,
            Origin::Restored(restored) => instance.come_from(*restored, assignment),
        }
        (instance, Handle { inbox: own, seen: seen_rx })
    }

    /// First inputs: what became of the run that was there before, then what
    /// is wanted now.
    fn come_from(&mut self, restored: Restored, assignment: Arc<Assignment>) {
        let Restored { memo, main, record, rebooted, .. } = restored;
        self.main = main;
        self.resume(&memo, record, rebooted);
        self.take(if memo.removing { Input::Unassigned } else { Input::Assigned(assignment) });
    }

    fn resume(&mut self, memo: &Memo, record: Option<runner_keeper::protocol::RunRecord>, rebooted: bool) {
        if let Some(run) = memo.run {
            self.deps.keeper.route(run, self.keeper_inbox.clone());
        }
        match (memo.run, record) {
            (Some(run), Some(record)) => {
                let started = process_model::Timestamp(record.started_at);
                self.containment = record.containment.into();
                self.main = Some(MainProcess { pid: record.pid, start_time: record.start_time });
                match record.ending {
                    None => {
                        let age = Duration::from_nanos(record.age);
                        self.take(Input::Adopted { run, pid: record.pid, started, age });
                        // What it said to the runner before.
                        let words = notify::parse(&record.notified);
                        self.take(Input::Notified { run, words });
                    }
                    Some(ending) => {
                        self.take(Input::Unseen { run, pid: record.pid, started });
                        keeper_link::ended(run.0, record.fenced, ending).for_each(|input| self.take(input));
                    }
                }
            }
            // The keeper was never heard to have taken the request: ask again, by the same number.
            (Some(_), None) if self.main.is_none() && !rebooted && self.machine.is_wanted() => {
                self.redo();
            }
            // Nobody holds it any more, and nothing of it goes on: see `leftovers`.
            (Some(run), None) => self.take(Input::RunLost { run, rebooted }),
            (None, _) => {
                if let Some((due, _)) = &memo.backoff {
                    // The wall clock may have been set meanwhile: never wait longer than the policy's longest delay.
                    let left = Duration::from_nanos(u64::try_from(due.0 - clock::wall().0).unwrap_or(0));
                    let longest = self.machine.spec().restart.backoff.max.mul_f64(2.0);
                    self.timers.arm(Timer::Restart, left.min(longest));
                }
                self.redo();
            }
        }
    }

    /// Asks once more for what the runner before was not answered.
    fn redo(&mut self) {
        let effects = self.machine.redo();
        let inputs: Vec<Input> = effects.into_iter().filter_map(|effect| self.act(effect)).collect();
        inputs.into_iter().for_each(|input| self.take(input));
    }

    /// Until nothing of it is left. Returns its inbox: what came too late for
    /// it may be meant for its successor.
    pub(crate) async fn run(mut self: Box<Self>) -> (InstanceId, mailbox::Receiver<Message>) {
        if std::mem::take(&mut self.fresh) {
            self.take(Input::Assigned(self.machine.assignment().clone()));
        }
        loop {
            self.tell_others().await;
            if self.gone {
                break;
            }
            tokio::select! {
                // What happened inside outranks what is asked from outside.
                biased;
                news = self.keeper_news.recv() => match news {
                    Some(KeeperNews::Input(input)) => self.take(*input),
                    Some(KeeperNews::Main(main)) => self.main = Some(main),
                    // The link has ended whatever was left of it.
                    Some(KeeperNews::Lost(run)) => self.take(Input::RunLost { run, rebooted: false }),
                    // We hold a sender ourselves.
                    None => break,
                },
                timer = self.timers.next() => self.take(Input::TimerFired(timer)),
                ended = self.commands.next() => self.take(ended),
                message = self.inbox.recv() => match message {
                    Some(Message::Input(input)) => self.take(*input),
                    Some(Message::Order(order, stop_timeout)) => self.obey(*order, stop_timeout),
                    Some(Message::Resolved(run, outcome)) => self.resolved(run, *outcome),
                    Some(Message::TellAgain) => self.tell_again(),
                    None => break,
                },
            }
        }
        (self.machine.instance().clone(), self.inbox)
    }

    fn obey(&mut self, order: Order, stop_timeout: Option<Duration>) {
        let asked = order.asked();
        let is_new = self.orders.take(order, &self.deps.journal);
        if let Some(timeout) = stop_timeout {
            self.take(Input::StopTimeoutGiven(timeout));
        }
        if let Some(asked) = asked.filter(|_| is_new) {
            self.take(asked);
        }
        self.orders.settle(&self.machine, &self.deps.journal);
    }

    /// One input, and whatever follows from it at once.
    pub(super) fn take(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.trace(&input);
            self.deps.counters.heard(&self.machine, &input);
            // A plan that changes nothing now has to be there for the next runner all the same.
            let planned = matches!(input, Input::NextDue(_) | Input::Due { .. });
            let effects = self.machine.step(input, &self.deps.run_ids.context());
            self.persist(&effects, planned);
            for effect in effects {
                inputs.extend(self.act(effect));
            }
        }
        self.orders.settle(&self.machine, &self.deps.journal);
    }

    /// Tells everybody but the keeper what has become of it; and the keeper what
    /// is not urgent.
    async fn tell_others(&mut self) {
        // What the keeper was asked for goes out first: a program may be waiting to be started again.
        tokio::task::yield_now().await;
        if let Some(run) = self.forgotten.take() {
            self.deps.keeper.send(Request::Forget { run: run.0 });
        }
        self.deps.journal.announce();
        for notice in std::mem::take(&mut self.untold) {
            // Nobody listening is fine.
            let _ = self.deps.notices.send(notice);
        }
        let view = self.machine.view();
        let containment = if view.pid == 0 { Arc::default() } else { self.containment.clone() };
        let now = Seen { assignment: self.machine.assignment().clone(), view, containment, gone: self.gone };
        self.seen.set(now);
    }

    /// Ends the trace's part of a start with what became of it.
    fn trace(&mut self, input: &Input) {
        match input {
            Input::Spawned { pid, .. } => {
                self.containment = self.deps.keeper.health().containment;
                if let Some(span) = self.exec.take() {
                    span.record("process.pid", pid);
                }
            }
            Input::SpawnFailed { error, .. } => {
                if let Some(span) = self.exec.take() {
                    span.record("otel.status_code", "ERROR");
                    span.record("otel.status_description", error.to_string());
                }
            }
            // Says nothing of a start.
            Input::Assigned(_)
            | Input::Unassigned
            | Input::Held
            | Input::StopTimeoutGiven(_)
            | Input::Exited { .. }
            | Input::TreeEmptied { .. }
            | Input::Adopted { .. }
            | Input::Unseen { .. }
            | Input::RunLost { .. }
            | Input::TimerFired(_)
            | Input::ProbeSucceeded { .. }
            | Input::ProbeFailed { .. }
            | Input::WentSilent { .. }
            | Input::LivenessSucceeded { .. }
            | Input::LivenessFailed { .. }
            | Input::Notified { .. }
            | Input::HookEnded { .. }
            | Input::StopHookEnded { .. }
            | Input::MemoryExceeded { .. }
            | Input::LimitReached { .. }
            | Input::LogMatched { .. }
            | Input::LogTrouble { .. }
            | Input::Dependencies { .. }
            | Input::Lease { .. }
            | Input::Fenced { .. }
            | Input::ReloadAsked
            | Input::SignalAsked(_)
            | Input::Due { .. }
            | Input::NextDue(_) => {}
        }
    }

    /// Carries an effect out; returns what follows from it at once.
    fn act(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn { run } => return self.spawn(run),
            Effect::SignalTree { run, signal } => {
                self.deps.keeper.send(Request::SignalTree { run: run.0, signal: signal.number() });
            }
            Effect::SignalMain { run, signal } => {
                self.deps.keeper.send(Request::SignalMain { run: run.0, signal: signal.number() });
            }
            Effect::RunHook { run, hook } => self.command(run, Which::Hook(hook)),
            Effect::RunStopHook { run, step } => self.command(run, Which::Step(step)),
            Effect::CancelHooks => self.commands.cancel(),
            Effect::ReleaseSockets => {
                let spec = self.machine.spec();
                let stays = self.machine.is_wanted() && !self.machine.view().phase.is_at_rest();
                let keep = spec.sockets.iter().filter(|_| stays).map(|socket| socket.name.clone()).collect();
                let instance = self.machine.instance().to_string();
                self.deps.keeper.send(Request::CloseSockets { instance, keep });
            }
            Effect::SetLogs { run } => {
                let logs = LogFiles::policy(self.machine.spec());
                self.deps.keeper.send(Request::SetLogs { run: run.0, logs });
            }
            Effect::ForgetRun { run } => self.forgotten = Some(run),
            Effect::Arm { timer, after } => self.timers.arm(timer, after),
            Effect::Disarm { timer } => self.timers.disarm(timer),
            Effect::Observe { run } => self.observe(run),
            Effect::Unobserve if self.observer.is_idle() => {}
            Effect::Unobserve => self.observer = Observer::default(),
            // Persisted and told before.
            Effect::Report { .. } | Effect::Ran(_) => {}
            Effect::Gone => {
                self.deps.journal.forgotten(self.machine.instance());
                self.gone = true;
            }
        }
        None
    }

    fn command(&mut self, run: RunId, which: Which) {
        // Only of a program that there was: `main` is of this run or of none.
        let ended = self.main.and(self.machine.last_exit().cloned());
        let main_pid = Some(self.machine.view().pid).filter(|pid| *pid != 0);
        self.commands.begin(&self.deps, self.machine.assignment(), run, which, ended, main_pid);
    }

    fn observe(&mut self, run: RunId) {
        let assignment = self.machine.assignment();
        let view = self.machine.view();
        let position = self.position.take().map(|position| *position).or_else(|| {
            // Taken over before the line came that makes it ready: it may have come while nobody looked.
            let check = assignment.spec.readiness.as_ref().map(|probe| &probe.check);
            let started = view.started.filter(|_| matches!(check, Some(Check::Log { .. })) && !view.ready)?;
            Some(Position::since(&self.log_files(), started))
        });
        self.observer = Observer::begin(&self.deps, assignment, run, view.ready, &self.own, position);
        let main = self.main.map(|main| main.pid);
        self.observer.weigh(&self.deps, &assignment.spec, run, main, &self.own);
    }

    pub(super) fn log_files(&self) -> LogFiles {
        LogFiles::of(self.machine.spec(), self.machine.instance(), &self.deps.surroundings.log_dir)
    }

    /// Asks the keeper for a run, within the trace of the request that caused
    /// it.
    pub(super) fn spawn(&mut self, run: RunId) -> Option<Input> {
        // Of the run before; this one's comes with the keeper's answer.
        self.main = None;
        self.containment = Arc::default();
        if self.resolves(run) {
            return None;
        }
        self.position = Observer::wants_lines(self.machine.spec()).then(|| Box::new(Position::now(&self.log_files())));
        let assignment = self.machine.assignment();
        let span = tracing::info_span!(
            "exec",
            otel.name = format!("exec {}", assignment.instance),
            otel.status_code = tracing::field::Empty,
            otel.status_description = tracing::field::Empty,
            process.pid = tracing::field::Empty,
            pm.process = %assignment.instance.process,
            pm.instance = %assignment.instance,
        );
        if !assignment.traceparent.is_empty() {
            trace_context::set_parent(&span, &assignment.traceparent);
        }
        let traceparent = trace_context::traceparent_of(&span)
            .or_else(|| Some(assignment.traceparent.clone()).filter(|text| !text.is_empty()));
        // A thousand that start at once would leave room for a thousand spans.
        self.exec = telemetry::is_exporting().then(|| Box::new(span));
        match self.deps.surroundings.request(assignment, run, traceparent) {
            Ok(mut request) => {
                request.fence = self.deps.lease.fence(self.machine.spec());
                self.deps.keeper.route(run, self.keeper_inbox.clone());
                self.deps.keeper.send(Request::Spawn(Box::new(request)));
                None
            }
            Err(error) => Some(Input::SpawnFailed { run, error }),
        }
    }
}
