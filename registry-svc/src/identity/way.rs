//! Who answers: the leader, which has the newest state; another replica passes the call on, once.

use crate::api::no_leader;
use crate::core::Core;
use crate::peers::FORWARDED;
use service_host::client::ServiceChannel;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Status};

/// Where a call is answered.
pub(crate) enum Way {
    /// Here.
    Here,
    /// Over this channel.
    Leader(ServiceChannel),
}

impl Way {
    /// The message as it is passed on, with where it came from and for whom.
    pub(crate) fn pass_on<M>(metadata: &MetadataMap, message: M) -> Request<M> {
        let mut request = Request::new(message);
        *request.metadata_mut() = metadata.clone();
        request.metadata_mut().remove("authorization");
        request.metadata_mut().insert(FORWARDED, MetadataValue::from_static("1"));
        request
    }
}

/// Finds the leader. A call that was passed on goes no further.
pub(crate) fn way(core: &Core, metadata: &MetadataMap) -> Result<Way, Status> {
    let standing = core.consensus.standing().borrow().clone();
    if standing.leads() {
        return Ok(Way::Here);
    }
    let leader = standing.leader.filter(|_| !metadata.contains_key(FORWARDED)).ok_or_else(|| no_leader(core))?;
    core.links.channel(leader).map(Way::Leader).map_err(|_| no_leader(core))
}
