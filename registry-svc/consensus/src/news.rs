//! Word for the followers of what is committed. The library sends it in a
//! message of its own as soon as it is so. Where writes come one after another
//! the next entries could have carried it: they follow in a fraction of a
//! millisecond, and then wait until that message is answered. So it rests for
//! a moment, and leaves by itself only if no entries took it along, or at once
//! where somebody waits for it.

use crate::ReplicaId;
use crate::consensus::Inner;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long word may rest; the clock adds up to another millisecond. A client
/// that writes one thing after another comes again by then; who only watches a
/// follower does not see the difference.
const REST: Duration = Duration::from_millis(1);

/// The library drops a heartbeat to whom it has just sent entries, and when
/// they are answered sends none. So it is asked again, after twice as long each
/// time up to this; then its own heartbeats do.
const LAST_TRY: Duration = Duration::from_millis(16);

/// What each follower was told, and wants to know.
#[derive(Default)]
pub(crate) struct News {
    book: Mutex<Book>,
    /// To be looked at: something rests and nobody watches it, or somebody waits for what rests.
    look: Notify,
}

#[derive(Default)]
struct Book {
    peers: BTreeMap<ReplicaId, Peer>,
    /// Somebody will look when the first word has rested enough.
    watched: bool,
}

#[derive(Default)]
struct Peer {
    /// It acknowledged a message that said that everything up to here is committed.
    told: u64,
    /// Somebody there waits until it knows of this.
    wanted: u64,
    /// Calls of it whose answers will make somebody wait.
    calls: u32,
    word: Word,
}

/// Where the newest word is.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// It has left with a message, which may have been lost.
    #[default]
    Gone,
    /// Here, since then.
    Rests(Instant),
    /// To leave with the next message, which is asked for again at that time, so long after the last time.
    Due(Instant, Duration),
}

impl Peer {
    fn is_awaited(&self) -> bool {
        self.calls > 0 || self.wanted > self.told
    }

    /// When its word has rested enough.
    fn due(&self) -> Option<Instant> {
        match self.word {
            Word::Rests(since) if self.is_awaited() => Some(since),
            Word::Rests(since) => Some(since + REST),
            Word::Due(again, waited) => (waited <= LAST_TRY).then_some(again),
            Word::Gone => None,
        }
    }
}

/// As long as it lives, word for this follower does not rest: it asked for
/// something, and will wait for what follows from it.
pub(crate) struct Awaited {
    news: Arc<News>,
    by: ReplicaId,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.news.book().peer(self.by).calls -= 1;
    }
}

impl Book {
    fn peer(&mut self, id: ReplicaId) -> &mut Peer {
        self.peers.entry(id).or_default()
    }
}

impl News {
    /// Whether a message without entries may be left out, as it says nothing that is new and cannot rest.
    pub(crate) fn rests(&self, to: ReplicaId, committed: Option<u64>) -> bool {
        let mut book = self.book();
        let peer = book.peer(to);
        if committed.is_none_or(|committed| committed <= peer.told) {
            return true;
        }
        match peer.word {
            _ if peer.is_awaited() => false,
            Word::Due(..) => false,
            Word::Rests(since) => since.elapsed() < REST,
            Word::Gone => {
                peer.word = Word::Rests(Instant::now());
                if !std::mem::replace(&mut book.watched, true) {
                    self.look.notify_one();
                }
                true
            }
        }
    }

    /// A message leaves, with the newest word.
    pub(crate) fn leaves(&self, to: ReplicaId) {
        self.book().peer(to).word = Word::Gone;
    }

    /// A message with this word was acknowledged.
    pub(crate) fn told(&self, by: ReplicaId, committed: Option<u64>) {
        let mut book = self.book();
        let peer = book.peer(by);
        peer.told = committed.unwrap_or_default().max(peer.told);
    }

    /// A follower asks for something, and will want to know of what follows from it.
    pub(crate) fn awaits(self: &Arc<Self>, by: ReplicaId) -> Awaited {
        self.book().peer(by).calls += 1;
        Awaited { news: self.clone(), by }
    }

