//! A node's session, held by the task that serves it. Dropping it ends the
//! session, however the task came to its end.

use super::Driver;
use monitor_domain::SessionId;
use monitor_domain::tails::{Output, ToRunner};
use pm_proto::v1;
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(crate) struct Session {
    driver: Arc<Driver>,
    node: NodeName,
    id: SessionId,
    wake: Arc<Notify>,
    replaced: CancellationToken,
}

impl Session {
    pub(super) fn new(
        driver: Arc<Driver>,
        node: NodeName,
        id: SessionId,
        wake: Arc<Notify>,
        replaced: CancellationToken,
    ) -> Self {
        Self { driver, node, id, wake, replaced }
    }

    pub(crate) fn node(&self) -> &NodeName {
        &self.node
    }

    /// The node has these instances, and no others.
    pub(crate) fn announce(&self, has: BTreeSet<InstanceId>) {
        self.driver.announce(&self.node, self.id, has);
    }

    /// One round of measurements.
    pub(crate) fn measure(&self, of_instances: &[InstanceSample], of_node: Option<&NodeSample>) {
        self.driver.measure(&self.node, self.id, of_instances, of_node);
    }

    /// Bytes of a log.
    pub(crate) fn chunk(&self, request: u64, instance: &InstanceId, output: Output, chunk: v1::LogChunk) {
        self.driver.chunk(self.id, request, instance, output, chunk);
    }

    /// An output of a request ended; `None`: the request as a whole.
    pub(crate) fn end(&self, request: u64, output: Option<Output>, error: &str) {
        self.driver.end(self.id, request, output, error);
    }

    /// The next thing to tell the runner.
    pub(crate) fn next(&self) -> Option<ToRunner> {
        self.driver.next_for(self.id)
    }

    /// Resolves when there may be something to tell the runner.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Resolves when a later session of the node took over.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.disconnect(&self.node, self.id);
    }
}
