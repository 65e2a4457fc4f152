//! Writes and reads each second, and what they cost: rounds in turns, so that
//! whatever else the machine does meets both sides alike.

use super::cluster::Cluster;
use super::load::{self, Windows};
use super::options::{At, Options, Work};
use crate::table::{Demand, Row};
use anyhow::Result;

/// Rows for both kinds of work.
pub(crate) async fn rows(ours: &Cluster, etcd: &Cluster, options: &Options) -> Result<Vec<Row>> {
    let mut windows: [[Windows; 2]; 2] = Default::default();
    let works = [Work::Writes, Work::Reads];
    for _ in 0..options.rounds {
        for (cluster, windows) in [ours, etcd].into_iter().zip(&mut windows) {
            let doors = load::doors(cluster, options).await?;
            for (work, windows) in works.into_iter().zip(windows) {
                windows.0.push(load::window(cluster, &doors, work, options.span).await?);
            }
        }
    }
    let place = match options.at {
        At::All => "all replicas",
        At::Leader => "the leader",
    };
    let [ours, etcd] = &windows;
    let mut rows = Vec::new();
    for (work, (ours, etcd)) in works.into_iter().zip(ours.iter().zip(etcd)) {
        let (title, one, wanted) = match work {
            Work::Writes => ("durable writes/s", "write", 2.0),
            Work::Reads => ("linearizable reads/s", "read", 3.0),
        };
        let title = format!("{title}, {} clients at {place}", options.clients);
        let micros = |what: &str, ours: f64, etcd: f64| {
            Row::rival(&format!("  {what} for one {one}"), ours, etcd, "µs", Demand::Nothing)
        };
        rows.push(Row::rival(&title, ours.rate(), etcd.rate(), "", Demand::RatioAtLeast(wanted)));
        rows.push(micros("processor time of the servers", ours.servers(), etcd.servers()));
        rows.push(micros("processor time of the client", ours.client(), etcd.client()));
        let (busy, beside) = (ours.busy(), etcd.busy());
        rows.push(Row::rival("  processors busy, servers and client", busy, beside, "", Demand::Nothing));
        let p99 = [ours, etcd].map(|windows| windows.times().p99().as_secs_f64() * 1000.0);
        rows.push(Row::rival(&format!("  p99 of a {one}"), p99[0], p99[1], "ms", Demand::Nothing));
        let failed = [ours, etcd].map(|windows| windows.failed() as f64);
        if failed != [0.0, 0.0] {
            rows.push(Row::rival("  requests that FAILED", failed[0], failed[1], "", Demand::Nothing));
        }
    }
    Ok(rows)
}
