//! One write after another at the leader: how long it takes, over the leader's
//! own mean fsync, and over the least that a disk lets anybody do.

use super::cluster::Cluster;
use super::load::{self, Windows};
use super::options::{Options, Work};
use super::{launch, metrics, workload};
use crate::floor::Floor;
use crate::place::Place;
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;

/// Records of the floor in each round.
const RECORDS: usize = 1_000;
/// The same on a disk that was made slow.
const FEW_RECORDS: usize = 100;

/// What one side came to.
#[derive(Default)]
struct Taken {
    windows: Windows,
    /// The leader's own mean, of each round.
    fsyncs: Vec<Duration>,
}

impl Taken {
    fn p50(&self) -> f64 {
        self.windows.times().p50().as_secs_f64()
    }

    fn p99(&self) -> f64 {
        self.windows.times().p99().as_secs_f64()
    }

    /// Its mean fsync in seconds; `None` when it does not tell.
    fn fsync(&self) -> Option<f64> {
        (!self.fsyncs.is_empty()).then(|| self.fsyncs.iter().sum::<Duration>().as_secs_f64() / self.fsyncs.len() as f64)
    }
}

/// The floor's mean, p50 and p99 in seconds.
struct Disk([f64; 3]);

/// Rows for the times and their ratios.
pub(crate) async fn rows(ours: &Cluster, etcd: &Cluster, options: &Options, floor: &Floor) -> Result<Vec<Row>> {
    let mut taken: [Taken; 2] = Default::default();
    let mut disks = Vec::new();
    for _ in 0..options.rounds {
        disks.push(disk(floor, options)?);
        for (cluster, taken) in [ours, etcd].into_iter().zip(&mut taken) {
            let leader = cluster.leader().await?;
            let (side, authority) = (cluster.side(), cluster.metrics(leader)?);
            let before = metrics::fsyncs(side, authority).await?;
            taken.windows.0.push(load::window(cluster, &[cluster.door(leader)?], Work::Writes, options.span).await?);
            let after = metrics::fsyncs(side, authority).await?;
            taken.fsyncs.extend(before.zip(after).and_then(|(before, after)| after.mean_since(before)));
        }
    }
    disks.sort_by(|one, other| one.0[1].total_cmp(&other.0[1]));
    let disk = disks.get(disks.len() / 2).context("the floor was not taken")?;
    let [ours, etcd] = &taken;
    let ms = |seconds: f64| seconds * 1000.0;
    let rival = |what: &str, ours: f64, etcd: f64, unit: &str, demand| Row::rival(what, ours, etcd, unit, demand);
    let mut rows = vec![
        rival(
            "sequential durable write at the leader, p50",
            ms(ours.p50()),
            ms(etcd.p50()),
            "ms",
            Demand::RatioAtMost(1.0),
        ),
        rival("  p99", ms(ours.p99()), ms(etcd.p99()), "ms", Demand::Nothing),
        rival(
            "  processor time of the servers for one write",
            ours.windows.servers(),
            etcd.windows.servers(),
            "µs",
            Demand::Nothing,
        ),
    ];
    let over = |taken: &Taken| taken.fsync().map(|fsync| taken.p50() / fsync);
    match (ours.fsync(), over(ours)) {
        (Some(fsync), Some(times)) => {
            rows.push(Row::rival(
                "  mean fsync that the leader counts",
                ms(fsync),
                etcd.fsync().map(ms),
                "ms",
                Demand::Nothing,
            ));
            rows.push(Row::rival("  p50 over that", times, over(etcd), "×", Demand::ValueAtMost(1.6)));
        }
        _ => rows.push(Row::note("  p50 over the leader's own mean fsync", "ours does not count its fsyncs yet")),
    }
    let [mean, p50, p99] = disk.0;
    let floor = format!("  p50 over that of pwrite + fdatasync of {} bytes", workload::VALUE_BYTES);
    rows.push(rival(&floor, ours.p50() / p50, etcd.p50() / p50, "×", Demand::Nothing));
    let told = format!("{:.3} / {:.3} / {:.3} ms", ms(p50), ms(p99), ms(mean));
    rows.push(Row::note("  p50 / p99 / mean of that", &told));
    Ok(rows)
}

/// The floor, now: a C program, slowed down as the servers are.
fn disk(floor: &Floor, options: &Options) -> Result<Disk> {
    let place = Place::make()?;
    place.is_on_a_disk()?;
    let records = if options.fsync_delay.is_some() { FEW_RECORDS } else { RECORDS };
    let file = place.path().join("floor").display().to_string();
    let words = [file, workload::VALUE_BYTES.to_string(), records.to_string()];
    let mut command = launch::command(&floor.program("sync_loop"), &words, options.fsync_delay);
    let output = command.output().context("cannot run the floor")?;
    ensure!(output.status.success(), "the floor failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers = text.split_whitespace().map(|word| Ok(word.parse::<f64>()? / 1e9)).collect::<Result<Vec<f64>>>()?;
    Ok(Disk(numbers.try_into().ok().context("the floor says three numbers")?))
}
