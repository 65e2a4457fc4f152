//! N11: a hundred clients follow the events, and the gateway is killed under
//! them, again and again. Behind the last id that each has seen they go on:
//! nothing is missing, nothing comes twice.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{Cluster, EventSource, Sandbox, until};

const CLIENTS: usize = 100;
const KILLS: usize = 3;
const MUCH: usize = 50;

/// Ids of the events that a client has seen.
fn ids(source: &EventSource) -> Vec<u64> {
    source.sent().iter().filter(|one| one.event == "event").map(|one| one.id.parse().unwrap()).collect()
}

#[test]
fn n11_a_hundred_streams_go_on_behind_their_last_id_when_the_gateway_is_killed() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let (_registry, _monitor, _runner) = (cluster.registry(), cluster.monitor(), cluster.runner());
    let mut gateway = cluster.gateway();
    // Something happens all the time, whoever looks.
    let restart =
        "{policy: always, backoff: {initial: 100ms, factor: 1, jitter: 0}, limit: {restarts: 1000, within: 1m}}";
    let text = format!("processes:\n  tick:\n    command: 'true'\n    instances: 2\n    restart: {restart}\n");
    let _ = cluster.pmctl(&["apply", "-f", &sandbox.write("tick.yaml", &text)]).succeeded();
    let authority = cluster.url(0).trim_start_matches("http://").to_owned();
    let token = std::fs::read_to_string(cluster.token_file()).unwrap();
    let clients: Vec<EventSource> = (0..CLIENTS)
        .map(|_| EventSource::follow(&authority, &token, "/api/v1/events?from_revision=1&follow"))
        .collect();
    for kill in 1..=KILLS {
        // Each is in the middle of it.
        let before: Vec<usize> = clients.iter().map(|client| ids(client).len()).collect();
        until("all hear more", || clients.iter().zip(&before).all(|(client, before)| ids(client).len() > before + 5));
        gateway.kill_9();
        gateway = cluster.gateway();
        until("all are back", || clients.iter().all(|client| client.dials() > kill));
    }
    // However slow the machine is: enough for something to be missing.
    until("much has happened", || clients.iter().all(|client| ids(client).len() > MUCH));
    let _ = cluster.pmctl(&["stop", "tick"]).succeeded();
    let said = cluster.api().events_so_far();
    let last = *said.last().unwrap();
    until("all have heard of the end", || clients.iter().all(|client| ids(client).contains(&last)));
    for client in &clients {
        let heard = ids(client);
        let upto = heard.iter().position(|id| *id == last).unwrap();
        assert_eq!(heard[..=upto], said, "nothing is missing, nothing comes twice, all in order");
    }
    drop(gateway);
}
