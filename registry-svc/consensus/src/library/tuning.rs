//! The library's numbers, and why. Elections are ours (`conduct`): the
//! library neither stands by itself nor decides when to take a snapshot.

use openraft::{Config, ConfigError, SnapshotPolicy};
use registry_quorum::elections::Timing;

/// The library's clock ticks at one and a half of this, and a follower that
/// hears nothing for `Timing::silence`, a second by default, begins to doubt:
/// several have to fail.
const HEARTBEAT_MS: u64 = 100;

/// Entries in one append; their bytes are bounded by the log store.
const PAYLOAD_ENTRIES: u64 = 64;

/// The configuration that fits these waits.
pub(crate) fn config(timing: &Timing) -> Result<Config, Box<ConfigError>> {
    let config = Config {
        cluster_name: "pm".to_owned(),
        // Also the time that an append has before the library asks again; the links keep the first one going.
        heartbeat_interval: HEARTBEAT_MS.min(timing.lease - 2),
        // The lease: so long after the leader's last append a voter refuses every candidate. Not a timer of ours.
        election_timeout_min: timing.lease - 1,
        election_timeout_max: timing.lease,
        // Whole snapshots travel on a stream of their own, which ends with the link.
        install_snapshot_timeout: 10 * 60 * 1_000,
        max_payload_entries: PAYLOAD_ENTRIES,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        purge_batch_size: 1,
        enable_elect: false,
        ..Config::default()
    };
    config.validate().map_err(Box::new)
}
