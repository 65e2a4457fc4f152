use super::*;
use process_model::ExitStatus;
use process_model::spec::Command;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A node made of a few lines.
#[derive(Default)]
struct Node {
    instances: Vec<(InstanceId, ProcessSpec, View)>,
    lines: BTreeSet<(InstanceId, String)>,
    elsewhere: BTreeMap<Dependency, Elsewhere>,
}

fn view(phase: Phase) -> View {
    let spec = ProcessSpec::new("x".parse().unwrap(), Command::Shell("true".into()));
    let assignment = process_model::Assignment {
        instance: InstanceId::new(spec.name.clone(), 1),
        generation: 1,
        spec: spec.into(),
        wanted: true,
        restart_count: 0,
        traceparent: String::new(),
        fencing_token: 0,
        plan: None,
    };
    View { phase, ..crate::Machine::new(assignment).view() }
}

fn ended(phase: Phase, code: i32) -> View {
    View { last_exit: Some(ExitStatus::Code(code)), ..view(phase) }
}

impl Node {
    fn with(mut self, name: &str, needs: &[(&str, Condition)], view: View) -> Self {
        let index = self.instances.iter().filter(|(id, ..)| id.process.as_str() == name).count() + 1;
        let mut spec = ProcessSpec::new(name.parse().unwrap(), Command::Shell("true".into()));
        spec.depends_on = needs
            .iter()
            .map(|(process, condition)| Dependency { process: process.parse().unwrap(), condition: condition.clone() })
            .collect();
        self.instances.push((InstanceId::new(spec.name.clone(), u32::try_from(index).unwrap()), spec, view));
        self
    }

    fn waits(&self, instance: &str) -> Option<String> {
        let peers: Vec<Peer<'_>> =
            self.instances.iter().map(|(instance, spec, view)| Peer { instance, spec, view }).collect();
        let has_line = |id: &InstanceId, pattern: &str| self.lines.contains(&(id.clone(), pattern.to_owned()));
        let waiting = waiting(&peers, has_line, &self.elsewhere);
        waiting[&instance.parse::<InstanceId>().unwrap()].clone()
    }
}

/// What `web` waits for when `db` has to fulfil `condition`.
fn waits_for(condition: &Condition, db: View) -> Option<String> {
    Node::default().with("db", &[], db).with("web", &[("db", condition.clone())], view(Phase::Pending)).waits("web-1")
}

#[test]
fn each_condition_is_met_by_what_it_says() {
    use Condition::{Completed, CompletedOk, Ready, Started};
    let ready = View { ready: true, ..view(Phase::Running) };
    let met: [(Condition, Vec<View>); 4] = [
        (Started, vec![view(Phase::Running), ready.clone(), ended(Phase::Exited, 0)]),
        (Ready, vec![ready]),
        (Completed, vec![ended(Phase::Exited, 0), ended(Phase::Failed, 3)]),
        (CompletedOk, vec![ended(Phase::Exited, 0)]),
    ];
    for (condition, views) in met {
        for view in views {
            assert_eq!(waits_for(&condition, view.clone()), None, "{condition:?} {view:?}");
        }
    }
    let unmet: [(Condition, Vec<View>, &str); 4] = [
        (Started, vec![view(Phase::Starting), ended(Phase::Backoff, 1)], "db-1 to run"),
        (Ready, vec![view(Phase::Starting), view(Phase::Running)], "db-1 to be ready"),
        (Completed, vec![view(Phase::Running), ended(Phase::Running, 0), ended(Phase::Backoff, 1)], "db-1 to end"),
        (CompletedOk, vec![view(Phase::Running), ended(Phase::Backoff, 0)], "db-1 to end with success"),
    ];
    for (condition, views, words) in unmet {
        for view in views {
            assert_eq!(waits_for(&condition, view.clone()).as_deref(), Some(words), "{view:?}");
        }
    }
}

