//! Links rise and fall, and who listens hears it.

use crate::order::pair;
use crate::support::{
    BlackHole, Proxy, Replica, Trust, closed_port, event, identity, in_time, quick, until_down, until_up,
};
use futures::FutureExt as _;
use registry_consensus::{Answer, Call, LinkEvent, PeerFault, Peers as _, ReplicaId};
use registry_svc::peers::Timing;
use service_host::secret::Secret;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpListener;

const CHILD: &str = "life::a_replica_in_its_own_process";
const TOKEN: &str = "PM_TEST_TOKEN_FILE";

#[test]
#[ignore = "run by another test, in a process of its own"]
fn a_replica_in_its_own_process() {
    let token = Secret::from_file(std::path::Path::new(&std::env::var(TOKEN).unwrap())).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let replica = Replica::start(2, &token).await;
        replica.door.answer(|_| std::future::pending().boxed());
        println!("peers: {}", replica.address);
        std::future::pending::<()>().await;
    });
}

/// A replica in a process of its own: the process and its address.
fn child(token: &std::path::Path) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([CHILD, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).env(TOKEN, token);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.split_once("peers: ").map(|(_, a)| a.to_owned()));
    (child, address.expect("it says where it is"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_killed_is_down_at_once_and_then_refused() {
    let (dir, token) = (tempfile::tempdir().unwrap(), Secret::generate());
    let file = dir.path().join("token");
    token.write_new(&file).unwrap();
    let (mut child, address) = child(&file);
    // Its signs of life could not tell: they take longer than anybody waits here.
    let timing = Timing { keepalive: Duration::from_secs(600), ..Timing::default() };
    let mut one = Replica::with(identity(1), &token, Trust::all(), timing).await;
    one.member(2, &address);
    assert_eq!(one.up(2).await, 1);
    let waits = one.links.call(ReplicaId(2), Call::ReadIndex { term: None });
    child.kill().unwrap();
    assert_eq!(event(&mut one.events).await, LinkEvent::Down { peer: ReplicaId(2), refused: false });
    assert_eq!(in_time("an answer", waits).await, Err(PeerFault::Unreachable(ReplicaId(2))));
    // Dialled again at once: its host says that nobody listens. A process that is just ending may still accept.
    in_time("a refusal", async { while !until_down(&mut one.events, 2).await {} }).await;
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_where_nobody_listens_refuses_and_one_that_is_silent_does_not() {
    let token = Secret::generate();
    let timing = Timing { connect: Duration::from_millis(200), ..quick() };
    let mut one = Replica::with(identity(1), &token, Trust::all(), timing).await;
    one.member(2, &closed_port());
    assert_eq!(event(&mut one.events).await, LinkEvent::Down { peer: ReplicaId(2), refused: true });
    let hole = BlackHole::new().await;
    one.member(3, &hole.address);
    assert_eq!(event_of(&mut one, 3).await, LinkEvent::Down { peer: ReplicaId(3), refused: false });
    one.member(4, "http://no-such-host.invalid:7481");
    assert_eq!(event_of(&mut one, 4).await, LinkEvent::Down { peer: ReplicaId(4), refused: false });
    one.member(5, "no address");
    assert_eq!(event_of(&mut one, 5).await, LinkEvent::Down { peer: ReplicaId(5), refused: false });
}

async fn event_of(one: &mut Replica, of: u64) -> LinkEvent {
    loop {
        let event = event(&mut one.events).await;
        match &event {
            LinkEvent::Up { peer, .. } | LinkEvent::Down { peer, .. } if *peer == ReplicaId(of) => return event,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_link_stood_nobody_listens_that_counts_whatever_an_older_address_says() {
    let token = Secret::generate();
    // Nobody would wait for the answer of the silent address here.
    let timing = Timing { connect: Duration::from_secs(600), ..quick() };
    let mut one = Replica::with(identity(1), &token, Trust::all(), timing).await;
    let two = Replica::start(2, &token).await;
    let hole = BlackHole::new().await;
    one.book.set(ReplicaId(2), &hole.address);
    one.knows(&[&two]);
    one.up(2).await;
    two.stop().await;
    assert!(!until_down(&mut one.events, 2).await, "first it fell");
    // A dial that its socket took just before it was closed leaves the silent address: as consensus does, ask again.
    let refused = async {
        loop {
            tokio::select! {
                refused = until_down(&mut one.events, 2) => if refused { return },
                () = tokio::time::sleep(Duration::from_millis(200)) => one.links.redial(ReplicaId(2)),
            }
        }
    };
    in_time("a refusal", refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_starts_again_is_found_with_its_higher_boot() {
    let token = Secret::generate();
    let mut one = Replica::start(1, &token).await;
    let two = Replica::start(2, &token).await;
    let place = two.address.strip_prefix("http://").unwrap().to_owned();
    one.knows(&[&two]);
    assert_eq!(one.up(2).await, 1);
    two.stop().await;
    until_down(&mut one.events, 2).await;
    let listener = TcpListener::bind(place).await.unwrap();
    let mut again = identity(2);
    again.boot = 2;
    let _two = Replica::on(listener, again, &token, Trust::all(), quick());
    // While it was stopping, it may have been reached once more as it was.
    let mut boot = one.up(2).await;
    while boot == 1 {
        boot = one.up(2).await;
    }
    assert_eq!(boot, 2);
    assert_eq!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await, Ok(Answer::ReadIndex(Some(7))));
}

/// Dials once, and then not within this test.
fn patient() -> Timing {
    Timing { shortest: Duration::from_secs(600), longest: Duration::from_secs(600), ..quick() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_it_gets_a_dial_at_once() {
    let token = Secret::generate();
    let mut one = Replica::with(identity(1), &token, Trust::all(), patient()).await;
    let address = closed_port();
    one.member(2, &address);
    assert!(until_down(&mut one.events, 2).await);
    let listener = TcpListener::bind(address.strip_prefix("http://").unwrap()).await.unwrap();
    let _two = Replica::on(listener, identity(2), &token, Trust::all(), quick());
    one.links.redial(ReplicaId(2));
    one.up(2).await;
    // Where a link stands, it stays.
    one.links.redial(ReplicaId(2));
    assert!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await.is_ok());
    assert!(one.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_address_is_dialled_at_once() {
    let token = Secret::generate();
    let mut one = Replica::with(identity(1), &token, Trust::all(), patient()).await;
    one.links.set_members(&[ReplicaId(2)]);
    let two = Replica::start(2, &token).await;
    one.book.set(ReplicaId(2), &closed_port());
    assert!(until_down(&mut one.events, 2).await);
    one.book.set(ReplicaId(2), &two.address);
    one.up(2).await;
    assert_eq!(one.book.of(ReplicaId(2))[0], two.address);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_dials_is_dialled_where_it_says_that_it_is() {
    let token = Secret::generate();
    let mut one = Replica::with(identity(1), &token, Trust::all(), patient()).await;
    one.member(2, &closed_port());
    assert!(until_down(&mut one.events, 2).await);
    let mut two = Replica::start(2, &token).await;
    two.knows(&[&one]);
    two.up(1).await;
    one.up(2).await;
    assert_eq!(one.book.of(ReplicaId(2))[0], two.address);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_dials_is_dialled_at_once_though_its_address_is_no_news() {
    let token = Secret::generate();
    let mut one = Replica::with(identity(1), &token, Trust::all(), patient()).await;
    let address = closed_port();
    one.member(2, &address);
    assert!(until_down(&mut one.events, 2).await);
    let listener = TcpListener::bind(address.strip_prefix("http://").unwrap()).await.unwrap();
    let two = Replica::on(listener, identity(2), &token, Trust::all(), quick());
    two.knows(&[&one]);
    one.up(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cable_that_is_pulled_is_noticed_and_everybody_who_waits_is_told() {
    let token = Secret::generate();
    // What a host that vanished costs is three seconds, not ten.
    let timing = Timing { keepalive: Duration::from_secs(1), keepalive_timeout: Duration::from_secs(2), ..quick() };
    let mut one = Replica::with(identity(1), &token, Trust::all(), timing).await;
    let two = Replica::start(2, &token).await;
    let proxy = Proxy::to(&two.address, Duration::ZERO).await;
    one.member(2, &proxy.address);
    one.up(2).await;
    assert!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await.is_ok());
    proxy.silence();
    let waits = one.links.call(ReplicaId(2), Call::ReadIndex { term: None });
    assert_eq!(in_time("an answer", waits).await, Err(PeerFault::Unreachable(ReplicaId(2))));
    assert!(!until_down(&mut one.events, 2).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_process_of_the_past_falls_when_the_peer_comes_back_elsewhere() {
    let token = Secret::generate();
    // Only the peer itself can tell: signs of life take longer than anybody waits here.
    let timing = Timing { keepalive: Duration::from_secs(600), ..quick() };
    let mut one = Replica::with(identity(1), &token, Trust::all(), timing).await;
    let two = Replica::start(2, &token).await;
    let proxy = Proxy::to(&two.address, Duration::ZERO).await;
    one.member(2, &proxy.address);
    assert_eq!(one.up(2).await, 1);
    proxy.silence();
    let mut again = identity(2);
    again.boot = 2;
    let back = Replica::with(again, &token, Trust::all(), quick()).await;
    back.knows(&[&one]);
    assert!(!until_down(&mut one.events, 2).await);
    assert_eq!(one.up(2).await, 2);
    drop(two);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_listener_hears_what_stands_and_the_old_one_no_more() {
    let (mut one, two) = pair().await;
    let mut events = one.links.events();
    assert_eq!(event(&mut events).await, LinkEvent::Up { peer: ReplicaId(2), boot: 1 });
    two.stop().await;
    assert!(!until_down(&mut events, 2).await);
    assert_eq!(in_time("the end", one.events.recv()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_to_those_who_are_no_members_end_both_ways_and_a_stop_ends_all() {
    let token = Secret::generate();
    let (mut one, mut two) = (Replica::start(1, &token).await, Replica::start(2, &token).await);
    one.knows(&[&two]);
    two.knows(&[&one]);
    one.up(2).await;
    two.up(1).await;
    one.links.set_members(&[]);
    assert_eq!(
        one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await,
        Err(PeerFault::Unreachable(ReplicaId(2)))
    );
    // The other end dials again, and is judged anew.
    assert!(!until_down(&mut two.events, 1).await);
    until_up(&mut two.events, 1).await;
    one.links.stop();
    assert!(!until_down(&mut two.events, 1).await);
    two.links.stop();
    assert_eq!(
        two.links.call(ReplicaId(1), Call::ReadIndex { term: None }).await,
        Err(PeerFault::Unreachable(ReplicaId(1)))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_token_is_no_way_in() {
    let (mut one, mut two) =
        (Replica::start(1, &Secret::generate()).await, Replica::start(2, &Secret::generate()).await);
    one.knows(&[&two]);
    assert!(!until_down(&mut one.events, 2).await);
    assert!(two.heard.try_recv().is_err());
    assert!(one.links.call(ReplicaId(2), Call::ReadIndex { term: None }).await.is_err());
}
