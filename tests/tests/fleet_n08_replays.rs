//! N08: what a registry and a runner say to each other comes twice, comes once
//! more when it is long over, or comes from a leader that was replaced. It is
//! done once, passed over, or refused; programs notice nothing.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use pm_proto::v1::run_session_response::Message as Down;
use system_tests::{Fleet, Plan, RegistryClient, Relay, Sandbox, Words, free_ports, until};

/// So long that nobody takes a busy machine for a dead one, and begins another session.
const PATIENT: [&str; 2] = ["--lease", "60s"];

/// How often something happened to the instance.
fn count(client: &RegistryClient, kind: &str) -> usize {
    client.all_events().unwrap().iter().filter(|event| event.r#type == kind).count()
}

fn web(client: &RegistryClient) -> v1::Instance {
    client.instances().unwrap().into_iter().find(|instance| instance.id == "web-1").unwrap()
}

/// Restarts it, and waits for what became of that.
fn restart(client: &RegistryClient) {
    let request = v1::RestartProcessesRequest { selectors: vec!["web".into()], ..Default::default() };
    let answer = client.wait(client.processes().restart_processes(request)).unwrap().into_inner();
    let id = answer.actions[0].id.clone();
    until("the restart is done", || {
        let request = v1::GetActionRequest { id: id.clone(), ..Default::default() };
        let action = client.wait(client.actions().get_action(request)).unwrap().into_inner().action.unwrap();
        action.state() == v1::ActionState::Done
    });
}

fn down(message: Down) -> v1::RunSessionResponse {
    v1::RunSessionResponse { message: Some(message) }
}

#[test]
fn n08_what_comes_twice_late_or_from_a_replaced_leader_is_done_once_or_refused() {
    let sandbox = Sandbox::new();
    let plan = Plan::new(&sandbox, 1).arguments(&PATIENT);
    let listen = format!("127.0.0.1:{}", free_ports(1)).parse().unwrap();
    let relay = Relay::start(listen, &format!("http://{}", plan.address(0)), Words::SAME);
    let mut replicas = plan.start();
    // Somebody has led before.
    replicas.kill(0);
    replicas.restart(0);
    let client = replicas.client(0);
    let mut fleet = Fleet::at(&sandbox, &relay.url());
    let node = fleet.add();
    fleet.start(node);

    // Everything twice, both ways.
    relay.say_twice();
    client.run_program("web", "exec sleep 1000", 1).unwrap();
    until("it runs", || client.instances().unwrap().iter().any(|instance| instance.ready));
    restart(client);
    restart(client);
    until("it runs again", || web(client).ready);
    assert_eq!((count(client, "instance.started"), relay.sessions()), (3, 1), "each was done once, in one session");

    // An order and a set that are long over, once more.
    let heard = relay.heard_down();
    let is_order = |one: &&v1::RunSessionResponse| matches!(one.message, Some(Down::Action(_)));
    let order = heard.iter().find(is_order).expect("a restart was ordered").clone();
    let of_web = |one: &&v1::RunSessionResponse| match &one.message {
        Some(Down::Assignments(update)) => update.set.iter().any(|assignment| assignment.instance_id == "web-1"),
        _ => false,
    };
    let Some(Down::Assignments(first)) = heard.iter().find(of_web).expect("it was assigned").message.clone() else {
        panic!("it is one of assignments");
    };
    let pid = web(client).pid;
    relay.tell_runner(order.clone());
    relay.tell_runner(down(Down::Assignments(first.clone())));
    // A set of then, in which it was not yet.
    relay.tell_runner(down(Down::Assignments(v1::AssignmentUpdate { full: true, set: vec![], ..first.clone() })));
    // Reports of then, too.
    for report in relay.heard_up() {
        if matches!(report.message, Some(v1::run_session_request::Message::Report(_))) {
            relay.tell_registry(report);
        }
    }
    // All of that has been read when this has been done.
    let started = count(client, "instance.started");
    client.run_program("later", "exec sleep 1000", 1).unwrap();
    until("what came later runs", || client.instances().unwrap().iter().filter(|one| one.ready).count() == 2);
    assert!(fleet.said(node).contains("passed over assignments of before"), "{}", fleet.said(node));
    assert_eq!((web(client).pid, web(client).restarts), (pid, 0), "nothing of it was done once more");
    assert_eq!(count(client, "instance.started"), started + 1, "nothing of it was believed once more");
    assert_eq!(relay.sessions(), 1);

    // A leader that was replaced wants it gone.
    let welcome = heard.iter().find_map(|one| match &one.message {
        Some(Down::Welcome(welcome)) => Some(welcome.clone()),
        _ => None,
    });
    let term = welcome.expect("it was welcomed").term;
    assert!(term > 1, "invalid: nobody led before");
    let all_gone = v1::AssignmentUpdate { full: true, set: vec![], revision: u64::MAX, term: term - 1, ..first };
    relay.tell_runner(down(Down::Assignments(all_gone)));
    until("the runner has refused it", || fleet.said(node).contains("refused what a replaced leader"));
    until("it has begun another session", || relay.sessions() == 2);
    restart(client);
    until("it runs again", || web(client).ready);
    assert_eq!(count(client, "instance.stopped"), 0, "it never had to go");
}
