//! Fresh replicas become one cluster, whatever is cut off in between; what is
//! doubtful is refused with the way back in.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

use registry_quorum::founding::{
    Condition, Decision, Entry, Founder, FoundingPlan, FoundingRefusal, Introduction, decide,
};
use registry_quorum::{Chance, ReplicaId};
use std::collections::BTreeMap;

fn fresh(name: &str, replicas: usize) -> Introduction {
    Introduction {
        address: format!("http://{name}:7481"),
        store: format!("store-{name}"),
        replicas,
        condition: Condition::Fresh,
    }
}

fn with(mut introduction: Introduction, condition: Condition) -> Introduction {
    introduction.condition = condition;
    introduction
}

fn three() -> Vec<Introduction> {
    ["a", "b", "c"].map(|name| fresh(name, 3)).to_vec()
}

fn ask(all: &[Introduction], me: usize) -> Decision {
    let peers: Vec<Introduction> =
        all.iter().enumerate().filter(|(at, _)| *at != me).map(|(_, it)| it.clone()).collect();
    decide(&all[me], &peers, Entry::Found, &format!("cluster-{}", all[me].address))
}

fn the_plan() -> FoundingPlan {
    match ask(&three(), 0) {
        Decision::Found(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn founded(plan: &FoundingPlan) -> Condition {
    Condition::Founded { cluster: plan.cluster.clone(), members: plan.founders.clone() }
}

fn refusal(decision: Decision) -> FoundingRefusal {
    match decision {
        Decision::Refuse(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_replica_that_was_handed_the_plan_while_it_asked_is_not_two_replicas() {
    let (all, plan) = (three(), the_plan());
    let planned = |at: usize| with(all[at].clone(), Condition::Planned(plan.clone()));
    let seen = [planned(0), planned(1), all[2].clone()];
    assert_eq!(decide(&all[1], &seen, Entry::Found, "x"), Decision::Adopt(plan.clone()));
}

#[test]
fn a_lone_replica_founds_at_once() {
    let me = fresh("a", 1);
    let Decision::Found(plan) = decide(&me, &[], Entry::Found, "x") else { panic!("no plan") };
    assert_eq!(plan.founders.keys().copied().collect::<Vec<_>>(), [ReplicaId(1)]);
    let me = with(me, Condition::Planned(plan.clone()));
    assert_eq!(decide(&me, &[], Entry::Found, "y"), Decision::Initialise(plan));
}

#[test]
fn only_a_full_set_founds_and_the_lowest_address_plans() {
    let all = three();
    assert!(matches!(ask(&all[..2], 0), Decision::Wait(_)));
    assert!(matches!(ask(&all, 1), Decision::Wait(_)));
    let plan = the_plan();
    let numbers: Vec<(u64, &str)> = plan.founders.iter().map(|(id, it)| (id.0, it.store.as_str())).collect();
    assert_eq!(numbers, [(1, "store-a"), (2, "store-b"), (3, "store-c")]);
}

/// Replicas act in random order, die and start again between any two acts; some messages are not answered.
#[test]
fn founding_that_is_cut_off_at_any_step_ends_in_one_cluster() {
    for seed in 0..500 {
        let mut chance = Chance::new(seed);
        let mut all = three();
        let mut initialised = 0;
        for _ in 0..200 {
            let me = chance.up_to(2) as usize;
            let mut others: Vec<Introduction> = all.clone();
            others.remove(me);
            others.retain(|_| chance.up_to(4) > 0);
            match decide(&all[me], &others, Entry::Found, &format!("cluster-of-{me}-{seed}")) {
                // A crash before the write leaves nothing behind: the decision is made again.
                _ if chance.up_to(3) == 0 => {}
                Decision::Found(plan) | Decision::Adopt(plan) => all[me].condition = Condition::Planned(plan),
                Decision::Initialise(plan) => {
                    initialised += 1;
                    all[me].condition = founded(&plan);
                }
                // The log comes from the one that initialised.
                Decision::Start(id) => {
                    let origin = all.iter().find(|it| matches!(it.condition, Condition::Founded { .. }));
                    if let Some(condition) = origin.map(|it| it.condition.clone()) {
                        assert_eq!(id, ReplicaId(me as u64 + 1));
                        all[me].condition = condition;
                    }
                }
                Decision::Resume | Decision::Wait(_) => {}
                other => panic!("seed {seed}: {other:?}"),
            }
        }
        assert_eq!(initialised, 1, "seed {seed}");
        assert!(all.iter().all(|it| it.condition == all[0].condition), "seed {seed}");
    }
}

#[test]
fn a_decision_made_twice_is_the_same() {
    let plan = the_plan();
    let mut all = three();
    all[0].condition = Condition::Planned(plan.clone());
    assert_eq!(ask(&all, 1), Decision::Adopt(plan.clone()));
    assert_eq!(ask(&all, 1), Decision::Adopt(plan.clone()));
    all[1].condition = Condition::Planned(plan.clone());
    assert!(matches!(ask(&all, 0), Decision::Wait(_)));
    all[2].condition = Condition::Planned(plan.clone());
    assert_eq!(ask(&all, 0), Decision::Initialise(plan));
    assert_eq!(ask(&all, 1), Decision::Start(ReplicaId(2)));
}

#[test]
fn r11_a_fresh_replica_beside_a_cluster_joins_or_is_refused_and_never_founds() {
    let plan = the_plan();
    let member = with(fresh("a", 3), founded(&plan));
    let stranger = fresh("d", 1);
    assert!(matches!(decide(&stranger, std::slice::from_ref(&member), Entry::Join, "x"), Decision::Join { .. }));
    let refused = refusal(decide(&stranger, &[member], Entry::Found, "x"));
    assert!(matches!(refused, FoundingRefusal::NotAMember { .. }));
    assert!(refused.to_string().contains("--join"), "{refused}");
}

#[test]
fn r11_a_wiped_member_is_refused_and_told_how_to_come_back() {
    let plan = the_plan();
    let member = with(fresh("a", 3), founded(&plan));
    let mut wiped = fresh("b", 3);
    wiped.store = "another".into();
    let refused = refusal(decide(&wiped, std::slice::from_ref(&member), Entry::Found, "x"));
    assert!(matches!(refused, FoundingRefusal::Wiped { id: ReplicaId(2), .. }));
    assert!(refused.to_string().contains("--replaces 2"), "{refused}");
    // And that way is open.
    assert!(matches!(decide(&wiped, &[member], Entry::Join, "x"), Decision::Join { .. }));
}

#[test]
fn one_that_does_not_know_joins_a_cluster_that_exists_and_founds_one_that_does_not() {
    let plan = the_plan();
    let member = with(fresh("a", 3), founded(&plan));
    let mut wiped = fresh("b", 3);
    wiped.store = "another".into();
    assert!(matches!(decide(&wiped, &[member], Entry::Either, "x"), Decision::Join { .. }));
    let all = [fresh("a", 3), fresh("b", 3), fresh("c", 3)];
    assert!(
        matches!(decide(&all[0], &all[1..2], Entry::Either, "x"), Decision::Wait(_)),
        "two of three are no cluster"
    );
    assert!(matches!(decide(&all[0], &all[1..], Entry::Either, "x"), Decision::Found(_)));
    // Cut off while it was founding one, it goes on with that.
    let planned = with(fresh("b", 3), Condition::Planned(plan.clone()));
    assert!(matches!(decide(&planned, &all[..1], Entry::Either, "x"), Decision::Wait(_)));
    assert_eq!(
        decide(&planned, &[with(fresh("a", 3), founded(&plan))], Entry::Either, "x"),
        Decision::Start(ReplicaId(2))
    );
}

#[test]
fn r11_a_copied_directory_is_refused() {
    let mut all = three();
    all[2].store = all[1].store.clone();
    assert!(matches!(refusal(ask(&all, 0)), FoundingRefusal::SameStore { .. }));
    let mut all = three();
    all[2].address = all[1].address.clone();
    assert!(matches!(refusal(ask(&all, 0)), FoundingRefusal::SameAddress(_)));
}

#[test]
fn replicas_that_were_told_different_things_do_not_found() {
    let mut all = three();
    all[1].replicas = 5;
    assert!(matches!(refusal(ask(&all, 0)), FoundingRefusal::OtherCount { theirs: 5, ours: 3, .. }));
    let mut all = three();
    all.push(fresh("d", 3));
    assert!(matches!(refusal(ask(&all, 0)), FoundingRefusal::TooMany { expected: 3, .. }));
    assert_eq!(refusal(decide(&fresh("a", 0), &[], Entry::Found, "x")), FoundingRefusal::NoReplicas);
}

#[test]
fn a_founder_serves_one_plan_only() {
    let plan = the_plan();
    let mut other = plan.clone();
    other.cluster = "other".into();
    let mut all = three();
    all[0].condition = Condition::Planned(plan);
    all[1].condition = Condition::Planned(other);
    assert!(matches!(refusal(ask(&all, 0)), FoundingRefusal::TwoPlans { .. }));
    let without_d = decide(&fresh("d", 3), &all[..1], Entry::Found, "x");
    assert!(matches!(refusal(without_d), FoundingRefusal::TwoPlans { .. }));
}

#[test]
fn a_founder_wiped_between_plan_and_start_stops_the_founding() {
    let plan = the_plan();
    let mut all = three();
    all[0].condition = Condition::Planned(plan);
    all[1].store = "emptied".into();
    for me in 0..2 {
        let refused = refusal(ask(&all, me));
        assert!(matches!(refused, FoundingRefusal::PlanBroken { .. }), "{refused:?}");
        assert!(refused.to_string().contains("nothing was stored"), "{refused}");
    }
}

#[test]
fn a_planned_founder_that_missed_the_start_still_starts() {
    let plan = the_plan();
    let me = with(fresh("b", 3), Condition::Planned(plan.clone()));
    let first = with(fresh("a", 3), founded(&plan));
    assert_eq!(decide(&me, &[first], Entry::Found, "x"), Decision::Start(ReplicaId(2)));
    assert_eq!(refusal(decide(&me, &[], Entry::Join, "x")), FoundingRefusal::JoinWithPlan);
}

#[test]
fn a_member_resumes_whatever_strangers_say() {
    let me = with(fresh("a", 3), founded(&the_plan()));
    let members = BTreeMap::from([(ReplicaId(1), Founder { address: "x".into(), store: "y".into() })]);
    let stranger = with(fresh("z", 3), Condition::Founded { cluster: "other".into(), members });
    assert_eq!(decide(&me, std::slice::from_ref(&stranger), Entry::Found, "x"), Decision::Resume);
    assert_eq!(decide(&me, &[], Entry::Found, "x"), Decision::Resume);
    // A fresh one between two clusters has to be told which.
    assert!(matches!(
        refusal(decide(&fresh("b", 3), &[me, stranger], Entry::Join, "x")),
        FoundingRefusal::OtherCluster { .. }
    ));
}

#[test]
fn our_own_introduction_through_a_common_name_is_not_a_peer() {
    let me = fresh("a", 2);
    assert!(matches!(decide(&me, &[me.clone(), me.clone()], Entry::Found, "x"), Decision::Wait(_)));
}
