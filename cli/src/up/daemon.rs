//! `pmctl up -d`: the same program again, in a session of its own. The parent
//! hands the checked processes over through the child's standard input and
//! reads what becomes of it from the child's standard output, one message a
//! line, until it is ready or has failed.

use super::home;
use super::plan::Plan;
use super::summary::Summary;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::state_dir::StateDir;
use process_model::ProcessSpec;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

/// The log is begun anew when it has grown to this size; one older one is kept.
const LOG_LIMIT: u64 = 10 * 1024 * 1024;

/// The hidden flag of the child.
pub const CHILD_FLAG: &str = "--detached-child";

/// What the child tells the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Something worth a line.
    Line(String),
    /// It is up.
    Ready(Summary),
    /// It has failed.
    Failed {
        /// With this exit code.
        exit: u8,
        /// The whole text.
        text: String,
    },
}

impl Message {
    /// Sends it to the parent. A parent that has gone does not matter.
    pub fn send(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            let mut stdout = io::stdout().lock();
            let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        }
    }
}

/// The parent: starts the child and waits until it is ready.
///
/// # Errors
/// It cannot be started, or says why it failed.
pub fn run(context: &Context, plan: &Plan, verbose: bool) -> Result<Exit, Failure> {
    let state = context.state()?;
    state.create()?;
    // The child looks again; here the message comes without a log file between.
    drop(state.lock().map_err(|e| home::refused(&state, e))?);
    let mut child = spawn(&state, plan, verbose)?;
    hand_over(&mut child, plan.processes.as_ref())?;
    let Some(stdout) = child.stdout.take() else { return Err(died(&mut child, &state)) };
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(Message::Line(text)) => context.terminal.note(text),
            Ok(Message::Ready(summary)) => {
                summary.print(&context.terminal, context.format)?;
                return Ok(if summary.gave_up_after.is_some() { Exit::TimedOut } else { Exit::Done });
            }
            Ok(Message::Failed { exit, text }) => {
                context.terminal.complain(text);
                return Ok(Exit::of_code(exit));
            }
            Err(_) => context.terminal.note(line),
        }
    }
    Err(died(&mut child, &state))
}

fn spawn(state: &StateDir, plan: &Plan, verbose: bool) -> Result<Child, Failure> {
    let failed = |what: &str, e: io::Error| Failure::failed(format!("cannot {what}: {e}"));
    let log = open_log(state).map_err(|e| failed(&format!("open {}", state.up_log().display()), e))?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["up", CHILD_FLAG, "--listen", &plan.listen.to_string()]).arg("--state-dir").arg(state.root());
    match plan.wait {
        Some(wait) => command.arg("--timeout").arg(humantime::format_duration(wait).to_string()),
        None => command.arg("--no-wait"),
    };
    if verbose {
        command.arg("--verbose");
    }
    // No folder is kept busy by something that runs in the background.
    command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    command.spawn().map_err(|e| failed("start pmctl again", e))
}

fn open_log(state: &StateDir) -> io::Result<File> {
    let path = state.up_log();
    if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
        std::fs::rename(&path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn hand_over(child: &mut Child, processes: Option<&Vec<ProcessSpec>>) -> Result<(), Failure> {
    let Some(mut stdin) = child.stdin.take() else { return Ok(()) };
    let failed = |e: &dyn std::fmt::Display| Failure::failed(format!("cannot hand the processes over: {e}"));
    let bytes = serde_json::to_vec(&processes).map_err(|e| failed(&e))?;
    match stdin.write_all(&bytes) {
        // It has ended; its last words say why.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|e| failed(&e)),
    }
}

/// The child's side of the handing over. From here on it has a session of its
/// own: the terminal's end and its Ctrl-C do not reach it.
///
/// # Errors
/// What came is not what the parent sends.
pub fn take_over() -> Result<Option<Vec<ProcessSpec>>, Failure> {
    // Refused only to the leader of a process group, which a child is not.
    let _ = rustix::process::setsid();
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::failed(format!("cannot read what the parent sends: {e}")))?;
    serde_json::from_slice(&bytes).map_err(|e| Failure::usage(format!("this flag is for pmctl itself: {e}")))
}

/// It ended without a message.
fn died(child: &mut Child, state: &StateDir) -> Failure {
    let how = child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
    Failure::failed(format!("pmctl up ended before it was ready: {how}"))
        .help(format!("{} has its last words", state.up_log().display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::Command;

    #[test]
    fn messages_are_one_line_each_and_read_back() {
        let summary = Summary {
            endpoint: "http://127.0.0.1:1".to_owned(),
            token_file: "/s/token".into(),
            pid: 3,
            ready: 1,
            wanted: 2,
            missing: vec![("web-1".to_owned(), "why\nnot".to_owned())],
            gave_up_after: None,
            detached: true,
        };
        for message in [
            Message::Line("a\nb".to_owned()),
            Message::Ready(summary),
            Message::Failed { exit: 1, text: "error: x\n  help: y".to_owned() },
        ] {
            let line = serde_json::to_string(&message).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Message>(&line).unwrap(), message);
        }
    }

    #[test]
    fn processes_are_handed_over_whole() {
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("sleep 1".to_owned()));
        spec.env.insert("A".to_owned(), "b".to_owned());
        let some = Some(vec![spec]);
        let bytes = serde_json::to_vec(&some.as_ref()).unwrap();
        assert_eq!(serde_json::from_slice::<Option<Vec<ProcessSpec>>>(&bytes).unwrap(), some);
        let none = serde_json::to_vec(&None::<&Vec<ProcessSpec>>).unwrap();
        assert_eq!(serde_json::from_slice::<Option<Vec<ProcessSpec>>>(&none).unwrap(), None);
    }
}
