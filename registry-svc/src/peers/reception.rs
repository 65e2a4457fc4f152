//! The answering end: the gRPC service between replicas. It introduces this
//! replica from the start; links and snapshots are for members, once there is
//! a door to lead them to.

use super::accepted::Accepted;
use super::bounds::MAX_MESSAGE_BYTES;
use super::introducer::{Introducer, PlanTaker};
use super::shared::Shared;
use super::snapshot_in::{self, Receiving};
use super::{Attendant, FORWARDED, Hello, Links, Turned, registrar, wire};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::link_request::Body as Asked;
use pm_proto::v1::link_response::Body;
use pm_proto::v1::peer_service_server::{PeerService, PeerServiceServer};
use registry_consensus::Door;
use service_host::identity::{Caller, Role};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tonic::{Code, Request, Response, Status, Streaming};

/// The gRPC service. Clones are one.
#[derive(Clone)]
pub struct Reception {
    introducer: Arc<dyn Introducer>,
    plans: Arc<dyn PlanTaker>,
    open: Arc<RwLock<Option<Open>>>,
    attendant: Arc<OnceLock<Arc<dyn Attendant>>>,
}

/// What members are led to.
#[derive(Clone)]
struct Open {
    shared: Arc<Shared>,
    door: Arc<dyn Door>,
    receiving: Arc<Receiving>,
}

impl Reception {
    /// Introduces this replica, and takes plans of clusters to be founded.
    #[must_use]
    pub fn new(introducer: Arc<dyn Introducer>, plans: Arc<dyn PlanTaker>) -> Self {
        Self { introducer, plans, open: Arc::default(), attendant: Arc::default() }
    }

    /// From now on this one answers what members are asked besides.
    pub fn attend(&self, attendant: Arc<dyn Attendant>) {
        // Set once, when the replica starts.
        let _ = self.attendant.set(attendant);
    }

    /// From now on leads members to this door.
    pub fn open(&self, links: &Links, door: Arc<dyn Door>) {
        let open = Open { shared: links.shared().clone(), door, receiving: Arc::default() };
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
    }

    /// For the host of the services. Give that a stream window of [`super::STREAM_WINDOW`], too.
    #[must_use]
    pub fn service(self) -> PeerServiceServer<Self> {
        PeerServiceServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn opened(&self) -> Result<Open, Status> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
        open.ok_or_else(not_started)
    }

    fn attendant(&self) -> Result<Arc<dyn Attendant>, Status> {
        self.attendant.get().cloned().ok_or_else(not_started)
    }
}

impl Open {
    /// Whether this one is let in.
    fn judge(&self, hello: &Hello) -> Result<(), Turned> {
        let Shared { identity, registrar, .. } = &*self.shared;
        let judged = registrar::judge(identity, &**registrar, hello, None);
        if let Err(turned) = &judged {
            let (from, why) = (hello.from(), &turned.why);
            tracing::warn!(%from, address = hello.address, why, "a replica is turned away");
            self.shared.turned_away.we(hello, turned);
        }
        judged
    }

    fn welcome(&self, hello: &Hello, turned: Option<&Turned>) -> v1::LinkResponse {
        let ours = wire::hello_into(self.shared.hello(hello.from()));
        let welcome = v1::PeerWelcome { hello: Some(ours), refusal: turned.map(wire::refusal_into) };
        v1::LinkResponse { number: 0, body: Some(Body::Welcome(welcome)) }
    }

    /// The one turned away has a word, too: it may be us who do not belong.
    async fn last_words(self, hello: Hello, mut requests: Streaming<v1::LinkRequest>) {
        let listening = async {
            while let Ok(Some(request)) = requests.message().await {
                if let Some(Asked::Refusal(refusal)) = request.body {
                    self.shared.turned_away.by(&self.shared, &hello, &wire::refusal_from(refusal));
                }
            }
        };
        let _ = tokio::time::timeout(self.shared.timing.greet, listening).await;
    }
}

/// The name of the replica whose certificate was shown.
fn certificate<T>(request: &Request<T>) -> Option<String> {
    Caller::of(request).name_as(Role::Registry).map(str::to_owned)
}

fn not_started() -> Status {
    status(Code::Unavailable, reason::NO_LEADER, "this replica has not started yet", &[])
}

/// A message that is none.
pub(super) fn malformed(why: &wire::Malformed) -> Status {
    status(Code::InvalidArgument, reason::INVALID_ARGUMENT, why.to_string(), &[])
}

