//! Until when this node may run singletons: so long after the last heartbeat
//! that the registry has answered was *sent*, by the clock that counts while
//! the machine sleeps and that nobody can set (CLOCK_BOOTTIME).

use crate::clock::boot_time;
use process_model::ProcessSpec;
use process_model::spec::Singleton;
use runner_keeper::protocol::Fence;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What the registry has confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Confirmed {
    /// Nothing since this node was booted, as far as anybody knows.
    Never,
    /// That it had heard what was sent then.
    At(Duration),
    /// There is no registry: nobody places anything elsewhere.
    Always,
}

/// Cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct NodeLease(Arc<watch::Sender<Confirmed>>);

impl NodeLease {
    pub(crate) fn new(confirmed: Confirmed) -> Self {
        Self(Arc::new(watch::Sender::new(confirmed)))
    }

    /// The registry has answered a heartbeat that was sent then.
    pub(crate) fn confirm(&self, sent: Duration) {
        self.0.send_if_modified(|known| {
            let is_news = *known < Confirmed::At(sent);
            if is_news {
                *known = Confirmed::At(sent);
            }
            is_news
        });
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Confirmed> {
        self.0.subscribe()
    }

    /// The deadline of everything that is started now for a spec; `None`: it has
    /// none.
    pub(crate) fn fence(&self, spec: &ProcessSpec) -> Option<Fence> {
        let singleton = spec.singleton.as_deref()?;
        match *self.0.borrow() {
            Confirmed::Always => None,
            Confirmed::At(sent) => Some(fence(sent, singleton, spec)),
            // It was not to be started at all: over since the node was booted.
            Confirmed::Never => Some(Fence { confirmed: 0, at: 0 }),
        }
    }
}

/// When a singleton is to be stopped, after a confirmation of then; and when
/// all of it has to be gone.
pub(crate) fn fence(confirmed: Duration, singleton: &Singleton, spec: &ProcessSpec) -> Fence {
    let at = over(confirmed, singleton).saturating_add(spec.stop_bound());
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Fence { confirmed: nanos(confirmed), at: nanos(at) }
}

/// When its lease is over.
pub(crate) fn over(confirmed: Duration, singleton: &Singleton) -> Duration {
    confirmed.saturating_add(singleton.lease)
}

/// Whether it is, and else when it will be.
pub(crate) fn validity(confirmed: Confirmed, singleton: &Singleton) -> Result<Option<Duration>, ()> {
    match confirmed {
        Confirmed::Always => Ok(None),
        Confirmed::Never => Err(()),
        Confirmed::At(sent) => {
            let over = over(sent, singleton);
            if boot_time() < over { Ok(Some(over)) } else { Err(()) }
        }
    }
}
