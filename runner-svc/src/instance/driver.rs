//! The seam of one instance: take an input → step → persist → act → reply.
//! Always in that order, always thin.

use super::deps::Deps;
use super::message::Message;
use super::observer::Observer;
use super::orders::Orders;
use super::timers::Timers;
use super::{Handle, Origin, Restored, Seen};
use crate::clock;
use crate::io::keeper_link::{self, KeeperNews};
use crate::io::leftovers::{self, MainProcess};
use crate::notice::{Notice, NoticeKind};
use process_model::{Assignment, InstanceId, InstanceReport, event_type};
use runner_domain::{Effect, Input, Machine, Memo, Order, RunId, Timer};
use runner_keeper::protocol::Request;
use service_host::trace_context;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// The owner of one machine.
pub(crate) struct Instance {
    deps: Deps,
    machine: Machine,
    orders: Orders,
    timers: Timers,
    observer: Observer,
    main: Option<MainProcess>,
    /// The trace's part of a start that is going on.
    exec: Option<tracing::Span>,
    inbox: mpsc::UnboundedReceiver<Message>,
    own: mpsc::UnboundedSender<Message>,
    keeper_news: mpsc::UnboundedReceiver<KeeperNews>,
    keeper_inbox: mpsc::UnboundedSender<KeeperNews>,
    seen: watch::Sender<Seen>,
    gone: bool,
}

impl Instance {
    /// An instance, set going, and the handle on it. It lives as long as
    /// [`Instance::run`] does.
    pub(crate) fn new(deps: Deps, assignment: Assignment, origin: Origin) -> (Box<Self>, Handle) {
        let (own, inbox) = mpsc::unbounded_channel();
        let (keeper_inbox, keeper_news) = mpsc::unbounded_channel();
        let machine = match &origin {
            Origin::New => Machine::new(assignment.clone()),
            Origin::Restored(restored) => {
                let followed = restored.before.as_ref().unwrap_or(&assignment);
                Machine::restore(followed.clone(), &restored.memo)
            }
        };
        let first = Seen { assignment: assignment.clone(), view: machine.view(), gone: false };
        let (seen, seen_rx) = watch::channel(first);
        // Boxed: a task that owns it by value would hold it several times over.
        let mut instance = Box::new(Self {
            deps,
            machine,
            orders: Orders::default(),
            timers: Timers::default(),
            observer: Observer::default(),
            main: None,
            exec: None,
            inbox,
            own: own.clone(),
            keeper_news,
            keeper_inbox,
            seen,
            gone: false,
        });
        instance.come_from(origin, assignment);
        (instance, Handle { inbox: own, seen: seen_rx })
    }

    /// First inputs: what became of the run that was there before, then what
    /// is wanted now.
    fn come_from(&mut self, origin: Origin, assignment: Assignment) {
        let mut removing = false;
        if let Origin::Restored(restored) = origin {
            let Restored { memo, main, record, rebooted, .. } = *restored;
            self.main = main;
            removing = memo.removing;
            self.resume(&memo, record, rebooted);
        }
        self.take(if removing { Input::Unassigned } else { Input::Assigned(assignment) });
    }

    fn resume(&mut self, memo: &Memo, record: Option<runner_keeper::protocol::RunRecord>, rebooted: bool) {
        if let Some(run) = memo.run {
            self.deps.keeper.route(run, self.keeper_inbox.clone());
        }
        match (memo.run, record) {
            (Some(run), Some(record)) => {
                let started = process_model::Timestamp(record.started_at);
                self.main = Some(MainProcess { pid: record.pid, start_time: record.start_time });
                match record.ending {
                    None => self.take(Input::Adopted {
                        run,
                        pid: record.pid,
                        started,
                        age: Duration::from_nanos(record.age),
                    }),
                    Some(ending) => self.take(keeper_link::exited(run.0, ending)),
                }
            }
            // The keeper was never heard to have taken the request: ask again, by the same number.
            (Some(run), None) if self.main.is_none() && !rebooted && self.machine.is_wanted() => {
                leftovers::kill_unanswered(self.machine.instance());
                if let Some(input) = self.spawn(run) {
                    self.take(input);
                }
            }
            (Some(run), None) => self.lose(run, rebooted),
            (None, _) => {
                if let Some((due, _)) = &memo.backoff {
                    // The wall clock may have been set meanwhile: never wait longer than the policy's longest delay.
                    let left = Duration::from_nanos(u64::try_from(due.0 - clock::wall().0).unwrap_or(0));
                    let longest = self.machine.spec().restart.backoff.max.mul_f64(2.0);
                    self.timers.arm(Timer::Restart, left.min(longest));
                }
            }
        }
    }

