//! Load on one side until Ctrl-C: for a profiler, which wants the processes and
//! time.

use super::cluster::Cluster;
use super::load;
use super::options::{Options, Side, Work};
use crate::table::Row;
use anyhow::Result;

/// Says each span how it goes, to standard error. Never ends by itself.
pub(crate) async fn until_interrupted(side: Side, work: Work, options: &Options) -> Result<Vec<Row>> {
    let cluster = Cluster::found(side, options).await?;
    cluster.fill().await?;
    let leader = cluster.leader().await?;
    let pids = cluster.pids()?;
    eprintln!("processes {pids:?}, the leader is {}", pids.get(leader).copied().unwrap_or_default());
    let doors = load::doors(&cluster, options).await?;
    loop {
        let windows = load::Windows(vec![load::window(&cluster, &doors, work, options.span).await?]);
        eprintln!(
            "{:.0}/s; for each: {:.1} µs of the servers, {:.1} µs of the client; {:.2} processors; {} failed",
            windows.rate(),
            windows.servers(),
            windows.client(),
            windows.busy(),
            windows.failed(),
        );
    }
}
