//! What to measure, and how much of it: read from the words after `fleet`.

use clap::{Parser, ValueEnum};
use std::time::Duration;

/// Three replicas, monitor and gateway over mTLS on loopback, and simulated runners.
#[derive(Parser, Debug, Clone)]
#[command(name = "fleet", max_term_width = 100)]
pub(crate) struct Options {
    /// Parts of the table; all of them when it is not said.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) parts: Vec<Part>,
    /// Simulated nodes that instances are placed on.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) nodes: u32,
    /// Instances that one request places.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=50_000))]
    pub(crate) instances: u32,
    /// Such requests, one after the other; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Simulated runners that only show that they live.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) runners: u32,
    /// How long their heartbeats are watched.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) window: Duration,
    /// Starts of a program by a command.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) starts: u32,
}

/// A part of the table.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Planning, by itself.
    Plan,
    /// Committed placements.
    Placements,
    /// Many runners, and the death of their leader.
    Runners,
    /// From a command to the program's first instruction.
    Start,
}

impl Options {
    /// What holds when nothing is said.
    pub(crate) fn standard() -> Self {
        Self::parse_from(["fleet"])
    }

    /// Whether a part is wanted.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}
