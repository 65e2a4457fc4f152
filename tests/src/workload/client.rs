//! One client: it chooses a key and an operation, asks a replica, and tells
//! the log. Without an answer it asks another replica with the same request id.

use super::answer::{Known, known};
use super::{Shared, WriteOutcome, Written};
use crate::linear::{Answer, Call};
use crate::{DEADLINE, Dice, RegistryClient};
use pm_proto::v1;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tonic::{Code, Status};

/// What a value is called in the environment of its process.
const VALUE: &str = "VALUE";
/// A write that is unknown after so long stays unknown. Longer than any fault
/// of a row lasts.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Waits between attempts, the first and the longest.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(160)];
/// Of a hundred operations, reads and unconditional writes; the rest swaps.
const READS: usize = 40;
const WRITES: usize = 35;

pub(super) struct Client {
    number: usize,
    shared: Arc<Shared>,
    replicas: Vec<RegistryClient>,
    stopped: watch::Receiver<bool>,
    dice: Dice,
    /// What it last saw of each key: etag and value.
    seen: BTreeMap<String, (String, Option<u64>)>,
    values: u64,
}

impl Client {
    pub(super) fn new(
        number: usize,
        shared: Arc<Shared>,
        replicas: Vec<RegistryClient>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let dice = Dice::new(shared.load.seed.wrapping_add(number as u64));
        Self { number, shared, replicas, stopped, dice, seen: BTreeMap::new(), values: 0 }
    }

    /// Asks until it is stopped; what is under way then is ended properly.
    pub(super) async fn run(mut self) {
        while !*self.stopped.borrow() {
            let key = Shared::key(self.dice.below(self.shared.load.keys));
            let kind = self.dice.below(100);
            match self.seen.get(&key).cloned() {
                Some((etag, from)) if kind >= READS + WRITES => {
                    let to = self.new_value();
                    self.write(&key, Call::Swap { from, to }, to, Some(etag)).await;
                }
                None if kind >= READS + WRITES => self.read(&key).await,
                Some(_) | None if kind >= READS => {
                    let value = self.new_value();
                    self.write(&key, Call::Write(value), value, None).await;
                }
                Some(_) | None => self.read(&key).await,
            }
            tokio::time::sleep(self.shared.load.pause).await;
        }
    }

    /// A value that nobody else writes, ever.
    fn new_value(&mut self) -> u64 {
        self.values += 1;
        ((self.number as u64) << 32) | self.values
    }

    async fn read(&mut self, key: &str) {
        let asked = self.shared.log.invoked(self.number, key, Call::Read);
        let replica = self.dice.below(self.replicas.len());
        match read(&self.replicas[replica], key).await {
            Ok(found) => {
                self.shared.log.returned(asked, Answer::Value(found.value));
                self.shared.count("read: ok".to_owned());
                self.saw(key, found.etag, found.value);
            }
            Err(status) => {
                self.shared.count(format!("read: {:?}", status.code()));
                if known(&status) != Known::Unknown {
                    self.shared.fault(format!("a read of {key} was answered by {status:?}"));
                }
            }
        }
    }

    async fn write(&mut self, key: &str, call: Call, value: u64, etag: Option<String>) {
        let seed = self.shared.load.seed & 0xffff_ffff;
        // The form of a UUID of version 8, which is everybody's own to fill.
        let request_id = format!("{seed:08x}-{:04x}-8000-8000-{:012x}", self.number, self.values);
        let request = self.request(key, value, etag.as_ref(), &request_id);
        let asked = self.shared.log.invoked(self.number, key, call);
        let outcome = self.attempt(&request).await;
        match outcome {
            WriteOutcome::Done => {
                self.shared.log.returned(asked, Answer::Done);
                let now = self.shared.log.now();
                self.shared.successes.send_modify(|at| at.push(now));
            }
            WriteOutcome::Mismatch => {
                if etag.is_none() {
                    self.shared.fault(format!("{request_id} expects nothing and was told of a mismatch"));
                }
                self.shared.log.returned(asked, Answer::Mismatch);
                self.seen.remove(key);
            }
            WriteOutcome::Unknown => {}
        }
        let written = Written { key: key.to_owned(), request_id, outcome };
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(written);
    }

