//! A channel to several replicas: real servers on loopback, whose wires are cut, frozen and mended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "fixture/replicas.rs"]
#[allow(dead_code, unreachable_pub, reason = "each test uses its part")]
mod replicas;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use replicas::{BlackHole, NOBODY, Replicas};
use service_host::transport::{Dial, Endpoints, NobodyAnswers};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt;

fn ask(text: impl Into<String>) -> HealthCheckRequest {
    HealthCheckRequest { service: text.into() }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Fails instead of hanging.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it took too long")
}

/// Until it is so, while others work.
async fn until(is_so: impl Fn() -> bool) {
    soon(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_dies_under_load_is_seen_by_nobody_and_every_change_is_made_once() {
    const CLIENTS: usize = 8;
    const CALLS: usize = 150;
    let replicas = Replicas::start().await;
    let clients = (0..CLIENTS).map(|client| {
        let mut channel = replicas.client();
        tokio::spawn(async move {
            for call in 0..CALLS {
                channel.check(ask(format!("{client}/{call}"))).await.unwrap_or_else(|error| {
                    panic!("client {client} saw an error at call {call}: {error:?}");
                });
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    until(|| replicas.shared.effects().len() >= CLIENTS * CALLS / 4).await;
    replicas.wires[0].cut();
    replicas.lead(NOBODY);
    // An election: the others refuse, and know nobody.
    until(|| replicas.shared.arrivals_of(1) + replicas.shared.arrivals_of(2) >= 2 * CLIENTS).await;
    replicas.lead(2);
    for client in clients {
        soon(client).await.unwrap();
    }
    let effects = replicas.shared.effects();
    assert_eq!(effects.len(), CLIENTS * CALLS);
    let twice: Vec<_> = effects.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "made more than once: {twice:?}");
    // The fault was there: calls came to the dead leader, to those who refused, and with the same id again.
    let arrivals = replicas.shared.arrivals.lock().unwrap().clone();
    assert!(arrivals.len() > CLIENTS * CALLS && replicas.shared.arrivals_of(0) > 0);
    assert!(arrivals.iter().all(|arrival| arrival.request_id.len() == 36));
}

#[tokio::test]
async fn a_change_whose_result_is_unknown_is_repeated_with_the_same_id_and_made_once() {
    let replicas = Replicas::start().await;
    replicas.shared.unknown.store(2, Ordering::SeqCst);
    replicas.client().check(ask("a")).await.unwrap();
    let arrivals = replicas.shared.arrivals.lock().unwrap().clone();
    assert_eq!(replicas.shared.effects()["a"], 1);
    assert!(arrivals.len() >= 3, "{arrivals:?}");
    assert!(arrivals.iter().all(|arrival| arrival.request_id == arrivals[0].request_id), "{arrivals:?}");
}

#[tokio::test]
async fn a_caller_s_own_request_id_is_kept() {
    let replicas = Replicas::start().await;
    let mut request = Request::new(ask("a"));
    request.metadata_mut().insert("pm-request-id", "mine".parse().unwrap());
    replicas.client().check(request).await.unwrap();
    assert_eq!(replicas.shared.arrivals.lock().unwrap()[0].request_id, "mine");
}

#[tokio::test]
async fn when_the_time_is_over_the_caller_hears_what_is_known_and_not_more() {
    let replicas = Replicas::start().await;
    let mut client = replicas.client();
    // The last attempt may run into the deadline, on a machine that is busy.
    let mut within = async |text: &str| {
        for _ in 0..5 {
            let mut request = Request::new(ask(text));
            request.set_timeout(Duration::from_millis(300));
            let status = soon(client.check(request)).await.unwrap_err();
            if status.code() != Code::DeadlineExceeded {
                return status;
            }
        }
        panic!("nothing but the deadline is ever heard");
    };
    replicas.lead(NOBODY);
    let nobody = within("a").await;
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::Unavailable, "NO_LEADER"));
    replicas.lead(0);
    replicas.shared.unknown.store(usize::MAX, Ordering::SeqCst);
    let open = within("b").await;
    assert_eq!((open.code(), reason(&open).as_str()), (Code::Unavailable, "RESULT_UNKNOWN"));
    let id = open.get_details_error_info().unwrap().metadata["request_id"].clone();
    let arrivals = replicas.shared.arrivals.lock().unwrap().clone();
    assert!(arrivals.iter().any(|arrival| arrival.text == "b" && arrival.request_id == id));
}

#[tokio::test]
async fn a_hint_is_followed_and_whoever_answered_is_asked_again() {
    let replicas = Replicas::start().await;
    replicas.lead(2);
    let mut client = replicas.client();
    for call in 0..10 {
        client.check(ask(format!("{call}"))).await.unwrap();
    }
    let seen = [0, 1, 2].map(|replica| replicas.shared.arrivals_of(replica));
    assert_eq!(seen, [1, 0, 10], "one refusal with a hint, then only the leader");
}

#[tokio::test]
async fn a_stream_is_sent_once_and_the_next_one_goes_where_the_refusal_said() {
    let replicas = Replicas::start().await;
    replicas.lead(1);
    let mut client = replicas.client();
    let refused = soon(client.watch(ask("w"))).await.unwrap_err();
    assert_eq!(reason(&refused), "NO_LEADER");
    assert_eq!(replicas.shared.arrivals.lock().unwrap().len(), 1, "it was not sent again");
    let mut watch = soon(client.watch(ask("w"))).await.unwrap().into_inner();
    assert!(soon(watch.message()).await.unwrap().is_some());
    assert_eq!(replicas.shared.arrivals_of(1), 1);
    replicas.wires[1].cut();
    replicas.lead(2);
    assert!(soon(watch.message()).await.is_err(), "a stream that broke is over");
    // Nobody knows the dead one's successor but by asking: at most one more refusal.
    let mut tries = 0;
    while soon(client.watch(ask("w"))).await.is_err() {
        tries += 1;
        assert!(tries <= 1, "the channel does not find the new leader");
    }
    assert_eq!(replicas.shared.arrivals_of(1), 1, "the dead one was asked again");
}

#[tokio::test]
async fn a_refused_stream_without_a_hint_goes_to_the_next_member() {
    let replicas = Replicas::start().await;
    replicas.lead(NOBODY);
    let mut client = replicas.client();
    for _ in 0..3 {
        soon(client.watch(ask("w"))).await.unwrap_err();
    }
    assert_eq!([0, 1, 2].map(|replica| replicas.shared.arrivals_of(replica)), [1, 1, 1]);
}

/// A port at which everybody is refused, and which nobody else is given as long as it is held.
fn unheard() -> tokio::net::TcpSocket {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

#[tokio::test]
async fn a_first_member_that_is_dead_or_a_black_hole_costs_a_moment() {
    let replicas = Replicas::start().await;
    let hole = BlackHole::dig().await;
    let refusing = unheard();
    let refused = format!("http://{}", refusing.local_addr().unwrap());
    for dead in [&hole.address, &refused] {
        let list: Endpoints = format!("{dead},{}", replicas.wires[0].address).parse().unwrap();
        let mut best = Duration::MAX;
        // The best of some: another program's work must not decide.
        for _ in 0..10 {
            let mut client = replicas.client_of(&Dial::Cluster(list.clone()));
            let began = Instant::now();
            client.check(ask("read")).await.unwrap();
            best = best.min(began.elapsed());
        }
        println!("{dead}: {best:?}");
        assert!(best <= Duration::from_millis(100), "{dead}: {best:?}");
    }
}

#[tokio::test]
async fn when_nobody_was_ever_there_the_error_comes_at_once_and_names_everybody() {
    let ports = [unheard(), unheard()];
    let addresses = ports.each_ref().map(|port| format!("http://{}", port.local_addr().unwrap()));
    let replicas = Replicas::start().await;
    let mut client = replicas.client_of(&Dial::Cluster(addresses.join(",").parse().unwrap()));
    let began = Instant::now();
    let status = client.check(ask("a")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    // Not after the 10 s that a call may take.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let tried: Vec<(&str, &str)> = NobodyAnswers::of(&status).expect("who was tried").tried().collect();
    assert_eq!(tried.iter().map(|(address, _)| *address).collect::<Vec<_>>(), addresses);
    assert!(tried.iter().all(|(_, why)| why.contains("refused")), "{tried:?}");
    assert!(addresses.iter().all(|address| status.message().contains(address)), "{status:?}");
}

#[tokio::test]
async fn a_member_that_comes_back_is_waited_for_within_the_call_s_time() {
    let mut replicas = Replicas::start().await;
    let one = Dial::Cluster(replicas.wires[0].address.parse().unwrap());
    let mut client = replicas.client_of(&one);
    client.check(ask("a")).await.unwrap();
    replicas.wires[0].cut();
    let waiting = tokio::spawn(async move { client.check(ask("b")).await });
    // The port refuses first: the fault is there.
    while tokio::net::TcpStream::connect(replicas.wires[0].address.trim_start_matches("http://")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    replicas.wires[0].mend().await;
    waiting.await.unwrap().unwrap();
    assert_eq!(replicas.shared.effects()["b"], 1);
}

#[tokio::test]
async fn n06_a_connection_that_is_half_open_is_found_in_15_s_and_costs_later_calls_nothing() {
    let replicas = Replicas::start().await;
    let channel = Dial::Cluster(replicas.endpoints()).channel().unwrap();
    let mut client = replicas.reader_over(channel.clone());
    client.check(ask("read first")).await.unwrap();
    let frozen = Instant::now();
    replicas.wires[0].freeze();
    let mut stuck = client.clone();
    let stuck = tokio::spawn(async move { stuck.check(ask("read stuck")).await });
    // Whoever calls after a moment of silence does not wait behind it.
    tokio::time::timeout(Duration::from_secs(60), async {
        while replicas.shared.arrivals_of(1) == 0 {
            let _ = tokio::time::timeout(Duration::from_millis(500), client.check(ask("read later"))).await;
        }
    })
    .await
    .unwrap();
    let later = frozen.elapsed();
    stuck.await.unwrap().unwrap();
    let found = frozen.elapsed();
    println!("later calls are served after {later:?}, the half-open connection is found after {found:?}");
    assert!(later < Duration::from_secs(6), "{later:?}");
    assert!(found <= Duration::from_secs(15), "{found:?}");
    assert!(found >= Duration::from_secs(5), "the connection was not half open: {found:?}");
}

#[tokio::test]
async fn what_was_learned_is_asked_too_and_what_was_given_stays() {
    let replicas = Replicas::start().await;
    let channel = Dial::Cluster(replicas.wires[0].address.parse().unwrap()).channel().unwrap();
    let mut client = replicas.reader_over(channel.clone());
    client.check(ask("read")).await.unwrap();
    channel.learn(&[replicas.wires[1].address.clone(), "nonsense".to_owned()]);
    replicas.wires[0].cut();
    client.check(ask("read")).await.unwrap();
    assert_eq!(replicas.shared.arrivals_of(1), 1);
    assert!(!channel.prefer(&replicas.wires[2].address), "a stranger must not be asked");
    assert!(channel.prefer(&replicas.wires[1].address));
}
