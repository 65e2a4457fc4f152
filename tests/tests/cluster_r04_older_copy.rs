//! R04: a directory that is put back from an older copy is not let in, whatever
//! the copy's own account says; no other replica takes harm, the leader least
//! of all; and the way back that is printed leads back.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use system_tests::{Load, Plan, Replicas, Sandbox, Workload, until};

/// Writes that show that the load runs.
const SOME: usize = 30;
/// A machine that is busy for a moment elects nobody: whoever leads then has not died, and not of this.
const STEADY: [&str; 2] = ["--election-timeout", "5s"];
/// Configuration that cannot be right: sysexits(3), EX_CONFIG.
const NOT_OURS: i32 = 78;

struct Scene {
    load: Workload,
    replicas: Replicas,
    victim: usize,
    leader: (usize, u32),
    sandbox: Sandbox,
}

impl Scene {
    fn start() -> Self {
        let sandbox = Sandbox::new();
        let mut replicas = Plan::new(&sandbox, 3).joiners(&sandbox, 1).arguments(&STEADY).start();
        let load = Load::of(4).start(&replicas);
        load.wait_for_successes(SOME, "at the beginning");
        let place = replicas.wait_for_leader();
        let leader = (place, replicas.replica(place).pid());
        Self { load, replicas, victim: (place + 1) % 3, leader, sandbox }
    }

    /// It is refused; neither the leader nor anybody else has died of it.
    fn is_refused(&mut self, texts: &[&str]) {
        self.replicas.replica(self.victim).spawn();
        self.replicas.replica(self.victim).is_refused(&[NOT_OURS], texts);
        self.load.wait_for_successes(SOME, "after the refusal");
        let (place, pid) = self.leader;
        assert!(self.replicas.replica(place).is_running());
        assert_eq!(self.replicas.replica(place).pid(), pid, "the leader is another process");
        assert_eq!(self.replicas.leader(), Some(place), "another one leads");
    }

    /// What was printed: an empty directory, `--join`, `join NEW --replaces OLD`.
    fn comes_back(mut self, old: u64) {
        self.replicas.wipe(self.victim);
        self.replicas.replica(self.victim).set_arguments(&["--join"]);
        self.replicas.replica(self.victim).spawn();
        self.replicas.replica(self.victim).wait_until_ready();
        let new = self.replicas.status(self.victim).unwrap().id;
        assert_eq!(new, 4, "a number of its own");
        let client = self.replicas.patient_client(self.leader.0);
        let request = v1::JoinMemberRequest { id: new, replaces_id: old, ..Default::default() };
        let voters = client.wait(client.cluster().join_member(request)).unwrap().into_inner().voter_ids;
        assert!(voters.len() == 3 && voters.contains(&new) && !voters.contains(&old), "{voters:?}");
        let _ = self.load.finish().is_good();
        self.replicas.wait_until_equal_at(&[0, 1, 2]);
    }
}

#[test]
fn r04_an_older_copy_of_one_start_before_is_refused_by_its_count_of_starts_and_comes_back_as_printed() {
    let mut scene = Scene::start();
    let victim = scene.victim;
    let older = scene.sandbox.path().join("older");
    let id = scene.replicas.status(victim).unwrap().id;
    scene.replicas.kill(victim);
    scene.replicas.copy_directory(victim, &older);
    // Its next start, and the copy's, have the same number.
    scene.replicas.restart(victim);
    let said = |replicas: &Replicas| {
        let health = replicas.client(scene.leader.0).health().ok()?;
        health.replicas.into_iter().find(|one| one.id == id && one.reachable).map(|one| one.boot)
    };
    until("it is seen again", || said(&scene.replicas) == Some(2));
    scene.load.wait_for_successes(SOME, "after the copy");
    scene.replicas.kill(victim);
    scene.replicas.put_directory(victim, &older);
    let way = format!("pmctl cluster join NEW --replaces {id}");
    scene.is_refused(&["older copy", "--join", &way]);
    // Its next start would have a number that nobody has seen: it says no by itself.
    scene.is_refused(&["turned the data directory", "--join", &way]);
    scene.comes_back(id);
}

#[test]
fn r04_an_older_copy_of_the_last_start_is_refused_by_what_it_acknowledged() {
    let mut scene = Scene::start();
    let victim = scene.victim;
    let older = scene.sandbox.path().join("older");
    let id = scene.replicas.status(victim).unwrap().id;
    // As a snapshot of a disk would have it.
    scene.replicas.pause(victim);
    scene.replicas.copy_directory(victim, &older);
    scene.replicas.cont(victim);
    let matched = |replicas: &Replicas| {
        let health = replicas.client(scene.leader.0).health().ok()?;
        health.replicas.into_iter().find(|one| one.id == id).and_then(|one| one.matched_index)
    };
    let then = matched(&scene.replicas).unwrap_or(0);
    until("it has acknowledged more", || matched(&scene.replicas).is_some_and(|now| now > then + 20));
    scene.replicas.kill(victim);
    scene.replicas.put_directory(victim, &older);
    scene.is_refused(&["acknowledged entry", "--join", &format!("pmctl cluster join NEW --replaces {id}")]);
    scene.comes_back(id);
}
