use super::*;
use crate::spec::{Command, Condition, Dependency};
use proptest::prelude::*;

fn graph_of(edges: &[(u8, u8)]) -> Vec<ProcessSpec> {
    (0..8_u8)
        .map(|from| {
            let mut spec = ProcessSpec::new(format!("p{from}").parse().unwrap(), Command::Shell("true".into()));
            let to = edges.iter().filter(|edge| edge.0 == from);
            spec.depends_on = to
                .map(|edge| Dependency {
                    process: format!("p{}", edge.1).parse().unwrap(),
                    condition: Condition::default(),
                })
                .collect();
            spec
        })
        .collect()
}

/// Who waits for whom when these are stopped, by number.
fn after(edges: &[(u8, u8)], stopped: &[u8]) -> Vec<(usize, Vec<usize>)> {
    let specs = graph_of(edges);
    let set = stopped.iter().map(|n| &specs[usize::from(*n)].name).collect();
    let number = |name: &ProcessName| specs.iter().position(|spec| spec.name == *name).unwrap();
    let after = Needs::of(specs.iter()).stopped_after(&set);
    after.into_iter().map(|(name, others)| (number(name), others.into_iter().map(number).collect())).collect()
}

#[test]
fn who_is_stopped_waits_for_those_who_need_it_and_are_stopped_too() {
    // 2 needs 1, 1 needs 0.
    let row = [(2, 1), (1, 0)];
    assert_eq!(after(&row, &[0, 1, 2]), [(0, vec![1]), (1, vec![2])]);
    assert_eq!(after(&row, &[0, 2]), [(0, vec![2])], "through one that stays");
    assert_eq!(after(&row, &[0]), []);
    assert_eq!(after(&[(1, 0), (0, 1)], &[0, 1]), [], "they need each other");
    assert_eq!(after(&[(1, 0), (0, 1), (2, 1)], &[0, 1, 2]), [(0, vec![2]), (1, vec![2])], "a circle as one");
}

proptest! {
    /// The order holds everybody once; who needs somebody goes before it,
    /// through others, too, unless they need each other.
    #[test]
    fn dependents_are_stopped_first(
        edges in proptest::collection::vec((0_u8..8, 0_u8..8), 0..16),
        stopped in proptest::collection::btree_set(0_u8..8, 0..8),
    ) {
        let specs = graph_of(&edges);
        let graph = Needs::of(specs.iter());
        let set: BTreeSet<&ProcessName> = stopped.iter().map(|n| &specs[usize::from(*n)].name).collect();
        let order = graph.stop_order(set.clone());
        let flat: Vec<&ProcessName> = order.iter().flatten().copied().collect();
        prop_assert_eq!(flat.len(), set.len());
        prop_assert_eq!(flat.into_iter().collect::<BTreeSet<_>>(), set.clone());
        let wave = |name: &ProcessName| order.iter().position(|wave| wave.contains(&name)).unwrap();
        for (a, b) in set.iter().flat_map(|a| set.iter().map(move |b| (*a, *b))) {
            let (there, back) = (graph.reach(a).contains(b), graph.reach(b).contains(a));
            if there && !back {
                prop_assert!(wave(a) < wave(b), "{} needs {}", a, b);
            }
            if there && back && a != b {
                prop_assert_eq!(wave(a), wave(b));
            }
        }
        prop_assert!(order.iter().all(|wave| !wave.is_empty()));
    }

    /// Who waits only for those that it may wait for comes to its turn, and
    /// whoever needs it, through others, too, has had its turn before.
    #[test]
    fn to_wait_for_the_nearest_is_to_wait_for_all(
        edges in proptest::collection::vec((0_u8..8, 0_u8..8), 0..16),
        stopped in proptest::collection::btree_set(0_u8..8, 0..8),
    ) {
        let specs = graph_of(&edges);
        let graph = Needs::of(specs.iter());
        let set: BTreeSet<&ProcessName> = stopped.iter().map(|n| &specs[usize::from(*n)].name).collect();
        let after = graph.stopped_after(&set);
        let mut ended: Vec<&ProcessName> = Vec::new();
        while ended.len() < set.len() {
            let may = |name: &&&ProcessName| {
                !ended.contains(*name) && after.get(**name).is_none_or(|others| others.iter().all(|o| ended.contains(o)))
            };
            let next = set.iter().find(may);
            prop_assert!(next.is_some(), "nobody may be stopped any more: {:?}", after);
            let next = *next.unwrap();
            for before in set.iter().filter(|other| graph.reach(other).contains(next)) {
                let circle = graph.reach(next).contains(before);
                prop_assert!(circle || ended.contains(before), "{} is stopped before {}", next, before);
            }
            ended.push(next);
        }
    }

    /// A circle is found exactly when a process reaches itself, and is a way
    /// along the edges.
    #[test]
    fn a_circle_is_found_exactly_where_one_is(edges in proptest::collection::vec((0_u8..8, 0_u8..8), 0..16)) {
        let specs = graph_of(&edges);
        let graph = Needs::of(specs.iter());
        for spec in &specs {
            let circle = graph.circle(&spec.name);
            prop_assert_eq!(circle.is_some(), graph.reach(&spec.name).contains(&spec.name));
            let Some(circle) = circle else { continue };
            prop_assert_eq!((circle[0], *circle.last().unwrap()), (&spec.name, &spec.name));
            for pair in circle.windows(2) {
                prop_assert!(graph.needs_of(pair[0]).any(|needed| needed == pair[1]));
            }
        }
    }
}
