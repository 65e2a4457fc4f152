//! A writer in a process of its own. The test program runs itself again with
//! one test only, which must be named [`NAME`] and call [`run`]. It writes
//! `ack N` for each confirmed request, on its standard output, from the
//! callback.

use super::model::Model;
use super::script::Script;
use super::{Settings, open};
use registry_log::OpenError;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};

pub const NAME: &str = "a_writer_in_its_own_process";
/// What its own words begin with.
const OURS: &str = "log: ";
const DIR: &str = "PM_TEST_LOG_DIR";
const SEED: &str = "PM_TEST_SEED";
const REQUESTS: &str = "PM_TEST_REQUESTS";
/// Requests without an answer at most: few enough that there are 60 groups even when each is as large as it can be.
const OUTSTANDING: usize = 10;

pub struct Writer {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Requests confirmed so far.
    pub confirmed: u64,
    /// What it held when it was opened, if it came so far.
    pub said: Vec<String>,
}

/// How one writer's life ended.
pub struct Ended {
    pub confirmed: u64,
    pub status: ExitStatus,
    pub said: Vec<String>,
}

impl Writer {
    /// Begins; ends by itself after this many requests.
    pub fn start(dir: &Path, seed: u64, requests: u64, fail_point: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([NAME, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(DIR, dir).env(SEED, seed.to_string()).env(REQUESTS, requests.to_string());
        match fail_point {
            Some(point) => command.env("PM_FAIL_POINT", point),
            None => command.env_remove("PM_FAIL_POINT"),
        };
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, confirmed: 0, said: Vec::new() }
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Reads until so many requests are confirmed; `false` when it ended before.
    pub fn read_until(&mut self, confirmed: u64) -> bool {
        let mut line = String::new();
        while self.confirmed < confirmed {
            line.clear();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return false;
            }
            self.take(line.trim());
        }
        true
    }

    fn take(&mut self, line: &str) {
        // The test program itself begins a line and leaves it open.
        let Some((_, line)) = line.split_once(OURS) else { return };
        match line.strip_prefix("ack ") {
            Some(number) => {
                let number: u64 = number.parse().unwrap();
                assert_eq!(number, self.confirmed + 1, "confirmed out of order");
                self.confirmed = number;
            }
            None => self.said.push(line.to_owned()),
        }
    }

    /// Waits until a fail point stopped it.
    pub fn wait_until_stopped(&self) {
        use rustix::process::{WaitOptions, waitpid};
        let (_, status) = waitpid(Some(self.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "it did not stop: {status:?}");
    }

    pub fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.end()
    }

    /// Reads what it still says, waits for its end.
    pub fn end(mut self) -> Ended {
        self.read_until(u64::MAX);
        let status = self.child.wait().unwrap();
        Ended { confirmed: self.confirmed, status, said: std::mem::take(&mut self.said) }
    }
}

impl Ended {
    /// It came to the fail point.
    pub fn was_aborted(&self) -> bool {
        self.status.signal() == Some(6)
    }

    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// Whether it said a line that begins so.
    pub fn said(&self, begin: &str) -> bool {
        self.said.iter().any(|line| line.contains(begin))
    }
}

/// What the child does.
pub fn run(settings: &Settings) {
    let value = |name| std::env::var(name).unwrap_or_else(|_| panic!("only run by another test: {name} is missing"));
    let (dir, seed, requests) = (value(DIR), value(SEED).parse().unwrap(), value(REQUESTS).parse().unwrap());
    let dir = Path::new(&dir);
    if !dir.exists() {
        registry_log::Log::create(dir, &super::IDENTITY, settings).unwrap();
    }
    let (log, _) = match open(dir, settings) {
        Ok(opened) => opened,
        Err(error @ (OpenError::Failed(_) | OpenError::Io { .. })) => return say(&format!("not opened: {error}")),
        Err(error) => panic!("{error}"),
    };
    let outstanding = Arc::new((Mutex::new(0), Condvar::new()));
    for (n, request) in (1_u64..=requests).zip(Script::new(seed, Model::of(&log))) {
        let (count, less) = &*outstanding;
        *less.wait_while(count.lock().unwrap(), |count| *count >= OUTSTANDING).unwrap() += 1;
        let back = outstanding.clone();
        let done = move |done: Result<_, registry_log::Fault>| {
            match done {
                Ok(_) => say(&format!("ack {n}")),
                Err(fault) => say(&format!("fault {fault}")),
            }
            *back.0.lock().unwrap() -= 1;
            back.1.notify_one();
        };
        if let Err(refused) = log.submit(request, done) {
            say(&format!("refused {n}: {refused}"));
            break;
        }
    }
    let syncs = log.figures().syncs.count;
    match log.close() {
        Ok(()) => say("closed"),
        Err(fault) => {
            // A failed log never touches the disk again, whatever is asked.
            assert!(log.submit(registry_log::Write::Flush, drop).is_err());
            say(&format!("closed after {fault}, syncs {syncs} {}", log.figures().syncs.count));
        }
    }
}

/// Straight to the file descriptor: what is in a buffer when the process is
/// killed was never said.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{OURS}{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// The state must be the one after some number of requests, at least those
/// that were confirmed; returns it.
pub fn check(found: &Model, begin: &Model, seed: u64, confirmed: u64, most: u64) -> u64 {
    let mut model = begin.clone();
    let mut script = Script::new(seed, begin.clone());
    let mut done = 0;
    while done < confirmed {
        model.apply(&script.next().unwrap());
        done += 1;
    }
    loop {
        if model == *found {
            return done;
        }
        assert!(
            done < most,
            "after {confirmed} confirmed requests of seed {seed} the log is no state that it can have: {:?}, {} entries",
            found.extent(),
            found.entries.len()
        );
        model.apply(&script.next().unwrap());
        done += 1;
    }
}
