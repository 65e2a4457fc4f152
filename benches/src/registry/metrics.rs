//! What a server says of its own fsyncs and snapshots: sum and count of a
//! Prometheus histogram.

use anyhow::{Context as _, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::options::Side;

/// How often something happened since a server began, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Totals {
    seconds: f64,
    count: f64,
}

impl Totals {
    /// The mean of those that came after `before`; `None` when there was none.
    pub(crate) fn mean_since(self, before: Self) -> Option<Duration> {
        let count = self.count - before.count;
        (count > 0.0).then(|| Duration::from_secs_f64((self.seconds - before.seconds).max(0.0) / count))
    }
}

/// A server's fsyncs; `None` when it has no such metric.
pub(crate) async fn fsyncs(side: Side, authority: &str) -> Result<Option<Totals>> {
    let name = match side {
        Side::Ours => "pm_registry_fsync_seconds",
        Side::Etcd => "etcd_disk_wal_fsync_duration_seconds",
    };
    totals(authority, name).await
}

/// Snapshots that a registry of ours has taken.
pub(crate) async fn snapshots(authority: &str) -> Result<Option<Totals>> {
    totals(authority, "pm_registry_snapshot_seconds").await
}

async fn totals(authority: &str, name: &str) -> Result<Option<Totals>> {
    let text = tokio::time::timeout(Duration::from_secs(5), page(authority)).await.context("no metrics in 5 s")??;
    Ok(read(&text, name))
}

/// HTTP/1.0, where the answer ends with the connection and is not in chunks.
async fn page(authority: &str) -> Result<String> {
    let mut stream = TcpStream::connect(authority).await.context("cannot connect for metrics")?;
    stream.write_all(format!("GET /metrics HTTP/1.0\r\nhost: {authority}\r\n\r\n").as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read(text: &str, name: &str) -> Option<Totals> {
    // Labels, if there are any, make several lines.
    let sum_of = |suffix: &str| {
        let name = format!("{name}{suffix}");
        let of = |line: &str| {
            let rest = line.strip_prefix(&name)?;
            (rest.starts_with([' ', '{'])).then(|| rest.rsplit(' ').next()?.trim().parse::<f64>().ok())?
        };
        let values: Vec<f64> = text.lines().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    Some(Totals { seconds: sum_of("_sum")?, count: sum_of("_count")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_what_came_in_between() {
        let before = read("x_sum 1.0\nx_count 10\n", "x").unwrap();
        let after = read("HTTP/1.0 200 OK\r\n\r\n# TYPE x histogram\nx_sum{a=\"b\"} 1.5\nx_count{a=\"b\"} 20\n", "x");
        assert_eq!(after.unwrap().mean_since(before), Some(Duration::from_millis(50)));
        assert_eq!(before.mean_since(before), None);
    }

    #[test]
    fn a_metric_that_is_not_there_or_only_begins_alike_is_none() {
        assert_eq!(read("x_summary 1\nx_counter 2\n", "x"), None);
    }
}
