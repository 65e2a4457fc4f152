//! Samples as rows of whole numbers, which pack well.
//!
//! Precision that is kept: times and durations to the millisecond, processor
//! time to the microsecond, shares to a hundredth; the rest exactly.

use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Timestamp};

/// Columns of the widest row; the packed form names changed ones in 16 bits.
pub(super) const WIDTH: usize = 10;

/// One sample as numbers. Column 0 is the time in milliseconds. Columns that
/// change with almost every sample come first: it saves a byte in the packed
/// form.
pub(super) type Row = [i64; WIDTH];

/// A sample that can be kept as a row, without what is the same in all rows
/// of a series.
pub(super) trait Columns {
    /// What is the same in all rows.
    type Fixed<'a>;
    /// The row of a sample.
    fn to_row(&self) -> Row;
    /// The sample of a row.
    fn from_row(row: &Row, fixed: &Self::Fixed<'_>) -> Self;
    /// Whether two rows are of one run, so that their beginnings compare.
    fn same_run(a: &Row, b: &Row) -> bool;
}

impl Columns for InstanceSample {
    type Fixed<'a> = (&'a InstanceId, &'a NodeName);

    fn to_row(&self) -> Row {
        let time = millis(self.time);
        [
            time,
            // The beginning instead of the uptime: it hardly changes.
            time.saturating_sub(scaled(self.uptime_seconds, 1e3)),
            scaled(self.cpu_seconds, 1e6),
            scaled(self.cpu_percent, 1e2),
            count(self.memory_bytes),
            i64::from(self.open_files),
            i64::from(self.threads),
            i64::from(self.processes),
            i64::from(self.restarts),
            i64::from(self.pid),
        ]
    }

    fn from_row(row: &Row, (instance, node): &Self::Fixed<'_>) -> Self {
        let [time, began, cpu, percent, memory, files, threads, processes, restarts, pid] = *row;
        Self {
            instance: (*instance).clone(),
            node: (*node).clone(),
            time: timestamp(time),
            cpu_seconds: fraction(cpu, 1e6),
            cpu_percent: fraction(percent, 1e2),
            memory_bytes: memory.unsigned_abs(),
            threads: small(threads),
            open_files: small(files),
            uptime_seconds: fraction(time.saturating_sub(began), 1e3),
            processes: small(processes),
            restarts: small(restarts),
            pid: small(pid),
        }
    }

    fn same_run(a: &Row, b: &Row) -> bool {
        a[8..] == b[8..]
    }
}

impl Columns for NodeSample {
    type Fixed<'a> = &'a NodeName;

    fn to_row(&self) -> Row {
        let time = millis(self.time);
        [
            time,
            time.saturating_sub(count(self.uptime_seconds).saturating_mul(1000)),
            scaled(self.cpu_percent, 1e2),
            count(self.memory_used_bytes),
            scaled(self.load1, 1e2),
            count(self.memory_total_bytes),
            0,
            0,
            0,
            0,
        ]
    }

    fn from_row(row: &Row, node: &Self::Fixed<'_>) -> Self {
        let [time, booted, cpu, used, load, total, ..] = *row;
        Self {
            node: (*node).clone(),
            time: timestamp(time),
            cpu_percent: fraction(cpu, 1e2),
            memory_used_bytes: used.unsigned_abs(),
            memory_total_bytes: total.unsigned_abs(),
            load1: fraction(load, 1e2),
            uptime_seconds: time.saturating_sub(booted).unsigned_abs() / 1000,
        }
    }

    fn same_run(_: &Row, _: &Row) -> bool {
        true
    }
}

fn millis(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000_000)
}

pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp(millis.saturating_mul(1_000_000))
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn small(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// A measurement as a whole number of `1/factor`. No measurement is negative
/// or endless; what claims to be is noise and becomes 0.
#[allow(clippy::cast_possible_truncation)] // Clamped to what both types hold exactly.
fn scaled(value: f64, factor: f64) -> i64 {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if value.is_finite() { (value * factor).round().clamp(0.0, EXACT) as i64 } else { 0 }
}

#[allow(clippy::cast_precision_loss)] // Exact below 2^53, which `scaled` keeps to.
fn fraction(value: i64, factor: f64) -> f64 {
    value as f64 / factor
}
