//! A long audit log over many definitions (R19): how soon the registries serve
//! after all of them were killed, and whether a snapshot of all that holds up
//! who writes meanwhile.

use super::cluster::Cluster;
use super::door::Door;
use super::metrics::{self, Totals};
use super::options::{Options, Side};
use super::restart;
use super::workload;
use crate::quantile::Times;
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, ensure};
use pm_proto::v1::ListAuditEntriesRequest;
use pm_proto::v1::event_service_client::EventServiceClient;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Writers at a time.
const WRITERS: usize = 64;
/// Between two words about how far it is.
const WORD: u32 = 100_000;
/// Longest wait for a snapshot: the log has to grow by as much as the last one has.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// Between two looks whether it was taken.
const LOOK: Duration = Duration::from_millis(200);
/// Longest time of one write, however often it is sent.
const ANSWERED: Duration = Duration::from_secs(30);
/// Before it is sent again.
const PAUSE: Duration = Duration::from_millis(2);

/// Rows for restart, snapshot and memory.
pub(crate) async fn rows(entries: u32, specs: u32, options: &Options) -> Result<Vec<Row>> {
    let mut cluster = Cluster::found(Side::Ours, options).await?;
    let filled = fill(&cluster, entries, specs).await?;
    let kept = entries_kept(&cluster).await?;
    ensure!(kept >= u64::from(entries), "only {kept} entries are kept");

    let (snapshot, times) = write_beside_a_snapshot(&cluster, specs).await?;
    let before = cluster.largest()?;
    let took = restart::after_kill(&mut cluster, async |cluster, index| Ok(cluster.door(index)?.read(0).await.is_ok()))
        .await?;
    tokio::time::sleep(super::SETTLED).await;
    let after = cluster.largest()?;
    ensure!(entries_kept(&cluster).await? >= u64::from(entries), "the restart lost audit entries");

    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    Ok(vec![
        Row::alone(
            &format!(
                "{kept} audit entries, {specs} specs and their history: all killed → the first linearizable answer"
            ),
            took.as_secs_f64(),
            "s",
            Demand::ValueAtMost(10.0),
        ),
        Row::alone(
            "  longest write until a snapshot of it is taken",
            ms(times.quantile(1.0)),
            "ms",
            Demand::ValueAtMost(500.0),
        ),
        Row::alone("  p99 of them", ms(times.p99()), "ms", Demand::Nothing),
        Row::alone("  the snapshot, at the leader", ms(snapshot), "ms", Demand::Nothing),
        Row::alone("  memory of the largest registry (PSS)", before, "MB", Demand::Nothing),
        Row::alone("  memory of the largest after the restart", after, "MB", Demand::Nothing),
        Row::alone("  writes/s while it was filled", f64::from(entries) / filled.as_secs_f64(), "", Demand::Nothing),
    ])
}

/// So many writes, in turns over so many names; each is an audit entry.
async fn fill(cluster: &Cluster, entries: u32, specs: u32) -> Result<Duration> {
    let (began, next) = (Instant::now(), Arc::new(AtomicU32::new(0)));
    let doors = cluster.doors()?;
    let mut fillers = JoinSet::new();
    for n in 0..WRITERS {
        let (mut door, next) = (doors[n % doors.len()].clone(), next.clone());
        fillers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= entries {
                    return Ok::<_, anyhow::Error>(());
                }
                if n.is_multiple_of(WORD) {
                    eprintln!("  {n} of {entries} entries after {:.0?} …", began.elapsed());
                }
                write(&mut door, n % specs).await?;
            }
        });
    }
    while let Some(ended) = fillers.join_next().await {
        ended?.context("cannot fill the audit log")?;
    }
    Ok(began.elapsed())
}

/// One write, however often it has to be sent; how long that took.
async fn write(door: &mut Door, key: u32) -> Result<Duration> {
    let (began, serial) = (Instant::now(), workload::next_serial());
    while let Err(status) = door.write(key as usize, serial).await {
        ensure!(began.elapsed() < ANSWERED, "a write is refused: {:?} {}", status.code(), status.message());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(began.elapsed())
}

/// Entries that a client can read.
async fn entries_kept(cluster: &Cluster) -> Result<u64> {
    let mut client = EventServiceClient::new(cluster.channel(cluster.until_serving().await?)?);
    let request = ListAuditEntriesRequest { page_size: 1, ..ListAuditEntriesRequest::default() };
    let answer = client.list_audit_entries(request).await.context("the audit log is refused")?.into_inner();
    let (head, anchor) = (answer.head.context("no head")?, answer.anchor.context("no anchor")?);
    Ok(head.number - anchor.number)
}

/// Has clients write until the leader has taken a snapshot that was begun
/// meanwhile: what it took, and the times of all writes.
async fn write_beside_a_snapshot(cluster: &Cluster, specs: u32) -> Result<(Duration, Times)> {
    let place = cluster.metrics(cluster.until_serving().await?)?;
    let doors = cluster.doors()?;
    let (began, before, over) = (Instant::now(), taken(place).await?, Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let (mut door, over) = (doors[n % doors.len()].clone(), over.clone());
        writers.spawn(async move {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                times.push(write(&mut door, n as u32 % specs).await?);
            }
            Ok::<_, anyhow::Error>(times)
        });
    }
    let took = loop {
        tokio::time::sleep(LOOK).await;
        let now = taken(place).await?;
        if let Some(took) = now.mean_since(before) {
            break took;
        }
        ensure!(began.elapsed() < PATIENCE, "the leader took no snapshot in {PATIENCE:?} of load");
    };
    over.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    while let Some(ended) = writers.join_next().await {
        times.extend(ended??);
    }
    Ok((took, Times::new(times)))
}

async fn taken(place: &str) -> Result<Totals> {
    metrics::snapshots(place).await?.context("the leader says nothing of its snapshots")
}
