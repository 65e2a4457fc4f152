//! A schedule whose node is killed: its runs go on elsewhere, each time at most
//! once, and the history tells the story. What ran once and has ended is not
//! run again. And what people see of it.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::{ListRunsRequest, Run, RunOutcome, RunTrigger};
use process_model::ProcessSpec;
use process_model::spec::{CatchUp, Command as Program, Overlap, Placement, RestartMode, Schedule};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use system_tests::{Fleet, Plan, RegistryClient, Sandbox, http, proc, until};

fn spec(sandbox: &Sandbox, name: &str, after: &str) -> ProcessSpec {
    let line = format!("echo $PM_NODE >>{}; {after}", sandbox.file(name));
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell(line));
    spec.restart.mode = RestartMode::Never;
    spec.placement = Some(Box::new(Placement { replace_after: Some(Duration::ZERO), ..Placement::default() }));
    spec
}

/// Where it was started, each time.
fn starts(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.file(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Oldest first.
fn runs(client: &RegistryClient, name: &str) -> Vec<Run> {
    let request = ListRunsRequest { name: name.to_owned(), ..ListRunsRequest::default() };
    let mut runs = client.wait(client.processes().list_runs(request)).unwrap().into_inner().runs;
    runs.reverse();
    runs
}

fn is_planned(run: &&Run) -> bool {
    matches!(run.trigger(), RunTrigger::Schedule | RunTrigger::CatchUp)
}

#[test]
fn a_schedule_goes_on_where_a_killed_node_left_it_and_what_has_ended_is_not_run_again() {
    let sandbox = Sandbox::new();
    let replicas = Plan::new(&sandbox, 1).arguments(&["--heartbeat-interval", "300ms", "--lease", "6s"]).start();
    let mut fleet = Fleet::of(&sandbox, &replicas);
    let (first, second) = (fleet.add(), fleet.add());
    fleet.start(first);
    let client = replicas.client(0);
    let mut often = spec(&sandbox, "often", "true");
    often.schedule = Some(Box::new(Schedule {
        cron: "*/3 * * * * *".into(),
        timezone: "UTC".into(),
        overlap: Overlap::Skip,
        catch_up: CatchUp::Once,
        jitter: Duration::ZERO,
    }));
    client.apply(&[often, spec(&sandbox, "once", "true"), spec(&sandbox, "long", "exec sleep 1000")]).unwrap();
    until("the one-shot has ended, and the long one runs", || {
        let ended = |name| runs(client, name).last().map(|run| run.outcome());
        ended("once") == Some(RunOutcome::Ended) && ended("long") == Some(RunOutcome::Running)
    });
    fleet.start(second);
    let heard = |node: &str| {
        let of_node = |run: &&Run| run.node == node && run.outcome() == RunOutcome::Ended && is_planned(run);
        runs(client, "often").iter().filter(of_node).count()
    };
    until("some runs are over", || heard("node-1") >= 2);
    let (runner, keeper) = (fleet.pid(first), fleet.keeper(first));
    let before = heard("node-1");
    until("and just now one more", || heard("node-1") > before);
    let below = proc::descendants(runner);
    fleet.kill(first);
    proc::kill_9(keeper);
    below.into_iter().for_each(proc::kill_9);
    let killed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();

    until("they go on elsewhere, by the clock", || {
        let all = runs(client, "often");
        all.iter().filter(|run| run.node == "node-2" && run.trigger() == RunTrigger::Schedule).count() >= 2
    });
    until("the long one, too", || starts(&sandbox, "long") == ["node-1", "node-2"]);
    let all = runs(client, "often");
    let times: Vec<_> =
        all.iter().filter(is_planned).map(|run| run.due_time.expect("it was planned").seconds).collect();
    let different: BTreeSet<i64> = times.iter().copied().collect();
    assert_eq!(times.len(), different.len(), "a time was run twice: {times:?}");
    assert!(times.is_sorted(), "{times:?}");
    let numbers: Vec<u64> = all.iter().map(|run| run.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "one story over both nodes: {numbers:?}");
    let place = all.iter().position(|run| run.node == "node-2").unwrap();
    assert!(all[..place].iter().all(|run| run.node == "node-1") && all[place..].iter().all(|run| run.node == "node-2"));
    let (last, next) = (&all[place - 1], &all[place]);
    assert!(is_planned(&next), "{next:?}");
    let due = |run: &Run| run.due_time.unwrap().seconds;
    assert_eq!(due(next), due(last) + 3, "no time was forgotten: the first that nobody has run");
    let begun = |node: &str| all.iter().filter(|run| run.node == node && run.start_time.is_some()).count();
    let on_first = starts(&sandbox, "often").iter().filter(|node| *node == "node-1").count();
    // Had it not been killed before its next run was due, nobody would have been told of that one.
    let unheard = usize::from(i64::try_from(killed.as_secs()).unwrap() >= due(next));
    let told = begun("node-1");
    assert!((told..=told + unheard).contains(&on_first), "what was started is what was told: {on_first}, {told}");

    let long = runs(client, "long");
    assert_eq!(long.iter().map(|run| run.outcome()).collect::<Vec<_>>(), [RunOutcome::Lost, RunOutcome::Running]);
    assert_eq!(starts(&sandbox, "once"), ["node-1"], "it had ended");
    let once = client.instances().unwrap().into_iter().find(|one| one.process == "once").unwrap();
    assert_eq!(once.node, "node-1");
    assert_eq!(runs(client, "once").len(), 1);
}

#[test]
fn runs_are_shown_as_a_table_as_a_document_and_over_http() {
    let sandbox = Sandbox::new();
    let up = sandbox
        .up("processes:\n  job:\n    command: exit 3\n    restart: never\n  web:\n    command: [sleep, '1000']\n");
    let shown = |format: &str| up.pmctl(&["runs", "job", "--limit", "1", "-o", format]).succeeded();
    let first = || serde_json::from_str::<Value>(&shown("json")).unwrap()["items"][0].clone();
    until("the run is over", || first()["outcome"] == "RUN_OUTCOME_ENDED");
    let run = first();
    assert_eq!((&run["instanceId"], &run["number"], &run["exit"]["code"]), (&"job-1".into(), &"1".into(), &3.into()));
    assert_eq!(run["trigger"], "RUN_TRIGGER_REQUEST");
    assert!(shown("table").contains("exit code 3") && shown("yaml").contains("RUN_OUTCOME_ENDED"));
    let _ = up.pmctl(&["restart", "job", "--no-wait"]).succeeded();
    until("it has run once more", || first()["number"] == "2");
    let all: Value = serde_json::from_str(&up.pmctl(&["runs", "job-1", "-o", "json"]).succeeded()).unwrap();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    up.pmctl(&["runs", "nobody"]).failed(4, &["nobody"]);
    let none: Value = serde_json::from_str(&up.pmctl(&["runs", "web", "-o", "json"]).succeeded()).unwrap();
    assert_eq!(none["items"], Value::Array(Vec::new()), "it runs all the time");
    let answer =
        http::get(up.credentials.authority(), "/api/v1/processes/job/runs?limit=1", Some(&up.credentials.token));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer["runs"].as_array().unwrap().len(), &answer["runs"][0]["number"]), (1, &"2".into()));
}
