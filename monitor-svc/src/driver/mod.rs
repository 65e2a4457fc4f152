//! The one seam: an input comes in, the core decides, what it decided is done.
//!
//! One lock around one core. Nothing under it waits, writes or calls out: a
//! step is bookkeeping of microseconds, so that a runner's samples never queue
//! behind anything. What has to travel is fetched by whoever can send: a
//! session asks [`Driver::next_for`], a reader [`Driver::next_frame`], each
//! when its own stream has room. A stream without room holds up nobody else.

mod reader;
mod session;

pub(crate) use reader::{LogFrames, Next};
pub(crate) use session::Session;

use crate::metrics::Counters;
use monitor_domain::SessionId;
use monitor_domain::exposition::{self, Family};
use monitor_domain::history::{History, Limits, Recorded, Stats};
use monitor_domain::inventory::{Inventory, Told, Unmatched};
use monitor_domain::latest::{Latest, latest};
use monitor_domain::tails::{Effect, Output, ReadId, TailId, Tails, ToRunner, TooManyReads, Wish};
use pm_proto::v1;
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Selector, Timestamp};
use reader::Reader;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Everything that changes, under one lock.
#[derive(Debug)]
struct Core {
    history: History,
    inventory: Inventory,
    tails: Tails,
    sessions: BTreeMap<SessionId, Port>,
    readers: BTreeMap<ReadId, Reader>,
    names: u64,
}

/// How to reach a session's task.
#[derive(Debug)]
struct Port {
    wake: Arc<Notify>,
    replaced: CancellationToken,
}

/// Why a read could not begin.
#[derive(Debug)]
pub(crate) enum ReadRefused {
    /// A selector matches nothing that is connected; the node that had it last
    /// if it is remembered.
    Unmatched(Unmatched, Option<NodeName>),
    TooMany(TooManyReads),
}

/// What the monitor holds, in numbers.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) history: Stats,
    pub(crate) nodes: Vec<(NodeName, usize)>,
    pub(crate) reads: usize,
    pub(crate) tails: usize,
}

/// Owner of the core.
#[derive(Debug)]
pub(crate) struct Driver {
    core: Mutex<Core>,
    began: Instant,
    counters: Counters,
}