    /// A follower is about to wait until it knows that everything up to here is committed.
    pub(crate) fn wants(&self, by: ReplicaId, index: u64) {
        let mut book = self.book();
        let peer = book.peer(by);
        peer.wanted = index.max(peer.wanted);
        if peer.is_awaited() && peer.due().is_some() {
            self.look.notify_one();
        }
    }

    /// When the first word has rested enough; none when none rests, and the next one will say so.
    fn next(&self) -> Option<Instant> {
        let mut book = self.book();
        let next = book.peers.values().filter_map(Peer::due).min();
        book.watched = next.is_some();
        next
    }

    /// Whether something has rested enough. All that rests leaves with it.
    fn wakes(&self) -> bool {
        let mut book = self.book();
        let now = Instant::now();
        let over = book.peers.values().any(|peer| peer.due().is_some_and(|due| due <= now));
        for peer in book.peers.values_mut().filter(|_| over) {
            peer.word = match peer.word {
                Word::Rests(_) => Word::Due(now + REST, REST),
                Word::Due(again, waited) if again <= now => Word::Due(now + 2 * waited, 2 * waited),
                word @ (Word::Gone | Word::Due(..)) => word,
            };
        }
        over
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends word that no entries took along.
pub(crate) async fn run(inner: Arc<Inner>) {
    let news = &inner.news;
    loop {
        let rested = async {
            match news.next() {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            () = news.look.notified() => {}
            () = rested => {
                let leaves = news.wakes() && !inner.signs.is_suspended();
                if leaves && inner.raft.trigger().heartbeat().await.is_err() {
                    // The engine has ended.
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: ReplicaId = ReplicaId(2);

    fn news() -> Arc<News> {
        let news = Arc::new(News::default());
        news.told(PEER, Some(4));
        news
    }

    async fn pass(time: Duration) {
        tokio::time::advance(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn word_rests_for_a_moment_and_leaves_then() {
        let news = news();
        assert!(news.rests(PEER, Some(4)), "it knows that");
        assert_eq!(news.next(), None);
        assert!(news.rests(PEER, Some(5)));
        assert_eq!(news.next(), Some(Instant::now() + REST));
        pass(REST / 2).await;
        assert!(news.rests(PEER, Some(6)) && !news.wakes());
        assert_eq!(news.next(), Some(Instant::now() + REST / 2), "it rests since the first of them");
        pass(REST / 2).await;
        assert!(news.wakes() && !news.wakes(), "it is said once");
        assert!(!news.rests(PEER, Some(6)));
        // Nothing leaves: the library is asked some times more.
        let mut waits = Vec::new();
        while let Some(again) = news.next() {
            waits.push(again - Instant::now());
            pass(again - Instant::now()).await;
            assert!(news.wakes() && !news.rests(PEER, Some(6)));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16].map(Duration::from_millis));
        news.leaves(PEER);
        news.told(PEER, Some(6));
        assert!(news.rests(PEER, Some(6)) && news.next().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn entries_take_it_along() {
        let news = news();
        assert!(news.rests(PEER, Some(5)));
        news.leaves(PEER);
        assert_eq!(news.next(), None);
        pass(2 * REST).await;
        assert!(!news.wakes());
        // The next one rests anew, and somebody has to be told to watch it.
        assert!(news.rests(PEER, Some(7)));
        news.look.notified().await;
        assert_eq!(news.next(), Some(Instant::now() + REST));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_rests_that_somebody_waits_for() {
        let news = news();
        let awaited = news.awaits(PEER);
        assert!(!news.rests(PEER, Some(5)));
        drop(awaited);
        assert!(news.rests(PEER, Some(5)));
        news.look.notified().await;
        // Who is told of it by another way waits from now on.
        news.wants(PEER, 5);
        news.look.notified().await;
        assert_eq!(news.next(), Some(Instant::now()));
        assert!(news.wakes() && !news.rests(PEER, Some(5)));
        news.leaves(PEER);
        news.told(PEER, Some(5));
        assert!(news.rests(PEER, Some(6)), "it knows what it wanted to know");
        news.wants(ReplicaId(3), 5);
        assert!(news.rests(PEER, Some(6)) && !news.rests(ReplicaId(3), Some(6)), "each for itself");
    }
}
