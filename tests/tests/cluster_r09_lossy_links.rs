//! R09: links that lose packets, and links that are slow. The leader stays, or
//! at least the truth does.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;
use system_tests::{Dice, Load, Net, Plan, Proxy, Sandbox, TermWatch, Wire, rounds};

/// Writes that show that the load runs.
const SOME: usize = 25;

#[test]
fn r09_links_that_lose_packets_lose_no_write() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r09");
    let net = Net::new(3);
    let replicas = Plan::in_spaces(&sandbox, &net, 3).start();
    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).seeded(&mut dice).start(&replicas);
    for percent in [10, 30] {
        let before = net.all_dropped();
        (0..3).for_each(|i| net.loss(i, percent));
        load.wait_for_successes(rounds(1) * SOME, "on a link that loses packets");
        assert!(net.all_dropped() > before, "invalid: nothing was lost");
        net.heal();
        load.wait_for_successes(SOME, "on a good link");
    }
    let _ = load.finish().is_good();
    let _ = terms.finish();
    replicas.wait_until_equal();
}

#[test]
fn r09_slow_links_change_no_leader() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r09");
    let net = Net::new(3);
    let plan = Plan::in_spaces(&sandbox, &net, 3);
    let mut wires = Vec::new();
    for (from, to) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let proxy = Proxy::start((net.outside(), 0).into(), plan.address(to));
        net.detour(from, to, plan.address(to).port(), proxy.address().port());
        wires.push(proxy);
    }
    let replicas = plan.start();
    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).seeded(&mut dice).start(&replicas);
    load.wait_for_successes(SOME, "on fast links");
    let (_, before) = (replicas.wait_for_leader(), replicas.term());
    let slow = Wire::Open { delay: Duration::from_millis(200), jitter: Duration::from_millis(200) };
    wires.iter().for_each(|wire| wire.set(slow));
    let carried: u64 = wires.iter().map(Proxy::bytes).sum();
    // Each write takes a round trip of some 400 ms: eight clients, so some ten seconds.
    load.wait_for_successes(rounds(3) * SOME, "on slow links");
    assert!(wires.iter().map(Proxy::bytes).sum::<u64>() > carried, "invalid: the slow links carry nothing");
    let changes = replicas.term() - before;
    wires.iter().for_each(|wire| wire.set(Wire::FAST));
    load.wait_for_successes(SOME, "on fast links again");
    let _ = load.finish().is_good();
    let _ = terms.finish();
    println!("r09: {changes} changes of the term on slow links (promised: at most one a minute)");
    assert!(changes <= 1, "{changes} changes of the term on slow links");
    replicas.wait_until_equal();
}
