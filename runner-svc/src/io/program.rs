//! From a spec to what the keeper starts: arguments by type, the whole
//! environment, identity, log files.

use super::users::{self, Account};
use process_model::spec::{Command, RuntimeType};
use process_model::{Assignment, InstanceId, NodeName, ProcessSpec};
use runner_domain::{RunId, SpawnError};
use runner_keeper::protocol::SpawnRequest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Variables of the runner's own environment that programs get: where
/// programs and temporary files are, language and time zone. Nothing else is
/// inherited.
const INHERITED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// What is the same for all programs of a runner.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) node: NodeName,
    pub(crate) log_dir: PathBuf,
}

/// Files that an instance's output goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFiles {
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
}

impl LogFiles {
    pub(crate) fn of(spec: &ProcessSpec, instance: &InstanceId, log_dir: &Path) -> Self {
        match &spec.log_file {
            Some(file) => Self { stdout: file.into(), stderr: file.into() },
            None => Self {
                stdout: log_dir.join(format!("{instance}.stdout.log")),
                stderr: log_dir.join(format!("{instance}.stderr.log")),
            },
        }
    }
}

impl Surroundings {
    /// What the keeper is to start for `assignment`.
    pub(crate) fn request(
        &self,
        assignment: &Assignment,
        run: RunId,
        traceparent: Option<String>,
    ) -> Result<SpawnRequest, SpawnError> {
        let spec = &assignment.spec;
        let account = users::account(spec.user.as_deref())?;
        let working_dir = spec.working_dir.clone().unwrap_or_else(|| "/".to_owned());
        let files = LogFiles::of(spec, &assignment.instance, &self.log_dir);
        Ok(SpawnRequest {
            run: run.0,
            instance: assignment.instance.to_string(),
            argv: arguments(spec, Path::new(&working_dir)),
            env: self.environment(assignment, &account, traceparent),
            working_dir,
            identity: account.identity,
            stdout: files.stdout.to_string_lossy().into_owned(),
            stderr: files.stderr.to_string_lossy().into_owned(),
        })
    }

    fn environment(
        &self,
        assignment: &Assignment,
        account: &Account,
        traceparent: Option<String>,
    ) -> Vec<(String, String)> {
        let mut env = BTreeMap::new();
        for name in INHERITED {
            if let Ok(value) = std::env::var(name) {
                env.insert(name.to_owned(), value);
            }
        }
        env.insert("HOME".to_owned(), account.home.clone());
        env.insert("USER".to_owned(), account.name.clone());
        env.insert("LOGNAME".to_owned(), account.name.clone());
        env.insert("SHELL".to_owned(), account.shell.clone());
        env.extend(traceparent.map(|value| ("TRACEPARENT".to_owned(), value)));
        env.extend(assignment.spec.env.clone());
        env.insert("PM_PROCESS".to_owned(), assignment.instance.process.to_string());
        env.insert("PM_INSTANCE".to_owned(), assignment.instance.to_string());
        env.insert("PM_INSTANCE_INDEX".to_owned(), assignment.instance.index.to_string());
        env.insert("PM_NODE".to_owned(), self.node.to_string());
        env.into_iter().collect()
    }
}

/// The arguments by type.
fn arguments(spec: &ProcessSpec, working_dir: &Path) -> Vec<String> {
    let interpreter = match spec.runtime {
        RuntimeType::Exec | RuntimeType::Shell => None,
        RuntimeType::Python => Some(python(working_dir)),
        RuntimeType::Node => Some("node".to_owned()),
    };
    match (&spec.command, interpreter) {
        (Command::Argv(args), None) => args.clone(),
        (Command::Argv(args), Some(interpreter)) => std::iter::once(interpreter).chain(args.iter().cloned()).collect(),
        (Command::Shell(line), None) => shell(line.clone()),
        // One process instead of a shell around it, so that signals reach the application.
        (Command::Shell(line), Some(interpreter)) => shell(format!("exec {} {line}", quoted(&interpreter))),
    }
}

fn shell(line: String) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), line]
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The application's own Python when it has a virtual environment (S0.4).
fn python(working_dir: &Path) -> String {
    [".venv", "venv"]
        .iter()
        .map(|dir| working_dir.join(dir).join("bin/python"))
        .find(|path| path.exists())
        .map_or_else(|| "python3".to_owned(), |path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(runtime: RuntimeType, command: Command) -> ProcessSpec {
        let mut spec = ProcessSpec::new("web".parse().unwrap(), command);
        spec.runtime = runtime;
        spec
    }

    #[test]
    fn a_python_application_runs_with_its_own_virtual_environment() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(RuntimeType::Python, Command::Argv(vec!["app.py".into()]));
        assert_eq!(arguments(&spec, dir.path()), ["python3", "app.py"]);
        std::fs::create_dir_all(dir.path().join(".venv/bin")).unwrap();
        std::fs::write(dir.path().join(".venv/bin/python"), "").unwrap();
        let python = dir.path().join(".venv/bin/python").to_string_lossy().into_owned();
        assert_eq!(arguments(&spec, dir.path()), [python.as_str(), "app.py"]);
    }

    #[test]
    fn a_command_line_keeps_its_quotes_and_redirections() {
        let line = r#"echo "a b" >> /tmp/x 2>&1 && true"#;
        let spec = spec(RuntimeType::Shell, Command::Shell(line.into()));
        assert_eq!(arguments(&spec, Path::new("/")), ["/bin/sh", "-c", line]);
    }

    #[test]
    fn the_environment_holds_what_was_asked_for_and_nothing_by_accident() {
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()));
        spec.env.insert("TZ".into(), "Asia/Tokyo".into());
        let instance = InstanceId::new(spec.name.clone(), 3);
        let assignment = Assignment {
            instance,
            generation: 1,
            spec: spec.into(),
            wanted: true,
            restart_count: 0,
            traceparent: String::new(),
        };
        let surroundings = Surroundings { node: "n1".parse().unwrap(), log_dir: "/var/log/pm".into() };
        let request = surroundings.request(&assignment, RunId(1), None).unwrap();
        let env: BTreeMap<_, _> = request.env.into_iter().collect();
        assert_eq!(env["TZ"], "Asia/Tokyo", "the process's own wins");
        assert_eq!((env["PM_INSTANCE"].as_str(), env["PM_INSTANCE_INDEX"].as_str()), ("web-3", "3"));
        assert!(!env.contains_key("CARGO_MANIFEST_DIR"), "inherited by accident");
        assert_eq!(request.stdout, "/var/log/pm/web-3.stdout.log");
    }
}