#[tonic::async_trait]
impl PeerService for Reception {
    type LinkStream = BoxStream<'static, Result<v1::LinkResponse, Status>>;
    type SendSnapshotStream = BoxStream<'static, Result<v1::SendSnapshotResponse, Status>>;

    async fn introduce(&self, _: Request<v1::IntroduceRequest>) -> Result<Response<v1::IntroduceResponse>, Status> {
        Ok(Response::new(wire::introduced_into(self.introducer.introduction())))
    }

    async fn found_cluster(
        &self,
        request: Request<v1::FoundClusterRequest>,
    ) -> Result<Response<v1::FoundClusterResponse>, Status> {
        let plan = request.into_inner().plan.ok_or_else(|| malformed(&wire::Malformed::Missing("plan")))?;
        let taken = self.plans.take(wire::plan_from(plan)).await;
        Ok(Response::new(v1::FoundClusterResponse { refusal: taken.err().unwrap_or_default() }))
    }

    async fn enroll_member(
        &self,
        request: Request<v1::EnrollMemberRequest>,
    ) -> Result<Response<v1::EnrollMemberResponse>, Status> {
        let forwarded = request.metadata().contains_key(FORWARDED);
        let certificate = certificate(&request);
        self.attendant()?.enroll(request.into_inner(), forwarded, certificate).await.map(Response::new)
    }

    async fn get_replica_status(
        &self,
        _: Request<v1::GetReplicaStatusRequest>,
    ) -> Result<Response<v1::GetReplicaStatusResponse>, Status> {
        Ok(Response::new(self.attendant()?.status()))
    }

    async fn link(&self, request: Request<Streaming<v1::LinkRequest>>) -> Result<Response<Self::LinkStream>, Status> {
        let open = self.opened()?;
        let certificate = certificate(&request);
        let mut requests = request.into_inner();
        let first = tokio::time::timeout(open.shared.timing.greet, requests.message()).await;
        let first =
            first.map_err(|_| status(Code::DeadlineExceeded, reason::REQUEST_TIMEOUT, "no hello came", &[]))??;
        let Some(Asked::Hello(hello)) = first.and_then(|first| first.body) else {
            return Err(malformed(&wire::Malformed::Missing("hello")));
        };
        let hello = Hello { certificate, ..wire::hello_from(Some(hello)).map_err(|why| malformed(&why))? };
        let turned = open.judge(&hello).err();
        let welcome = open.welcome(&hello, turned.as_ref());
        if turned.is_some() {
            let rest = open.last_words(hello, requests).into_stream().filter_map(async |()| None);
            return Ok(Response::new(futures::stream::iter([Ok(welcome)]).chain(rest).boxed()));
        }
        tracing::info!(peer = %hello.from(), boot = hello.boot, "a replica's link stands");
        open.shared.heard_from(&hello);
        let listed = open.shared.accept(&hello);
        let accepted = Accepted::new(open.shared, open.door, hello, requests, welcome, listed);
        Ok(Response::new(accepted.boxed()))
    }

    async fn send_snapshot(
        &self,
        request: Request<Streaming<v1::SendSnapshotRequest>>,
    ) -> Result<Response<Self::SendSnapshotStream>, Status> {
        let certificate = certificate(&request);
        let open = self.opened()?;
        let mut pieces = request.into_inner();
        let first = tokio::time::timeout(open.shared.timing.greet, pieces.message()).await;
        let first =
            first.map_err(|_| status(Code::DeadlineExceeded, reason::REQUEST_TIMEOUT, "no offer came", &[]))??;
        let Some(v1::send_snapshot_request::Body::Offer(offer)) = first.and_then(|first| first.body) else {
            return Err(malformed(&wire::Malformed::Missing("offer")));
        };
        let hello = Hello { certificate, ..wire::hello_from(offer.hello.clone()).map_err(|why| malformed(&why))? };
        if let Err(turned) = open.judge(&hello) {
            let refusal = v1::send_snapshot_response::Body::Refusal(wire::refusal_into(&turned));
            return Ok(Response::new(snapshot_in::last(refusal)));
        }
        let offer = snapshot_in::Offer::try_from((hello.from(), offer)).map_err(|why| malformed(&why))?;
        let stop = open.shared.doors.clone();
        Ok(Response::new(snapshot_in::receive(open.receiving, open.door, offer, pieces, stop)))
    }
}
