//! N12: an address is data. Replicas that come back elsewhere are found by all,
//! also when several have moved, and by those who joined since.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{Ipv4Addr, SocketAddr};
use system_tests::{Load, Plan, Proxy, Sandbox, free_ports, until};

/// Writes that show that the load runs.
const SOME: usize = 30;

fn elsewhere() -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_ports(1))
}

#[test]
fn n12_replicas_that_are_reached_elsewhere_after_a_restart_are_found_by_all() {
    let sandbox = Sandbox::new();
    let plan = Plan::new(&sandbox, 3).joiners(&sandbox, 1);
    let proxies: Vec<Proxy> = (0..2).map(|i| Proxy::start(elsewhere(), plan.address(i))).collect();
    let mut replicas = plan.start();
    let load = Load::of(2).start(&replicas);
    load.wait_for_successes(SOME, "at the old addresses");
    // One after the other, each with an address that no flag of the others names.
    for (i, proxy) in proxies.iter().enumerate() {
        let new = format!("http://{}", proxy.address());
        replicas.kill(i);
        replicas.replica(i).set_advertise(&new);
        replicas.replica(i).spawn();
        replicas.replica(i).wait_until_ready();
        let id = replicas.status(i).unwrap().id;
        until("all know the new address", || {
            (0..3).all(|other| {
                let members = replicas.status(other).map(|status| status.members).unwrap_or_default();
                members.iter().any(|member| member.id == id && member.address == new)
            })
        });
        load.wait_for_successes(SOME, "at the new address");
    }
    // Who joins now learns it from the cluster, not from its flags.
    replicas.replica(3).set_arguments(&["--join=voter"]);
    replicas.replica(3).spawn();
    replicas.replica(3).wait_until_ready();
    until("the one that joined knows all addresses", || {
        let members = replicas.status(3).map(|status| status.members).unwrap_or_default();
        proxies.iter().all(|proxy| members.iter().any(|one| one.address == format!("http://{}", proxy.address())))
    });
    let _ = load.finish().is_good();
    replicas.wait_until_equal();
}
