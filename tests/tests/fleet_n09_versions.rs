//! N09: a runner and a registry of different versions. What only the other
//! knows is passed over, what it does not say yet is not missed, and what
//! cannot be done is refused with the reason; nobody loses a node for that.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use system_tests::{Fleet, Plan, RegistryClient, Relay, Sandbox, Words, free_ports, until};

/// So long that nobody takes a busy machine for a dead one, and begins another session.
const PATIENT: [&str; 2] = ["--lease", "60s"];

/// Words of the first version: nothing that came later is said, either way.
const FIRST: Words = Words {
    up: |message| match &mut message.message {
        Some(Up::Hello(hello)) => {
            let v1::SessionHello { node, boot_id, runner_version, cpus, memory_bytes, .. } = std::mem::take(hello);
            *hello = v1::SessionHello { node, boot_id, runner_version, cpus, memory_bytes, ..Default::default() };
        }
        Some(Up::Report(report)) => {
            for instance in &mut report.instances {
                instance.containment.clear();
                instance.status.clear();
                instance.log_lines.clear();
            }
        }
        Some(Up::Heartbeat(_)) | None => {}
    },
    down: |message| match &mut message.message {
        Some(Down::Welcome(welcome)) => {
            (welcome.epoch, welcome.term, welcome.registries) = (0, 0, Vec::new());
        }
        Some(Down::Assignments(update)) => {
            update.term = 0;
            update.removed_generations.clear();
            update.set.iter_mut().for_each(|assignment| assignment.fencing_token = 0);
        }
        Some(Down::Action(order)) => order.term = 0,
        Some(Down::HeartbeatAck(ack)) => (ack.heartbeat_interval, ack.lease) = (None, None),
        Some(Down::ReportAck(_) | Down::Neighbours(_)) | None => {}
    },
};

fn ready(client: &RegistryClient) -> usize {
    client.instances().unwrap().iter().filter(|instance| instance.ready).count()
}

fn relay(plan: &Plan, words: Words) -> Relay {
    let listen = format!("127.0.0.1:{}", free_ports(1)).parse().unwrap();
    Relay::start(listen, &format!("http://{}", plan.address(0)), words)
}

#[test]
fn n09_a_registry_and_a_runner_that_say_only_what_the_first_version_said_work_together() {
    let sandbox = Sandbox::new();
    let plan = Plan::new(&sandbox, 1).arguments(&PATIENT);
    let relay = relay(&plan, FIRST);
    let replicas = plan.start();
    let client = replicas.client(0);
    let mut fleet = Fleet::at(&sandbox, &relay.url());
    let node = fleet.add();
    fleet.start(node);
    client.run_program("web", "exec sleep 1000", 2).unwrap();
    until("both run", || ready(client) == 2);
    let told = client.nodes().unwrap().remove(0);
    assert_eq!((told.state(), told.os.as_str(), told.runner_version.is_empty()), (v1::NodeState::Ready, "", false));

    let request = v1::DeleteProcessesRequest { selectors: vec!["web".into()], ..Default::default() };
    client.wait(client.processes().delete_processes(request)).unwrap();
    until("nothing is left", || client.instances().unwrap().is_empty());
    assert_eq!(relay.sessions(), 1, "{}", fleet.said(node));
}

#[test]
fn n09_what_only_later_versions_know_is_passed_over_and_an_order_among_it_fails_with_the_reason() {
    let sandbox = Sandbox::new();
    let plan = Plan::new(&sandbox, 1).arguments(&PATIENT);
    let relay = relay(&plan, Words::SAME);
    let replicas = plan.start();
    let client = replicas.client(0);
    let mut fleet = Fleet::at(&sandbox, &relay.url());
    let node = fleet.add();
    fleet.start(node);
    client.run_program("web", "exec sleep 1000", 1).unwrap();
    until("it runs", || ready(client) == 1);
    let pid = client.instances().unwrap()[0].pid;

    // A kind of message that nobody here knows is, once read, a message of no kind.
    relay.tell_runner(v1::RunSessionResponse { message: None });
    relay.tell_registry(v1::RunSessionRequest { message: None });
    let order =
        v1::ActionOrder { action_id: "of-later".into(), verb: 99, instance_id: "web-1".into(), ..Default::default() };
    let term = relay.heard_down().iter().find_map(|one| match &one.message {
        Some(Down::Welcome(welcome)) => Some(welcome.term),
        _ => None,
    });
    relay.tell_runner(v1::RunSessionResponse {
        message: Some(Down::Action(v1::ActionOrder { term: term.unwrap(), ..order })),
    });
    let failed = || {
        let reports = relay.heard_up().into_iter().filter_map(|one| match one.message {
            Some(Up::Report(report)) => Some(report),
            _ => None,
        });
        reports.flat_map(|report| report.actions).find(|action| action.action_id == "of-later")
    };
    until("the order has failed", || failed().is_some());
    let failed = failed().unwrap();
    assert_eq!(failed.state(), v1::ActionState::Failed);
    assert!(failed.message.contains("cannot read the action: verb"), "{}", failed.message);

    client.run_program("later", "exec sleep 1000", 1).unwrap();
    until("what came later runs", || ready(client) == 2);
    let web = client.instances().unwrap().into_iter().find(|instance| instance.id == "web-1").unwrap();
    assert_eq!((web.pid, relay.sessions()), (pid, 1), "{}", fleet.said(node));
}
