//! What the registry decides, case by case.

// Helpers outside of `#[test]` functions are tests too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod world;

use process_model::audit::AuditOutcome;
use process_model::{ActionState, ActionVerb, Event, EventDetail, InstanceDetail, InstanceReport, Phase};
use registry_domain::*;
use world::*;

fn one_node() -> World {
    let mut world = World::new();
    world.ok(hello("alpha"));
    world
}

#[test]
fn applying_makes_instances_and_places_them_on_the_only_node() {
    let mut world = one_node();
    let outcome = world.ok(apply(vec![spec("web", 2)]));
    assert_eq!(kinds(&outcome.events), ["process.created", "instance.assigned", "instance.assigned"]);
    assert!(!outcome.orders.is_empty());
    assert_eq!(world.state.assignments(&"alpha".parse().unwrap()).len(), 2);
    assert!(world.instance("web-2").wanted);
}

#[test]
fn instances_wait_until_a_node_is_ready_and_then_are_placed() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    assert_eq!(world.instance("web-1").node, None);
    world.ok(hello("alpha"));
    assert_eq!(world.instance("web-1").node.as_ref().unwrap().as_str(), "alpha");
}

#[test]
fn instances_spread_over_the_ready_nodes_and_ties_go_by_name() {
    let mut world = World::new();
    for node in ["beta", "alpha", "gamma"] {
        world.ok(hello(node));
    }
    world.ok(lost("gamma"));
    world.ok(apply(vec![spec("web", 3)]));
    let nodes: Vec<&str> = world.state.instances().values().map(|i| i.node.as_ref().unwrap().as_str()).collect();
    assert_eq!(nodes, ["alpha", "beta", "alpha"]);
}

#[test]
fn an_unchanged_spec_keeps_generation_revision_and_etag() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    let before = world.state.processes()[&"web".parse().unwrap()].clone();
    let outcome = world.ok(apply(vec![spec("web", 1)]));
    assert!(outcome.events.is_empty());
    assert_eq!(world.state.processes()[&"web".parse().unwrap()], before);
    let Ok(Reply::Applied { results, .. }) = outcome.reply else { panic!("{:?}", outcome.reply) };
    assert_eq!(results[0].outcome, ApplyOutcome::Unchanged);
}

#[test]
fn scaling_up_does_not_hand_running_instances_a_new_generation() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(apply(vec![spec("web", 2)]));
    assert_eq!((world.instance("web-1").generation, world.instance("web-2").generation), (1, 2));
    let mut other = spec("web", 2);
    other.env.insert("A".into(), "1".into());
    world.ok(apply(vec![other]));
    assert_eq!((world.instance("web-1").generation, world.instance("web-2").generation), (3, 3));
}

#[test]
fn a_process_without_autostart_is_placed_but_not_wanted() {
    let mut world = one_node();
    let mut quiet = spec("web", 1);
    quiet.autostart = false;
    world.ok(apply(vec![quiet]));
    assert!(!world.instance("web-1").wanted);
    world.ok(switch(ActionVerb::Start, "web"));
    assert!(world.instance("web-1").wanted);
}

#[test]
fn scaling_down_waits_for_the_node_to_say_that_the_instance_is_gone() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 2)]));
    world.ok(apply(vec![spec("web", 1)]));
    assert!(world.instance("web-2").removing && !world.instance("web-2").wanted);
    assert_eq!(world.state.removals(&"alpha".parse().unwrap()).len(), 1);
    let outcome = world.ok(report("alpha", vec![gone("web-2", 1)]));
    assert_eq!(kinds(&outcome.events), ["instance.stopped", "instance.removed"]);
    assert!(!world.has("web-2"));
}

#[test]
fn an_instance_that_no_node_has_goes_at_once() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    let outcome = world.ok(delete("web"));
    assert_eq!(kinds(&outcome.events), ["process.deleted", "instance.removed"]);
    assert!(world.state.instances().is_empty());
}

