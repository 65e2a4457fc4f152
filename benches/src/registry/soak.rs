//! Whether leadership stays where it is under load: every change of it that
//! nobody asked for is a fault, since each costs its users a pause.

use super::cluster::Cluster;
use super::load::{self, Windows};
use super::options::{Options, Side, Work};
use crate::table::{Demand, Row};
use anyhow::Result;
use std::time::{Duration, Instant};

/// Between two looks at the leader; terms count what happens in between.
const LOOK: Duration = Duration::from_secs(1);

/// Who led when, as far as terms tell it.
struct Reign {
    first_term: u64,
    last_term: u64,
}

/// Rows for the changes of the leader, and what clients saw meanwhile.
pub(crate) async fn rows(minutes: u32, options: &Options) -> Result<Vec<Row>> {
    let cluster = Cluster::found(Side::Ours, options).await?;
    cluster.fill().await?;
    let doors = load::doors(&cluster, options).await?;
    let span = Duration::from_secs(60) * minutes;
    let (window, reign) = tokio::join!(load::window(&cluster, &doors, Work::Writes, span), watch(&cluster, span));
    let (windows, reign) = (Windows(vec![window?]), reign?);
    let delay = options
        .fsync_delay
        .map_or_else(String::new, |delay| format!(", every fsync {} longer", humantime::format_duration(delay)));
    let title = format!("changes of the leader in {minutes} min, {} clients{delay}", options.clients);
    let changes = (reign.last_term - reign.first_term) as f64;
    Ok(vec![
        Row::rival(&title, changes, None, "", Demand::ValueAtMost(0.0)),
        Row::rival("  writes/s", windows.rate(), None, "", Demand::Nothing),
        Row::rival("  requests that failed", windows.failed() as f64, None, "", Demand::Nothing),
        Row::rival("  p99 of a write", windows.times().p99().as_secs_f64() * 1000.0, None, "ms", Demand::Nothing),
        Row::rival(
            "  longest write",
            windows.times().quantile(1.0).as_secs_f64() * 1000.0,
            None,
            "ms",
            Demand::Nothing,
        ),
    ])
}

/// Looks at the terms until the time is over. A replica that does not answer
/// within its time is asked again with the next look.
async fn watch(cluster: &Cluster, span: Duration) -> Result<Reign> {
    let term = |standings: Vec<super::door::Standing>| standings.iter().map(|s| s.term).max().unwrap_or_default();
    let first_term = term(cluster.standings().await?);
    let mut last_term = first_term;
    let ends = Instant::now() + span;
    while Instant::now() < ends {
        tokio::time::sleep(LOOK).await;
        if let Ok(standings) = cluster.standings().await {
            let now = term(standings);
            if now > last_term {
                eprintln!("  the term went from {last_term} to {now} with {:?} to go", ends - Instant::now());
            }
            last_term = last_term.max(now);
        }
    }
    Ok(Reign { first_term, last_term: last_term.max(term(cluster.standings().await?)) })
}
