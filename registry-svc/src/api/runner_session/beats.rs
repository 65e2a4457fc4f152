//! The heartbeats of a session: each renews the lease at once, and is answered
//! when it is known that this replica still led after it came.

use crate::heartbeats::{Assurance, LeaseBook, Pace};
use pm_proto::convert::duration_to_wire;
use pm_proto::v1;
use process_model::NodeName;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::watch;

/// Heartbeats of a session that wait for their answer.
pub(super) struct Beats {
    assurance: Assurance,
    confirmed: watch::Receiver<u64>,
    waiting: VecDeque<(u64, v1::HeartbeatAck)>,
    /// What the node was told last.
    told: Pace,
    /// How long it may be silent: as long as the longer of what it was told last and before, until it must have heard.
    granted: Duration,
}

impl Beats {
    pub(super) fn new(assurance: Assurance, told: Pace) -> Self {
        let confirmed = assurance.confirmed();
        Self { assurance, confirmed, waiting: VecDeque::new(), told, granted: told.lease }
    }

    /// The node gave a sign of life, whatever it was.
    pub(super) fn heard(&self, node: &NodeName, leases: &LeaseBook) {
        leases.renew(node, self.granted);
    }

    /// The node sent a heartbeat.
    pub(super) fn beat(&mut self, node: &NodeName, seq: u64, leases: &LeaseBook) {
        let pace = leases.renew(node, self.granted);
        let mut ack = v1::HeartbeatAck { seq, ..v1::HeartbeatAck::default() };
        self.granted = self.told.lease;
        if pace != self.told {
            self.granted = self.told.lease.max(pace.lease);
            self.told = pace;
            ack.heartbeat_interval = Some(duration_to_wire(pace.interval));
            ack.lease = Some(duration_to_wire(pace.lease));
        }
        self.waiting.push_back((self.assurance.ask(), ack));
    }

    /// Whether any waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Until more is known; false: the registry is closing.
    pub(super) async fn confirmed(&mut self) -> bool {
        self.confirmed.changed().await.is_ok()
    }

    /// Those that may be answered now.
    pub(super) fn answers(&mut self) -> impl Iterator<Item = v1::HeartbeatAck> + use<'_> {
        let confirmed = *self.confirmed.borrow_and_update();
        let known = self.waiting.partition_point(|(ticket, _)| *ticket <= confirmed);
        self.waiting.drain(..known).map(|(_, ack)| ack)
    }
}