    fn request(&self, key: &str, value: u64, etag: Option<&String>, request_id: &str) -> v1::ApplyProcessesRequest {
        let mut env: BTreeMap<String, String> = [(VALUE.to_owned(), value.to_string())].into();
        if self.shared.load.bytes > 0 {
            env.insert("MORE".to_owned(), "x".repeat(self.shared.load.bytes));
        }
        let spec = v1::ProcessSpec {
            name: key.to_owned(),
            command: Some(v1::process_spec::Command::Shell("true".to_owned())),
            instances: Some(0),
            env,
            ..Default::default()
        };
        v1::ApplyProcessesRequest {
            specs: vec![spec],
            etags: etag.map(|etag| (key.to_owned(), etag.clone())).into_iter().collect(),
            request_id: request_id.to_owned(),
            ..Default::default()
        }
    }

    async fn attempt(&mut self, request: &v1::ApplyProcessesRequest) -> WriteOutcome {
        let began = Instant::now();
        let mut wait = BACK_OFF[0];
        let mut replica = self.dice.below(self.replicas.len());
        loop {
            let status = match self.replicas[replica].processes().apply_processes(request.clone()).await {
                Ok(_) => {
                    self.shared.count("write: ok".to_owned());
                    return WriteOutcome::Done;
                }
                Err(status) => status,
            };
            self.shared.count(format!("write: {:?}", status.code()));
            match known(&status) {
                Known::Mismatch => return WriteOutcome::Mismatch,
                Known::Unknown if began.elapsed() > GIVE_UP => return WriteOutcome::Unknown,
                Known::Unknown => {}
                Known::Fault => {
                    self.shared.fault(format!("{} was answered by {status:?}", request.request_id));
                    return WriteOutcome::Unknown;
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACK_OFF[1]);
            replica = (replica + 1) % self.replicas.len();
        }
    }

    fn saw(&mut self, key: &str, etag: String, value: Option<u64>) {
        if !etag.is_empty() {
            let mut etags = self.shared.etags.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *etags.entry((key.to_owned(), etag.clone())).or_insert(value);
            if before != value {
                drop(etags);
                self.shared.fault(format!("etag {etag} of {key} stood for {before:?} and for {value:?}"));
            }
        }
        self.seen.insert(key.to_owned(), (etag, value));
    }
}

/// What a key holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) value: Option<u64>,
    /// Empty when it holds nothing.
    pub(super) etag: String,
    /// Changes so far.
    pub(super) generation: u64,
}

#[allow(clippy::needless_update, reason = "later versions of the request have more fields")]
async fn read(replica: &RegistryClient, key: &str) -> Result<Found, Status> {
    let request = v1::GetProcessRequest { name: key.to_owned(), ..Default::default() };
    match replica.processes().get_process(request).await {
        Ok(answer) => {
            let process = answer.into_inner().process.ok_or_else(|| Status::data_loss("no process in the answer"))?;
            let value = process.spec.as_ref().and_then(|spec| spec.env.get(VALUE)?.parse().ok());
            let value = value.ok_or_else(|| Status::data_loss(format!("no value in {process:?}")))?;
            Ok(Found { value: Some(value), etag: process.etag, generation: process.generation })
        }
        Err(status) if status.code() == Code::NotFound => Ok(Found::default()),
        Err(status) => Err(status),
    }
}

/// Reads each key once, of whichever replica answers; the last word of the
/// history, and how often each key was changed.
pub(super) async fn read_all(shared: &Shared, replicas: &[RegistryClient]) -> BTreeMap<String, u64> {
    let began = Instant::now();
    let mut generations = BTreeMap::new();
    for key in (0..shared.load.keys).map(Shared::key) {
        let mut replica = 0;
        loop {
            let asked = shared.log.invoked(shared.load.clients, &key, Call::Read);
            match read(&replicas[replica % replicas.len()], &key).await {
                Ok(found) => {
                    shared.log.returned(asked, Answer::Value(found.value));
                    generations.insert(key.clone(), found.generation);
                    break;
                }
                Err(status) => assert!(began.elapsed() < DEADLINE, "{key} cannot be read at the end: {status:?}"),
            }
            tokio::time::sleep(BACK_OFF[0]).await;
            replica += 1;
        }
    }
    generations
}
