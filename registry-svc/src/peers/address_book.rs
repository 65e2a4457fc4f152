//! Where replicas are. Peers are known by number; an address is data that
//! changes, and who answers there is found out anew each time.

use super::bounds::ADDRESSES;
use registry_quorum::ReplicaId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Addresses of replicas, newest first. Clones share them.
#[derive(Debug, Clone)]
pub struct AddressBook {
    known: Arc<Mutex<BTreeMap<ReplicaId, Vec<String>>>>,
    /// Whose address changed last; dials wait for it.
    changed: Arc<watch::Sender<u64>>,
}

impl Default for AddressBook {
    fn default() -> Self {
        Self { known: Arc::default(), changed: Arc::new(watch::Sender::new(0)) }
    }
}

impl AddressBook {
    /// An address of a replica, as `http://HOST:PORT`: from now on the first
    /// one to be tried. A link that stands is left alone, one that is down is
    /// dialled at once.
    pub fn set(&self, id: ReplicaId, address: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses = known.entry(id).or_default();
        if address.is_empty() || addresses.first().is_some_and(|first| first == address) {
            return;
        }
        addresses.retain(|other| other != address);
        addresses.insert(0, address.to_owned());
        addresses.truncate(ADDRESSES);
        drop(known);
        self.changed.send_modify(|times| *times += 1);
    }

    /// Where a replica may be, the likeliest first.
    #[must_use]
    pub fn of(&self, id: ReplicaId) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned().unwrap_or_default()
    }

    /// A replica was reached there: the first one to be tried next time.
    pub(super) fn stood(&self, id: ReplicaId, address: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses = known.entry(id).or_default();
        if let Some(place) = addresses.iter().position(|one| one == address) {
            addresses[..=place].rotate_right(1);
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_address_comes_first_and_a_few_older_ones_are_kept() {
        let (book, id) = (AddressBook::default(), ReplicaId(2));
        let mut changes = book.changes();
        for address in ["http://a:1", "http://b:1", "http://c:1", "http://d:1", "http://c:1"] {
            book.set(id, address);
        }
        assert_eq!(book.of(id), ["http://c:1", "http://d:1", "http://b:1"]);
        assert_eq!(book.of(ReplicaId(1)), [""; 0]);
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        book.set(id, "http://c:1");
        book.set(id, "");
        book.stood(id, "http://b:1");
        assert_eq!(book.of(id), ["http://b:1", "http://c:1", "http://d:1"]);
        assert!(!changes.has_changed().unwrap(), "nothing is new");
    }
}
