//! From a spec to what the keeper starts: arguments as its type says, the whole
//! environment, identity, log files. The node's policy has the last word.
//!
//! | file | what |
//! |---|---|
//! | `environment` | the layers of a program's environment |

mod environment;
#[cfg(test)]
mod tests;

use super::policy::{PolicyInForce, Start};
use super::task::TaskKind;
use super::types::Disk;
use super::types_in_force::TypesInForce;
use super::users::{self, Account};
use process_model::spec::{Check, Command, Execution, LogPolicy};
use process_model::{Assignment, InstanceId, NodeName, ProcessSpec};
use runner_domain::{RunId, SpawnError};
use runner_keeper::protocol::SpawnRequest;
use runner_types::{Program, Subject};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is the same for all programs of a runner.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) node: NodeName,
    pub(crate) log_dir: PathBuf,
    /// What the types of processes mean here.
    pub(crate) types: TypesInForce,
    /// What programs may be here.
    pub(crate) policy: PolicyInForce,
}

/// Files that an instance's output goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFiles {
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
}

impl LogFiles {
    pub(crate) fn of(spec: &ProcessSpec, instance: &InstanceId, log_dir: &Path) -> Self {
        if let Some(file) = &spec.log_file {
            return Self { stdout: file.into(), stderr: file.into() };
        }
        let stdout = log_dir.join(format!("{instance}.stdout.log"));
        let merged = spec.logs.as_ref().is_some_and(|logs| logs.merge);
        let stderr = if merged { stdout.clone() } else { log_dir.join(format!("{instance}.stderr.log")) };
        Self { stdout, stderr }
    }

    /// How output is kept that was kept otherwise so far.
    pub(crate) fn policy(spec: &ProcessSpec) -> LogPolicy {
        match &spec.logs {
            Some(policy) => LogPolicy::clone(policy),
            None if spec.log_file.is_none() => LogPolicy::default(),
            // Somebody else's file: appended to, and nothing else.
            None => LogPolicy { max_size: u64::MAX, ..LogPolicy::default() },
        }
    }
}

/// What is worked out of a spec before anything of it is started.
struct Prepared {
    account: Account,
    working_dir: String,
    program: Program,
    env: Vec<(String, String)>,
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
        let mut prepared = self.prepare(assignment, traceparent)?;
        let argv = std::mem::take(&mut prepared.program.argv);
        self.judge(spec, &argv, &prepared)?;
        self.policy.get().allow_sockets(spec)?;
        let files = LogFiles::of(spec, &assignment.instance, &self.log_dir);
        if let Some(longest) = spec.notify_watchdog {
            prepared.env.push(("WATCHDOG_USEC".to_owned(), longest.as_micros().to_string()));
        }
        let is_own = spec.log_file.is_none();
        let logs = spec.logs.as_deref().cloned().or_else(|| is_own.then(Default::default));
        Ok(SpawnRequest {
            argv,
            stdout: files.stdout.to_string_lossy().into_owned(),
            stderr: files.stderr.to_string_lossy().into_owned(),
            sockets: spec.sockets.clone(),
            notify: is_notified(spec),
            logs,
            limits: spec.limits.as_deref().filter(|limits| !limits.is_empty()).cloned(),
            ..bare(assignment, run, prepared)
        })
    }

    /// What the keeper is to start for a command beside the program of
    /// `assignment`.
    pub(crate) fn task(
        &self,
        assignment: &Assignment,
        command: &Command,
        task: &TaskKind,
        run: RunId,
    ) -> Result<SpawnRequest, SpawnError> {
        let spec = &assignment.spec;
        let traceparent = Some(assignment.traceparent.clone()).filter(|text| !text.is_empty());
        let mut prepared = self.prepare(assignment, traceparent)?;
        prepared.env.extend(task.environment());
        let argv = match command {
            Command::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
            Command::Argv(argv) => argv.clone(),
        };
        self.judge(spec, &argv, &prepared)?;
        let (stdout, stderr) = if task.is_silent() {
            (PathBuf::from("/dev/null"), PathBuf::from("/dev/null"))
        } else {
            let files = LogFiles::of(spec, &assignment.instance, &self.log_dir);
            (files.stdout, files.stderr)
        };
        Ok(SpawnRequest {
            argv,
            stdout: stdout.to_string_lossy().into_owned(),
            stderr: stderr.to_string_lossy().into_owned(),
            is_task: true,
            ..bare(assignment, run, prepared)
        })
    }

    fn prepare(&self, assignment: &Assignment, traceparent: Option<String>) -> Result<Prepared, SpawnError> {
        let spec = &assignment.spec;
        let account = users::account(spec.user.as_deref(), spec.execution.as_deref())?;
        let working_dir = spec.working_dir.clone().unwrap_or_else(|| "/".to_owned());
        self.policy.get().allow_env_files(spec)?;
        let own = environment::own(spec)?;
        let subject = Subject { spec, env: &own, instance: &assignment.instance, working_dir: &working_dir };
        let program = self
            .types
            .resolve(subject, &Disk)
            .map_err(|error| SpawnError { stage: "type".to_owned(), message: error.to_string() })?;
        let env = environment::of(assignment, &self.node, &account, &program, own, traceparent);
        Ok(Prepared { account, working_dir, program, env })
    }

    fn judge(&self, spec: &ProcessSpec, argv: &[String], prepared: &Prepared) -> Result<(), SpawnError> {
        let Prepared { account, working_dir, env, .. } = prepared;
        self.policy.get().allow(Start { spec, argv, account, working_dir, env })
    }
}

/// Whether a program gets a `NOTIFY_SOCKET`.
fn is_notified(spec: &ProcessSpec) -> bool {
    let is_notify = |probe: &process_model::spec::Probe| matches!(probe.check, Check::Notify);
    spec.notify_watchdog.is_some() || spec.readiness.as_ref().is_some_and(is_notify)
}

/// What programs and tasks have in common.
fn bare(assignment: &Assignment, run: RunId, prepared: Prepared) -> SpawnRequest {
    SpawnRequest {
        run: run.0,
        instance: assignment.instance.to_string(),
        argv: Vec::new(),
        env: prepared.env,
        working_dir: prepared.working_dir,
        identity: prepared.account.identity,
        stdout: String::new(),
        stderr: String::new(),
        is_task: false,
        execution: assignment.spec.execution.as_deref().map(kernels_part).filter(|part| !part.is_empty()),
        sockets: Vec::new(),
        notify: false,
        logs: None,
        limits: None,
        fence: None,
    }
}

/// The part of an execution that is the kernel's: names of groups and of files
/// are in the identity and the environment already.
fn kernels_part(execution: &Execution) -> Box<Execution> {
    let (env_files, base_env) = (Vec::new(), BTreeMap::new());
    Box::new(Execution { group: None, supplementary_groups: None, env_files, base_env, ..execution.clone() })
}