    /// Until nothing of it is left. Returns its inbox: what came too late for
    /// it may be meant for its successor.
    pub(crate) async fn run(mut self: Box<Self>) -> mpsc::UnboundedReceiver<Message> {
        while !self.gone {
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
                message = self.inbox.recv() => match message {
                    Some(Message::Input(input)) => self.take(*input),
                    Some(Message::Order(order, stop_timeout)) => self.obey(*order, stop_timeout),
                    None => break,
                },
            }
        }
        self.inbox
    }

    fn obey(&mut self, order: Order, stop_timeout: Option<Duration>) {
        self.orders.take(order, &self.deps.journal);
        if let Some(timeout) = stop_timeout {
            self.take(Input::StopTimeoutGiven(timeout));
        }
        self.orders.settle(&self.machine, &self.deps.journal);
    }

    /// Nobody holds the run any more: make sure that nothing of it goes on.
    fn lose(&mut self, run: RunId, rebooted: bool) {
        if let Some(main) = self.main.filter(|_| !rebooted) {
            let killed = leftovers::kill(main, self.machine.instance());
            tracing::warn!(instance = %self.machine.instance(), killed, "run lost with its keeper; its processes were ended");
        }
        self.take(Input::RunLost { run, rebooted });
    }

    /// One input, and whatever follows from it at once.
    fn take(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.trace(&input);
            let effects = self.machine.step(input, &self.deps.run_ids.context());
            self.persist(&effects);
            for effect in effects {
                inputs.extend(self.act(effect));
            }
        }
        let now = Seen { assignment: self.machine.assignment().clone(), view: self.machine.view(), gone: self.gone };
        self.seen.send_if_modified(|seen| {
            let changed = *seen != now;
            *seen = now;
            changed
        });
        self.orders.settle(&self.machine, &self.deps.journal);
    }

    /// Ends the trace's part of a start with what became of it.
    fn trace(&mut self, input: &Input) {
        match input {
            Input::Spawned { pid, .. } => {
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
            | Input::RunLost { .. }
            | Input::TimerFired(_)
            | Input::ProbeSucceeded { .. }
            | Input::ProbeFailed { .. }
            | Input::WentSilent { .. } => {}
        }
    }

    fn persist(&mut self, effects: &[Effect]) {
        let instance = self.machine.instance().clone();
        let mut reports = Vec::new();
        for effect in effects {
            match effect {
                Effect::Report { event, message } => reports.push(self.report(event, message, false)),
                Effect::Gone => reports.push(self.report(event_type::INSTANCE_REMOVED, "removed", true)),
                Effect::Spawn { .. }
                | Effect::SignalTree { .. }
                | Effect::ForgetRun { .. }
                | Effect::Arm { .. }
                | Effect::Disarm { .. }
                | Effect::Observe { .. }
                | Effect::Unobserve => {}
            }
        }
        for report in &reports {
            self.tell(report);
        }
        if !effects.is_empty() {
            let main = self.main.filter(|_| self.machine.state().run().is_some());
            self.deps.journal.stepped(&instance, Memo::from(&self.machine), main, reports);
        }
    }

    fn report(&self, event: &str, message: &str, gone: bool) -> InstanceReport {
        let view = self.machine.view();
        InstanceReport {
            instance: self.machine.instance().clone(),
            // Given by the journal.
            seq: 0,
            generation: self.machine.assignment().generation,
            event_type: event.to_owned(),
            time: clock::wall(),
            phase: view.phase,
            ready: view.ready,
            pid: view.pid,
            restarts: view.restarts,
            last_exit: view.last_exit,
            started: view.started,
            message: message.to_owned(),
            next_restart: view.next_restart,
            gone,
        }
    }

    /// Tells whoever hosts the runner; nobody listening is fine.
    fn tell(&self, report: &InstanceReport) {
        tracing::debug!(instance = %report.instance, event = report.event_type, message = report.message, "instance event");
        let _ = self.deps.notices.send(Notice {
            time: report.time,
            instance: report.instance.clone(),
            kind: NoticeKind::Lifecycle { event: report.event_type.clone() },
            text: report.message.clone(),
        });
    }

    /// Carries an effect out; returns what follows from it at once.
    fn act(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn { run } => return self.spawn(run),
            Effect::SignalTree { run, signal } => {
                self.deps.keeper.send(Request::SignalTree { run: run.0, signal: signal.number() });
            }
            Effect::ForgetRun { run } => self.deps.keeper.send(Request::Forget { run: run.0 }),
            Effect::Arm { timer, after } => self.timers.arm(timer, after),
            Effect::Disarm { timer } => self.timers.disarm(timer),
            Effect::Observe { run } => {
                let spec = &self.machine.assignment().spec;
                self.observer = Observer::begin(&self.deps, self.machine.instance(), spec, run, &self.own);
            }
            Effect::Unobserve if self.observer.is_idle() => {}
            Effect::Unobserve => self.observer = Observer::default(),
            // Persisted and told before.
            Effect::Report { .. } => {}
            Effect::Gone => {
                self.deps.journal.forgotten(self.machine.instance());
                self.gone = true;
            }
        }
        None
    }

    /// Asks the keeper for a run, within the trace of the request that caused
    /// it.
    fn spawn(&mut self, run: RunId) -> Option<Input> {
        // Of the run before; this one's comes with the keeper's answer.
        self.main = None;
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
        self.exec = Some(span);
        match self.deps.surroundings.request(assignment, run, traceparent) {
            Ok(request) => {
                self.deps.keeper.route(run, self.keeper_inbox.clone());
                self.deps.keeper.send(Request::Spawn(Box::new(request)));
                None
            }
            Err(error) => Some(Input::SpawnFailed { run, error }),
        }
    }

    /// Names the instance in a debug dump.
    pub(crate) fn describe(id: &InstanceId, seen: &Seen) -> String {
        let view = &seen.view;
        format!(
            "{id}: phase={} ready={} pid={} restarts={} wanted={} generation={} message={:?}",
            view.phase,
            view.ready,
            view.pid,
            view.restarts,
            seen.assignment.wanted,
            seen.assignment.generation,
            view.message
        )
    }
}
