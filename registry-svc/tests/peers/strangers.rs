//! Who is not who it should be, and who speaks no language at all.

use crate::support::replica::serve;
use crate::support::{Events, Replica, Script, Trust, append, event, identity, in_time, quick, until_down};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use pm_proto::v1;
use pm_proto::v1::link_request::Body as Asks;
use pm_proto::v1::link_response::Body;
use pm_proto::v1::peer_service_client::PeerServiceClient;
use pm_proto::v1::peer_service_server::{PeerService, PeerServiceServer};
use registry_consensus::{Call, LinkEvent, PeerFault, Peers as _, ReplicaId};
use registry_quorum::recovery::Met;
use registry_svc::peers::{Hello, Identity, Reason, Reception, STREAM_WINDOW, Stops, Turned};
use service_host::client::service_channel;
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::{Dial, Incoming};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Judges as the registry does: cluster and epoch, then number, directory, boot.
fn strict(me: &Identity) -> Trust {
    let ours = me.fence.clone();
    Trust::by(move |hello: &Hello| {
        let from = hello.from();
        let turned = |reason, why: String, stops| Err(Turned { reason, why, stops });
        let met = ours.meet(&hello.fence);
        match &met {
            Met::Foreign { .. } => turned(Reason::ForeignCluster, met.to_string(), Stops::Sender),
            Met::TurnedAway { .. } => turned(Reason::EpochLower, met.to_string(), Stops::Sender),
            Met::LeftBehind { .. } => turned(Reason::EpochHigher, met.to_string(), Stops::Ourselves),
            Met::Welcome if from.0 > 3 => {
                turned(Reason::NotAMember, format!("replica {from} is no member"), Stops::Sender)
            }
            Met::Welcome if hello.store != format!("store-{from}") => {
                turned(Reason::StoreDiffers, format!("replica {from} has another directory"), Stops::Sender)
            }
            Met::Welcome if hello.boot < 1 => {
                turned(Reason::BootLower, format!("replica {from} started later once"), Stops::Sender)
            }
            Met::Welcome => Ok(()),
        }
    })
}

/// What may be wrong with a replica that says that it is number 1, and the sentence for it.
fn wrong() -> Vec<(Identity, &'static str)> {
    let wrong = |change: fn(&mut Identity)| {
        let mut wrong = identity(1);
        change(&mut wrong);
        wrong
    };
    vec![
        (wrong(|w| w.fence.epoch = 0), "replica 1 of epoch 0 is fenced by epoch 1"),
        (wrong(|w| w.fence.id = ReplicaId(4)), "replica 4 is no member"),
        (wrong(|w| w.store = "other".into()), "replica 1 has another directory"),
        (wrong(|w| w.boot = 0), "replica 1 started later once"),
        (wrong(|w| w.fence.cluster = "c2".into()), "must not be mixed"),
    ]
}

async fn refused(from: &Replica, to: u64, sentence: &str) {
    match from.links.call(ReplicaId(to), Call::ReadIndex { term: None }).await {
        Err(PeerFault::Refused { peer, why }) if peer == ReplicaId(to) => assert!(why.contains(sentence), "{why}"),
        other => panic!("{other:?} instead of {sentence}"),
    }
}

