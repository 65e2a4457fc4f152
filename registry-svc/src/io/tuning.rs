//! openraft's numbers, and why.

use openraft::{Config, ConfigError, SnapshotPolicy};

/// A follower's answer has to come within one heartbeat interval (openraft
/// 0.9 uses it as the timeout of `append_entries`), and the answer waits for
/// an fsync: 100 ms leaves room for a slow disk.
const HEARTBEAT_MS: u64 = 100;

/// A follower waits the longest timeout (its leader's lease) plus its own
/// random one before it stands for election, so a dead leader is replaced
/// within 0.5 to 0.8 s; three heartbeats have to fail for that.
const ELECTION_MS: (u64, u64) = (300, 500);

/// Entries in one `append_entries`. An entry is a batch of commands of up to
/// about 1 MiB; all of them have to arrive within one heartbeat interval.
const PAYLOAD_ENTRIES: u64 = 8;

/// Entries after which a snapshot is taken: bounds the time of a restart (an
/// entry replays in well under a millisecond) and the size of the log file.
const SNAPSHOT_AFTER: u64 = 2_000;

/// Entries kept although a snapshot has them, so that a follower that was
/// away for a moment catches up without one.
const KEEP_ENTRIES: u64 = 500;

/// The configuration of every replica.
///
/// # Errors
/// The numbers contradict each other, which only an edit here can cause.
pub fn config() -> Result<Config, Box<ConfigError>> {
    let config = Config {
        cluster_name: "pm".to_owned(),
        heartbeat_interval: HEARTBEAT_MS,
        election_timeout_min: ELECTION_MS.0,
        election_timeout_max: ELECTION_MS.1,
        // A snapshot of tens of megabytes has to cross within this time, in
        // pieces of `snapshot_max_chunk_size`.
        install_snapshot_timeout: 10_000,
        max_payload_entries: PAYLOAD_ENTRIES,
        // Further behind than what is kept, a snapshot is the only way.
        replication_lag_threshold: SNAPSHOT_AFTER + KEEP_ENTRIES,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_AFTER),
        max_in_snapshot_log_to_keep: KEEP_ENTRIES,
        // One purge is one fsync: not one for each entry.
        purge_batch_size: 100,
        ..Config::default()
    };
    config.validate().map_err(Box::new)
}
