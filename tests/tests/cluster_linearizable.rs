//! Whatever happens, in whatever order: what clients saw has one order that
//! explains it. Kills, pauses and partitions by chance, under many clients.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use system_tests::{Dice, Load, Net, Plan, Replicas, Sandbox, TermWatch, rounds, until};

/// Writes between two faults.
const SOME: usize = 25;

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Pause,
    Restart,
    Isolate,
    OneWayIn,
    OneWayOut,
    CutPair,
}

const FAULTS: [Fault; 7] =
    [Fault::Kill, Fault::Pause, Fault::Restart, Fault::Isolate, Fault::OneWayIn, Fault::OneWayOut, Fault::CutPair];

fn begin(fault: Fault, victim: usize, other: usize, net: &Net, replicas: &mut Replicas) {
    match fault {
        Fault::Kill => replicas.kill(victim),
        Fault::Pause => replicas.pause(victim),
        Fault::Restart => assert_eq!(replicas.stop(victim).code, 0),
        Fault::Isolate => net.isolate(victim),
        Fault::OneWayIn => net.drop_in(victim),
        Fault::OneWayOut => net.drop_out(victim),
        Fault::CutPair => net.split(&[victim], &[other]),
    }
}

fn end(fault: Fault, victim: usize, net: &Net, replicas: &mut Replicas) {
    match fault {
        Fault::Kill | Fault::Restart => replicas.restart(victim),
        Fault::Pause => replicas.cont(victim),
        Fault::Isolate | Fault::OneWayIn | Fault::OneWayOut | Fault::CutPair => net.heal(),
    }
}

#[test]
fn histories_under_kills_pauses_and_partitions_are_linearizable() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("linearizable");
    let net = Net::new(3);
    let mut replicas = Plan::in_spaces(&sandbox, &net, 3).start();
    let terms = TermWatch::start(&replicas);
    let load = Load { keys: 8, ..Load::of(16) }.seeded(&mut dice).start(&replicas);
    for _ in 0..rounds(6) {
        load.wait_for_successes(SOME, "before a fault");
        let fault = *dice.one_of(&FAULTS);
        // The leader as often as both others together.
        let leader = replicas.wait_for_leader();
        let victim = if dice.below(2) == 0 { leader } else { (leader + 1 + dice.below(2)) % 3 };
        let other = (victim + 1 + dice.below(2)) % 3;
        println!("linearizable: {fault:?} of place {victim}, the leader is {leader}");
        begin(fault, victim, other, &net, &mut replicas);
        load.wait_for_successes(SOME, &format!("under {fault:?}"));
        end(fault, victim, &net, &mut replicas);
    }
    until("all follow one leader", || {
        let said: Vec<_> = (0..3).filter_map(|i| replicas.status(i)).map(|s| (s.term, s.leader_id)).collect();
        said.len() == 3 && said[0].1 != 0 && said.iter().all(|other| *other == said[0])
    });
    let record = load.finish();
    let proof = record.is_good();
    assert!(proof.unanswered > 0, "invalid: no client noticed anything");
    let _ = terms.finish();
    replicas.wait_until_equal();
}

/// A follower hears that an entry is committed a moment after its leader does; who changed something by it sees his change
/// in the answer all the same.
#[test]
fn what_a_follower_answers_to_a_change_is_the_change() {
    let sandbox = Sandbox::new();
    let replicas = Replicas::start(&sandbox, 3);
    let leader = replicas.wait_for_leader();
    for place in replicas.places().into_iter().filter(|place| *place != leader) {
        let client = replicas.patient_client(place);
        for n in 1..=50_u64 {
            let spec = v1::ProcessSpec {
                name: format!("by-{place}"),
                command: Some(v1::process_spec::Command::Shell(format!("exec a-program {n}"))),
                instances: Some(0),
                ..Default::default()
            };
            let request = v1::ApplyProcessesRequest { specs: vec![spec], ..Default::default() };
            let answer = client.wait(client.processes().apply_processes(request)).unwrap().into_inner();
            let process = answer.results[0].process.as_ref().expect("it is there");
            assert_eq!(process.generation, n, "by replica {place}");
        }
    }
}
