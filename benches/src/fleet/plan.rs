//! Planning 10,000 instances on 1,000 nodes, without a cluster: the domain's own
//! measure (`registry-svc/domain/examples/plan.rs`), run and read.

use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, ensure};
use std::process::Command;
use system_tests::binary;

/// What the domain measured.
pub(super) struct Planned {
    /// Each kind of wish, and the milliseconds of its plan.
    plans: Vec<(String, f64)>,
    /// Placements in a second by whole commands, decided and recorded in memory.
    pub(super) commands: f64,
}

/// Runs it.
pub(super) fn measure() -> Result<Planned> {
    let program = binary::path("examples/plan");
    let output = Command::new(&program).output().context("cannot run the measure of planning")?;
    ensure!(output.status.success(), "the measure of planning failed: {}", String::from_utf8_lossy(&output.stderr));
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> Result<Planned> {
    let plan = |line: &str| {
        let (what, took) = line.split_once(" placed in ")?;
        let what = what.trim_end().trim_end_matches(|c: char| c.is_ascii_digit()).trim_end();
        Some((what.to_owned(), took.trim().strip_suffix(" ms")?.parse().ok()?))
    };
    let plans: Vec<(String, f64)> = text.lines().filter_map(plan).collect();
    ensure!(!plans.is_empty(), "the measure of planning says something else than plans:\n{text}");
    let rate = |line: &str| line.split_once(" placements/s")?.0.rsplit(' ').next()?.parse().ok();
    let commands = text.lines().find_map(rate);
    Ok(Planned { plans, commands: commands.context("the measure of planning does not say how many placements/s")? })
}

impl Planned {
    /// The slowest kind of wish counts.
    pub(super) fn rows(&self) -> Vec<Row> {
        let slowest = self.plans.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        let first = self.plans.first();
        let row = |title: String, ms: f64, demand| Row::rival(&title, ms, None, "ms", demand);
        let slowest = slowest.map(|(what, ms)| {
            let title = format!("plan of 10,000 instances on 1,000 nodes, the slowest of {} kinds", self.plans.len());
            row(format!("{title} ({what})"), *ms, Demand::ValueAtMost(50.0))
        });
        let first = first.map(|(what, ms)| row(format!("  {what}"), *ms, Demand::Nothing));
        slowest.into_iter().chain(first).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_domain_prints_is_read_and_the_slowest_counts() {
        let text = "100 x 100, nothing asked      10000 placed in      3.10 ms\n\
                    1,000 x 10, fits nowhere          0 placed in     61.00 ms\n\
                    10,000 applies, one after the other: 11000 placements/s decided\n\
                    explain on 1,000 nodes: 1ms\n";
        let planned = read(text).unwrap();
        assert_eq!(planned.commands, 11_000.0);
        assert_eq!(planned.plans[0], ("100 x 100, nothing asked".to_owned(), 3.1));
        let rows = planned.rows();
        assert!(rows[0].measure.contains("fits nowhere") && rows[0].reached == Some(false));
        assert!(read("explain on 1,000 nodes: 1ms\n").is_err());
    }
}