#[test]
fn an_instance_wanted_again_before_it_was_gone_goes_first_and_begins_anew() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    world.ok(delete("web"));
    world.ok(apply(vec![spec("web", 1)]));
    assert!(!world.instance("web-1").wanted && world.instance("web-1").removing);
    let outcome = world.ok(report("alpha", vec![gone("web-1", 2)]));
    assert_eq!(kinds(&outcome.events), ["instance.stopped", "instance.removed", "instance.assigned"]);
    assert!(world.instance("web-1").wanted && !world.instance("web-1").removing);
    assert_eq!(world.instance("web-1").generation, 2, "its runner has to see a newer generation");
    assert_eq!(world.instance("web-1").phase(), Phase::Pending);
}

#[test]
fn a_late_word_that_an_instance_is_gone_does_not_end_the_one_that_was_given_since() {
    // Found by the simulation: web-1 began on beta while alpha still stopped it.
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    world.ok(hello("beta"));
    // Alpha says at once that it is gone, as its second word, and is not heard for a while.
    world.ok(delete("web"));
    world.ok(apply(vec![spec("web", 1)]));
    assert!(world.state.assignments(&"alpha".parse().unwrap()).is_empty(), "alpha has yet to let go of the one before");
    world.ok(delete("web"));
    world.ok(report("alpha", vec![gone("web-1", 2)]));
    assert!(!world.has("web-1"), "nobody was told to run it since");
}

#[test]
fn reports_that_are_older_or_from_another_node_are_dropped() {
    let mut world = one_node();
    world.ok(hello("beta"));
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 5, Phase::Running)]));
    for (node, seq) in [("alpha", 5), ("alpha", 4), ("beta", 9)] {
        let outcome = world.ok(report(node, vec![seen("web-1", seq, Phase::Failed)]));
        assert!(outcome.events.is_empty() && outcome.touched.is_empty(), "{node} {seq}");
    }
    assert_eq!(world.instance("web-1").phase(), Phase::Running);
}

#[test]
fn a_lost_node_keeps_its_instances_and_their_phases_come_back_with_it() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    let outcome = world.ok(lost("alpha"));
    assert_eq!(kinds(&outcome.events), ["node.lost", "instance.lost"]);
    assert_eq!((world.instance("web-1").phase(), world.instance("web-1").is_ready()), (Phase::Lost, false));
    assert!(world.ok(lost("alpha")).events.is_empty(), "lost twice is lost once");
    let outcome = world.ok(hello("alpha"));
    assert_eq!(kinds(&outcome.events), ["node.ready", "instance.returned"]);
    assert_eq!(world.instance("web-1").phase(), Phase::Running);
}

#[test]
fn after_a_reboot_a_running_instance_stays_lost_until_it_is_reported() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    world.ok(lost("alpha"));
    world.ok(booted("alpha", "boot-2"));
    assert_eq!(world.instance("web-1").phase(), Phase::Lost);
    world.ok(report("alpha", vec![seen("web-1", 2, Phase::Running)]));
    assert_eq!(world.instance("web-1").phase(), Phase::Running);
}

#[test]
fn connecting_again_without_a_change_changes_nothing() {
    let mut world = one_node();
    let outcome = world.ok(hello("alpha"));
    assert!(outcome.touched.is_empty());
}

#[test]
fn an_action_lives_from_queued_to_done_and_only_forward() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    let Ok(Reply::Switched { actions, revision }) = world.ok(switch(ActionVerb::Restart, "web")).reply else {
        panic!("no actions");
    };
    assert_eq!(actions, [revision], "the number of an action is the revision that queued it");
    assert_eq!(world.instance("web-1").restart_count, 1);
    let id = action_id(actions[0]);
    let node = "alpha".parse().unwrap();
    let deliver = Order::ActionsDelivered { node, actions: vec![id.clone()] };
    assert_eq!(kinds(&world.ok(deliver.clone()).events), ["action.delivered"]);
    assert!(world.ok(deliver.clone()).events.is_empty());
    assert_eq!(kinds(&world.ok(action_report("alpha", &id, ActionState::Done)).events), ["action.done"]);
    for late in [deliver, action_report("alpha", &id, ActionState::Failed)] {
        assert!(world.ok(late).events.is_empty());
    }
}

