//! A process on some nodes at level 3, and runners that do as they are told
//! when the test says so.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use crate::world::*;
use process_model::spec::{Share, UpdatePolicy};
use process_model::{InstanceReport, Phase, ProcessSpec, Timestamp, event_type};
use registry_domain::*;
use std::time::Duration;

pub struct Fleet {
    pub world: World,
    update: UpdatePolicy,
    seq: u64,
    runs: i64,
}

pub fn policy(max_unavailable: Share, max_surge: Share) -> UpdatePolicy {
    UpdatePolicy { max_unavailable, max_surge, ..UpdatePolicy::default() }
}

pub fn version(version: &str, instances: u32, update: UpdatePolicy) -> ProcessSpec {
    let mut spec = spec("web", instances);
    spec.env.insert("V".into(), version.into());
    spec.update = Some(update.into());
    spec
}

pub fn pause() -> Order {
    Order::PauseRollout { process: "web".parse().unwrap() }
}

pub fn resume() -> Order {
    Order::ResumeRollout { process: "web".parse().unwrap() }
}

pub fn promote() -> Order {
    Order::PromoteRollout { process: "web".parse().unwrap() }
}

pub fn rolling_restart(selector: &str) -> Order {
    Order::RollingRestart(RollingRestart { selectors: vec![selector.into()], traceparent: String::new() })
}

impl Fleet {
    pub fn of(instances: u32, update: UpdatePolicy) -> Self {
        Self::on(&["alpha"], instances, update)
    }

    /// Instances that serve.
    pub fn on(nodes: &[&str], instances: u32, update: UpdatePolicy) -> Self {
        let mut world = World::new();
        world.ok(Order::SetLevel { level: 3 });
        for node in nodes {
            world.ok(hello(node));
        }
        world.ok(apply(vec![version("1", instances, update.clone())]));
        let mut fleet = Self { world, update, seq: 0, runs: 0 };
        fleet.serve_all();
        fleet
    }

    pub fn change(&mut self, to: &str) -> Outcome {
        let instances = self.process().spec.instances;
        self.world.ok(apply(vec![version(to, instances, self.update.clone())]))
    }

    pub fn scale(&mut self, instances: u32) -> Outcome {
        let process = "web".parse().unwrap();
        self.world.ok(Order::Scale(Scale { process, instances, expected: None, traceparent: String::new() }))
    }

    pub fn process(&self) -> &Process {
        &self.world.state.processes()[&"web".parse().unwrap()]
    }

    pub fn version(&self) -> String {
        self.process().spec.env["V"].clone()
    }

    pub fn rollout(&self) -> &Rollout {
        self.process().rollout.as_ref().unwrap()
    }

    /// Of each instance that is not being removed.
    pub fn generations(&self) -> Vec<u64> {
        self.world.state.instances().values().filter(|one| !one.removing).map(|one| one.generation).collect()
    }

    pub fn told(&self) -> Vec<String> {
        self.world.state.events().values().map(|event| event.kind.clone()).collect()
    }

    /// What its node says of an instance that was told what it is now.
    fn say(&mut self, id: &str, phase: Phase, ready: bool, started: Option<Timestamp>) -> Outcome {
        let instance = self.world.instance(id).clone();
        let Some(node) = instance.node.clone() else { panic!("{id} is on no node") };
        self.seq += 1;
        let kind = if phase == Phase::Failed { event_type::INSTANCE_FAILED } else { event_type::INSTANCE_STARTED };
        let said = InstanceReport {
            generation: instance.generation,
            ready,
            started: started.or(instance.seen.started),
            event_type: kind.into(),
            ..seen(id, self.seq, phase)
        };
        self.world.ok(report(node.as_str(), vec![said]))
    }

    fn new_run(&mut self) -> Option<Timestamp> {
        self.runs += 1;
        Some(Timestamp(self.runs))
    }

    /// A new run of it has begun.
    pub fn begin(&mut self, id: &str) -> Outcome {
        let started = self.new_run();
        self.say(id, Phase::Running, false, started)
    }

    /// A new run of it serves.
    pub fn serve(&mut self, id: &str) -> Outcome {
        let started = self.new_run();
        self.say(id, Phase::Running, true, started)
    }

    /// It is not ready any more.
    pub fn fall(&mut self, id: &str) -> Outcome {
        self.say(id, Phase::Running, false, None)
    }

    /// What was seen of it before, once more.
    pub fn repeat(&mut self, id: &str) -> Outcome {
        self.say(id, Phase::Running, true, None)
    }

    /// What was seen of it before, of before it was told what it is now.
    pub fn before(&mut self, id: &str) -> Outcome {
        let instance = self.world.instance(id).clone();
        self.seq += 1;
        let said = InstanceReport {
            generation: instance.seen.generation.max(1),
            ready: instance.seen.ready,
            started: instance.seen.started,
            ..seen(id, self.seq, instance.seen.phase)
        };
        self.world.ok(report(instance.node.unwrap().as_str(), vec![said]))
    }

    pub fn fail(&mut self, id: &str) -> Outcome {
        let started = self.new_run();
        self.say(id, Phase::Failed, false, started)
    }

    pub fn exit(&mut self, id: &str) -> Outcome {
        self.say(id, Phase::Exited, false, None)
    }

    pub fn let_go(&mut self, id: &str) -> Outcome {
        let instance = self.world.instance(id).clone();
        self.seq += 1;
        let said = InstanceReport { generation: instance.generation, ..gone(id, self.seq) };
        self.world.ok(report(instance.node.unwrap().as_str(), vec![said]))
    }

    /// Whether what was seen of it is of the run that it should have.
    fn is_stale(instance: &Instance) -> bool {
        let behind = instance.seen.generation < instance.generation && instance.seen.seq > 0;
        let restarts = instance.handover.as_ref().filter(|one| one.restarts);
        behind && restarts.is_some() || restarts.is_some_and(|one| one.started == instance.seen.started)
    }

    /// Everything that should run does, until nobody has anything more to do.
    pub fn serve_all(&mut self) {
        for _ in 0..200 {
            if !self.serve_one() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// One that should run and does not does, or one that should go goes;
    /// whether there was one.
    pub fn serve_one(&mut self) -> bool {
        let next = self.world.state.instances().values().find(|one| {
            one.node.is_some()
                && (one.removing
                    || one.wanted && (Self::is_stale(one) || one.phase() != Phase::Running || !one.is_ready()))
        });
        let Some(next) = next.cloned() else { return false };
        let id = next.id.to_string();
        if next.removing {
            self.let_go(&id)
        } else {
            self.serve(&id)
        };
        true
    }

    /// It has stopped as it should.
    pub fn rest(&mut self, id: &str) -> Outcome {
        self.say(id, Phase::Stopped, false, None)
    }

    /// So many seconds later.
    pub fn tick(&mut self, seconds: u64) -> Outcome {
        self.world.clock = Timestamp(self.world.clock).plus(Duration::from_secs(seconds)).0 - 1_000_000_000;
        self.world.ok(Order::Tick)
    }
}
