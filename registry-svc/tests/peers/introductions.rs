//! Before there is a cluster.

use crate::support::replica::serve;
use crate::support::{BlackHole, Replica, Script, closed_port, in_time};
use registry_consensus::ReplicaId;
use registry_quorum::founding::{Condition, Founder, FoundingPlan};
use registry_svc::peers::{IntroduceFault, Introduced, Reception, hand_out, introduce};
use service_host::secret::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const WITHIN: Duration = Duration::from_secs(20);

async fn listen(script: Arc<Script>, token: &Secret) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    serve(listener, Reception::new(script.clone(), script), token, CancellationToken::new());
    address
}

fn plan() -> FoundingPlan {
    let founder =
        |n: u64| (ReplicaId(n), Founder { address: format!("http://registry-{n}:7481"), store: format!("store-{n}") });
    FoundingPlan { cluster: "c1".into(), founders: (1..=3).map(founder).collect() }
}

fn introduced(condition: Condition, epoch: u64, id: Option<u64>) -> Introduced {
    let mut says = Script::fresh().says;
    says.is.condition = condition;
    Introduced { epoch, id: id.map(ReplicaId), ..says }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_introduces_itself_as_what_it_is_before_it_is_a_member() {
    let token = Secret::generate();
    let plan = plan();
    let founded = Condition::Founded { cluster: "c1".into(), members: plan.founders.clone() };
    for says in [
        introduced(Condition::Fresh, 0, None),
        introduced(Condition::Planned(plan), 0, None),
        introduced(founded, 3, Some(2)),
    ] {
        let address = listen(Arc::new(Script { says: says.clone(), ..Script::fresh() }), &token).await;
        assert_eq!(introduce(&address, &token, WITHIN).await.unwrap(), says);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_nobody_introduces_himself_is_said_precisely() {
    let token = Secret::generate();
    let closed = introduce(&closed_port(), &token, WITHIN).await.unwrap_err();
    assert!(matches!(closed, IntroduceFault::NobodyListens(_)), "{closed}");
    let hole = BlackHole::new().await;
    let silent = introduce(&hole.address, &token, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(silent, IntroduceFault::Late { .. } | IntroduceFault::Unreachable(_)), "{silent}");
    let address = listen(Arc::new(Script::fresh()), &token).await;
    let denied = introduce(&address, &Secret::generate(), WITHIN).await.unwrap_err();
    assert!(matches!(denied, IntroduceFault::Denied(_)) && denied.to_string().contains("--service-token-file"));
    let none = introduce("registry:7481", &token, WITHIN).await.unwrap_err();
    assert!(none.to_string().contains("registry:7481"), "{none}");

    // Another service of ours: it is there, and it is no registry.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let host = service_host::server::GrpcHost::new(pm_proto::DESCRIPTORS).token(token.clone());
    let incoming = service_host::transport::Incoming::Tcp(listener);
    tokio::spawn(async move { host.serve(incoming, CancellationToken::new()).await });
    let no_registry = introduce(&other, &token, WITHIN).await.unwrap_err();
    assert!(matches!(no_registry, IntroduceFault::NoRegistry(_)), "{no_registry}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_handed_out_or_refused_with_the_reason() {
    let token = Secret::generate();
    let script = Arc::new(Script::fresh());
    let address = listen(script.clone(), &token).await;
    hand_out(&address, &token, &plan(), WITHIN).await.unwrap();
    assert_eq!(*script.plans.lock().unwrap(), [plan()]);
    let refuses = Some("another plan is on the disk".to_owned());
    let address = listen(Arc::new(Script { refuses, ..Script::fresh() }), &token).await;
    let refused = hand_out(&address, &token, &plan(), WITHIN).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("{address} does not take the plan: another plan is on the disk"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_a_door_yet_is_dialled_until_it_has_one() {
    let token = Secret::generate();
    let mut one = Replica::start(1, &token).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(Script::fresh());
    let reception = Reception::new(script.clone(), script);
    serve(listener, reception.clone(), &token, CancellationToken::new());
    one.member(2, &address);
    assert!(!crate::support::until_down(&mut one.events, 2).await);
    let two = Replica::start(2, &token).await;
    reception.open(&two.links, two.door.clone());
    in_time("the link", one.up(2)).await;
}
