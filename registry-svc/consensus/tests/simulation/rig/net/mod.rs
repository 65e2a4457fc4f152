//! The network between the replicas, as the real links behave on it: one
//! connection from each to each other one, in order or not at all, dialled
//! again when it falls.
//!
//! | module | what |
//! |---|---|
//! | `wire` | one direction between two hosts: delay, loss, cuts |
//! | `host` | a host: who runs there now, and its ear |
//! | `lane` | one connection that stands: calls, notes, answers; what is under way joins |
//! | `line` | dials, stands, falls, dials again |
//! | `pipe` | a connection of somebody else: a runner's, to a replica |
//! | `transfer` | a snapshot on its way |
//! | `way` | the port: [`Peers`](registry_consensus::Peers) of one life of a replica |

mod host;
mod lane;
mod line;
mod pipe;
mod sameness;
mod transfer;
mod way;
mod wire;

pub(crate) use pipe::Pipe;
pub(crate) use way::Way;

use super::{Dice, Oracle};
use host::Host;
use lane::Lane;
use line::Line;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
pub(crate) use wire::Weather;
use wire::Wire;

/// So long without a sign of life and a connection is down. Shorter than the real ones, so that a run sees it often.
const KEEPALIVE: Duration = Duration::from_secs(2);

/// The network; clones share it.
#[derive(Clone)]
pub(crate) struct Net(Arc<Mutex<Inner>>);

struct Inner {
    oracle: Oracle,
    dice: Dice,
    hosts: BTreeMap<u64, Host>,
    wires: BTreeMap<(u64, u64), Arc<Wire>>,
    lines: BTreeMap<(u64, u64), Line>,
    /// So many of a thousand messages come twice, or long after their connection.
    repeats: u64,
    /// So many of a thousand pieces of a snapshot are the last of their connection.
    interrupts: u64,
}

impl Net {
    pub(crate) fn new(oracle: Oracle, dice: Dice) -> Self {
        let (hosts, wires, lines) = Default::default();
        Self(Arc::new(Mutex::new(Inner { oracle, dice, hosts, wires, lines, repeats: 0, interrupts: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn wire(&self, from: u64, to: u64) -> Arc<Wire> {
        let mut inner = self.lock();
        let dice = inner.dice.clone();
        inner.wires.entry((from, to)).or_insert_with(|| Arc::new(Wire::new(dice.fork()))).clone()
    }

    /// Nothing passes from one host to the other, or everything again.
    pub(crate) fn cut(&self, from: u64, to: u64, cut: bool) {
        self.wire(from, to).cut(cut);
    }

    pub(crate) fn weather(&self, from: u64, to: u64, weather: Weather) {
        self.wire(from, to).set(weather);
    }

    pub(crate) fn set_repeats(&self, permille: u64) {
        self.lock().repeats = permille;
    }

    pub(crate) fn set_interrupts(&self, permille: u64) {
        self.lock().interrupts = permille;
    }

    /// A connection is reset. Answers whether it stood.
    pub(crate) fn reset(&self, from: u64, to: u64) -> bool {
        let lane = self.lock().lines.get(&(from, to)).and_then(|line| line.lane.clone());
        lane.inspect(|lane| lane.close()).is_some()
    }

    /// Everything passes, quickly.
    pub(crate) fn heal(&self) {
        let wires: Vec<_> = self.lock().wires.values().cloned().collect();
        for wire in wires {
            wire.cut(false);
            wire.set(Weather::FAIR);
        }
        self.set_repeats(0);
        self.set_interrupts(0);
    }

    /// The standing connection of this life of a replica.
    fn lane(&self, from: u64, life: u64, to: u64) -> Option<Arc<Lane>> {
        let inner = self.lock();
        let host = inner.hosts.get(&from).filter(|host| host.life == life && host.runs);
        host.and_then(|_| inner.lines.get(&(from, to))?.lane.clone())
    }
}
