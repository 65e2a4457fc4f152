//! Who uses the registry: writers that repeat a request by its id until it is
//! answered, writers without ids that ask once, and readers.

use crate::replica::Replica;
use crate::rig::{Dice, Life, World};
use crate::wishes::wish;
use registry_domain::{Command, Header, Order, Refusal, Reply};
use registry_svc::machine::payload;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

type Cluster = World<Replica>;

pub(crate) fn begin(world: &Cluster, dice: &Dice) -> Vec<JoinHandle<()>> {
    let mut users = Vec::new();
    for client in 1..=3 {
        users.push(tokio::spawn(writes(world.clone(), client, dice.fork())));
    }
    users.push(tokio::spawn(reads(world.clone(), dice.fork())));
    users
}

/// Asks for one thing after the other.
async fn writes(world: Cluster, client: u64, dice: Dice) {
    for number in 0.. {
        if world.oracle.is_over() {
            return;
        }
        let request = Request::new(client, number, &dice);
        if dice.permille(120) {
            request.ask_once(&world, &dice).await;
        } else {
            request.ask(&world, &dice).await;
        }
        sleep(dice.millis(5, 150)).await;
    }
}

/// A request, as often as it is sent.
pub(crate) struct Request {
    pub(crate) reason: String,
    fingerprint: u64,
    order: Order,
}

type Answered = Result<Reply, Refusal>;

impl Request {
    pub(crate) fn new(client: u64, number: u64, dice: &Dice) -> Self {
        let reason = format!("wish {client}.{number}");
        let order = wish(dice, &reason);
        Self { fingerprint: client << 32 | number, reason, order }
    }

    /// Again and again, of whomever, until there is an answer.
    pub(crate) async fn ask(&self, world: &Cluster, dice: &Dice) {
        loop {
            let at = dice.one_of(&world.ids());
            match self.send(world, at, dice, &format!("id of {}", self.reason)).await {
                Some(Ok(reply)) => return world.common.judge.acknowledged(&self.reason, at, reply.revision()),
                Some(Err(refusal)) => return world.common.judge.refused(&self.reason, at, &refusal.to_string()),
                None => sleep(dice.millis(5, 100)).await,
            }
            world.oracle.count("request repeated");
        }
    }

    /// Without an id nobody could tell whether it is the same request.
    async fn ask_once(&self, world: &Cluster, dice: &Dice) {
        let at = dice.one_of(&world.ids());
        match self.send(world, at, dice, "").await {
            Some(Ok(reply)) => world.common.judge.acknowledged(&self.reason, at, reply.revision()),
            Some(Err(refusal)) => world.common.judge.refused(&self.reason, at, &refusal.to_string()),
            None => world.oracle.count("outcome unknown"),
        }
    }

    /// None: no answer, for whatever reason.
    async fn send(&self, world: &Cluster, at: u64, dice: &Dice, request_id: &str) -> Option<Answered> {
        let life = world.running(at)?;
        let office = life.service()?.office.clone();
        let header = Header {
            actor: "client".to_owned(),
            reason: self.reason.clone(),
            request_id: request_id.to_owned(),
            fingerprint: self.fingerprint,
            time: office.now(),
            source: "10.0.0.1:5".to_owned(),
        };
        let command = Command { header, order: self.order.clone() };
        let patience = dice.millis(300, 4_000);
        let answer = timeout(patience, office.propose(command, 400)).await.ok()?;
        if !world.lives_on(&life) {
            // The connection went with the process.
            return None;
        }
        world.oracle.note(|| format!("{} at {at}: {answer:?}", self.reason));
        answer.ok()
    }
}

/// Every replica is of this version: what only it knows may come. Nobody else says so here.
pub(crate) async fn raise_level(world: Cluster, dice: Dice) {
    let order = Order::SetLevel { level: payload::LEVEL };
    loop {
        let office = world.running(dice.one_of(&world.ids())).and_then(|life| Some(life.service()?.office.clone()));
        if let Some(office) = office {
            let header = Header { actor: "registry".to_owned(), time: office.now(), ..Header::default() };
            let command = Command { header, order: order.clone() };
            if matches!(timeout(Duration::from_secs(4), office.propose(command, 0)).await, Ok(Ok(Ok(_)))) {
                return;
            }
        }
        sleep(dice.millis(5, 100)).await;
    }
}

/// Reads from anybody, again and again.
async fn reads(world: Cluster, dice: Dice) {
    while !world.oracle.is_over() {
        let at = dice.one_of(&world.ids());
        if let Some(life) = world.running(at) {
            let _ = timeout(Duration::from_secs(4), read(&world, &life)).await;
        }
        sleep(dice.millis(5, 200)).await;
    }
}

async fn read(world: &Cluster, life: &Arc<Life<Replica>>) {
    let before = world.common.judge.so_far();
    let Some(consensus) = life.consensus() else { return };
    let read = consensus.read_barrier().await;
    if world.lives_on(life) && read.is_ok() {
        world.oracle.count("read");
        let replicated = life.machine.machine.view().read();
        world.common.judge.has_all(life.id, "a read that began after it was acknowledged", &before, &replicated.state);
    }
}
