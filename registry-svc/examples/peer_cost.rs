//! What a call between two replicas costs: round trips and CPU of both
//! processes, beside a bare TCP ping-pong in the same run.
//!
//! `cargo run --release -p registry-svc --example peer_cost [current|multi]`
//! starts itself a second time as the other replica. The word says which
//! runtime both use; `current` is the default.

// A measuring program may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use registry_consensus::{
    Answer, Append, Appended, Call, Door, LinkEvent, LogRecord, MachineFault, Note, Peers as _, Position, ReplicaId,
    Snapshot, SnapshotMeta, SnapshotSink, Vote, VoteAnswer,
};
use registry_quorum::founding::{Condition, FoundingPlan, Introduction};
use registry_quorum::recovery::Fence;
use registry_svc::peers::{
    AddressBook, Hello, Identity, Introduced, Introducer, Links, PlanTaker, Reception, Registrar, STREAM_WINDOW,
    Settings, Timing, Turned,
};
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::Incoming;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const OTHER: &str = "PM_PEER_COST_TOKEN";
const ROUNDS: usize = 20_000;

/// Says yes to everything, at once; trusts everybody.
struct Yes;

impl Door for Yes {
    fn call(&self, _: ReplicaId, call: Call) -> BoxFuture<'static, Answer> {
        let answer = match call {
            Call::Append(_) => Answer::Appended(Appended::All),
            Call::Vote(q) => Answer::Vote(VoteAnswer { vote: q.vote, granted: true, last: None }),
            Call::Confirm { term } => Answer::Confirmed { term, yes: true },
            Call::ReadIndex { .. } => Answer::ReadIndex(Some(1)),
            Call::Service(bytes) => Answer::Service(bytes),
        };
        std::future::ready(answer).boxed()
    }

    fn note(&self, _: ReplicaId, _: Note) {}

    fn begin_snapshot(
        &self,
        _: ReplicaId,
        vote: Vote,
        _: &SnapshotMeta,
        _: u64,
    ) -> Result<Result<Box<dyn SnapshotSink>, Vote>, MachineFault> {
        Ok(Err(vote))
    }

    fn end_snapshot(&self, _: ReplicaId, vote: Vote, _: Snapshot) -> BoxFuture<'static, Vote> {
        std::future::ready(vote).boxed()
    }
}

impl Registrar for Yes {
    fn admit(&self, _: &Hello) -> Result<(), Turned> {
        Ok(())
    }
}

impl Introducer for Yes {
    fn introduction(&self) -> Introduced {
        let is =
            Introduction { address: String::new(), store: String::new(), replicas: 1, condition: Condition::Fresh };
        Introduced { is, epoch: 0, id: None, version: String::new() }
    }
}

impl PlanTaker for Yes {
    fn take(&self, _: FoundingPlan) -> BoxFuture<'static, Result<(), String>> {
        std::future::ready(Ok(())).boxed()
    }
}

fn links(id: u64, token: &Secret, book: &AddressBook) -> Links {
    let fence = Fence { cluster: "c".into(), epoch: 1, id: ReplicaId(id) };
    let (store, address) = (id.to_string(), String::new());
    let identity = Identity { fence, store, boot: 1, address, version: String::new(), start: 0, level: 0 };
    let (book, token) = (book.clone(), token.clone());
    Links::new(Settings { identity, registrar: Arc::new(Yes), book, token: token.into(), timing: Timing::default() })
        .unwrap()
}

fn runtime(flavour: &str) -> Runtime {
    let mut builder = match flavour {
        "multi" => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// The other replica: echoes on two bare sockets, and answers links.
fn other(token: &str, flavour: &str) {
    let blocking = TcpListener::bind("127.0.0.1:0").unwrap();
    let bare = blocking.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = blocking.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut bytes = [0; 32];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
    });
    runtime(flavour).block_on(async {
        let token = Secret::new(token).unwrap();
        let reception = Reception::new(Arc::new(Yes), Arc::new(Yes));
        reception.open(&links(2, &token, &AddressBook::default()), Arc::new(Yes));
        let echo = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{bare} {} {}", echo.local_addr().unwrap(), listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = echo.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut bytes = [0; 32];
            while stream.read_exact(&mut bytes).await.is_ok() {
                stream.write_all(&bytes).await.unwrap();
            }
        });
        let host = GrpcHost::new(pm_proto::DESCRIPTORS).token(token).stream_window(STREAM_WINDOW);
        host.service(reception.service()).serve(Incoming::Tcp(listener), CancellationToken::new()).await.unwrap();
    });
}

/// CPU of all threads of a process, from the scheduler's own books.
fn cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(" ").next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(of).sum())
}

struct Meter {
    other: u32,
    begun: Instant,
    before: [Duration; 2],
}