#[test]
fn stopping_what_is_nowhere_is_done_at_once() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    let outcome = world.ok(switch(ActionVerb::Stop, "web"));
    assert_eq!(kinds(&outcome.events), ["action.queued", "action.done"]);
}

#[test]
fn a_later_order_takes_the_place_of_one_that_still_waits() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(switch(ActionVerb::Start, "web"));
    let outcome = world.ok(switch(ActionVerb::Stop, "web"));
    assert_eq!(kinds(&outcome.events), ["action.failed", "action.queued", "action.done"]);
}

#[test]
fn an_action_that_waited_for_a_node_goes_with_its_instance() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(switch(ActionVerb::Restart, "web-1"));
    world.ok(hello("alpha"));
    assert_eq!(world.state.open_actions(&"alpha".parse().unwrap()).count(), 1);
}

#[test]
fn removing_an_instance_ends_what_waits_at_it() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(switch(ActionVerb::Start, "web"));
    world.ok(delete("web"));
    let outcome = world.ok(report("alpha", vec![gone("web-1", 1)]));
    assert_eq!(kinds(&outcome.events), ["instance.stopped", "action.failed", "instance.removed"]);
}

#[test]
fn a_selector_that_matches_nothing_is_named_with_what_was_meant() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1), spec("worker", 1)]));
    let refusal = world.refused(switch(ActionVerb::Stop, "wroker"));
    assert_eq!(refusal.to_string(), "nothing matches \"wroker\"; did you mean \"worker\"?");
    let refusal = world.refused(delete("web-1"));
    assert_eq!(refusal.to_string(), "nothing matches \"web-1\"; did you mean \"web\"?");
    let both = Order::Delete { selectors: vec!["web".into(), "nginx".into()] };
    assert_eq!(world.refused(both).to_string(), "nothing matches \"nginx\"");
    assert_eq!(world.state.processes().len(), 2, "one wrong name deletes nothing");
    assert_eq!(world.refused(Order::Delete { selectors: vec![] }), Refusal::NoSelectors);
}

#[test]
fn a_plain_process_name_never_means_an_instance_of_another_process() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1), spec("web-1", 1)]));
    world.ok(switch(ActionVerb::Stop, "web-1"));
    assert!(world.instance("web-1").wanted);
    assert!(!world.instance("web-1-1").wanted);
}

#[test]
fn a_wrong_etag_refuses_the_whole_request() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    let etag = world.state.processes()[&"web".parse().unwrap()].etag();
    let attempt = |etag: &str| {
        let specs = vec![spec("web", 2).into(), spec("new", 1).into()];
        Order::Apply(Apply { specs, etags: [("web".into(), etag.into())].into(), ..Apply::default() })
    };
    assert!(matches!(world.refused(attempt("stale")), Refusal::EtagMismatch { .. }));
    assert_eq!(world.state.processes().len(), 1);
    world.ok(attempt(&etag));
}

#[test]
fn pruning_takes_only_what_came_from_the_same_source() {
    let mut world = one_node();
    let from = |source: &str, specs: Vec<process_model::ProcessSpec>, prune| {
        let specs = specs.into_iter().map(Into::into).collect();
        Order::Apply(Apply { specs, source: source.into(), prune, ..Apply::default() })
    };
    world.ok(from("a", vec![spec("one", 1), spec("two", 1)], false));
    world.ok(from("b", vec![spec("other", 1)], false));
    world.ok(from("a", vec![spec("one", 1)], true));
    let names: Vec<&str> = world.state.processes().keys().map(|n| n.as_str()).collect();
    assert_eq!(names, ["one", "other"]);
    assert_eq!(world.refused(from("", vec![], true)), Refusal::PruneWithoutSource);
    let twice = from("a", vec![spec("one", 1), spec("one", 2)], false);
    assert!(matches!(world.refused(twice), Refusal::DuplicateName(_)));
}