impl Driver {
    pub(crate) fn new(retention: Duration) -> Self {
        let core = Core {
            history: History::new(Limits::keeping(retention)),
            inventory: Inventory::default(),
            tails: Tails::default(),
            sessions: BTreeMap::new(),
            readers: BTreeMap::new(),
            names: 0,
        };
        Self { core: Mutex::new(core), began: Instant::now(), counters: Counters::default() }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    // --- runners ---------------------------------------------------------

    /// A node's session begins; an earlier one of the same node is told to go.
    pub(crate) fn connect(self: &Arc<Self>, node: NodeName) -> Session {
        let (wake, replaced) = (Arc::new(Notify::new()), CancellationToken::new());
        let mut core = self.core();
        let id = SessionId(core.name());
        core.sessions.insert(id, Port { wake: Arc::clone(&wake), replaced: replaced.clone() });
        if let Some(earlier) = core.inventory.connected(node.clone(), id) {
            if let Some(port) = core.sessions.remove(&earlier) {
                port.replaced.cancel();
            }
            let effects = core.tails.session_ended(earlier, &format!("node {node} connected anew"));
            core.act(effects);
        }
        Session::new(Arc::clone(self), node, id, wake, replaced)
    }

    fn disconnect(&self, node: &NodeName, session: SessionId) {
        let mut core = self.core();
        core.sessions.remove(&session);
        core.inventory.disconnected(node, session);
        let effects = core.tails.session_ended(session, &format!("node {node} is no longer connected"));
        core.act(effects);
    }

    fn announce(&self, node: &NodeName, session: SessionId, has: BTreeSet<InstanceId>) {
        self.core().inventory.announced(node, session, has);
    }

    fn measure(
        &self,
        node: &NodeName,
        session: SessionId,
        of_instances: &[InstanceSample],
        of_node: Option<&NodeSample>,
    ) {
        let mut core = self.core();
        // Inside the lock: arrivals must not go back from one record to the next.
        let now = self.began.elapsed();
        let running = of_instances.iter().map(|sample| sample.instance.clone()).collect();
        match core.inventory.measured(node, session, running) {
            Told::Accepted => {}
            // A later session speaks for the node; this one is about to hear it.
            Told::Refused => return,
        }
        let of_instances = of_instances.iter().map(|sample| core.history.record_instance(sample, now));
        let mut outcomes: Vec<Recorded> = of_instances.collect();
        outcomes.extend(of_node.map(|sample| core.history.record_node(sample, now)));
        drop(core);
        for outcome in outcomes {
            self.counters.recorded(outcome);
        }
    }

    fn chunk(&self, session: SessionId, request: u64, instance: &InstanceId, output: Output, chunk: v1::LogChunk) {
        let id = TailId { session, request };
        let bytes = u64::try_from(chunk.data.len()).unwrap_or(u64::MAX);
        let mut core = self.core();
        let effects = core.tails.chunk_arrived(id, instance, output, bytes);
        let delivered = effects.iter().find_map(|effect| match effect {
            Effect::Deliver { read } => Some(*read),
            Effect::Wake { .. } | Effect::End { .. } | Effect::Finish { .. } => None,
        });
        if let Some(reader) = delivered.and_then(|read| core.readers.get_mut(&read)) {
            reader.push_chunk(chunk, id);
            self.counters.relayed(bytes);
        }
        core.act(effects);
    }

    fn end(&self, session: SessionId, request: u64, output: Option<Output>, error: &str) {
        let mut core = self.core();
        let effects = core.tails.end_arrived(TailId { session, request }, output, error);
        core.act(effects);
    }

    fn next_for(&self, session: SessionId) -> Option<ToRunner> {
        self.core().tails.next_for(session)
    }

    // --- readers of logs -------------------------------------------------

    /// A client's read begins. It ends when the frames are dropped.
    pub(crate) fn read_logs(self: &Arc<Self>, selectors: &[Selector], wish: Wish) -> Result<LogFrames, ReadRefused> {
        let mut core = self.core();
        let found = core.inventory.find(selectors).map_err(|unmatched| {
            let last = core.history.last_node_of(&unmatched.selector);
            ReadRefused::Unmatched(unmatched, last)
        })?;
        let read = ReadId(core.name());
        let targets = found.into_iter().map(|at| (at.instance, at.session));
        let effects = core.tails.opened(read, wish, targets).map_err(ReadRefused::TooMany)?;
        let wake = Arc::new(Notify::new());
        core.readers.insert(read, Reader::new(Arc::clone(&wake)));
        core.act(effects);
        Ok(LogFrames::new(Arc::clone(self), read, wake))
    }

    fn next_frame(&self, read: ReadId) -> Next {
        let mut core = self.core();
        let Some((next, taken)) = core.readers.get_mut(&read).map(Reader::next) else { return Next::Over };
        if let Some((tail, bytes)) = taken {
            let effects = core.tails.consumed(tail, bytes);
            core.act(effects);
        }
        next
    }

    fn close_read(&self, read: ReadId) {
        let mut core = self.core();
        core.readers.remove(&read);
        let effects = core.tails.reader_gone(read);
        core.act(effects);
    }

    // --- questions -------------------------------------------------------

    pub(crate) fn latest(&self, selectors: &[Selector]) -> Latest {
        let core = self.core();
        latest(&core.history, &core.inventory, selectors)
    }

    pub(crate) fn instance_since(&self, id: &InstanceId, since: Option<Timestamp>) -> Option<Vec<InstanceSample>> {
        let core = self.core();
        // Nothing since then is an answer; nothing at all is not.
        core.history.nodes_of(id).first()?;
        Some(core.history.instance_since(id, since))
    }

    pub(crate) fn families(&self) -> Vec<Family> {
        let core = self.core();
        exposition::families(&core.inventory, &core.history)
    }

    pub(crate) fn view(&self) -> View {
        let core = self.core();
        View {
            history: core.history.stats(),
            nodes: core.inventory.nodes().map(|(node, instances)| (node.clone(), instances)).collect(),
            reads: core.readers.len(),
            tails: core.tails.tails(),
        }
    }

    /// Time passed.
    pub(crate) fn forget_old(&self) {
        let mut core = self.core();
        let now = self.began.elapsed();
        core.history.expire(now);
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        // No step leaves the core half changed where it could panic.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Wake { session } => {
                    if let Some(port) = self.sessions.get(&session) {
                        port.wake.notify_one();
                    }
                }
                // The chunk is with its reader already: only its bearer had it.
                Effect::Deliver { .. } => {}
                Effect::End { read, instance, output, error } => {
                    if let Some(reader) = self.readers.get_mut(&read) {
                        reader.push_end(&instance, output, error);
                    }
                }
                Effect::Finish { read } => {
                    if let Some(reader) = self.readers.get_mut(&read) {
                        reader.finish();
                    }
                }
            }
        }
    }
}
