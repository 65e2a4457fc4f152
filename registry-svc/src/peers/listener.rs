//! To whom the events of the links are told.

use registry_consensus::LinkEvent;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The one listener. Unbounded, because evidence about a leader must not be
/// lost; there are few: dials of one peer are paced.
#[derive(Debug, Default)]
pub(super) struct Listener(Mutex<Option<UnboundedSender<LinkEvent>>>);

impl Listener {
    /// From now on somebody else listens; first it is told what stands.
    pub(super) fn replace(&self, standing: impl FnOnce() -> Vec<LinkEvent>) -> UnboundedReceiver<LinkEvent> {
        let (sender, receiver) = unbounded_channel();
        let mut listener = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in standing() {
            let _ = sender.send(event);
        }
        *listener = Some(sender);
        receiver
    }

    /// Does `change`, and tells. Both under one lock: a new listener hears of
    /// the change, or finds it done.
    pub(super) fn tell(&self, event: LinkEvent, change: impl FnOnce()) {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change();
        if let Some(listener) = &*listener {
            // Nobody listens any more: the process is ending.
            let _ = listener.send(event);
        }
    }
}
