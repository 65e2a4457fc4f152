//! How a program is started so that it never outlives the measures, however
//! these end: by setpriv(1), which asks the kernel for a SIGKILL at its
//! parent's death. With a delay, strace(1) sits between and makes every fsync
//! and fdatasync longer.

use anyhow::{Context as _, Result, ensure};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use system_tests::proc;

const TETHER: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];
/// Until strace has started what it traces.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pid: u32,
}

/// The words of a command that runs `program`, tethered and maybe slowed down.
pub(crate) fn command(program: &Path, arguments: &[String], delay: Option<Duration>) -> Command {
    let mut words: Vec<String> = TETHER.map(str::to_owned).to_vec();
    if let Some(delay) = delay {
        let inject = format!("inject=fsync,fdatasync:delay_exit={}", delay.as_micros());
        // Only these two calls stop the program (a filter in the kernel); all
        // others run at full speed.
        let strace = ["strace", "-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"];
        words.extend(strace.map(str::to_owned));
        words.push(inject);
        words.extend(TETHER.map(str::to_owned));
    }
    let mut command = Command::new(words.remove(0));
    command.args(words).arg(program).args(arguments);
    command
}

/// Starts a program; what it says goes to the end of a file. Only the main
/// thread may do it: the kernel takes the death of the starting thread for the
/// parent's.
pub(crate) fn start(program: &Path, arguments: &[String], delay: Option<Duration>, log: &Path) -> Result<Running> {
    let said = File::options().create(true).append(true).open(log).context("cannot open a log file")?;
    let mut command = command(program, arguments, delay);
    command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
    // Settings of the caller's shell must not reach either side.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["PM_", "OTEL_", "ETCD_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    let child = command.spawn().context("cannot run setpriv (Debian package util-linux)")?;
    let pid = child.id();
    let mut running = Running { child, pid };
    if delay.is_some() {
        running.pid = traced(running.pid, program)?;
    }
    Ok(running)
}

/// The process below strace that runs this program.
fn traced(strace: u32, program: &Path) -> Result<u32> {
    let began = Instant::now();
    let program = program.canonicalize().context("the program is not there")?;
    loop {
        let is_it = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        if let Some(pid) = proc::descendants(strace).into_iter().find(is_it) {
            return Ok(pid);
        }
        ensure!(began.elapsed() < PATIENCE, "strace has not started {}", program.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Running {
    /// The process that serves.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// SIGKILL, and its end.
    pub(crate) fn kill_9(&mut self) {
        proc::kill_9(self.pid);
        let _ = self.child.wait();
    }

    /// SIGTERM, and its end; an error when it takes longer than `patience`.
    pub(crate) async fn terminate(&mut self, patience: Duration) -> Result<()> {
        proc::send(self.pid, rustix::process::Signal::TERM);
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(began.elapsed() < patience, "process {} has not ended {patience:?} after SIGTERM", self.pid);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_9();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_dies_with_the_measures_even_by_sigkill() {
        // The middle shell stands for the measures: it starts a tethered program and is killed.
        let tethered = TETHER.join(" ");
        let line = format!("{tethered} sleep 1000 & echo $!; wait");
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", &line]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = system_tests::Lines::of(shell.stdout.take().unwrap());
        let pid: u32 = said.wait_for("").parse().unwrap();
        // It is tethered once setpriv has become the program.
        system_tests::until("sleep runs", || proc::arguments(pid).first().is_some_and(|word| word == "sleep"));
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert!(proc::ends(pid));
    }
}
