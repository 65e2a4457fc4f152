//! One connection that stands. Each direction is a queue that is delivered in
//! order; what is cut waits, as TCP does, until the connection is given up.

use super::sameness::{Joined, Sameness, sameness};
use super::wire::Wire;
use super::{KEEPALIVE, Net};
use crate::rig::SimDisk;
use crate::rig::oracle::Asked;
use registry_consensus::{Answer, Call, Door, Note, PeerFault, ReplicaId};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub(super) struct Lane {
    pub(super) net: Net,
    pub(super) from: u64,
    pub(super) to: u64,
    /// The life of the peer that answered.
    pub(super) life: u64,
    pub(super) door: Arc<dyn Door>,
    pub(super) there: Arc<Wire>,
    pub(super) back: Arc<Wire>,
    pub(super) closed: CancellationToken,
    /// One snapshot at a time.
    pub(super) transfer: tokio::sync::Mutex<()>,
    disk: Arc<SimDisk>,
    out: mpsc::UnboundedSender<(Instant, Parcel)>,
    answers: mpsc::UnboundedSender<(Instant, Parcel2)>,
    joined: Mutex<Joined>,
}

enum Parcel {
    Note(Note),
    Call(Call, To),
}

struct Parcel2(Answer, To);

/// Who waits for an answer.
enum To {
    Joined(Sameness),
    One(oneshot::Sender<Answer>),
}

impl Lane {
    pub(super) fn open(net: &Net, from: u64, to: u64, life: u64, door: Arc<dyn Door>, disk: Arc<SimDisk>) -> Arc<Self> {
        let (there, back) = (net.wire(from, to), net.wire(to, from));
        let (out, sent) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let (closed, transfer, joined) = Default::default();
        let net = net.clone();
        let lane =
            Arc::new(Self { net, from, to, life, door, there, back, closed, transfer, disk, out, answers, joined });
        tokio::spawn(lane.clone().deliver(sent));
        tokio::spawn(lane.clone().deliver_back(answered));
        lane
    }

    pub(super) fn close(&self) {
        self.closed.cancel();
        self.joined.lock().unwrap().clear();
    }

    /// Over when the connection is: reset, or without a sign of life for too long.
    pub(super) async fn falls(&self) {
        let silent = async {
            loop {
                tokio::select! { biased; () = self.there.becomes(true) => {} () = self.back.becomes(true) => {} }
                let again = async { tokio::join!(self.there.becomes(false), self.back.becomes(false)) };
                tokio::select! { biased; _ = again => {} () = sleep(KEEPALIVE) => return }
            }
        };
        tokio::select! { biased; () = self.closed.cancelled() => {} () = silent => self.close() }
    }

    pub(super) fn note(&self, note: Note) {
        // Nobody takes it any more when the lane is closed.
        let _ = self.out.send((Instant::now() + self.there.delay(), Parcel::Note(note)));
    }

    pub(super) fn ask(&self, call: Call) -> Result<oneshot::Receiver<Answer>, PeerFault> {
        if self.closed.is_cancelled() {
            return Err(PeerFault::Unreachable(ReplicaId(self.to)));
        }
        if matches!(&call, Call::Append(append) if append.entries.is_empty()) {
            self.net.lock().oracle.count("append without entries");
        }
        let (asker, answer) = oneshot::channel();
        let to = match sameness(&call) {
            Some((same, last)) => {
                if self.joined.lock().unwrap().join(same, last, asker) {
                    self.net.lock().oracle.count("append joined one under way");
                    return Ok(answer);
                }
                To::Joined(same)
            }
            None => To::One(asker),
        };
        let _ = self.out.send((Instant::now() + self.there.delay(), Parcel::Call(call, to)));
        Ok(answer)
    }

    /// Waits until a message that would come at this time does; false when the connection ends before.
    async fn arrives(&self, wire: &Wire, at: Instant) -> bool {
        let comes = async {
            sleep_until(at).await;
            wire.becomes(false).await;
        };
        tokio::select! { biased; () = self.closed.cancelled() => false, () = comes => true }
    }

    async fn deliver(self: Arc<Self>, mut sent: mpsc::UnboundedReceiver<(Instant, Parcel)>) {
        while let Some((at, parcel)) = tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            parcel = sent.recv() => parcel,
        } {
            if !self.arrives(&self.there, at).await || !self.is_there() {
                self.close();
                self.late(parcel);
                break;
            }
            self.take(parcel);
        }
        while let Ok((_, parcel)) = sent.try_recv() {
            self.late(parcel);
        }
    }

    /// The peer that answered the dial still runs.
    pub(super) fn is_there(&self) -> bool {
        self.net.lock().hosts.get(&self.to).is_some_and(|host| host.life == self.life && host.runs)
    }

    /// What was on its way when the connection broke may still be taken up by the other end.
    fn late(self: &Arc<Self>, parcel: Parcel) {
        if let Parcel::Call(call, _) = parcel
            && self.repeats()
        {
            self.again(call, "message of a connection that is gone");
        }
    }

    fn repeats(&self) -> bool {
        let inner = self.net.lock();
        inner.repeats > 0 && inner.dice.permille(inner.repeats)
    }

    fn again(self: &Arc<Self>, call: Call, kind: &'static str) {
        let lane = self.clone();
        let wait = self.net.lock().dice.millis(1, 400);
        tokio::spawn(async move {
            sleep(wait).await;
            if lane.is_there() && !lane.there.is_cut() {
                lane.net.lock().oracle.count(kind);
                drop(lane.door.call(ReplicaId(lane.from), call).await);
            }
        });
    }

    fn take(self: &Arc<Self>, parcel: Parcel) {
        let from = ReplicaId(self.from);
        let oracle = self.net.lock().oracle.clone();
        match parcel {
            Parcel::Note(note) => {
                oracle.mix(self.from << 20 | self.to << 10 | 1);
                oracle.hears(self.to, self.from, &note);
                self.door.note(from, note);
            }
            Parcel::Call(call, to) => {
                oracle.mix(self.from << 20 | self.to << 10 | 2);
                // A connection says nothing twice. What the consensus asks has to bear it all the same; a request of a
                // service need not.
                if !matches!(call, Call::Service(_)) && self.repeats() {
                    self.again(call.clone(), "message came twice");
                }
                let asked = Asked::of(&call);
                let answer = self.door.call(from, call);
                let lane = self.clone();
                tokio::spawn(async move {
                    let answer = tokio::select! {
                        biased;
                        () = lane.closed.cancelled() => return,
                        answer = answer => answer,
                    };
                    if !lane.is_there() {
                        // Nobody is left who could send it.
                        return;
                    }
                    oracle.answers(lane.to, &asked, &answer, &lane.disk);
                    let _ = lane.answers.send((Instant::now() + lane.back.delay(), Parcel2(answer, to)));
                });
            }
        }
    }

    async fn deliver_back(self: Arc<Self>, mut answered: mpsc::UnboundedReceiver<(Instant, Parcel2)>) {
        while let Some((at, Parcel2(answer, to))) = tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            answer = answered.recv() => answer,
        } {
            if !self.arrives(&self.back, at).await {
                return;
            }
            match to {
                To::Joined(same) => self.joined.lock().unwrap().answer(&same, &answer),
                // Whoever asked may have given up.
                To::One(asker) => drop(asker.send(answer)),
            }
        }
    }

    /// A message's way there; false when the connection ends before it arrives.
    pub(super) async fn passes(&self, there: bool, work: Duration) -> bool {
        let wire = if there { &self.there } else { &self.back };
        self.arrives(wire, Instant::now() + wire.delay() + work).await
    }
}
