//! Ports that stay ours while nobody listens on them: a replica that is
//! restarted has to get its own back.
//!
//! They are below the range that the kernel takes for outgoing connections
//! (ip_local_port_range begins at 32768): else a peer that dials a dead replica
//! could be given that very port as its own, and be connected to itself.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// First port, and how many there are.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A port on which nobody listens, and which this program gives out once.
pub(crate) fn free() -> u16 {
    free_ports(1)
}

/// The first of so many ports in a row on which nobody listens, and which this
/// program gives out once.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        // Programs that run at the same time begin at different places.
        let turn = NEXT.fetch_add(u32::from(count), Ordering::Relaxed);
        let begin = std::process::id().wrapping_mul(37).wrapping_add(turn) % COUNT;
        let begin = u16::try_from(FIRST + begin).expect("the range ends below 65536");
        if (begin..begin + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return begin;
        }
    }
    panic!("not available here: {count} free ports in a row")
}
