//! A machine in a process of its own that applies, writes behind and takes
//! snapshots until somebody ends it. The test program runs itself again with
//! one test only, which must be named [`NAME`] and call [`run`]. It says
//! `machine: at N` for each run of entries and `machine: snapshot N`.

use super::{Pace, apply_upto, hurried, index, open_with};
use registry_consensus::Machine;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

pub const NAME: &str = "a_machine_in_its_own_process";
const DIR: &str = "PM_TEST_MACHINE_DIR";
const EVERY: &str = "PM_TEST_SNAPSHOT_EVERY";
const AT_ONCE: &str = "PM_TEST_ROWS_AT_ONCE";

pub fn run() {
    // A test of its own only for the others, who run it in another process with this set.
    let Ok(dir) = std::env::var(DIR) else { return };
    let every: u64 = std::env::var(EVERY).unwrap().parse().unwrap();
    let at_once: usize = std::env::var(AT_ONCE).unwrap().parse().unwrap();
    let machine = open_with(
        Path::new(&dir),
        Pace { every: Duration::from_millis(2), rows: 4_000, at_once, at_once_of_few: at_once, ..hurried() },
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let begin = index(&machine).unwrap_or(0);
    for from in begin..begin + MOST {
        apply_upto(&machine, from + 1);
        println!("machine: at {}", from + 1);
        if (from + 1) % every == 0 {
            let snapshot = runtime.block_on(machine.take_snapshot()).unwrap();
            println!("machine: snapshot {}", snapshot.meta.at.unwrap().index);
        }
        std::io::stdout().flush().unwrap();
    }
}

/// A machine that nobody ends is a test that failed, not one that hangs.
const MOST: u64 = 20_000;

/// What a machine had said when it ended.
#[derive(Default, Clone, Copy)]
pub struct Said {
    pub at: u64,
    pub snapshot: u64,
    pub aborted: bool,
}

pub struct Other {
    child: Child,
    lines: BufReader<ChildStdout>,
    said: Said,
}

impl Other {
    pub fn start(dir: &Path, snapshot_every: u64, fail_point: Option<&str>) -> Self {
        Self::start_with(dir, snapshot_every, Pace::default().at_once, fail_point)
    }

    pub fn start_with(dir: &Path, snapshot_every: u64, at_once: usize, fail_point: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([NAME, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(DIR, dir).env(EVERY, snapshot_every.to_string()).env(AT_ONCE, at_once.to_string());
        match fail_point {
            Some(point) => command.env("PM_FAIL_POINT", format!("{point}:abort")),
            None => command.env_remove("PM_FAIL_POINT"),
        };
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, said: Said::default() }
    }

    fn next(&mut self) -> bool {
        let mut line = String::new();
        if self.lines.read_line(&mut line).unwrap() == 0 {
            return false;
        }
        if let Some((_, words)) = line.trim().split_once("machine: ") {
            let (what, number) = words.split_once(' ').unwrap();
            let number = number.parse().unwrap();
            match what {
                "at" => self.said.at = number,
                "snapshot" => self.said.snapshot = number,
                other => panic!("it said {other}"),
            }
        }
        true
    }

    /// Ends it by SIGKILL once it has come this far.
    pub fn kill_at(mut self, upto: u64) -> Said {
        while self.said.at < upto {
            assert!(self.next(), "it ended by itself at {}", self.said.at);
        }
        self.child.kill().unwrap();
        self.end()
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> Said {
        while self.next() {}
        let status = self.child.wait().unwrap();
        Said { aborted: status.signal() == Some(6), ..self.said }
    }
}
