//! What to measure, and under which conditions: read from the words after
//! `registry`.

use clap::{Parser, Subcommand, ValueEnum};
use std::time::Duration;

/// Our registry beside Debian's etcd, on one machine and one disk.
#[derive(Parser, Debug, Clone)]
#[command(name = "registry", max_term_width = 100)]
pub(crate) struct Options {
    /// What to do instead of the table.
    #[command(subcommand)]
    pub(crate) instead: Option<Instead>,
    /// Replicas of ours.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: u8,
    /// Members of etcd; as many as of ours when it is not said.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) etcd_replicas: Option<u8>,
    /// Parts of the table; all of them when it is not said.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) parts: Vec<Part>,
    /// Which replicas the clients of the load talk to, on both sides alike.
    #[arg(long, value_enum, default_value_t = At::All)]
    pub(crate) at: At,
    /// Clients of the load; each waits for its answer before it asks again.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) clients: u16,
    /// Connections that the clients share; one for each client when it is not
    /// said.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) connections: Option<u16>,
    /// Rounds in turns, ours, etcd, ours …; the median of them counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,
    /// Length of one round of one side.
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    pub(crate) span: Duration,
    /// Fail-overs of each side.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) failovers: u16,
    /// Planned hand-overs of each side.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) handovers: u16,
    /// Simulated nodes of the large state.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) nodes: u32,
    /// Instances on each of them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) instances: u32,
    /// Makes every fsync and fdatasync of all servers, and of the floor, longer
    /// by this; by strace, which costs each of them a little besides.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) fsync_delay: Option<Duration>,
}

/// What to do instead of the table.
#[derive(Subcommand, Debug, Clone)]
pub(crate) enum Instead {
    /// Load on ours for some minutes: leadership must not change.
    Soak {
        /// How long.
        minutes: u32,
    },
    /// A long audit log over many definitions: restart, and writes beside snapshots of it; ours only.
    Archive {
        /// Entries of the log.
        #[arg(default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
        entries: u32,
        /// Definitions.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
        specs: u32,
    },
    /// Load on one side until Ctrl-C, for a profiler: prints the processes.
    Drive {
        /// Whom.
        #[arg(value_enum)]
        side: Side,
        /// Writes or reads.
        #[arg(value_enum)]
        what: Work,
    },
}

/// Whom a measure is of.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Our registry.
    Ours,
    /// etcd.
    Etcd,
}

/// What a client asks for.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A durable change of one of the keys.
    Writes,
    /// A linearizable look at one of the keys.
    Reads,
}

/// Where clients are.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Spread over all replicas.
    All,
    /// All at the leader.
    Leader,
}

/// A part of the table.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Writes and reads each second.
    Throughput,
    /// One write after another.
    Sequential,
    /// Memory of the servers.
    Memory,
    /// kill -9 of the leader.
    Failover,
    /// Planned change of the leader.
    Handover,
    /// Many nodes and instances; ours only.
    Scale,
}

impl Options {
    /// What holds when nothing is said.
    pub(crate) fn standard() -> Self {
        Self::parse_from(["registry"])
    }

    /// Whether a part is wanted.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Replicas of a side.
    pub(crate) fn replicas(&self, side: Side) -> usize {
        usize::from(match side {
            Side::Ours => self.replicas,
            Side::Etcd => self.etcd_replicas.unwrap_or(self.replicas),
        })
    }

    /// What a server of this side is started with besides its defaults.
    pub(crate) fn own_arguments(&self, side: Side) -> Vec<String> {
        match (side, &self.instead) {
            (Side::Ours, Some(Instead::Archive { entries, .. })) => vec![format!("--audit-retention={entries}")],
            (Side::Ours | Side::Etcd, _) => Vec::new(),
        }
    }

    /// Connections of the load.
    pub(crate) fn connections(&self) -> usize {
        usize::from(self.connections.unwrap_or(self.clients).min(self.clients))
    }

    /// Longest wait for one answer, before the same request goes to the next
    /// replica: far above what an answer takes, and far below a fail-over.
    pub(crate) fn attempt(&self) -> Duration {
        Duration::from_millis(200) + 40 * self.fsync_delay.unwrap_or_default()
    }
}
