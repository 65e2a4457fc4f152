//! Requests that specs lead to.

use super::*;
use crate::io::policy::NodePolicy;
use process_model::ExitStatus;
use process_model::spec::{HookKind, Probe, ResourceLimits};
use std::time::Duration;

fn surroundings() -> Surroundings {
    Surroundings {
        node: "n1".parse().unwrap(),
        log_dir: "/var/log/pm".into(),
        types: runner_types::TypeSet::built_in().into(),
        policy: PolicyInForce::default(),
    }
}

fn assignment(spec: ProcessSpec) -> Assignment {
    Assignment {
        instance: InstanceId::new(spec.name.clone(), 3),
        generation: 1,
        spec: spec.into(),
        wanted: true,
        restart_count: 0,
        traceparent: String::new(),
        fencing_token: 0,
        plan: None,
    }
}

fn request(spec: &ProcessSpec) -> SpawnRequest {
    surroundings().request(&assignment(spec.clone()), RunId(1), None).unwrap()
}

fn environment(request: SpawnRequest) -> BTreeMap<String, String> {
    let count = request.env.len();
    let env: BTreeMap<_, _> = request.env.into_iter().collect();
    assert_eq!(env.len(), count, "a variable stands twice");
    env
}

fn shell() -> ProcessSpec {
    ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()))
}

fn python(dir: &Path) -> ProcessSpec {
    let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["app.py".into()]));
    spec.runtime = "python".parse().unwrap();
    spec.working_dir = Some(dir.to_str().unwrap().to_owned());
    spec
}

#[test]
fn a_python_application_runs_with_its_own_virtual_environment() {
    let dir = tempfile::tempdir().unwrap();
    let argv = || request(&python(dir.path())).argv;
    assert_eq!(argv(), ["python3", "app.py"]);
    std::fs::create_dir_all(dir.path().join(".venv/bin")).unwrap();
    std::fs::write(dir.path().join(".venv/bin/python"), "").unwrap();
    let python = dir.path().join(".venv/bin/python").to_string_lossy().into_owned();
    assert_eq!(argv(), [python.as_str(), "app.py"]);
}

#[test]
fn an_unknown_type_fails_to_start_and_the_ones_that_exist_are_named() {
    let mut spec = python(Path::new("/"));
    spec.runtime = "cobol".parse().unwrap();
    let error = surroundings().request(&assignment(spec), RunId(1), None).unwrap_err();
    assert_eq!(error.stage, "type");
    let named = ["\"cobol\"", "docker", "exec", "node", "python", "shell"];
    assert!(named.iter().all(|name| error.message.contains(name)), "{error}");
}

#[test]
fn what_a_type_sets_is_under_what_files_set_and_that_is_under_what_the_process_sets() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.env");
    std::fs::write(&file, "PYTHONUNBUFFERED=file\nSECRET='from the file'\nPATH=/opt\n").unwrap();
    let mut spec = python(Path::new("/"));
    assert_eq!(environment(request(&spec))["PYTHONUNBUFFERED"], "1");
    let env_files = vec![file.to_string_lossy().into_owned()];
    let base_env = [("SECRET", "of all"), ("ALL", "of all")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    spec.execution = Some(Box::new(Execution { env_files, base_env: base_env.into(), ..Execution::default() }));
    let env = environment(request(&spec));
    assert_eq!(env["ALL"], "of all");
    assert_eq!((env["PYTHONUNBUFFERED"].as_str(), env["SECRET"].as_str()), ("file", "from the file"));
    assert_eq!(env["PATH"], "/opt", "over what is inherited");
    spec.env.insert("PYTHONUNBUFFERED".into(), String::new());
    assert_eq!(environment(request(&spec))["PYTHONUNBUFFERED"], "");
    std::fs::write(&file, "SECRET=new\n").unwrap();
    assert_eq!(environment(request(&spec))["SECRET"], "new", "not read anew at each start");
}

#[test]
fn a_container_gets_the_variables_of_files_too_and_none_by_an_argument() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db.env");
    std::fs::write(&file, "SECRET=hunter2\nOWN=file\n").unwrap();
    let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["redis:8".into()]));
    spec.runtime = "docker".parse().unwrap();
    spec.env.insert("OWN".into(), "process".into());
    let base_env = [("ALL".to_owned(), "of all".to_owned())].into();
    let env_files = vec![file.to_string_lossy().into_owned()];
    spec.execution = Some(Box::new(Execution { env_files, base_env, ..Execution::default() }));
    let request = request(&spec);
    let passed: Vec<&str> = request.argv.iter().skip_while(|word| *word != "--env").map(String::as_str).collect();
    assert_eq!(passed, ["--env", "ALL", "--env", "OWN", "--env", "SECRET", "redis:8"]);
    let env = environment(request);
    assert_eq!((env["SECRET"].as_str(), env["OWN"].as_str(), env["ALL"].as_str()), ("hunter2", "process", "of all"));
}

#[test]
fn the_environment_holds_what_was_asked_for_and_nothing_by_accident() {
    let mut spec = shell();
    spec.env.insert("TZ".into(), "Asia/Tokyo".into());
    let request = request(&spec);
    assert_eq!(request.stdout, "/var/log/pm/web-3.stdout.log");
    let env = environment(request);
    assert_eq!(env["TZ"], "Asia/Tokyo", "the process's own wins");
    assert_eq!((env["PM_INSTANCE"].as_str(), env["PM_INSTANCE_INDEX"].as_str()), ("web-3", "3"));
    assert!(!env.contains_key("CARGO_MANIFEST_DIR"), "inherited by accident");
    assert!(!env.contains_key("WATCHDOG_USEC"), "nobody asked for a watchdog");
}

