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
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Programs that run at the same time begin at different places.
        let turn = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + turn % COUNT).expect("the range ends below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
