//! Calls that a role does not allow, told to the registry for its audit log.
//! Enters: who tried what, from where. Leaves: `RecordRefusals`, once a second
//! at most, with attempts that are alike put together. The registry may be
//! away, and an attacker may be busy: what waits is bounded, and a call is
//! never held up by it.

use crate::backend::Backend;
use crate::visitor::Visitor;
use pm_proto::error::reason;
use pm_proto::v1::registry_internal_service_client::RegistryInternalServiceClient;
use pm_proto::v1::{RecordRefusalsRequest, RefusedAttempt};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Kinds of attempts that wait: as many as the registry takes at a time. What
/// is beyond is counted under [`MANY`].
const KINDS: usize = 99;
/// The method of attempts beyond [`KINDS`].
const MANY: &str = "(many)";
/// Characters of a path that are kept; the registry takes 256 bytes.
const PATH: usize = 200;
/// Attempts of this long are told together.
const GATHER: Duration = Duration::from_secs(1);
/// Longest wait for the registry; it may hold up the gateway's end.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Attempts by actor and method.
type Book = BTreeMap<(String, String), RefusedAttempt>;

/// What waits to be told.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    book: Mutex<Book>,
    news: Notify,
}

impl Denials {
    /// Notes an attempt.
    pub(crate) fn note(&self, visitor: &Visitor, what: &str) {
        let method: String = what.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(PATH).collect();
        self.put(RefusedAttempt {
            actor: visitor.actor(),
            source: visitor.peer.to_string(),
            method,
            targets: Vec::new(),
            reason: reason::PERMISSION_DENIED.to_owned(),
            request_id: String::new(),
            count: 1,
        });
        self.news.notify_one();
    }

    fn put(&self, attempt: RefusedAttempt) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (attempt.actor.clone(), attempt.method.clone());
        let fits = book.len() < KINDS || book.contains_key(&key);
        let (key, attempt) = if fits {
            (key, attempt)
        } else {
            ((attempt.actor.clone(), MANY.to_owned()), RefusedAttempt { method: MANY.to_owned(), ..attempt })
        };
        match book.get_mut(&key) {
            Some(known) => known.count = known.count.saturating_add(attempt.count),
            None => drop(book.insert(key, attempt)),
        }
    }

    /// Tells the registry until `shutdown`, and then once more.
    pub(crate) async fn report(&self, registry: &Backend, shutdown: &CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.news.notified() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                // Not a wait for something: the rate that the registry has to bear.
                () = tokio::time::sleep(GATHER) => {}
            }
            self.tell(registry).await;
        }
        self.tell(registry).await;
    }

    async fn tell(&self, registry: &Backend) {
        let book = std::mem::take(&mut *self.book.lock().unwrap_or_else(PoisonError::into_inner));
        if book.is_empty() {
            return;
        }
        let mut client = RegistryInternalServiceClient::new(registry.as_own_caller());
        let request = RecordRefusalsRequest { attempts: book.values().cloned().collect() };
        let told = match tokio::time::timeout(TIMEOUT, client.record_refusals(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(status.message().to_owned()),
            Err(_elapsed) => Err("no answer in time".to_owned()),
        };
        if let Err(error) = told {
            tracing::warn!(error, attempts = book.len(), "refused calls are not in the audit log yet");
            // Counted on, and told with the next one.
            book.into_values().for_each(|attempt| self.put(attempt));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    fn viewer(peer: &str) -> Visitor {
        Visitor { role: Role::Viewer, peer: peer.parse().unwrap(), operator: None }
    }

    #[test]
    fn attempts_that_are_alike_are_counted_and_what_waits_is_bounded() {
        let denials = Denials::default();
        let visitor = viewer("10.0.0.7:5");
        for n in 0..1_000 {
            denials.note(&visitor, &format!("DELETE /api/v1/processes/p{n}"));
            denials.note(&visitor, "pm.v1.ProcessService/StopProcesses");
        }
        let book = denials.book.lock().unwrap();
        assert!(book.len() <= KINDS + 1, "{}", book.len());
        assert_eq!(book.values().map(|attempt| attempt.count).sum::<u64>(), 2_000);
        let stop = &book[&("viewer".to_owned(), "pm.v1.ProcessService/StopProcesses".to_owned())];
        assert_eq!((stop.count, stop.source.as_str(), stop.actor.as_str()), (1_000, "10.0.0.7:5", "viewer"));
    }

    #[test]
    fn a_method_is_short_and_printable() {
        let denials = Denials::default();
        denials.note(&viewer("[::1]:1"), &format!("POST /\n\u{7f}{}", "x".repeat(9_000)));
        let book = denials.book.lock().unwrap();
        let method = &book.values().next().unwrap().method;
        assert!(method.len() <= PATH && method.starts_with("POST /x"), "{method}");
    }
}