impl Meter {
    fn new(other: u32) -> Self {
        Self { other, begun: Instant::now(), before: [cpu(std::process::id()), cpu(other)] }
    }

    fn tell(&self, what: &str, calls: usize, mut times: Vec<Duration>) {
        let wall = self.begun.elapsed();
        let us = |time: Duration, by: usize| time.as_secs_f64() * 1e6 / by as f64;
        let [ours, theirs] = [std::process::id(), self.other].map(cpu);
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).map_or(f64::NAN, |time| us(*time, 1));
        println!(
            "{what:<34} p50 {:>8.1} µs  p99 {:>8.1} µs  {:>9.0} a second  CPU a call {:>6.1} + {:>6.1} µs",
            at(50),
            at(99),
            calls as f64 / wall.as_secs_f64(),
            us(ours - self.before[0], calls),
            us(theirs - self.before[1], calls),
        );
    }
}

fn append(previous: u64, entries: u64, bytes: usize) -> Call {
    let at = |index| Position { term: 1, index };
    let data = Bytes::from(vec![7; bytes]);
    let record = |index| LogRecord { at: at(index), bytes: data.clone() };
    Call::Append(Append {
        vote: Vote { term: 1, voted_for: Some(1), committed: true },
        previous: Some(at(previous)),
        entries: (previous + 1..=previous + entries).map(record).collect(),
        committed: Some(at(previous)),
    })
}

async fn one_by_one(links: &Links, meter: Meter, what: &str, rounds: usize, call: impl Fn(u64) -> Call) {
    let mut times = Vec::with_capacity(rounds);
    for n in 0..rounds {
        let begun = Instant::now();
        links.call(ReplicaId(2), call(n as u64)).await.unwrap();
        times.push(begun.elapsed());
    }
    meter.tell(what, rounds, times);
}

async fn measure(place: &str, bare: &str, echo: &str, other: u32, token: &Secret) {
    {
        let mut stream = TcpStream::connect(bare).unwrap();
        stream.set_nodelay(true).unwrap();
        let (meter, mut times, mut bytes) = (Meter::new(other), Vec::with_capacity(ROUNDS), [0; 32]);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            stream.write_all(&bytes).unwrap();
            stream.read_exact(&mut bytes).unwrap();
            times.push(begun.elapsed());
        }
        meter.tell("TCP ping-pong, blocking threads", ROUNDS, times);
    }
    {
        let mut stream = tokio::net::TcpStream::connect(echo).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (meter, mut times, mut bytes) = (Meter::new(other), Vec::with_capacity(ROUNDS), [0; 32]);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            stream.write_all(&bytes).await.unwrap();
            stream.read_exact(&mut bytes).await.unwrap();
            times.push(begun.elapsed());
        }
        meter.tell("TCP ping-pong, tokio", ROUNDS, times);
    }
    let book = AddressBook::default();
    let links = links(1, token, &book);
    let mut events = links.events();
    book.set(ReplicaId(2), &format!("http://{place}"));
    let begun = Instant::now();
    links.set_members(&[ReplicaId(2)]);
    assert!(matches!(events.recv().await, Some(LinkEvent::Up { .. })));
    println!("{:<34} {:.2} ms", "link up after", begun.elapsed().as_secs_f64() * 1e3);
    for _ in 0..2 {
        one_by_one(&links, Meter::new(other), "confirm", ROUNDS, |term| Call::Confirm { term }).await;
        one_by_one(&links, Meter::new(other), "append of one entry, 200 B", ROUNDS, |n| append(n, 1, 200)).await;
    }
    one_by_one(&links, Meter::new(other), "append of 64 entries, 4 MiB", 100, |n| append(n, 64, 64 << 10)).await;
    for at_once in [8, 64] {
        let (meter, mut times) = (Meter::new(other), Vec::new());
        for n in 0..ROUNDS / at_once {
            let begun = Instant::now();
            let calls = (0..at_once).map(|m| links.call(ReplicaId(2), append((n * at_once + m) as u64, 1, 200)));
            assert!(join_all(calls).await.iter().all(Result::is_ok));
            times.push(begun.elapsed());
        }
        meter.tell(&format!("{at_once} appends at once, 200 B"), ROUNDS / at_once * at_once, times);
    }
}

fn main() {
    let flavour = std::env::args().nth(1).unwrap_or_else(|| "current".into());
    if let Ok(token) = std::env::var(OTHER) {
        return other(&token, &flavour);
    }
    let token = Secret::generate();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child =
        command.arg(&flavour).env(OTHER, token.expose()).stdout(Stdio::piped()).spawn().expect("a second replica");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let places: Vec<&str> = line.split_whitespace().collect();
    println!("runtime of both: {flavour}");
    runtime(&flavour).block_on(measure(places[2], places[0], places[1], child.id(), &token));
    child.kill().unwrap();
    child.wait().unwrap();
}
