//! Ports for servers that are killed and started again at the same address:
//! below the range that the kernel takes for outgoing connections, so that no
//! client's own end ever sits on one of them meanwhile.

use anyhow::{Context as _, Result};
use std::net::TcpListener;

const LOWEST: u16 = 21_000;
const HIGHEST: u16 = 31_999;

/// So many ports that were free a moment ago, all different.
pub(crate) fn free(count: usize) -> Result<Vec<u16>> {
    // Two runs at once begin elsewhere.
    let span = u32::from(HIGHEST - LOWEST);
    let first = LOWEST + u16::try_from(std::process::id().wrapping_mul(97) % span)?;
    let mut held = Vec::new();
    for port in (first..=HIGHEST).chain(LOWEST..first) {
        if held.len() == count {
            break;
        }
        // Held until all are found, so that none is given twice.
        held.extend(TcpListener::bind(("127.0.0.1", port)).ok());
    }
    let ports = held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Result<Vec<_>>>()?;
    (ports.len() == count).then_some(ports).context("there are not enough free ports between 21000 and 31999")
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_are_different_and_cannot_be_those_of_a_client() {
        let mut ports = super::free(20).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
        assert!(ports.iter().all(|port| (21_000..32_000).contains(port)));
    }
}