#[test]
fn output_of_the_runners_own_files_is_kept_by_policy_and_a_foreign_file_is_only_appended_to() {
    let mut spec = shell();
    assert_eq!(request(&spec).logs, Some(LogPolicy::default()));
    spec.log_file = Some("/srv/app.log".into());
    assert_eq!(request(&spec).logs, None);
    let policy = LogPolicy { max_files: 9, ..LogPolicy::default() };
    spec.logs = Some(Box::new(policy.clone()));
    assert_eq!(request(&spec).logs, Some(policy), "it was asked for");
}

#[test]
fn merged_output_is_one_file() {
    let mut spec = shell();
    spec.logs = Some(Box::new(LogPolicy { merge: true, ..LogPolicy::default() }));
    let request = request(&spec);
    assert_eq!((request.stdout.as_str(), &request.stdout), ("/var/log/pm/web-3.stdout.log", &request.stderr));
}

#[test]
fn a_notify_socket_is_there_for_who_asks_for_it() {
    let mut spec = shell();
    assert!(!request(&spec).notify);
    spec.readiness = Some(Probe::new(Check::Notify));
    assert!(request(&spec).notify);
    spec.readiness = None;
    spec.notify_watchdog = Some(Duration::from_secs(30));
    let request = request(&spec);
    assert!(request.notify);
    assert_eq!(environment(request)["WATCHDOG_USEC"], "30000000");
}

#[test]
fn the_keeper_gets_the_kernels_part_and_limits_that_limit() {
    let mut spec = shell();
    assert_eq!((request(&spec).execution, request(&spec).limits), (None, None));
    let execution = Execution { nice: Some(5), env_files: vec!["-/none".into()], ..Execution::default() };
    spec.execution = Some(Box::new(execution));
    spec.limits = Some(Box::default());
    let seen = request(&spec);
    assert_eq!(seen.execution, Some(Box::new(Execution { nice: Some(5), ..Execution::default() })));
    assert_eq!(seen.limits, None, "nothing is limited");
    let limits = ResourceLimits { pids: Some(7), ..ResourceLimits::default() };
    spec.limits = Some(Box::new(limits.clone()));
    assert_eq!(request(&spec).limits, Some(limits));
}

#[test]
fn a_hook_writes_to_the_instances_files_and_a_probe_to_nobodys() {
    let mut spec = shell();
    spec.notify_watchdog = Some(Duration::from_secs(30));
    spec.limits = Some(Box::new(ResourceLimits { pids: Some(7), ..ResourceLimits::default() }));
    let task = |task| surroundings().task(&assignment(spec.clone()), &Command::Shell("x".into()), &task, RunId(1));
    let ended = Some(ExitStatus::Signal(9));
    let hook = task(TaskKind::Hook { kind: HookKind::PostStop, ended, main_pid: None }).unwrap();
    assert_eq!(hook.argv, ["/bin/sh", "-c", "x"]);
    assert_eq!(hook.stdout, "/var/log/pm/web-3.stdout.log");
    assert!(hook.is_task && !hook.notify && hook.limits.is_none() && hook.logs.is_none());
    let env = environment(hook);
    assert_eq!((env["PM_HOOK"].as_str(), env["PM_EXIT_SIGNAL"].as_str()), ("post_stop", "9"));
    assert!(!env.contains_key("WATCHDOG_USEC") && !env.contains_key("PM_EXIT_CODE"));
    let ended = Some(ExitStatus::Code(3));
    let reload = environment(task(TaskKind::Hook { kind: HookKind::Reload, ended, main_pid: Some(77) }).unwrap());
    assert_eq!((reload["PM_HOOK"].as_str(), reload["PM_MAIN_PID"].as_str()), ("reload", "77"));
    assert!(!reload.contains_key("PM_EXIT_CODE"), "of a run before this one");
    let probe = task(TaskKind::Probe).unwrap();
    assert_eq!((probe.stdout.as_str(), probe.stderr.as_str()), ("/dev/null", "/dev/null"));
}

#[test]
fn the_policy_of_the_node_has_the_last_word_also_over_hooks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy.yaml");
    std::fs::write(&path, "version: 1\nshell: false\n").unwrap();
    let here = surroundings();
    here.policy.replace(NodePolicy::of(&crate::options::PolicyFile::Named(path.clone())).unwrap());
    let refused = here.request(&assignment(shell()), RunId(1), None).unwrap_err();
    assert_eq!(refused.stage, "policy");
    assert!(refused.message.contains("rule shell of"), "{refused}");
    let mut allowed = ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["true".into()]));
    allowed.env.insert("PATH".into(), "/usr/bin:/bin".into());
    assert!(here.request(&assignment(allowed.clone()), RunId(1), None).is_ok());
    let hook = here.task(&assignment(allowed), &Command::Shell("x".into()), &TaskKind::Probe, RunId(1));
    assert_eq!(hook.unwrap_err().stage, "policy");
    here.policy.replace(NodePolicy::default());
    assert!(here.request(&assignment(shell()), RunId(1), None).is_ok());
}
