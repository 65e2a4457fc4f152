//! A running `pmctl up`: one process with every service, and its keeper.

use crate::outcome::ends_within;
use crate::{Api, DEADLINE, Lines, Outcome, Sandbox, proc};
use rustix::process::Signal;
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::Duration;

/// How to reach it.
#[derive(Clone)]
pub struct Credentials {
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// The admin's token.
    pub token: String,
    /// The file that holds it.
    pub token_file: String,
}

impl Credentials {
    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.endpoint.trim_start_matches("http://").trim_end_matches('/')
    }
}

/// Ends with `pmctl down` when it is dropped.
pub struct Up<'s> {
    sandbox: &'s Sandbox,
    child: Child,
    /// What it printed.
    pub stdout: Lines,
    /// What it logged.
    pub stderr: Lines,
    /// How to reach it.
    pub credentials: Credentials,
}

impl<'s> Up<'s> {
    pub(crate) fn start(sandbox: &'s Sandbox, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
        command.args(args).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("pmctl can be started");
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        if stdout.find(DEADLINE, says_up).is_none() {
            let _ = child.kill();
            let _ = child.wait();
            panic!("pmctl up did not come up\nstdout:\n{}stderr:\n{}", stdout.text(), stderr.text());
        }
        let credentials = credentials(sandbox);
        Self { sandbox, child, stdout, stderr, credentials }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A gRPC client with the admin's token.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(&self.credentials)
    }

    /// Runs `pmctl` against it; it is found by itself.
    #[must_use]
    pub fn pmctl(&self, args: &[&str]) -> Outcome {
        self.sandbox.pmctl(args)
    }

    /// Its keeper.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn keeper(&self) -> u32 {
        proc::keeper_of(self.pid())
    }

    /// SIGKILL to this one process: nothing of it can react.
    pub fn kill_9(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    /// Sends a signal and waits for the end; the exit code, or 128 + signal.
    ///
    /// # Panics
    /// When it has not ended within the deadline.
    pub fn end_with(&mut self, signal: Signal) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        proc::send(self.pid(), signal);
        assert!(ends_within(&self.child, DEADLINE), "still running after {signal:?}\n{}", self.said());
        let status = self.child.wait().expect("it is ours");
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
    }

    /// All that it said, for the message of a failure.
    #[must_use]
    pub fn said(&self) -> String {
        format!("stdout:\n{}stderr:\n{}", self.stdout.text(), self.stderr.text())
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("pmctl up said\n{}", self.said());
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            // In order if it can; whatever is left, the sandbox ends.
            proc::send(self.child.id(), Signal::TERM);
            if !ends_within(&self.child, Duration::from_secs(20)) {
                let _ = self.child.kill();
            }
            let _ = self.child.wait();
        }
    }
}

/// Whether a line of `pmctl up` says that it has come up: it names the API's
/// address.
fn says_up(line: &str) -> bool {
    line.trim_start().starts_with("API ")
}

/// What `pmctl up` left for a second terminal to find.
fn credentials(sandbox: &Sandbox) -> Credentials {
    let text = std::fs::read_to_string(sandbox.state_dir().join("up.json")).expect("up.json is there");
    let up: Value = serde_json::from_str(&text).expect("up.json is JSON");
    let field = |name: &str| up[name].as_str().unwrap_or_else(|| panic!("{name} is not in {text}")).to_owned();
    let token_file = field("token_file");
    let token = std::fs::read_to_string(&token_file).expect("the token file is there").trim().to_owned();
    Credentials { endpoint: field("endpoint"), token, token_file }
}
