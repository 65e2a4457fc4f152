//! The newest value of something, and whoever wants to know when it changes: what
//! tokio's watch channel is, without its room for eight crowds of those who wait,
//! which each instance would have.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A value, and a first receiver that has seen it.
pub(crate) fn latest<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State { value, version: 0, closed: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), news: Notify::new() });
    (Sender(shared.clone()), Receiver { shared, known: 0 })
}

/// Its sender is gone: it changes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    news: Notify,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    version: u64,
    closed: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A value that a panic left half changed is not worse than none.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what it is now.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Replaces it, and tells everybody if that changes it.
    pub(crate) fn set(&self, value: T)
    where
        T: PartialEq,
    {
        let changed = {
            let mut state = self.0.lock();
            let changed = state.value != value;
            if changed {
                state.value = value;
                state.version += 1;
            }
            changed
        };
        if changed {
            self.0.news.notify_waiters();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.news.notify_waiters();
    }
}

/// Sees what it is now.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version that it has seen.
    known: u64,
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), known: self.known }
    }
}

/// The value; nobody changes it meanwhile.
pub(crate) struct Borrowed<'a, T>(MutexGuard<'a, State<T>>);

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Receiver<T> {
    /// What it is now.
    pub(crate) fn borrow(&self) -> Borrowed<'_, T> {
        Borrowed(self.shared.lock())
    }

    /// Whether both are about the same thing.
    pub(crate) fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// What it is now counts as seen.
    pub(crate) fn mark_unchanged(&mut self) {
        self.known = self.shared.lock().version;
    }

    /// Waits until it is another than the one that was seen.
    ///
    /// # Errors
    /// [`Closed`]; a change before that is told first.
    pub(crate) async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            // Before the look: a change in between wakes it.
            let news = self.shared.news.notified();
            let (version, closed) = {
                let state = self.shared.lock();
                (state.version, state.closed)
            };
            if version != self.known {
                self.known = version;
                return Ok(());
            }
            if closed {
                return Err(Closed);
            }
            news.await;
        }
    }

    /// Waits until it is as it should be.
    ///
    /// # Errors
    /// [`Closed`]; it never will be.
    pub(crate) async fn wait_for(&mut self, mut is: impl FnMut(&T) -> bool) -> Result<(), Closed> {
        loop {
            self.mark_unchanged();
            if is(&self.borrow()) {
                return Ok(());
            }
            self.changed().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_told_once_and_the_same_value_is_none() {
        let (sender, mut receiver) = latest(1);
        let mut other = receiver.clone();
        sender.set(1);
        sender.set(2);
        sender.set(3);
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(*receiver.borrow(), 3);
        other.mark_unchanged();
        drop(sender);
        assert_eq!(receiver.changed().await, Err(Closed));
        assert_eq!(other.changed().await, Err(Closed));
        assert!(other.same_channel(&receiver) && !other.same_channel(&latest(3).1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everybody_who_waits_hears_of_it_and_of_the_end() {
        let (sender, receiver) = latest(0);
        let waiting: Vec<_> = (0..20)
            .map(|n| {
                let mut receiver = receiver.clone();
                tokio::spawn(
                    async move { (receiver.wait_for(|now| *now >= n).await, receiver.wait_for(|_| false).await) },
                )
            })
            .collect();
        for now in 1..20 {
            sender.set(now);
            tokio::task::yield_now().await;
        }
        drop(sender);
        for waited in waiting {
            assert_eq!(waited.await.unwrap(), (Ok(()), Err(Closed)));
        }
    }
}
