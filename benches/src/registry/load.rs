//! Load: so many clients, each with one request at a time, for a while.

use super::cluster::Cluster;
use super::door::Door;
use super::options::{At, Options, Work};
use super::workload;
use crate::node::processor_time;
use crate::quantile::Times;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Before a window counts: connections are made, caches warm.
const WARM_UP: Duration = Duration::from_millis(300);
/// After a refused request, so that a client without a server does not take
/// the processor from those that look for a leader.
const PAUSE: Duration = Duration::from_millis(2);

/// What a while of load came to.
pub(crate) struct Window {
    times: Vec<Duration>,
    failed: u64,
    span: Duration,
    servers: Duration,
    client: Duration,
}

impl Window {
    /// Answers each second.
    pub(crate) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.span.as_secs_f64()
    }

    /// Requests that were not answered as they should be, the warm-up's too.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }
}

/// Several windows of one kind.
#[derive(Default)]
pub(crate) struct Windows(pub(crate) Vec<Window>);

impl Windows {
    /// The median of their rates.
    pub(crate) fn rate(&self) -> f64 {
        let mut rates: Vec<f64> = self.0.iter().map(Window::rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }

    /// How long requests took, of all windows.
    pub(crate) fn times(&self) -> Times {
        Times::new(self.0.iter().flat_map(|window| window.times.iter().copied()).collect())
    }

    fn each(&self, time: impl Fn(&Window) -> Duration) -> f64 {
        let requests: usize = self.0.iter().map(|window| window.times.len()).sum();
        self.0.iter().map(time).sum::<Duration>().as_secs_f64() * 1e6 / (requests.max(1) as f64)
    }

    /// Microseconds on a processor of all servers for each request.
    pub(crate) fn servers(&self) -> f64 {
        self.each(|window| window.servers)
    }

    /// Microseconds on a processor of the client for each request.
    pub(crate) fn client(&self) -> f64 {
        self.each(|window| window.client)
    }

    /// Share of a processor that servers and client had together.
    pub(crate) fn busy(&self) -> f64 {
        let all: Duration = self.0.iter().map(|window| window.servers + window.client).sum();
        let span: Duration = self.0.iter().map(|window| window.span).sum();
        all.as_secs_f64() / span.as_secs_f64().max(f64::EPSILON)
    }

    /// Requests that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.0.iter().map(Window::failed).sum()
    }
}

/// One door for each client: the connections in turns over the replicas, the
/// clients in turns over the connections.
pub(crate) async fn doors(cluster: &Cluster, options: &Options) -> Result<Vec<Door>> {
    let places: Vec<usize> = match options.at {
        At::All => (0..cluster.count()).collect(),
        At::Leader => vec![cluster.leader().await?],
    };
    let connections = (0..options.connections()).map(|n| cluster.door(places[n % places.len()]));
    let connections = connections.collect::<Result<Vec<_>>>()?;
    Ok((0..usize::from(options.clients)).map(|n| connections[n % connections.len()].clone()).collect())
}

/// Has every door used for `span`, after a warm-up that does not count.
pub(crate) async fn window(cluster: &Cluster, doors: &[Door], work: Work, span: Duration) -> Result<Window> {
    let begins = Instant::now() + WARM_UP;
    let mut clients = JoinSet::new();
    for door in doors {
        clients.spawn(client(door.clone(), work, begins, begins + span));
    }
    tokio::time::sleep_until(begins.into()).await;
    let (servers, client, began) = (cluster.processor_time()?, own()?, Instant::now());
    tokio::time::sleep_until((begins + span).into()).await;
    let (servers, client) = (cluster.processor_time()?.saturating_sub(servers), own()?.saturating_sub(client));
    let span = began.elapsed();
    let (mut times, mut failed) = (Vec::new(), 0);
    while let Some(ended) = clients.join_next().await {
        let (more, failures) = ended?;
        times.extend(more);
        failed += failures;
    }
    ensure!(!times.is_empty(), "no request was answered in {span:?}; {failed} failed");
    Ok(Window { times, failed, span, servers, client })
}

fn own() -> Result<Duration> {
    processor_time(std::process::id())
}

/// Asks until the time is over; what is answered before `begins` does not count.
async fn client(mut door: Door, work: Work, begins: Instant, ends: Instant) -> (Vec<Duration>, u64) {
    let (mut times, mut failed) = (Vec::new(), 0);
    loop {
        let serial = workload::next_serial();
        let began = Instant::now();
        let answer = door.ask(work, serial as usize % workload::KEYS, serial).await;
        let now = Instant::now();
        if now >= ends {
            return (times, failed);
        }
        match answer {
            Ok(()) if now >= begins => times.push(now - began),
            Ok(()) => {}
            Err(_) => {
                failed += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
