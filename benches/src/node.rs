//! A node with its control plane, each service a process of its own: so that
//! the runner and its keeper can be measured apart, and the rest be killed.

use anyhow::{Context as _, Result, ensure};
use pm_proto::v1::InstancePhase;
use std::time::{Duration, Instant};
use system_tests::{Api, Cluster, Sandbox, Service, proc};

/// Longest wait for instances to run; far above what is measured.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node, its runner and its control plane. Killed when it is dropped.
pub(crate) struct Node<'s> {
    // Fields are dropped in this order: the runner first, so that nothing is
    // started again while the rest goes.
    pub(crate) runner: Service,
    control: Option<[Service; 3]>,
    pub(crate) cluster: Cluster<'s>,
    sandbox: &'s Sandbox,
}

impl<'s> Node<'s> {
    /// Starts everything; the runner with these options.
    pub(crate) fn start(sandbox: &'s Sandbox, options: &[&str]) -> Self {
        let cluster = Cluster::new(sandbox);
        let control = Some([cluster.registry(), cluster.monitor(), cluster.gateway()]);
        let runner = cluster.runner_with(options);
        Self { runner, control, cluster, sandbox }
    }

    /// Applies a document. Waits until so many instances run.
    pub(crate) fn run(&self, document: &str, instances: usize) -> Result<()> {
        let file = self.sandbox.write("node.yaml", document);
        let applied = self.cluster.pmctl(&["apply", "-f", &file]);
        ensure!(applied.code == 0, "cannot apply: {applied}");
        let api = self.cluster.api();
        self.until_running(&api, instances)
    }

    fn until_running(&self, api: &Api, instances: usize) -> Result<()> {
        let running = || api.instances().iter().filter(|i| i.phase() == InstancePhase::Running && i.pid > 0).count();
        let began = Instant::now();
        while running() < instances {
            ensure!(began.elapsed() < PATIENCE, "{} of {instances} run after {PATIENCE:?}", running());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// SIGKILL to registry, monitor and gateway.
    pub(crate) fn kill_control_plane(&mut self) {
        for mut service in self.control.take().into_iter().flatten() {
            service.kill_9();
        }
    }

    /// The two processes that a node needs: runner and keeper.
    pub(crate) fn own(&self) -> [u32; 2] {
        [self.runner.pid(), proc::keeper_of(self.runner.pid())]
    }
}

/// A document with idle instances beside another process.
pub(crate) fn idle(program: &str, instances: usize) -> String {
    format!("processes:\n  idle:\n    command: ['{program}']\n    instances: {instances}\n")
}

/// A field of `smaps_rollup` in bytes, as `Anonymous` or `Pss`.
pub(crate) fn memory(pid: u32, field: &str) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read smaps_rollup")?;
    let line = text.lines().find(|line| line.split(':').next() == Some(field));
    let line = line.with_context(|| format!("smaps_rollup without {field}"))?;
    let kib: f64 = line.split_whitespace().nth(1).context("a field without a number")?.parse().context("no number")?;
    Ok(kib * 1024.0)
}

/// Time that a process has had on the processors, with all its threads, also
/// those that have ended: by its clock, where stat(5) counts in hundredths of a
/// second.
pub(crate) fn processor_time(pid: u32) -> Result<Duration> {
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(i32::try_from(pid)?))?;
    Ok(nix::time::clock_gettime(clock).context("cannot read the clock of a process")?.into())
}