#[test]
fn a_repeated_request_gets_the_first_reply_and_another_one_is_refused() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    let header =
        |fingerprint| Header { actor: "admin".into(), request_id: "r1".into(), fingerprint, ..Header::default() };
    let first = world.run(header(1), switch(ActionVerb::Restart, "web"));
    let again = world.run(header(1), switch(ActionVerb::Restart, "web"));
    assert_eq!(first.reply, again.reply);
    assert!(again.events.is_empty() && again.touched.is_empty());
    assert_eq!(world.instance("web-1").restart_count, 1);
    let other = world.run(header(2), switch(ActionVerb::Stop, "web"));
    assert_eq!(other.reply, Err(Refusal::RequestIdReused("r1".into())));
}

#[test]
fn replies_are_forgotten_when_there_are_too_many() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 0)]));
    for n in 0..=limits::STORED_REPLIES {
        let header = Header { request_id: format!("r{n}"), ..Header::default() };
        // A plain step: the checks of `run` would take minutes here.
        step(&mut world.state, Command { header, order: switch(ActionVerb::Stop, "web") });
    }
    let repeat = Command {
        header: Header { request_id: "r0".into(), fingerprint: 9, ..Header::default() },
        order: switch(ActionVerb::Stop, "web"),
    };
    assert!(step(&mut world.state, repeat).reply.is_ok(), "r0 is free again");
    assert_eq!(invariants::broken(&world.state), Vec::<String>::new());
}

#[test]
fn every_accepted_request_is_in_the_audit_log_with_who_and_why() {
    let mut world = one_node();
    let header = Header { actor: "admin".into(), reason: "ticket 7".into(), ..Header::default() };
    world.run(header.clone(), apply(vec![spec("web", 1)]));
    world.run(header.clone(), switch(ActionVerb::Stop, "nothing"));
    world.run(header, switch(ActionVerb::Stop, "web"));
    let entries: Vec<(&str, &str, &str)> = (world.state.audit().values().skip(1))
        .filter(|e| e.outcome == AuditOutcome::Accepted)
        .map(|e| (e.command.as_str(), e.actor.as_str(), e.reason.as_str()))
        .collect();
    assert_eq!(entries, [("apply", "admin", "ticket 7"), ("stop", "admin", "ticket 7")]);
}

#[test]
fn old_events_go_when_there_are_more_than_are_kept() {
    let mut world = one_node();
    world.ok(configure(100, None));
    world.ok(apply(vec![spec("web", 60)]));
    world.ok(switch(ActionVerb::Stop, "web"));
    assert_eq!(world.state.events().len(), 100);
    assert_eq!(world.state.oldest_revision(), world.state.revision() - 99);
}

#[test]
fn a_cluster_keeps_the_id_it_was_founded_with() {
    let mut world = World::new();
    for id in ["first", "second"] {
        world.ok(Order::Configure(Configure { cluster_id: id.into(), event_retention: 1_000, retention: None }));
    }
    assert_eq!(world.state.meta().cluster_id, "first");
}

#[test]
fn a_node_that_never_connected_can_report_nothing() {
    let mut world = World::new();
    assert_eq!(world.refused(report("ghost", vec![])), Refusal::UnknownNode("ghost".into()));
    assert_eq!(world.refused(lost("ghost")), Refusal::UnknownNode("ghost".into()));
}

fn detail(event: &Event) -> &InstanceDetail {
    match &event.detail {
        Some(EventDetail::Instance(detail)) => detail,
        other => panic!("{other:?}"),
    }
}

