//! R08: partitions of five shapes. One leader a term; a side without a
//! majority refuses; all is well again soon after.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Instant;
use system_tests::{Bound, Dice, Load, Net, Plan, Replicas, Sandbox, TermWatch, Workload, until};
use tonic::Code;

/// Writes that show that the load runs.
const SOME: usize = 15;
/// Until clients of the majority succeed again.
const FELT: Bound = Bound::of_millis(2_000);
/// Until a side without a majority says so.
const REFUSED: Bound = Bound::of_millis(2_000);
/// Until all follow one leader, after the partition.
const HEALED: Bound = Bound::of_millis(5_000);

/// What a shape does to a leader and the two others.
type Cut = fn(&Net, [usize; 3]);

/// Name, what is cut, and who is without a majority then, if anybody is for
/// good: 0 is the leader.
const SHAPES: [(&str, Cut, Option<usize>); 5] = [
    ("the leader alone", |net, [leader, ..]| net.isolate(leader), Some(0)),
    ("a follower alone", |net, [_, one, _]| net.isolate(one), Some(1)),
    ("the leader hears nobody", |net, [leader, ..]| net.drop_in(leader), None),
    ("nobody hears the leader", |net, [leader, ..]| net.drop_out(leader), None),
    ("leader and one follower do not see each other", |net, [leader, one, _]| net.split(&[leader], &[one]), None),
];

#[test]
fn r08_no_partition_makes_two_truths() {
    let sandbox = Sandbox::new();
    let mut dice = Dice::of_run("r08");
    let net = Net::new(3);
    let replicas = Plan::in_spaces(&sandbox, &net, 3).start();
    let terms = TermWatch::start(&replicas);
    let load = Load::of(8).seeded(&mut dice).start(&replicas);
    let mut felt = Vec::new();
    for (name, cut, minority) in SHAPES {
        load.wait_for_successes(SOME, name);
        let leader = replicas.wait_for_leader();
        let places = [leader, (leader + 1) % 3, (leader + 2) % 3];
        let dropped = net.all_dropped();
        let began = load.now();
        cut(&net, places);
        load.wait_for_successes(SOME, name);
        felt.push((name, began, load.now()));
        if let Some(minority) = minority {
            refuses(&replicas, places[minority], name);
        }
        assert!(net.all_dropped() > dropped, "invalid: {name}: nothing was dropped");
        heal(&net, &replicas, &load, name);
    }
    pulled_cable(&net, &replicas, &load);
    let record = load.finish();
    let _ = record.is_good();
    for (name, from, to) in felt {
        FELT.holds(&format!("r08: {name}: the longest time without success"), record.gaps().longest_within(from, to));
    }
    let _ = terms.finish();
    replicas.wait_until_equal();
}

/// Who is alone has to say so, soon.
fn refuses(replicas: &Replicas, alone: usize, name: &str) {
    let client = replicas.patient_client(alone);
    let began = Instant::now();
    let write = client.run_program("of-a-minority", "true", 0).map_err(|status| status.code());
    let written = began.elapsed();
    let read = client.has_program("of-a-minority").map_err(|status| status.code());
    let read_after = began.elapsed() - written;
    assert_eq!((write, read), (Err(Code::Unavailable), Err(Code::Unavailable)), "{name}: without a majority");
    REFUSED.holds(&format!("r08: {name}: a write is refused"), written);
    REFUSED.holds(&format!("r08: {name}: a read is refused"), read_after);
}

fn heal(net: &Net, replicas: &Replicas, load: &Workload, name: &str) {
    let began = Instant::now();
    net.heal();
    until("all follow one leader", || {
        let said: Vec<_> = (0..3).filter_map(|i| replicas.status(i)).map(|s| (s.term, s.leader_id)).collect();
        said.len() == 3 && said[0].1 != 0 && said.iter().all(|other| *other == said[0])
    });
    HEALED.holds(&format!("r08: {name}: healed"), began.elapsed());
    load.wait_for_successes(SOME, name);
}

/// Not silence but an error at once: another way through the code.
fn pulled_cable(net: &Net, replicas: &Replicas, load: &Workload) {
    let leader = replicas.wait_for_leader();
    net.link_down(leader);
    assert!(replicas.status(leader).is_none(), "invalid: the cable is not pulled");
    let _ = replicas.wait_for_leader_other_than(Some(leader));
    load.wait_for_successes(SOME, "the leader's cable is pulled");
    heal(net, replicas, load, "the leader's cable is pulled");
}
