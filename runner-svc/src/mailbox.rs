//! An unbounded channel to one reader that keeps no room while nothing is in
//! it. Tokio's keeps room for 32 messages, and aligns its parts so that
//! processors do not disturb each other: more than a KiB, of which each instance
//! would have two. A mailbox is a hundred bytes, and its messages are few.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A new mailbox.
pub(crate) fn mailbox<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { messages: VecDeque::new(), reader: None, senders: 1, closed: false };
    let shared = Arc::new(Mutex::new(state));
    (Sender(shared.clone()), Receiver(shared))
}

/// Nobody reads it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    /// The reader, while it waits.
    reader: Option<Waker>,
    senders: usize,
    /// The reader is gone.
    closed: bool,
}

fn lock<T>(shared: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    // Nothing that holds the lock panics halfway through a change.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts messages in.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Mutex<State<T>>>);

impl<T> Sender<T> {
    /// Puts a message in, and wakes the reader.
    ///
    /// # Errors
    /// [`Closed`]; the message is dropped.
    pub(crate) fn send(&self, message: T) -> Result<(), Closed> {
        let reader = {
            let mut state = lock(&self.0);
            if state.closed {
                return Err(Closed);
            }
            state.messages.push_back(message);
            state.reader.take()
        };
        // Without the lock: whoever is woken may want it at once.
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Whether nobody reads it any more.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.0).closed
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        lock(&self.0).senders += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let reader = {
            let mut state = lock(&self.0);
            state.senders -= 1;
            if state.senders == 0 { state.reader.take() } else { None }
        };
        // Nothing will come any more.
        reader.into_iter().for_each(Waker::wake);
    }
}

/// Takes messages out.
#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Mutex<State<T>>>);

impl<T> Receiver<T> {
    /// The next message; `None` once it is empty and every sender is gone. A
    /// call that was given up loses nothing.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = lock(&self.0);
        if let Some(message) = state.pop() {
            return Poll::Ready(Some(message));
        }
        if state.senders == 0 {
            return Poll::Ready(None);
        }
        match &mut state.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            None => state.reader = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Whether it is `sender`'s mailbox.
    pub(crate) fn is_of(&self, sender: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.0, &sender.0)
    }

    /// A message that is there already.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        lock(&self.0).pop()
    }
}

impl<T> State<T> {
    fn pop(&mut self) -> Option<T> {
        let message = self.messages.pop_front()?;
        if self.messages.is_empty() {
            // Nothing for an idle instance.
            self.messages = VecDeque::new();
        }
        Some(message)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let unread = {
            let mut state = lock(&self.0);
            state.closed = true;
            state.reader = None;
            std::mem::take(&mut state.messages)
        };
        // Without the lock: a message may hold a sender of this mailbox.
        drop(unread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_in_order_and_an_empty_mailbox_holds_no_room() {
        let (sender, mut receiver) = mailbox();
        for n in 0..100 {
            assert_eq!(sender.clone().send(n), Ok(()));
        }
        for n in 0..100 {
            assert_eq!(receiver.recv().await, Some(n));
        }
        assert_eq!(receiver.try_recv(), None);
        assert_eq!(lock(&receiver.0).messages.capacity(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_reader_that_waits_is_woken_by_a_message_and_by_the_end() {
        let (sender, mut receiver) = mailbox();
        let reader = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(n) = receiver.recv().await {
                sum += n;
            }
            sum
        });
        for n in 1..=1000 {
            assert_eq!(sender.send(n), Ok(()));
            tokio::task::yield_now().await;
        }
        drop(sender);
        assert_eq!(reader.await.unwrap(), 500_500);
    }

    #[test]
    fn a_mailbox_without_a_reader_takes_nothing_and_keeps_nothing() {
        /// Holds its own mailbox.
        struct Itself(#[allow(dead_code)] Sender<Itself>);
        let (sender, receiver) = mailbox();
        assert_eq!(sender.send(Itself(sender.clone())), Ok(()));
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(Itself(sender.clone())), Err(Closed));
        assert_eq!(lock(&sender.0).senders, 1);
    }
}