async fn fenced(replica: &Replica, by: u64, sentence: &str) {
    let mut fenced = replica.links.fenced();
    let fenced = in_time("the fence", fenced.wait_for(Option::is_some)).await.unwrap().clone().unwrap();
    assert!(fenced.by == ReplicaId(by) && fenced.why.contains(sentence), "{fenced:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialer_that_does_not_belong_is_turned_away_with_its_sentence_and_ends() {
    let token = Secret::generate();
    let mut two = Replica::with(identity(2), &token, strict(&identity(2)), quick()).await;
    for (wrong, sentence) in wrong() {
        let mut one = Replica::with(wrong, &token, Trust::all(), quick()).await;
        one.knows(&[&two]);
        assert_eq!(event(&mut one.events).await, LinkEvent::Down { peer: ReplicaId(2), refused: false });
        refused(&one, 2, sentence).await;
        fenced(&one, 2, sentence).await;
        assert!(two.heard.try_recv().is_err(), "not a word of consensus");
        one.stop().await;
    }
    assert_eq!(*two.links.fenced().borrow(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acceptor_that_does_not_belong_is_turned_away_with_its_sentence_and_ends_unless_it_is_a_stranger() {
    let token = Secret::generate();
    for (wrong, sentence) in wrong() {
        let (id, ours) = (wrong.fence.id.0, wrong.fence.cluster == "c1");
        let mut two = Replica::with(identity(2), &token, strict(&identity(2)), quick()).await;
        let mut one = Replica::with(wrong, &token, Trust::all(), quick()).await;
        two.knows(&[&one]);
        assert!(!until_down(&mut two.events, id).await);
        refused(&two, id, sentence).await;
        if ours {
            fenced(&one, 2, sentence).await;
        } else {
            // A stranger that we dialled may be a healthy member of its own cluster, at an address that was ours.
            assert_eq!(*one.links.fenced().borrow(), None);
        }
        assert!(one.heard.try_recv().is_err(), "not a word of consensus");
        assert_eq!(*two.links.fenced().borrow(), None);
        two.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_left_behind_ends_whoever_dials_and_cannot_end_the_others() {
    let token = Secret::generate();
    let (mut ahead, behind) = (identity(2), identity(1));
    ahead.fence.epoch = 2;
    let two = Replica::with(ahead.clone(), &token, strict(&ahead), quick()).await;
    let mut one = Replica::with(behind.clone(), &token, strict(&behind), quick()).await;
    one.knows(&[&two]);
    until_down(&mut one.events, 2).await;
    fenced(&one, 2, "replica 1 of epoch 1 is fenced by epoch 2").await;
    assert_eq!(*two.links.fenced().borrow(), None);

    let one = Replica::with(behind.clone(), &token, strict(&behind), quick()).await;
    two.knows(&[&one]);
    fenced(&one, 2, "replica 1 of epoch 1 is fenced by epoch 2").await;
    assert_eq!(*two.links.fenced().borrow(), None);

    // What a replica of the past says of the members is worth nothing.
    let past = Trust::by(|hello| {
        let why = format!("replica {} is not known here", hello.from());
        Err(Turned { reason: Reason::NotAMember, why, stops: Stops::Sender })
    });
    let one = Replica::with(behind, &token, past, quick()).await;
    let mut two = Replica::with(ahead, &token, Trust::all(), quick()).await;
    two.knows(&[&one]);
    until_down(&mut two.events, 1).await;
    refused(&two, 1, "replica 2 is not known here").await;
    assert_eq!(*two.links.fenced().borrow(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_peers_address_went_to_a_stranger_goes_on_and_only_one_that_meets_nobody_else_ends() {
    let token = Secret::generate();
    let foreign = |id| {
        let mut foreign = identity(id);
        foreign.fence.cluster = "c2".into();
        foreign
    };
    let mut one = Replica::with(identity(1), &token, Trust::all(), quick()).await;
    let two = Replica::start(2, &token).await;
    let stranger = Replica::with(foreign(3), &token, strict(&foreign(3)), quick()).await;
    one.knows(&[&two, &stranger]);
    one.up(2).await;
    until_down(&mut one.events, 3).await;
    refused(&one, 3, "must not be mixed").await;
    assert_eq!(*one.links.fenced().borrow(), None);

    let lost = Replica::with(identity(1), &token, Trust::all(), quick()).await;
    let other = Replica::with(foreign(2), &token, strict(&foreign(2)), quick()).await;
    lost.knows(&[&other, &stranger]);
    let mut fence = lost.links.fenced();
    let fence = in_time("the fence", fence.wait_for(Option::is_some)).await.unwrap().clone().unwrap();
    assert!(fence.why.contains("must not be mixed"), "{fence:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_another_replica_is_no_way_to_a_peer_and_nobody_ends() {
    let token = Secret::generate();
    let mut one = Replica::start(1, &token).await;
    let (three, two) = (Replica::start(3, &token).await, Replica::start(2, &token).await);
    one.member(2, &three.address);
    assert!(!until_down(&mut one.events, 2).await);
    refused(&one, 2, "this is replica 3, and replica 1 meant replica 2").await;
    // The right one is tried beside the wrong ones.
    one.book.set(ReplicaId(2), &two.address);
    one.book.set(ReplicaId(2), &three.address);
    one.up(2).await;
    assert_eq!(*one.links.fenced().borrow(), None);
}

/// A dialer that says what the test wants, to a replica.
struct Raw {
    says: mpsc::Sender<v1::LinkRequest>,
    hears: Streaming<v1::LinkResponse>,
}

async fn dial(to: &Replica, token: &Secret, first: Asks) -> Result<Raw, Status> {
    let channel = service_channel(&Dial::Tcp(to.address.clone()), token).unwrap();
    let (says, stream) = mpsc::channel(16);
    says.send(v1::LinkRequest { number: 0, body: Some(first) }).await.unwrap();
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let hears = PeerServiceClient::new(channel).link(stream).await?.into_inner();
    Ok(Raw { says, hears })
}

fn hello(from: u64, to: u64) -> v1::PeerHello {
    let header = v1::PeerHeader {
        cluster_id: "c1".into(),
        epoch: 1,
        from,
        store_id: format!("store-{from}"),
        boot: 1,
        to,
        start: 0,
    };
    let (address, version) = ("http://127.0.0.1:1".into(), "0".into());
    v1::PeerHello { header: Some(header), protocol: 1, address, version, feature_level: 1, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialer_that_breaks_the_protocol_is_cut_and_the_replica_goes_on() {
    let token = Secret::generate();
    let two = Replica::start(2, &token).await;
    // No greeting at all.
    let first = [Asks::ReadIndex(v1::ReadIndexCall::default()), Asks::Hello(v1::PeerHello::default())];
    for first in first {
        let code = dial(&two, &token, first).await.map(|_| ()).unwrap_err().code();
        assert_eq!(code, tonic::Code::InvalidArgument);
    }
    let bad: Vec<(u64, Option<Asks>, &str)> = vec![
        (1, None, "body is missing"),
        (0, Some(Asks::ReadIndex(v1::ReadIndexCall::default())), "number is missing"),
        (1, Some(Asks::Append(v1::AppendCall::default())), "append.vote is missing"),
        (0, Some(Asks::TakeOver(v1::TakeOverNote::default())), "take_over.last is missing"),
        (0, Some(Asks::Hello(hello(1, 2))), "hello comes where it must not"),
    ];
    for (number, body, why) in bad {
        let mut raw = dial(&two, &token, Asks::Hello(hello(1, 2))).await.unwrap();
        let welcome = in_time("a welcome", raw.hears.message()).await.unwrap().unwrap();
        assert!(matches!(welcome.body, Some(Body::Welcome(v1::PeerWelcome { refusal: None, .. }))), "{welcome:?}");
        raw.says.send(v1::LinkRequest { number, body }).await.unwrap();
        let end = in_time("the end", raw.hears.message()).await.unwrap_err();
        assert_eq!((end.code(), end.message()), (tonic::Code::InvalidArgument, why));
    }
    // Not even gRPC.
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b""] {
        let mut stream = tokio::net::TcpStream::connect(two.address.strip_prefix("http://").unwrap()).await.unwrap();
        let _ = stream.write_all(garbage).await;
        stream.shutdown().await.ok();
        let mut rest = Vec::new();
        let _ = in_time("the end", stream.read_to_end(&mut rest)).await;
    }
    let mut one = Replica::start(1, &token).await;
    one.knows(&[&two]);
    one.up(2).await;
    assert!(one.links.call(ReplicaId(2), append(0, 1, 10)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_that_speaks_no_version_or_is_for_somebody_else_is_answered_with_the_reason() {
    let token = Secret::generate();
    let two = Replica::start(2, &token).await;
    let none = v1::PeerHello { protocol: 0, ..hello(1, 2) };
    for (hello, reason) in [
        (none, v1::PeerRefusalReason::Protocol),
        (hello(1, 3), v1::PeerRefusalReason::NotForMe),
        (hello(2, 2), v1::PeerRefusalReason::NotForMe),
    ] {
        let mut raw = dial(&two, &token, Asks::Hello(hello)).await.unwrap();
        let welcome = in_time("an answer", raw.hears.message()).await.unwrap().unwrap();
        let Some(Body::Welcome(welcome)) = welcome.body else { panic!("{welcome:?}") };
        let refusal = welcome.refusal.unwrap();
        assert_eq!((refusal.reason(), refusal.permanent), (reason, false), "{refusal:?}");
        assert_eq!(welcome.hello.unwrap().header.unwrap().from, 2, "who refuses says who it is");
        drop(raw.says);
        assert!(in_time("the end", raw.hears.message()).await.unwrap().is_none());
    }
}

/// An acceptor that answers what the test wants.
struct Babbler(Vec<v1::LinkResponse>);

#[tonic::async_trait]
impl PeerService for Babbler {
    type LinkStream = BoxStream<'static, Result<v1::LinkResponse, Status>>;
    type SendSnapshotStream = BoxStream<'static, Result<v1::SendSnapshotResponse, Status>>;

    async fn introduce(&self, _: Request<v1::IntroduceRequest>) -> Result<Response<v1::IntroduceResponse>, Status> {
        Ok(Response::new(v1::IntroduceResponse::default()))
    }

    async fn found_cluster(
        &self,
        _: Request<v1::FoundClusterRequest>,
    ) -> Result<Response<v1::FoundClusterResponse>, Status> {
        Err(Status::internal("no"))
    }

    async fn enroll_member(
        &self,
        _: Request<v1::EnrollMemberRequest>,
    ) -> Result<Response<v1::EnrollMemberResponse>, Status> {
        Err(Status::internal("no"))
    }

    async fn get_replica_status(
        &self,
        _: Request<v1::GetReplicaStatusRequest>,
    ) -> Result<Response<v1::GetReplicaStatusResponse>, Status> {
        Err(Status::internal("no"))
    }

    async fn link(&self, _: Request<Streaming<v1::LinkRequest>>) -> Result<Response<Self::LinkStream>, Status> {
        // Says its sentences and then waits: whoever cuts the link is the dialer.
        let said = futures::stream::iter(self.0.clone().into_iter().map(Ok));
        Ok(Response::new(said.chain(futures::stream::pending()).boxed()))
    }

    async fn send_snapshot(
        &self,
        _: Request<Streaming<v1::SendSnapshotRequest>>,
    ) -> Result<Response<Self::SendSnapshotStream>, Status> {
        Err(Status::internal("no"))
    }
}

async fn babble(answers: Vec<v1::LinkResponse>, token: &Secret) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let host = GrpcHost::new(pm_proto::DESCRIPTORS).token(token.clone()).stream_window(STREAM_WINDOW);
    let host = host.service(PeerServiceServer::new(Babbler(answers)));
    tokio::spawn(async move { host.serve(Incoming::Tcp(listener), CancellationToken::new()).await });
    address
}

async fn first_down(events: &mut Events) -> LinkEvent {
    loop {
        match event(events).await {
            LinkEvent::Up { .. } => {}
            down => return down,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acceptor_that_breaks_the_protocol_is_cut_and_the_dialer_goes_on() {
    let token = Secret::generate();
    let says = |number, body| v1::LinkResponse { number, body };
    let busy = || Some(Body::Busy(v1::BusyAnswer {}));
    let welcome = says(0, Some(Body::Welcome(v1::PeerWelcome { hello: Some(hello(2, 1)), refusal: None })));
    let nobody = says(0, Some(Body::Welcome(v1::PeerWelcome::default())));
    for (answers, stands) in [
        (vec![says(1, busy())], false),
        (vec![says(1, None)], false),
        (vec![nobody], false),
        (vec![welcome.clone(), says(9, busy())], true),
        (vec![welcome.clone(), says(0, None)], true),
        (vec![welcome.clone(), welcome], true),
    ] {
        let mut one = Replica::start(1, &token).await;
        one.member(2, &babble(answers, &token).await);
        let first = event(&mut one.events).await;
        assert_eq!(matches!(first, LinkEvent::Up { .. }), stands, "{first:?}");
        if stands {
            first_down(&mut one.events).await;
        }
        one.stop().await;
    }
    // Introductions that mean nothing.
    let address = babble(vec![], &token).await;
    let nonsense = registry_svc::peers::introduce(&address, &token, crate::support::PATIENCE).await.unwrap_err();
    assert_eq!(nonsense.to_string(), format!("{address}: condition is missing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_was_never_opened_lets_nobody_in() {
    let token = Secret::generate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(Script::fresh());
    serve(listener, Reception::new(script.clone(), script), &token, CancellationToken::new());
    let mut one = Replica::start(1, &token).await;
    one.member(2, &address);
    assert!(!until_down(&mut one.events, 2).await);
    assert_eq!(
        one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await,
        Err(PeerFault::Unreachable(ReplicaId(2)))
    );
}
