//! From a spec to what the keeper starts: arguments as its type says, the whole
//! environment, identity, log files.

use super::types::Disk;
use super::users::{self, Account};
use process_model::{Assignment, InstanceId, NodeName, ProcessSpec};
use runner_domain::{RunId, SpawnError};
use runner_keeper::protocol::SpawnRequest;
use runner_types::{Program, Subject, TypeSet};
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
    /// What the types of processes mean here.
    pub(crate) types: TypeSet,
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
        let subject = Subject { spec, instance: &assignment.instance, working_dir: &working_dir };
        let program = self
            .types
            .resolve(subject, &Disk)
            .map_err(|error| SpawnError { stage: "type".to_owned(), message: error.to_string() })?;
        Ok(SpawnRequest {
            run: run.0,
            instance: assignment.instance.to_string(),
            env: self.environment(assignment, &account, &program, traceparent),
            argv: program.argv,
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
        program: &Program,
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
        env.extend(program.env.clone());
        env.extend(assignment.spec.env.clone());
        env.insert("PM_PROCESS".to_owned(), assignment.instance.process.to_string());
        env.insert("PM_INSTANCE".to_owned(), assignment.instance.to_string());
        env.insert("PM_INSTANCE_INDEX".to_owned(), assignment.instance.index.to_string());
        env.insert("PM_NODE".to_owned(), self.node.to_string());
        env.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::Command;

    fn surroundings() -> Surroundings {
        Surroundings { node: "n1".parse().unwrap(), log_dir: "/var/log/pm".into(), types: TypeSet::built_in() }
    }

    fn assignment(spec: ProcessSpec) -> Assignment {
        Assignment {
            instance: InstanceId::new(spec.name.clone(), 3),
            generation: 1,
            spec: spec.into(),
            wanted: true,
            restart_count: 0,
            traceparent: String::new(),
        }
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
        let argv = || surroundings().request(&assignment(python(dir.path())), RunId(1), None).unwrap().argv;
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
    fn what_a_type_sets_is_under_what_the_process_sets() {
        let mut spec = python(Path::new("/"));
        let buffered = |spec: &ProcessSpec| {
            let request = surroundings().request(&assignment(spec.clone()), RunId(1), None).unwrap();
            request.env.into_iter().find(|(name, _)| name == "PYTHONUNBUFFERED").map(|(_, value)| value)
        };
        assert_eq!(buffered(&spec).as_deref(), Some("1"));
        spec.env.insert("PYTHONUNBUFFERED".into(), String::new());
        assert_eq!(buffered(&spec).as_deref(), Some(""));
    }

    #[test]
    fn the_environment_holds_what_was_asked_for_and_nothing_by_accident() {
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()));
        spec.env.insert("TZ".into(), "Asia/Tokyo".into());
        let request = surroundings().request(&assignment(spec), RunId(1), None).unwrap();
        let env: BTreeMap<_, _> = request.env.into_iter().collect();
        assert_eq!(env["TZ"], "Asia/Tokyo", "the process's own wins");
        assert_eq!((env["PM_INSTANCE"].as_str(), env["PM_INSTANCE_INDEX"].as_str()), ("web-3", "3"));
        assert!(!env.contains_key("CARGO_MANIFEST_DIR"), "inherited by accident");
        assert_eq!(request.stdout, "/var/log/pm/web-3.stdout.log");
    }
}