#[test]
fn what_will_not_come_by_itself_is_said() {
    let words = |condition, view| waits_for(&condition, view).unwrap();
    assert_eq!(words(Condition::Ready, view(Phase::Stopped)), "db-1 to be ready, which is stopped");
    assert_eq!(words(Condition::Ready, ended(Phase::Exited, 0)), "db-1 to be ready, which has ended");
    assert_eq!(words(Condition::CompletedOk, ended(Phase::Failed, 3)), "db-1 to end with success, which has failed");
    let alone = Node::default().with("web", &[("db", Condition::Ready)], view(Phase::Pending));
    assert_eq!(alone.waits("web-1").as_deref(), Some("db: no instance on this node"));
}

#[test]
fn every_instance_here_has_to_be_so_and_few_reasons_are_named() {
    let ready = View { ready: true, ..view(Phase::Running) };
    let node = Node::default().with("db", &[], ready.clone()).with("db", &[], view(Phase::Running)).with(
        "web",
        &[("db", Condition::Ready)],
        view(Phase::Pending),
    );
    assert_eq!(node.waits("web-1").as_deref(), Some("db-2 to be ready"));
    let many: Vec<(&str, Condition)> = ["a", "b", "c", "d", "e"].map(|name| (name, Condition::Ready)).into();
    let node = Node::default().with("web", &many, view(Phase::Pending));
    let words = node.waits("web-1").unwrap();
    assert!(words.ends_with("c: no instance on this node and 2 more"), "{words}");
}

#[test]
fn a_run_of_a_schedule_has_ended_also_when_there_will_be_another() {
    let between = |code| View { next_restart: Some(process_model::Timestamp(1)), ..ended(Phase::Stopped, code) };
    assert_eq!(waits_for(&Condition::Completed, between(3)), None);
    assert_eq!(waits_for(&Condition::CompletedOk, between(0)), None);
    assert!(waits_for(&Condition::CompletedOk, between(3)).is_some());
    let never = View { next_restart: Some(process_model::Timestamp(1)), ..view(Phase::Stopped) };
    assert!(waits_for(&Condition::Completed, never).is_some(), "it has not run yet");
}

#[test]
fn an_exit_code_that_is_success_for_it_is_success_for_others() {
    let mut node = Node::default().with("db", &[], ended(Phase::Exited, 3)).with(
        "web",
        &[("db", Condition::CompletedOk)],
        view(Phase::Pending),
    );
    assert!(node.waits("web-1").is_some());
    node.instances[0].1.restart.codes.success = vec![3];
    assert_eq!(node.waits("web-1"), None);
}

#[test]
fn a_line_counts_while_it_is_there() {
    let mut node = Node::default().with("db", &[], view(Phase::Running)).with(
        "web",
        &[("db", Condition::Log("listening".into()))],
        view(Phase::Pending),
    );
    assert_eq!(node.waits("web-1").as_deref(), Some("a line of db-1 with \"listening\""));
    node.lines.insert(("db-1".parse().unwrap(), "listening".to_owned()));
    assert_eq!(node.waits("web-1"), None);
    node.instances[0].2 = view(Phase::Stopped);
    assert!(node.waits("web-1").is_some());
}

/// `web` here needs a `db` of which this is known.
fn told(condition: Condition, here: Option<View>, elsewhere: Elsewhere) -> Option<String> {
    let mut node = Node::default().with("web", &[("db", condition.clone())], view(Phase::Pending));
    if let Some(view) = here {
        node = node.with("db", &[], view);
    }
    node.elsewhere.insert(Dependency { process: "db".parse().unwrap(), condition }, elsewhere);
    node.waits("web-1")
}

fn elsewhere(node: Option<&str>, phase: Phase) -> Elsewhere {
    let node = node.map(|node| node.parse().unwrap());
    let unmet = Unmet { instance: "db-2".parse().unwrap(), node, phase, comes_again: false };
    Elsewhere { exists: true, unmet: Some(unmet) }
}

