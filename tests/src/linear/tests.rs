use super::*;
use proptest::prelude::*;

fn op(call: Call, invoked: u64, returned: Option<(u64, Answer)>) -> Op {
    Op { client: 0, call, invoked, returned }
}

fn write(value: u64, from: u64, to: u64) -> Op {
    op(Call::Write(value), from, Some((to, Answer::Done)))
}

fn read(value: Option<u64>, from: u64, to: u64) -> Op {
    op(Call::Read, from, Some((to, Answer::Value(value))))
}

fn swap(expected: Option<u64>, value: u64, from: u64, to: u64, answer: Answer) -> Op {
    op(Call::Swap { from: expected, to: value }, from, Some((to, answer)))
}

fn verdict(ops: Vec<Op>) -> Verdict {
    check(&History::from([("k".to_owned(), ops)]))
}

#[track_caller]
fn good(ops: Vec<Op>) {
    assert_eq!(verdict(ops), Verdict::Linearizable);
}

#[track_caller]
fn bad(ops: Vec<Op>) -> String {
    match verdict(ops) {
        Verdict::Violated(violation) => violation.story,
        other @ (Verdict::Linearizable | Verdict::Undecided { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn a_read_sees_the_last_write() {
    good(vec![read(None, 0, 1), write(1, 2, 3), read(Some(1), 4, 5), write(2, 6, 7), read(Some(2), 8, 9)]);
}

#[test]
fn a_stale_read_is_a_violation_and_its_place_is_told() {
    let story = bad(vec![write(1, 0, 1), write(2, 2, 3), read(Some(1), 4, 5)]);
    assert!(story.contains("Read → Value(Some(1))") && story.contains("2 of 3"), "{story}");
}

#[test]
fn an_acknowledged_write_that_nobody_sees_is_a_violation() {
    bad(vec![write(1, 0, 1), read(None, 2, 3)]);
}

#[test]
fn a_value_that_nobody_wrote_is_a_violation() {
    bad(vec![write(1, 0, 1), read(Some(9), 2, 3)]);
}

#[test]
fn concurrent_operations_may_be_in_any_order_but_in_the_same_for_all() {
    let two = || vec![write(1, 0, 10), write(2, 0, 10)];
    good([two(), vec![read(Some(1), 11, 12), read(Some(1), 13, 14)]].concat());
    good([two(), vec![read(Some(2), 11, 12), read(Some(2), 13, 14)]].concat());
    bad([two(), vec![read(Some(1), 11, 12), read(Some(2), 13, 14)]].concat());
}

#[test]
fn a_read_during_a_write_may_see_either_but_never_goes_back() {
    let write_under_way = || vec![write(1, 0, 1), write(2, 5, 20)];
    good([write_under_way(), vec![read(Some(1), 6, 7), read(Some(2), 8, 9)]].concat());
    bad([write_under_way(), vec![read(Some(2), 6, 7), read(Some(1), 8, 9)]].concat());
}

#[test]
fn of_two_swaps_of_the_same_value_one_takes_place() {
    let begin = || vec![write(1, 0, 1)];
    let (done, mismatch) = (Answer::Done, Answer::Mismatch);
    good([begin(), vec![swap(Some(1), 2, 2, 9, done), swap(Some(1), 3, 2, 9, mismatch)]].concat());
    bad([begin(), vec![swap(Some(1), 2, 2, 9, done), swap(Some(1), 3, 2, 9, done)]].concat());
    bad([begin(), vec![swap(Some(1), 2, 2, 3, mismatch)]].concat());
}

#[test]
fn a_swap_that_was_refused_and_took_place_is_a_violation() {
    bad(vec![write(1, 0, 1), swap(Some(7), 2, 2, 3, Answer::Mismatch), read(Some(2), 4, 5)]);
}

#[test]
fn what_has_no_answer_may_take_effect_late_or_never_but_not_before_it_was_asked() {
    let open = |from| op(Call::Write(2), from, None);
    good(vec![write(1, 0, 1), open(2), read(Some(1), 3, 4)]);
    good(vec![write(1, 0, 1), open(2), read(Some(1), 3, 4), read(Some(2), 90, 91), read(Some(2), 92, 93)]);
    bad(vec![write(1, 0, 1), open(2), read(Some(2), 3, 4), read(Some(1), 5, 6)]);
    bad(vec![write(1, 0, 1), read(Some(2), 3, 4), open(5)]);
    let open_swap = || op(Call::Swap { from: Some(1), to: 2 }, 2, None);
    good(vec![write(1, 0, 1), open_swap(), read(Some(2), 3, 4)]);
    bad(vec![write(3, 0, 1), open_swap(), read(Some(2), 3, 4)]);
}

#[test]
fn a_violation_of_one_key_is_not_hidden_by_the_others() {
    let fine = vec![write(1, 0, 1), read(Some(1), 2, 3)];
    let lost = vec![write(1, 0, 1), read(None, 2, 3)];
    let history = History::from([("a".into(), fine.clone()), ("b".into(), lost), ("c".into(), fine)]);
    assert!(matches!(check(&history), Verdict::Violated(violation) if violation.key == "b"));
}

#[test]
fn a_long_history_of_many_clients_is_decided_soon() {
    // Six clients, each with a write under way all the time; each value is seen once.
    let mut ops = Vec::new();
    for n in 0..2_000_u64 {
        ops.push(write(n, n * 10, n * 10 + 60));
        ops.push(read(Some(n), n * 10 + 61, n * 10 + 65));
    }
    good(ops.clone());
    // At the very end a value from the beginning comes back.
    ops.push(read(Some(3), 999_990, 999_999));
    bad(ops);
}

/// By definition and without any cleverness: some order of all that was
/// answered and any part of what was not, none before one that returned
/// before it was asked.
fn brute_force(ops: &[Op]) -> bool {
    fn go(ops: &[Op], left: &[usize], state: Option<u64>) -> bool {
        if left.iter().all(|n| ops[*n].returned.is_none()) {
            return true;
        }
        left.iter().any(|n| {
            let rest: Vec<usize> = left.iter().copied().filter(|other| other != n).collect();
            let first = rest.iter().all(|other| ops[*other].returned.is_none_or(|(at, _)| at >= ops[*n].invoked));
            let after = register::step(state, ops[*n].call, ops[*n].returned.map(|(_, answer)| answer));
            first && after.is_some_and(|state| go(ops, &rest, state))
        })
    }
    go(ops, &(0..ops.len()).collect::<Vec<_>>(), None)
}

fn any_value() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), (1_u64..4).prop_map(Some)]
}

fn any_op() -> impl Strategy<Value = Op> {
    let asked = prop_oneof![
        any_value().prop_map(|value| (Call::Read, Answer::Value(value))),
        (1_u64..4).prop_map(|value| (Call::Write(value), Answer::Done)),
        (any_value(), 1_u64..4, any::<bool>()).prop_map(|(from, to, done)| {
            (Call::Swap { from, to }, if done { Answer::Done } else { Answer::Mismatch })
        }),
    ];
    (asked, 0_u64..12, 0_u64..10, 0_u8..5).prop_map(|((call, answer), invoked, lasts, open)| {
        let returned = (open != 0).then_some((invoked + lasts, answer));
        op(call, invoked, returned)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_search_agrees_with_brute_force(ops in prop::collection::vec(any_op(), 0..7)) {
        prop_assert_eq!(verdict(ops.clone()) == Verdict::Linearizable, brute_force(&ops));
    }

    #[test]
    fn what_one_register_answered_is_linearizable(asked in prop::collection::vec((any_op(), 0_u64..8, 0_u64..8), 0..60)) {
        // A true register answers at the moment 20 n; call and return lie around it and overlap with many.
        let mut state = None;
        let mut ops = Vec::new();
        for (n, (asked, before, after)) in asked.into_iter().enumerate() {
            let moment = 100 + 20 * n as u64;
            let answer = match asked.call {
                Call::Read => Answer::Value(state),
                Call::Write(_) => Answer::Done,
                Call::Swap { from, .. } if from == state => Answer::Done,
                Call::Swap { .. } => Answer::Mismatch,
            };
            state = register::step(state, asked.call, None).unwrap();
            ops.push(op(asked.call, moment - 9 * before, asked.returned.map(|_| (moment + 9 * after, answer))));
        }
        prop_assert_eq!(verdict(ops), Verdict::Linearizable);
    }
}
