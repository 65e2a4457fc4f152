//! Dials, stands, falls, dials again: the link from one life of a replica to
//! one peer.

use super::lane::Lane;
use super::{Net, Wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// So long a dial waits for an answer.
const DIAL: Duration = Duration::from_secs(1);
const SHORTEST: u64 = 50;
const LONGEST: u64 = 1_000;

pub(super) struct Line {
    pub(super) lane: Option<Arc<Lane>>,
    pub(super) wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Line {
    pub(super) fn end(&mut self) {
        self.task.abort();
        if let Some(lane) = self.lane.take() {
            lane.close();
        }
    }
}

enum Dialled {
    Up(Arc<Lane>, u64),
    Refused,
    Unanswered,
}

impl Net {
    /// Begins to keep a link.
    pub(super) fn keep(&self, from: u64, life: u64, to: u64) {
        let wake = Arc::new(Notify::new());
        let task = tokio::spawn(self.clone().run(from, life, to, wake.clone()));
        self.lock().lines.insert((from, to), Line { lane: None, wake, task });
    }

    async fn run(self, from: u64, life: u64, to: u64, wake: Arc<Notify>) {
        let (there, back) = (self.wire(from, to), self.wire(to, from));
        let mut wait = SHORTEST;
        loop {
            match self.dial(from, to, &there, &back).await {
                Dialled::Up(lane, boot) => {
                    if let Some(line) = self.lock().lines.get_mut(&(from, to)) {
                        line.lane = Some(lane.clone());
                    }
                    self.up(from, life, to, boot);
                    lane.falls().await;
                    if let Some(line) = self.lock().lines.get_mut(&(from, to)) {
                        line.lane = None;
                    }
                    wait = SHORTEST;
                    self.down(from, life, to, false);
                }
                dialled => {
                    self.down(from, life, to, matches!(dialled, Dialled::Refused));
                    let roll = self.lock().dice.millis(wait / 2, wait);
                    wait = (wait * 2).min(LONGEST);
                    tokio::select! { biased; () = wake.notified() => {} () = sleep(roll) => {} }
                    // Between two dials, whoever asks for them.
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }

    async fn dial(&self, from: u64, to: u64, there: &Wire, back: &Wire) -> Dialled {
        let round = async {
            sleep(there.delay()).await;
            there.becomes(false).await;
            let opened = self.accept(from, to);
            if matches!(opened, Dialled::Unanswered) {
                std::future::pending::<()>().await;
            }
            sleep(back.delay()).await;
            back.becomes(false).await;
            opened
        };
        tokio::select! { biased; opened = round => opened, () = sleep(DIAL) => Dialled::Unanswered }
    }

    fn accept(&self, from: u64, to: u64) -> Dialled {
        let (life, door, disk) = {
            let inner = self.lock();
            let Some(host) = inner.hosts.get(&to) else { return Dialled::Refused };
            match (&host.door, host.dark) {
                (_, true) => return Dialled::Unanswered,
                (None, false) => return Dialled::Refused,
                (Some(door), false) => (host.life, door.clone(), host.disk.clone()),
            }
        };
        Dialled::Up(Lane::open(self, from, to, life, door, disk), life)
    }
}
