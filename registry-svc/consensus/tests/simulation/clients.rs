//! Who uses the cluster: writers that repeat until they are told that it is
//! done, readers, and an operator.

use crate::rig::{Dice, Life, World};
use crate::words::Words;
use registry_consensus::{ProposeFault, ReplicaId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// And everybody has everything within this.
const EQUAL: Duration = Duration::from_secs(20);

impl World<Words> {
    /// Says words until there are no more faults, each until it is acknowledged. Answers how many.
    pub(crate) async fn writes(self, client: u64, dice: Dice) {
        for number in 0.. {
            if self.oracle.is_over() {
                return;
            }
            self.say(client << 32 | number, &dice).await;
            sleep(dice.millis(5, 120)).await;
        }
    }

    /// Says a word, through anybody, until somebody acknowledges it.
    pub(crate) async fn say(&self, word: u64, dice: &Dice) {
        let mut at = dice.one_of(&self.ids());
        loop {
            let patience = dice.millis(300, 3_000);
            let next = match timeout(patience, self.propose(at, word)).await {
                Ok(Ok(())) => return,
                Ok(Err(ProposeFault::NotLeader { leader: Some(leader) })) if leader.0 != at => Some(leader.0),
                Ok(Err(ProposeFault::Unknown)) => {
                    self.oracle.count("outcome unknown");
                    None
                }
                Ok(Err(ProposeFault::NotLeader { .. } | ProposeFault::Closing)) | Err(_) => None,
            };
            if next.is_none() {
                sleep(dice.millis(5, 60)).await;
            }
            at = next.unwrap_or_else(|| dice.one_of(&self.ids()));
        }
    }

    async fn propose(&self, at: u64, word: u64) -> Result<(), ProposeFault> {
        let Some(life) = self.running(at) else { return Err(ProposeFault::Closing) };
        let Some(consensus) = life.consensus() else { return Err(ProposeFault::Closing) };
        let proposed = consensus.propose(Words::batch(word)).await;
        if !self.lives_on(&life) {
            // The client's connection went with the process.
            return Err(ProposeFault::Closing);
        }
        proposed.map(|_| self.oracle.acknowledged(word, at, life.machine.times(word)))
    }

    /// Reads from anybody, again and again.
    pub(crate) async fn reads(self, dice: Dice) {
        while !self.oracle.is_over() {
            let at = dice.one_of(&self.ids());
            if let Some(life) = self.running(at) {
                let _ = timeout(Duration::from_secs(4), self.read(&life)).await;
            }
            sleep(dice.millis(5, 150)).await;
        }
    }

    /// Reads; false when the replica does not know how up to date it is.
    pub(crate) async fn read(&self, life: &Arc<Life<Words>>) -> bool {
        let acked = self.oracle.acked();
        let Some(consensus) = life.consensus() else { return false };
        let read = consensus.read_barrier().await;
        if !self.lives_on(life) || read.is_err() {
            return false;
        }
        self.oracle.count("read");
        self.oracle
            .has_all(life.id, "a read that began after it was acknowledged", &acked, |word| life.machine.times(word));
        true
    }

    /// Changes who votes, from time to time: always three or more.
    pub(crate) async fn operates(self, dice: Dice) {
        while !self.oracle.is_over() {
            sleep(dice.millis(300, 2_500)).await;
            let Some(leader) = self.leads().and_then(|id| self.running(id)) else { continue };
            let Some(consensus) = leader.consensus() else { continue };
            if dice.permille(400) {
                let end = timeout(Duration::from_secs(3), consensus.hand_over(None)).await;
                self.oracle.note(|| format!("hand-over by {}: {end:?}", leader.id));
                self.oracle.count("hand-over");
                continue;
            }
            let ids = self.ids();
            let mut voters: BTreeSet<ReplicaId> = leader.standing().members.voters.target();
            let one = ReplicaId(dice.one_of(&ids));
            // A leader never removes itself.
            if ids.len() < 4 || one.0 == leader.id || (voters.contains(&one) && voters.len() <= 3) {
                continue;
            }
            if !voters.remove(&one) {
                voters.insert(one);
                let _ = timeout(Duration::from_secs(2), consensus.add_learner(one)).await;
            }
            let set = timeout(Duration::from_secs(4), consensus.set_voters(&voters)).await;
            self.oracle.note(|| format!("voters to be {voters:?}: {set:?}"));
            if matches!(set, Ok(Ok(()))) {
                self.oracle.count("members changed");
            }
        }
    }

    /// All have all acknowledged words, in the same order.
    pub(crate) async fn equal(&self) {
        let acked = self.oracle.acked();
        self.within(EQUAL, "all replicas have everything that was acknowledged, and are equal", |world| {
            let Some(leader) = world.settled() else { return false };
            let words = world.life(leader).machine.words();
            let members = world.life(leader).standing().members;
            !members.voters.is_joint()
                && acked.iter().all(|word| words.contains(word))
                && members.all().iter().all(|id| world.life(id.0).machine.words() == words)
        })
        .await;
        for id in self.life(self.settled().unwrap()).standing().members.all() {
            let life = self.life(id.0);
            self.oracle.has_all(id.0, "after all faults", &acked, |word| life.machine.times(word));
        }
        self.oracle.check();
    }
}

impl Life<Words> {
    /// How many times a word has had its effect here.
    pub(crate) fn machine_has(&self, word: u64) -> u32 {
        self.machine.times(word)
    }

    pub(crate) fn words(&self) -> Vec<u64> {
        self.machine.words()
    }
}
