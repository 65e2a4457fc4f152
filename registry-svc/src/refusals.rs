//! Calls that this replica's own door refused, for the audit log.
//!
//! Enters: who called what, from where. Leaves: `RecordRefusals`, once a second at most, with calls that are alike put
//! together. An attacker may be busy and the cluster without a leader: what waits is bounded, and no call is held up by it.

use crate::driver::{Driver, OWN_ACTOR};
use pm_proto::error::reason;
use registry_domain::{Denial, Order};
use service_host::access::RefusedCall;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Kinds of calls that wait. What is beyond is counted under [`MANY`].
const KINDS: usize = 99;
/// The method of calls beyond [`KINDS`].
const MANY: &str = "(many)";
/// Characters of a method that are kept: paths are the callers' to choose.
const METHOD: usize = 200;
/// Calls of this long are told together.
const GATHER: Duration = Duration::from_secs(1);

/// What waits to be told.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    book: Mutex<BTreeMap<(String, String), Denial>>,
    news: Notify,
}

impl Refusals {
    /// Notes a call that was refused at the door.
    pub(crate) fn note(&self, call: RefusedCall) {
        let RefusedCall { actor, source, method } = call;
        self.note_about(&actor, &source.map(|address| address.to_string()).unwrap_or_default(), &method, &[]);
    }

    /// Notes a call that was refused behind it, and what it was about.
    pub(crate) fn note_about(&self, actor: &str, source: &str, method: &str, targets: &[&str]) {
        let method: String = method.chars().filter(char::is_ascii_graphic).take(METHOD).collect();
        self.put(Denial {
            actor: actor.to_owned(),
            source: source.to_owned(),
            method: if method.is_empty() { "(none)".to_owned() } else { method },
            targets: targets.iter().map(|target| (*target).to_owned()).collect(),
            reason: reason::PERMISSION_DENIED.to_owned(),
            request_id: String::new(),
            count: 1,
        });
        self.news.notify_one();
    }

    fn put(&self, denial: Denial) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (denial.actor.clone(), denial.method.clone());
        let (key, denial) = if book.len() < KINDS || book.contains_key(&key) {
            (key, denial)
        } else {
            let (actor, method) = (MANY.to_owned(), MANY.to_owned());
            ((actor.clone(), method.clone()), Denial { actor, method, targets: Vec::new(), ..denial })
        };
        match book.get_mut(&key) {
            Some(known) => known.count = known.count.saturating_add(denial.count),
            None => drop(book.insert(key, denial)),
        }
    }

    /// Has them written down until `stop`.
    pub(crate) fn reported(self: Arc<Self>, driver: Driver, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(async move { self.report(&driver, &stop).await })
    }

    async fn report(&self, driver: &Driver, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.notified() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                // Not a wait for something: the rate that the log has to bear.
                () = tokio::time::sleep(GATHER) => {}
            }
            let book = std::mem::take(&mut *self.book.lock().unwrap_or_else(PoisonError::into_inner));
            let denials: Vec<Denial> = book.values().cloned().collect();
            if let Err(error) = driver.note(OWN_ACTOR, Order::RecordRefusals(denials)).await {
                tracing::warn!(%error, kinds = book.len(), "refused calls are not in the audit log yet");
                book.into_values().for_each(|denial| self.put(denial));
                self.news.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_nothing_is_left_out_of_the_count() {
        let refusals = Refusals::default();
        for n in 0..1_000 {
            let method = format!("pm.v1.PeerService/Guess{n}\n\u{7f}{}", "x".repeat(9_000));
            refusals.note(RefusedCall { actor: "runner:node-a".into(), source: None, method });
            refusals.note_about("runner:node-a", "10.0.0.7:5", "pm.v1.PeerService/Link", &["node-b"]);
        }
        let book = refusals.book.lock().unwrap();
        assert!(book.len() <= KINDS + 1, "{}", book.len());
        assert_eq!(book.values().map(|denial| denial.count).sum::<u64>(), 2_000);
        let link = &book[&("runner:node-a".to_owned(), "pm.v1.PeerService/Link".to_owned())];
        assert_eq!((link.count, link.targets.as_slice()), (1_000, &["node-b".to_owned()][..]));
        assert!(book.values().all(|denial| denial.method.len() <= METHOD && !denial.method.contains('\n')));
    }
}