#[test]
fn instances_on_other_nodes_count_as_those_here_and_are_named_with_their_node() {
    let (ready, on_a) = (View { ready: true, ..view(Phase::Running) }, Some("a"));
    let fine = Elsewhere { exists: true, unmet: None };
    assert_eq!(told(Condition::Ready, None, fine.clone()), None);
    assert_eq!(told(Condition::Ready, Some(ready.clone()), fine.clone()), None);
    let words = |condition, phase| told(condition, Some(ready.clone()), elsewhere(on_a, phase)).unwrap();
    assert_eq!(words(Condition::Ready, Phase::Starting), "db-2 on node a to be ready");
    assert_eq!(words(Condition::CompletedOk, Phase::Failed), "db-1 to end with success", "what is here comes first");
    assert_eq!(words(Condition::Started, Phase::Failed), "db-2 on node a to run, which has failed");
    assert_eq!(words(Condition::Ready, Phase::Lost), "db-2 on node a to be ready, whose node is lost");
    let log = told(Condition::Log("up".into()), None, elsewhere(on_a, Phase::Running)).unwrap();
    assert_eq!(log, "a line of db-2 on node a with \"up\"");
    let unplaced = told(Condition::Ready, None, elsewhere(None, Phase::Pending)).unwrap();
    assert_eq!(unplaced, "db-2, which has no node yet, to be ready");
    // What is here is known here, whatever is said of the others.
    assert_eq!(told(Condition::Ready, Some(view(Phase::Running)), fine).as_deref(), Some("db-1 to be ready"));
}

#[test]
fn where_there_is_none_elsewhere_those_here_are_all() {
    let ready = View { ready: true, ..view(Phase::Running) };
    assert_eq!(told(Condition::Ready, Some(ready), Elsewhere::default()), None);
    let nowhere = told(Condition::Ready, None, Elsewhere::default());
    assert_eq!(nowhere.as_deref(), Some("db: no instance on any node"));
}

#[test]
fn a_circle_is_named_and_holds_nobody_else_up() {
    let node = Node::default()
        .with("a", &[("b", Condition::Ready)], view(Phase::Pending))
        .with("b", &[("c", Condition::Ready)], view(Phase::Pending))
        .with("c", &[("a", Condition::Ready)], view(Phase::Pending))
        .with("own", &[("own", Condition::Started)], view(Phase::Pending))
        .with("db", &[], View { ready: true, ..view(Phase::Running) })
        .with("web", &[("db", Condition::Ready)], view(Phase::Pending))
        .with("behind", &[("a", Condition::Ready)], view(Phase::Pending));
    let words = "c-1 to be ready; they wait for each other: b -> c -> a -> b";
    assert_eq!(node.waits("b-1").as_deref(), Some(words));
    assert!(node.waits("own-1").unwrap().ends_with("each other: own -> own"));
    assert_eq!(node.waits("web-1"), None);
    assert_eq!(node.waits("behind-1").as_deref(), Some("a-1 to be ready"));
}

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

proptest! {
    /// Where there is no circle and everybody is started who waits for nothing,
    /// everybody is running in the end: nothing hangs.
    #[test]
    fn without_a_circle_everybody_starts(edges in proptest::collection::vec((0_u8..8, 0_u8..8), 0..16)) {
        let edges: Vec<(u8, u8)> = edges.into_iter().filter(|(from, to)| from > to).collect();
        let specs = graph_of(&edges);
        let ids: Vec<InstanceId> = specs.iter().map(|spec| InstanceId::new(spec.name.clone(), 1)).collect();
        let mut views: Vec<View> = specs.iter().map(|_| view(Phase::Pending)).collect();
        for _ in 0..specs.len() {
            let before = views.clone();
            let peers: Vec<Peer<'_>> = specs.iter().enumerate()
                .map(|(n, spec)| Peer { instance: &ids[n], spec, view: &before[n] }).collect();
            let waiting = waiting(&peers, |_, _| false, &BTreeMap::new());
            for (n, spec) in specs.iter().enumerate() {
                if spec.depends_on.is_empty() || waiting[&ids[n]].is_none() {
                    views[n] = View { ready: true, ..view(Phase::Running) };
                }
            }
        }
        prop_assert!(views.iter().all(|view| view.ready));
    }
}
