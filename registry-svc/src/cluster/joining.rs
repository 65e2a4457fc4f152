//! A fresh directory becomes a replica of a cluster that exists: any member is
//! asked for a number; with the answer this replica receives the log already.

use crate::home::{Home, Identity};
use crate::open::OpenError;
use crate::options::Options;
use crate::peers::{EnrollFault, enroll};
use pm_proto::v1;
use registry_consensus::ReplicaId;
use registry_quorum::founding::{Founder, Introduction};
use std::collections::BTreeMap;
use std::time::Duration;

/// So long a member may take: a change that is under way has to be over first.
const ENROLLED_WITHIN: Duration = Duration::from_secs(15);

/// What a number comes with.
pub(super) struct Enrolled {
    pub(super) identity: Identity,
    pub(super) members: BTreeMap<ReplicaId, Founder>,
}

/// Asks once. None: not now; the reason is in the log.
///
/// # Errors
/// It is refused for good, or the identity cannot be written.
pub(super) async fn join(
    home: &Home,
    options: &Options,
    me: &Introduction,
    through: &str,
) -> Result<Option<Enrolled>, OpenError> {
    let request = v1::EnrollMemberRequest {
        store_id: me.store.clone(),
        address: options.advertise.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        feature_level: options.feature_level.into(),
        votes: options.join_votes,
    };
    let answer = match enroll(through, options.credentials(), request, ENROLLED_WITHIN).await {
        Ok(answer) => answer,
        Err(EnrollFault::Refused(why)) => return Err(OpenError::NotEnrolled { through: through.to_owned(), why }),
        Err(EnrollFault::NotNow(fault)) => {
            tracing::info!(%fault, "no number in the cluster yet; asking again");
            return Ok(None);
        }
    };
    let cluster = answer.cluster_id.parse().map_err(|_| OpenError::BadCluster(answer.cluster_id.clone()))?;
    let id = ReplicaId(answer.replica_id);
    let identity = Identity::new(cluster, answer.epoch, id, home.store()?);
    home.found(&identity, &crate::log_settings())?;
    if options.join_votes {
        tracing::info!(replica = %id, %cluster, "joined the cluster; it votes as soon as it has caught up");
    } else {
        tracing::info!(replica = %id, %cluster, "joined the cluster without a vote; run `pmctl cluster join {id}` to give it one");
    }
    let founder =
        |(id, one): (u64, v1::Founder)| (ReplicaId(id), Founder { address: one.address, store: one.store_id });
    Ok(Some(Enrolled { identity, members: answer.members.into_iter().map(founder).collect() }))
}
