//! kill -9 of `pmctl up`: what it ran runs on, nothing is lost, and the next
//! one takes over.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::exit_status::Status as Ending;
use pm_proto::v1::{Event, event::Detail};
use system_tests::{Sandbox, proc, until};

const TWO: &str = "processes:
  web:
    command: [sleep, '1000']
    instances: 2
  crasher:
    command: 'test -e GATE || { touch GATE; exit 7; }; exec sleep 1000'
    restart: {policy: on-failure, backoff: {initial: 10ms, max: 10ms}}
";

/// PID and restart count by instance.
fn running(api: &system_tests::Api) -> Vec<(String, u32, u32)> {
    api.instances().into_iter().map(|instance| (instance.id, instance.pid, instance.restarts)).collect()
}

fn ending(event: &Event) -> Ending {
    let Some(Detail::Instance(detail)) = &event.detail else { panic!("no detail: {event:?}") };
    detail.exit.clone().and_then(|exit| exit.status).unwrap_or_else(|| panic!("no exit: {event:?}"))
}

#[test]
fn kill_9_of_up_then_up_again_keeps_pids_and_restart_counts() {
    let sandbox = Sandbox::new();
    let document = TWO.replace("GATE", &sandbox.file("gate"));
    let mut up = sandbox.up(&document);
    // One restart, so that a count that begins anew would show.
    let mut events = up.api().events_from(1);
    events.wait_for("the second start of crasher", |event| match &event.detail {
        Some(Detail::Instance(detail)) => event.r#type == "instance.started" && detail.restarts == 1,
        Some(Detail::Action(_) | Detail::Rollout(_)) | None => false,
    });
    let before = running(&up.api());
    let keeper = up.keeper();
    up.kill_9();
    assert!(before.iter().all(|(_, pid, _)| proc::is_running(*pid)), "{before:?}");
    assert!(proc::is_running(keeper));

    drop(up);
    let again = sandbox.up(&document);
    assert_eq!(running(&again.api()), before);
    let mut events = again.api().events_from(1);
    events.wait_for_instance("web-1", "instance.adopted");
}

#[test]
fn an_exit_while_nobody_supervised_is_reported_with_its_exact_code() {
    for (stopping, expected) in [("exit 42", Ending::Code(42)), ("kill -USR1 $$", Ending::Signal(10))] {
        let sandbox = Sandbox::new();
        let gate = fifo(&sandbox);
        let document =
            format!("processes:\n  once:\n    command: 'read go < {gate}; {stopping}'\n    restart: never\n");
        let mut up = sandbox.up(&document);
        let api = up.api();
        let (pid, revision) = (api.instance("once-1").pid, api.revision());
        up.kill_9();

        // Now let it end, and see that it has: the keeper reaps it at once.
        std::fs::write(&gate, "go\n").expect("the program reads the FIFO");
        assert!(proc::ends(pid), "{pid} has not ended");

        drop(up);
        let again = sandbox.up_with(&[], &[]);
        let exit = again.api().events_from(revision + 1).wait_for_instance("once-1", "instance.exited");
        assert_eq!(ending(&exit), expected);
    }
}

#[test]
fn down_after_a_kill_9_of_up_ends_what_it_left() {
    let sandbox = Sandbox::new();
    let mut up = sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n    instances: 2\n");
    let left: Vec<u32> = up.api().instances().iter().map(|instance| instance.pid).collect();
    let keeper = up.keeper();
    up.kill_9();
    assert!(left.iter().chain([&keeper]).all(|pid| proc::is_running(*pid)), "{left:?}");
    let _ = sandbox.pmctl(&["down"]).succeeded();
    let alive: Vec<&u32> = left.iter().filter(|pid| proc::is_running(**pid)).collect();
    assert!(alive.is_empty(), "{alive:?} of {left:?}");
    assert!(proc::ends(keeper), "the keeper is left");
    assert!(sandbox.pmctl(&["down"]).succeeded().contains("nothing runs"));
}

#[test]
fn no_log_byte_is_lost_over_a_kill_9_of_up() {
    let sandbox = Sandbox::new();
    let (half, all) = (5_000, 20_000);
    let (gate, done) = (fifo(&sandbox), sandbox.file("done"));
    // The first part under a runner, the rest with none and while the next one takes over.
    let command = format!(
        "i=0; while [ $i -lt {all} ]; do [ $i -ne {half} ] || read go < {gate}; echo line $i; i=$((i+1)); done; \
         touch {done}; exec sleep 1000"
    );
    let mut up = sandbox.up(&format!("processes:\n  writer:\n    command: '{command}'\n"));
    up.kill_9();
    std::fs::write(&gate, "go\n").expect("the program reads the FIFO");
    drop(up);
    let again = sandbox.up_with(&[], &[]);
    until("the writer is done", || std::path::Path::new(&done).exists());
    // The last of it is in the pipe then; a byte that is lost is missing before this line.
    let last = format!("line {}", all - 1);
    until("its last line is in the log", || {
        again.pmctl(&["logs", "writer", "--tail", "1"]).succeeded().contains(&last)
    });
    let said = again.pmctl(&["logs", "writer"]).succeeded();
    let numbers: Vec<usize> =
        said.lines().filter_map(|line| line.rsplit("line ").next()?.trim().parse().ok()).collect();
    assert!(numbers.iter().copied().eq(0..all), "{} lines of {all}", numbers.len());
}

#[test]
fn kill_9_of_an_instance_is_told_and_the_next_one_started() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(
        "processes:\n  web:\n    command: [sleep, '1000']\n    restart: {policy: always, backoff: {initial: 0s}}\n",
    );
    let api = up.api();
    let (first, revision) = (api.instance("web-1").pid, api.revision());
    proc::kill_9(first);
    let mut events = api.events_from(revision + 1);
    assert_eq!(ending(&events.wait_for_instance("web-1", "instance.exited")), Ending::Signal(9));
    events.wait_for_instance("web-1", "instance.started");
    let now = api.instance("web-1");
    assert!(now.pid != first && now.restarts == 1, "{now:?}");
}

/// A FIFO: who reads it waits until the test writes.
fn fifo(sandbox: &Sandbox) -> String {
    let gate = sandbox.file("gate");
    let made = rustix::fs::mknodat(rustix::fs::CWD, &gate, rustix::fs::FileType::Fifo, 0o600.into(), 0);
    made.expect("a FIFO can be made");
    gate
}

#[test]
fn up_outlives_a_restore_of_its_registry_and_so_do_its_programs() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n");
    let web = up.api().instances()[0].pid;
    let began = proc::start_time(web);
    let file = sandbox.file("state.backup");
    let _ = up.pmctl(&["backup", "save", &file]).succeeded();
    let _ = up.pmctl(&["backup", "restore", &file, "--force", "--reason", "a test"]).succeeded();
    until("the restore is confirmed", || up.pmctl(&["backup", "confirm"]).code == 0);
    // It goes on telling what happens, from some moment after the restore on.
    let more = sandbox.write("more.yaml", "processes:\n  more:\n    command: [sleep, '1000']\n");
    let _ = up.pmctl(&["apply", "-f", &more]).succeeded();
    until("up tells of what is new", || {
        let _ = up.pmctl(&["restart", "more"]);
        up.said().contains("more-1")
    });
    assert!(proc::is_running(web) && proc::start_time(web) == began, "the program was touched\n{}", up.said());
}
