//! Clients that write and read while the replicas suffer, and the proof that
//! nothing was lost, doubled or shown out of order.
//!
//! | file | what |
//! |---|---|
//! | `client` | one client: what it asks, whom, and what it does with no answer |
//! | `answer` | what a status says about the outcome: done, refused, unknown |
//! | `auditor` | reads the audit log while it grows |
//! | `gaps` | how long clients were without success |
//! | `record` | all of it afterwards, and the verdict |
//!
//! A key is a process without instances; its value is a variable in the
//! environment, never the same twice. A client that gets no answer asks again
//! with the same request id, of another replica: that has to have one effect.

mod answer;
mod auditor;
mod client;
mod gaps;
mod record;

use crate::api::runtime;
use crate::{DEADLINE, Dice, HistoryLog, RegistryClient, Replicas};
pub use gaps::Gaps;
pub use record::{Proof, Record};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A thousand writes take what the machine takes for them, and that is no promise.
const MANY: Duration = Duration::from_secs(180);

/// How much is asked.
#[derive(Clone, Debug)]
pub struct Load {
    /// Clients at the same time.
    pub clients: usize,
    /// Keys that they share. Few keys and many clients make the search for an
    /// order long.
    pub keys: usize,
    /// Between two operations of a client: leaves the machine room for what is
    /// tested.
    pub pause: Duration,
    /// Bytes that each value has more: fills a log soon.
    pub bytes: usize,
    /// Seed of all choices.
    pub seed: u64,
}

impl Load {
    /// As many clients as said, on as many keys, at a pace that two cores bear
    /// beside three replicas.
    #[must_use]
    pub fn of(clients: usize) -> Self {
        Self { clients, keys: clients.max(4), pause: Duration::from_millis(8), bytes: 0, seed: 1 }
    }

    /// Another seed.
    #[must_use]
    pub fn seeded(self, dice: &mut Dice) -> Self {
        Self { seed: dice.throw(), ..self }
    }

    /// Begins.
    #[must_use]
    pub fn start(self, replicas: &Replicas) -> Workload {
        let (stop, stopped) = watch::channel(false);
        let (successes, _) = watch::channel(Vec::new());
        let shared = Arc::new(Shared {
            log: HistoryLog::new(),
            successes,
            faults: Mutex::default(),
            outcomes: Mutex::default(),
            requests: Mutex::default(),
            etags: Mutex::default(),
            load: self,
        });
        let mut clients = JoinSet::new();
        for number in 0..shared.load.clients {
            let client = client::Client::new(number, shared.clone(), replicas.new_clients(), stopped.clone());
            clients.spawn_on(client.run(), runtime().handle());
        }
        let (over, ended) = watch::channel(false);
        let auditor = auditor::Auditor::new(replicas.new_clients(), shared.successes.subscribe(), ended);
        let auditing = runtime().spawn(auditor.run());
        Workload { shared, clients, auditing, stop, over, replicas: replicas.new_clients() }
    }
}

/// What all clients tell to.
struct Shared {
    load: Load,
    log: HistoryLog,
    /// When each write succeeded, in the time of the log.
    successes: watch::Sender<Vec<u64>>,
    /// What must not happen at all.
    faults: Mutex<Vec<String>>,
    /// How often each kind of answer came.
    outcomes: Mutex<BTreeMap<String, usize>>,
    /// What became of each write.
    requests: Mutex<Vec<Written>>,
    /// What each etag stood for: it never stands for two values.
    etags: Mutex<BTreeMap<(String, String), Option<u64>>>,
}

impl Shared {
    fn fault(&self, text: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn count(&self, outcome: String) {
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }

    fn key(number: usize) -> String {
        format!("key-{number}")
    }
}

/// What became of a write.
#[derive(Clone, Debug)]
struct Written {
    key: String,
    request_id: String,
    outcome: WriteOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteOutcome {
    /// Acknowledged.
    Done,
    /// Refused: something else was there.
    Mismatch,
    /// Never answered, however often it was asked.
    Unknown,
}

/// A running load.
pub struct Workload {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
    auditing: tokio::task::JoinHandle<auditor::Audited>,
    stop: watch::Sender<bool>,
    over: watch::Sender<bool>,
    replicas: Vec<RegistryClient>,
}

impl Workload {
    /// Now, in the time of its record.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.shared.log.now()
    }

    /// Acknowledged writes so far.
    #[must_use]
    pub fn successes(&self) -> usize {
        self.shared.successes.borrow().len()
    }

    /// Waits until so many more writes were acknowledged: the load runs.
    ///
    /// # Panics
    /// When they were not within three minutes; `what` says what this waits for.
    #[track_caller]
    pub fn wait_for_successes(&self, more: usize, what: &str) {
        let wanted = self.successes() + more;
        let mut successes = self.shared.successes.subscribe();
        let wait = async { tokio::time::timeout(MANY, successes.wait_for(|at| at.len() >= wanted)).await.is_ok() };
        assert!(
            runtime().block_on(wait),
            "{what}: {} of {more} writes succeeded within {MANY:?}; answers: {:?}",
            self.successes() + more - wanted,
            self.outcomes()
        );
    }

    /// Waits until a write succeeded that was asked for after `since`, a moment
    /// of [`Workload::now`], and says how long after that it was.
    ///
    /// # Panics
    /// When none does within the deadline.
    #[track_caller]
    pub fn wait_for_success_since(&self, since: u64, what: &str) -> Duration {
        let mut successes = self.shared.successes.subscribe();
        let newest = |at: &Vec<u64>| at.iter().copied().find(|at| *at > since);
        let wait = async {
            let found = tokio::time::timeout(DEADLINE, successes.wait_for(|at| newest(at).is_some())).await;
            found.ok().and_then(Result::ok).and_then(|at| newest(&at))
        };
        match runtime().block_on(wait) {
            Some(at) => Duration::from_nanos(at - since),
            None => panic!("{what}: no write succeeded within {DEADLINE:?}; answers: {:?}", self.outcomes()),
        }
    }

    /// How often each kind of answer came so far.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<String, usize> {
        self.shared.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it: what is under way is asked for to its end, then each key is
    /// read once more. A majority has to be there again.
    ///
    /// # Panics
    /// When a key cannot be read within the deadline.
    #[must_use]
    pub fn finish(mut self) -> Record {
        self.stop.send_replace(true);
        let clients = std::mem::take(&mut self.clients);
        runtime().block_on(clients.join_all());
        self.over.send_replace(true);
        let generations = runtime().block_on(client::read_all(&self.shared, &self.replicas));
        let audited = runtime().block_on(self.auditing).expect("the auditor does not panic");
        record::Record::new(&self.shared, generations, audited)
    }
}
