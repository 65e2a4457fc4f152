//! A plugin's own process: a child of the runner in a process group of its
//! own, whose standard input is a pipe that ends with the runner, however that
//! ends.

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

/// Where a plugin listens.
pub(crate) const SOCKET_VARIABLE: &str = "PM_PLUGIN_SOCKET";
/// What a plugin inherits; nothing else.
const INHERITED: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/// Time from the polite end to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// Longest line of a plugin's that is logged.
const LINE_BYTES: u64 = 4 << 10;

/// A running plugin. Dropping it kills it and what it started.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    group: Pid,
    pidfd: AsyncFd<OwnedFd>,
    input: Option<ChildStdin>,
}

impl Child {
    /// Starts a plugin; its words on standard error go to the log.
    pub(crate) fn start(plugin: &str, program: &Path, socket: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.env_clear().env(SOCKET_VARIABLE, socket).current_dir("/").process_group(0);
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let number = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let group = number.ok_or_else(|| io::Error::other("a process without a number"))?;
        let input = process.stdin.take();
        if let Some(output) = process.stderr.take() {
            tokio::spawn(log(plugin.to_owned(), pipe::Receiver::from_owned_fd(output.into())?));
        }
        // What the newer constructor wants promised holds of an owned descriptor: it stays the same one until dropped.
        #[allow(deprecated, reason = "its successor is unsafe")]
        let pidfd = AsyncFd::new(pidfd_open(group, PidfdFlags::empty())?)?;
        Ok(Self { process, group, pidfd, input })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        match self.process.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.code(), status.signal()) {
                (Some(code), _) => format!("it ended with exit code {code}"),
                (None, Some(signal)) => format!("it was ended by signal {signal}"),
                (None, None) => "it ended".to_owned(),
            }),
            // Somebody else in this process has collected it.
            Err(_) => Some("it ended".to_owned()),
        }
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self) -> String {
        let _ = self.pidfd.readable().await;
        self.ended().unwrap_or_else(|| "it ended".to_owned())
    }

    /// Asks it to end, and makes it after a while.
    pub(crate) async fn stop(mut self) {
        self.input = None;
        let _ = pidfd_send_signal(self.pidfd.get_ref(), Signal::TERM);
        let _ = tokio::time::timeout(GRACE, self.end()).await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The number is ours until it is collected, which happens below.
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill_process_group(self.group, Signal::KILL);
            // Who was killed is gone in a moment; the collector must not hold up whoever dropped it.
            if let Ok(pidfd) = self.pidfd.get_ref().try_clone() {
                std::thread::spawn(move || {
                    let _ = rustix::process::waitid(
                        rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&pidfd)),
                        rustix::process::WaitIdOptions::EXITED,
                    );
                });
            }
        }
    }
}

async fn log(plugin: String, output: pipe::Receiver) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => tracing::warn!(plugin, text = String::from_utf8_lossy(&line).trim_end(), "a plugin says"),
        }
    }
}

/// Ends what a runner before us left listening at `socket`: it would be asked in
/// place of the new one. Known by its environment, which only it has.
pub(crate) fn end_leftovers(socket: &Path) {
    let mark = [SOCKET_VARIABLE.as_bytes(), b"=", socket.as_os_str().as_encoded_bytes()].concat();
    let bears = |pid: i32| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| env.split(|byte| *byte == 0).any(|v| v == mark))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        if !bears(pid) {
            continue;
        }
        // Looked at once more by the descriptor, so that a number that is used again hits nobody.
        let Some(pidfd) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            continue;
        };
        if bears(pid) {
            tracing::warn!(pid, socket = %socket.display(), "ending a plugin that an earlier runner left");
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        }
    }
}