/// The lines that the event of a report with these lines keeps.
fn kept(lines: Vec<String>) -> Vec<String> {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    let failed = InstanceReport { log_lines: lines, ..seen("web-1", 1, Phase::Failed) };
    detail(&world.ok(report("alpha", vec![failed])).events[0]).log_lines.clone()
}

#[test]
fn the_last_output_of_a_failure_is_in_its_event_and_nowhere_else() {
    assert_eq!(kept(vec!["one".into(), "two".into()]), ["one", "two"]);
    assert!(kept(vec![]).is_empty());
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    let failed = InstanceReport { log_lines: vec!["last words".into()], ..seen("web-1", 1, Phase::Failed) };
    world.ok(report("alpha", vec![failed]));
    let stored = format!("{:?}", world.instance("web-1"));
    assert!(!stored.contains("last words"), "{stored}");
    let next = world.ok(report("alpha", vec![seen("web-1", 2, Phase::Running)]));
    assert!(detail(&next.events[0]).log_lines.is_empty(), "lines of an earlier event");
}

#[test]
fn an_event_keeps_the_newest_lines_up_to_a_hundred_and_sixteen_kibibytes() {
    let lines = kept((0..150).map(|n| n.to_string()).collect());
    assert_eq!((lines.len(), lines[0].as_str(), lines[99].as_str()), (100, "50", "149"));
    let lines = kept(vec!["a".repeat(10_000), "b".repeat(10_000), "c".repeat(6_000)]);
    assert_eq!(lines.iter().map(|line| &line[..1]).collect::<Vec<_>>(), ["b", "c"]);
    let lines = kept(vec!["earlier".into(), format!("{}é", "ä".repeat(20_000))]);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].len() <= limits::EVENT_LOG_BYTES && lines[0].ends_with('é'), "{}", lines[0].len());
}

#[test]
fn what_holds_an_instance_and_what_it_says_of_itself_are_kept_until_it_says_otherwise() {
    let mut world = one_node();
    world.ok(apply(vec![spec("web", 1)]));
    let running = InstanceReport {
        containment: "cgroup-v2".into(),
        status: "serving 3 clients".into(),
        ..seen("web-1", 1, Phase::Running)
    };
    world.ok(report("alpha", vec![running]));
    let now = &world.instance("web-1").seen;
    assert_eq!((now.containment.as_str(), now.status.as_str()), ("cgroup-v2", "serving 3 clients"));
    world.ok(report("alpha", vec![seen("web-1", 2, Phase::Stopped)]));
    let now = &world.instance("web-1").seen;
    assert_eq!((now.containment.as_str(), now.status.as_str()), ("", ""));
}

#[test]
fn a_reload_changes_nothing_that_is_wanted_and_displaces_only_another_reload() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(switch(ActionVerb::Start, "web"));
    let before = world.instance("web-1").clone();
    assert_eq!(kinds(&world.ok(switch(ActionVerb::Reload, "web")).events), ["action.queued"]);
    let after = world.instance("web-1");
    assert_eq!((after.wanted, after.restart_count), (before.wanted, before.restart_count));
    assert_eq!(after.generation, before.generation);
    // The start still waits; of the two reloads one is enough.
    assert_eq!(kinds(&world.ok(switch(ActionVerb::Reload, "web")).events), ["action.failed", "action.queued"]);
    world.ok(hello("alpha"));
    assert_eq!(world.state.open_actions(&"alpha".parse().unwrap()).count(), 2);
    // A restart reads everything anew anyway.
    let outcome = world.ok(switch(ActionVerb::Restart, "web"));
    assert_eq!(kinds(&outcome.events), ["action.failed", "action.failed", "action.queued"]);
}

#[test]
fn a_reload_of_what_is_on_no_node_is_refused_by_its_action_once_it_is_removed() {
    let mut world = World::new();
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(switch(ActionVerb::Reload, "web"));
    let outcome = world.ok(delete("web"));
    assert_eq!(kinds(&outcome.events), ["process.deleted", "action.failed", "instance.removed"]);
}
