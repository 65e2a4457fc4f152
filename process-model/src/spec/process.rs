//! The spec of one process. Its rules are in `check`.

use super::{
    Check, Command, Condition, Dependency, Execution, Hooks, LogPolicy, LogRule, LogWatchdog, Operator, Placement,
    Probe, ResourceLimits, RestartMode, RestartPolicy, RuntimeType, Schedule, Singleton, Socket, StopPolicy,
    UpdatePolicy,
};
use crate::ProcessName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a user defines. Fields are public for reading and for building; a spec
/// that comes from outside goes through [`ProcessSpec::check`]. It is written
/// by `written`, which names every field once more.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ProcessSpec {
    /// Unique name.
    pub name: ProcessName,
    /// What runs.
    pub command: Command,
    /// How this kind of application is run; the node knows what it means.
    pub runtime: RuntimeType,
    /// Absolute working directory; `None`: the runner's default.
    pub working_dir: Option<String>,
    /// Environment, over the manager's.
    pub env: BTreeMap<String, String>,
    /// User name or numeric id; `None`: the runner's own.
    pub user: Option<String>,
    /// Number of instances.
    pub instances: u32,
    /// Ports by name.
    pub ports: BTreeMap<String, u16>,
    /// When and how soon to restart.
    pub restart: RestartPolicy,
    /// How to stop.
    pub stop: StopPolicy,
    /// How to know that it is ready; `None`: once it runs.
    pub readiness: Option<Probe>,
    /// Absolute path of the file that output is appended to; `None`: one file
    /// for each instance and output, made by the runner.
    pub log_file: Option<String>,
    /// Log-activity watchdog.
    pub log_watchdog: Option<LogWatchdog>,
    /// What the kernel gives the program. `None`: what the runner has.
    #[serde(default)]
    pub execution: Option<Box<Execution>>,
    /// Commands around its life.
    #[serde(default)]
    pub hooks: Option<Box<Hooks>>,
    /// Sockets that are open before it is.
    #[serde(default)]
    pub sockets: Vec<Socket>,
    /// How to know that it is alive; what is not is restarted. `None`: while its
    /// main process is there.
    #[serde(default)]
    pub liveness: Option<Probe>,
    /// Longest time between two `WATCHDOG=1` on `NOTIFY_SOCKET` (sd_notify(3));
    /// what is silent for longer is restarted.
    #[serde(default)]
    pub notify_watchdog: Option<Duration>,
    /// What lines of its output lead to.
    #[serde(default)]
    pub log_rules: Vec<LogRule>,
    /// What becomes of its output. `None`: the default of [`LogPolicy`], but a
    /// `log_file` is only appended to.
    #[serde(default)]
    pub logs: Option<Box<LogPolicy>>,
    /// What it may use.
    #[serde(default)]
    pub limits: Option<Box<ResourceLimits>>,
    /// What has to have happened before it is started.
    #[serde(default)]
    pub depends_on: Vec<Dependency>,
    /// When it runs. `None`: all the time.
    #[serde(default)]
    pub schedule: Option<Box<Schedule>>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is started as soon as it is defined.
    pub autostart: bool,
    /// Where instances go. `None`: the default of [`Placement`].
    #[serde(default)]
    pub placement: Option<Box<Placement>>,
    /// How instances come to a new spec. `None`: the default of [`UpdatePolicy`].
    #[serde(default)]
    pub update: Option<Box<UpdatePolicy>>,
    /// That there is never a second copy. `None`: there may be one while its
    /// node is cut off.
    #[serde(default)]
    pub singleton: Option<Box<Singleton>>,
}

impl ProcessSpec {
    /// A spec with the defaults of everything but its name and command.
    #[must_use]
    pub fn new(name: ProcessName, command: Command) -> Self {
        let runtime = match command {
            Command::Shell(_) => RuntimeType::shell(),
            Command::Argv(_) => RuntimeType::exec(),
        };
        Self {
            name,
            command,
            runtime,
            working_dir: None,
            env: BTreeMap::new(),
            user: None,
            instances: 1,
            ports: BTreeMap::new(),
            restart: RestartPolicy::default(),
            stop: StopPolicy::default(),
            readiness: None,
            log_file: None,
            log_watchdog: None,
            execution: None,
            hooks: None,
            sockets: Vec::new(),
            liveness: None,
            notify_watchdog: None,
            log_rules: Vec::new(),
            logs: None,
            limits: None,
            depends_on: Vec::new(),
            schedule: None,
            placement: None,
            update: None,
            singleton: None,
            labels: BTreeMap::new(),
            autostart: true,
        }
    }

    /// Whether it says where its instances go, how they change, or that there
    /// is one: what a registry of before there was any of it does not know.
    #[must_use]
    pub fn is_of_a_fleet(&self) -> bool {
        self.placement.is_some() || self.update.is_some() || self.singleton.is_some()
    }

    /// Whether it runs to an end, by a schedule or once: to stop it is to lose
    /// what it has done, and its runs are kept.
    #[must_use]
    pub fn runs_to_an_end(&self) -> bool {
        self.schedule.is_some() || self.restart.mode == RestartMode::Never
    }

    /// Number of regular expressions in it, each of which costs time to build.
    #[must_use]
    pub(crate) fn patterns(&self) -> usize {
        let probe = self.readiness.iter().chain(&self.liveness).filter(|probe| match &probe.check {
            Check::Http(http) => http.body.is_some(),
            Check::Log { .. } => true,
            Check::Tcp { .. } | Check::Exec { .. } | Check::Grpc { .. } | Check::Notify => false,
        });
        let logs = self.depends_on.iter().filter(|dependency| matches!(dependency.condition, Condition::Log(_)));
        let constraints = self.placement.iter().flat_map(|placement| &placement.constraints);
        let nodes = constraints.filter(|constraint| constraint.operator == Operator::Regexp);
        self.log_rules.len() + probe.count() + logs.count() + nodes.count()
    }
}
