//! What it takes to get a new leader: kill -9 of the old one, and a planned
//! hand-over; seen by a client that writes in a loop.

use super::cluster::Cluster;
use super::door::Door;
use super::options::{Options, Side};
use super::outage::Writer;
use crate::quantile::Times;
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, Instant};

/// Rows for the median and the longest of many kills.
pub(crate) async fn failovers(ours: &mut Cluster, etcd: &mut Cluster, options: &Options) -> Result<Vec<Row>> {
    let mut times: [Vec<Duration>; 2] = Default::default();
    for round in 0..usize::from(options.failovers) {
        for (cluster, times) in [&mut *ours, &mut *etcd].into_iter().zip(&mut times) {
            if cluster.count() > 1 {
                times.push(failover(cluster, round, options).await?);
            }
        }
    }
    let title = format!("leader kill -9 → next acknowledged write, p50 of {}", options.failovers);
    Ok(outages(&title, times, [Demand::ValueAtMost(250.0), Demand::ValueAtMost(500.0)]))
}

/// Rows for the median and the longest of many hand-overs.
pub(crate) async fn handovers(ours: &mut Cluster, etcd: &mut Cluster, options: &Options) -> Result<Vec<Row>> {
    let mut times: [Vec<Duration>; 2] = Default::default();
    for round in 0..usize::from(options.handovers) {
        for (cluster, times) in [&mut *ours, &mut *etcd].into_iter().zip(&mut times) {
            if cluster.count() > 1 {
                times.push(handover(cluster, round, options).await?);
            }
        }
    }
    let title = format!("planned hand-over (SIGTERM of the leader; MoveLeader), p50 of {}", options.handovers);
    Ok(outages(&title, times, [Demand::ValueAtMost(20.0), Demand::Nothing]))
}

/// A cluster of one has none: nobody is there to take over.
fn outages(title: &str, times: [Vec<Duration>; 2], demands: [Demand; 2]) -> Vec<Row> {
    let [ours, etcd] = times.map(|times| (!times.is_empty()).then(|| Times::new(times)));
    let ms = |times: &Option<Times>, share| times.as_ref().map(|times| times.quantile(share).as_secs_f64() * 1000.0);
    let [median, longest] = demands;
    vec![
        Row::rival(title, ms(&ours, 0.5), ms(&etcd, 0.5), "ms", median),
        Row::rival("  max", ms(&ours, 1.0), ms(&etcd, 1.0), "ms", longest),
    ]
}

/// The client begins at another replica in each round: a third of them at the
/// leader, of three.
async fn failover(cluster: &mut Cluster, round: usize, options: &Options) -> Result<Duration> {
    let leader = cluster.until_serving().await?;
    let writer = Writer::start(cluster, leader + round, options.attempt()).await?;
    let moment = Instant::now();
    cluster.replica(leader)?.kill_9();
    let outage = writer.outage(moment).await?;
    drop(writer);
    cluster.replica(leader)?.start()?;
    Ok(outage)
}

async fn handover(cluster: &mut Cluster, round: usize, options: &Options) -> Result<Duration> {
    let leader = cluster.until_serving().await?;
    let writer = Writer::start(cluster, leader + round, options.attempt()).await?;
    let moment = Instant::now();
    match cluster.side() {
        Side::Ours => cluster.replica(leader)?.terminate().await?,
        Side::Etcd => move_leader(cluster, leader).await?,
    }
    let outage = writer.outage(moment).await?;
    drop(writer);
    if cluster.side() == Side::Ours {
        cluster.replica(leader)?.start()?;
    }
    Ok(outage)
}

async fn move_leader(cluster: &Cluster, leader: usize) -> Result<()> {
    let standings = cluster.standings().await?;
    let heir =
        standings.iter().find(|standing| standing.me != standing.leader).context("there is nobody to hand to")?;
    match cluster.door(leader)? {
        Door::Etcd(mut door) => Ok(door.move_leader(heir.me).await.context("etcd does not hand over")?),
        Door::Ours(_) => bail!("ours hands over by SIGTERM"),
    }
}
