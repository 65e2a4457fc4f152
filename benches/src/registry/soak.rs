//! Whether leadership stays where it is under load: every change of it that
//! nobody asked for is a fault, since each costs its users a pause.

use super::cluster::Cluster;
use super::door::{Door, Standing};
use super::load::{self, Windows};
use super::options::{Options, Side, Work};
use crate::table::{Demand, Row};
use anyhow::Result;
use std::time::{Duration, Instant};

/// Between two looks at the leader; terms count what happens in between.
const LOOK: Duration = Duration::from_secs(1);

/// A slice of the load.
const SLICE: Duration = Duration::from_secs(10);

/// What the clients saw.
#[derive(Default)]
struct Seen {
    slices: f64,
    rates: f64,
    failed: u64,
    worst_p99: Duration,
    longest: Duration,
}

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
    let (seen, reign) = tokio::join!(drive(&cluster, &doors, span), watch(&cluster, span));
    let (seen, reign) = (seen?, reign?);
    let delay = options
        .fsync_delay
        .map_or_else(String::new, |delay| format!(", every fsync {} longer", humantime::format_duration(delay)));
    let title = format!("changes of the leader in {minutes} min, {} clients{delay}", options.clients);
    let changes = (reign.last_term - reign.first_term) as f64;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    Ok(vec![
        Row::alone(&title, changes, "", Demand::ValueAtMost(0.0)),
        Row::alone("  writes/s, mean of all slices", seen.rates / seen.slices.max(1.0), "", Demand::Nothing),
        Row::alone("  requests that failed", seen.failed as f64, "", Demand::Nothing),
        Row::alone("  p99 of a write in the worst slice of 10 s", ms(seen.worst_p99), "ms", Demand::Nothing),
        Row::alone("  longest write", ms(seen.longest), "ms", Demand::Nothing),
    ])
}

/// Load for the whole time, in slices: an hour's times would not fit into
/// memory.
async fn drive(cluster: &Cluster, doors: &[Door], span: Duration) -> Result<Seen> {
    let (mut seen, ends) = (Seen::default(), Instant::now() + span);
    while Instant::now() < ends {
        let slice = Windows(vec![load::window(cluster, doors, Work::Writes, SLICE).await?]);
        let times = slice.times();
        seen.slices += 1.0;
        seen.rates += slice.rate();
        seen.failed += slice.failed();
        seen.worst_p99 = seen.worst_p99.max(times.p99());
        seen.longest = seen.longest.max(times.quantile(1.0));
    }
    Ok(seen)
}

/// Looks at the terms until the time is over. A replica that does not answer
/// within its time is asked again with the next look.
async fn watch(cluster: &Cluster, span: Duration) -> Result<Reign> {
    let term = |standings: Vec<Standing>| standings.iter().map(|s| s.term).max().unwrap_or_default();
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
