//! One replica: a process that is started, stopped, killed and paused, and the
//! directory that it leaves.

use super::LogReader;
use super::plan::Place;
use crate::outcome::ends_within;
use crate::{DEADLINE, hosts_file, http, proc, until};
use rustix::process::Signal;
use std::fs::{File, OpenOptions};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Longest wait for a connection to its operations port.
const CONNECT: Duration = Duration::from_millis(500);

/// How a replica's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its exit code, or 128 + the signal that ended it.
    pub code: i32,
    /// What it logged since it was started.
    pub said: String,
}

/// One replica. Killed when it is dropped.
pub struct Replica {
    place: Place,
    program: PathBuf,
    child: Option<Child>,
    /// Bytes of the log before this start.
    log_before: u64,
    /// Variables of the next starts only.
    extra: Vec<(String, String)>,
    extra_arguments: Vec<String>,
}

impl Replica {
    pub(super) fn new(place: Place, program: &Path) -> Self {
        let (extra, extra_arguments) = (Vec::new(), Vec::new());
        Self { place, program: program.to_path_buf(), child: None, log_before: 0, extra, extra_arguments }
    }

    /// Its address, as `http://HOST:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.place.address)
    }

    /// Its operations port, as `HOST:PORT`.
    #[must_use]
    pub fn ops(&self) -> String {
        self.place.ops.to_string()
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.place.directory
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// A number among its metrics.
    ///
    /// # Panics
    /// When it does not answer, or has no metric of that name.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        http::metric(&self.place.ops.to_string(), name)
    }

    /// Whether its process is there and no zombie.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.child.as_ref().is_some_and(|child| proc::is_running(child.id()))
    }

    /// Its next starts have these variables; replaces those of the last call.
    pub fn set_environment(&mut self, variables: &[(&str, &str)]) {
        self.extra = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }

    /// Its next starts have these arguments more; replaces those of the last
    /// call.
    pub fn set_arguments(&mut self, words: &[&str]) {
        self.extra_arguments = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Its next starts tell the others that it is reached there.
    ///
    /// # Panics
    /// When it was planned without an address.
    pub fn set_advertise(&mut self, url: &str) {
        let arguments = &mut self.place.arguments;
        let flag = arguments.iter().position(|word| word == "--advertise").expect("it has an address");
        url.clone_into(&mut arguments[flag + 1]);
    }

    /// Its next starts find names of hosts in this file, as in `/etc/hosts`.
    pub fn set_hosts(&mut self, file: &str) {
        self.place.enter = hosts_file::entering(file).map(str::to_owned).to_vec();
    }

    /// In its next start somebody reads what it logs, who may stop.
    ///
    /// # Panics
    /// When it is started in a namespace of its own.
    pub fn read_its_log(&mut self) -> LogReader {
        assert!(self.place.enter.is_empty(), "it is entered in another way already");
        let pipe = self.place.log.with_extension("pipe");
        let reader = LogReader::start(&pipe, &self.place.log);
        let pipe = pipe.to_str().expect("the path is UTF-8");
        self.place.enter = ["sh", "-c", "exec \"$@\" 2> \"$0\"", pipe].map(str::to_owned).to_vec();
        reader
    }

    /// Starts it and waits for nothing.
    ///
    /// # Panics
    /// When it runs, or cannot be started.
    pub fn spawn(&mut self) {
        assert!(!self.is_running(), "it runs already");
        let log = OpenOptions::new().create(true).append(true).open(&self.place.log).unwrap();
        self.log_before = log.metadata().unwrap().len();
        let mut words = self.place.enter.clone();
        words.push(self.program.to_str().expect("the path is UTF-8").to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(&self.place.arguments).args(&self.extra_arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PM_") {
                command.env_remove(&name);
            }
        }
        command.env("RUST_BACKTRACE", "1").env("NO_COLOR", "1");
        command.envs(self.place.environment.iter().chain(&self.extra).map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap_or_else(|error| panic!("cannot start {words:?}: {error}")));
    }

    /// Whether it says that it is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let ops = self.place.ops;
        TcpStream::connect_timeout(&ops, CONNECT).is_ok() && http::get(&ops.to_string(), "/readyz", None).status == 200
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// When it is not within the deadline, or ends before.
    pub fn wait_until_ready(&mut self) {
        until(&format!("the replica at {} is ready", self.place.address), || {
            assert!(self.is_running(), "it ended instead of getting ready:\n{}", self.said());
            self.is_ready()
        });
    }

    /// SIGKILL, and waits for the end. Nothing when it does not run.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; does not wait.
    pub fn terminate(&self) {
        proc::send(self.pid(), Signal::TERM);
    }

    /// SIGSTOP; returns when it has stopped.
    pub fn pause(&self) {
        proc::pause(self.pid());
    }

    /// SIGCONT.
    pub fn cont(&self) {
        proc::send(self.pid(), Signal::CONT);
    }

    /// Waits until its process ends by itself, or by what was sent before.
    ///
    /// # Panics
    /// When it has not ended in this time.
    #[track_caller]
    pub fn wait_for_end(&mut self, within: Duration) -> End {
        self.end_within(within).unwrap_or_else(|| panic!("it has not ended within {within:?}:\n{}", self.said()))
    }

    /// How it ended; none when it still runs after this time.
    pub fn end_within(&mut self, within: Duration) -> Option<End> {
        let ended = ends_within(self.child.as_ref().expect("it was started"), within);
        if !ended {
            return None;
        }
        let status = self.child.take().expect("it was started").wait().expect("it is ours");
        Some(End { code: code(status), said: self.said() })
    }

    /// Waits until its process ends, and demands this: an exit code of those
    /// given, and each of these texts in what it said, in whatever case.
    ///
    /// # Panics
    /// When it does otherwise.
    #[track_caller]
    pub fn is_refused(&mut self, codes: &[i32], texts: &[&str]) {
        let end = self.wait_for_end(DEADLINE);
        assert!(codes.contains(&end.code), "exit code {}, not one of {codes:?}:\n{}", end.code, end.said);
        let said = end.said.to_lowercase();
        for text in texts {
            assert!(said.contains(&text.to_lowercase()), "{text:?} is not in what it said:\n{}", end.said);
        }
    }

    /// What it logged since it was started.
    #[must_use]
    pub fn said(&self) -> String {
        let log = std::fs::read(&self.place.log).unwrap_or_default();
        let before = usize::try_from(self.log_before).expect("a log fits into memory");
        String::from_utf8_lossy(log.get(before..).unwrap_or_default()).into_owned()
    }

    /// The last lines of all that it logged.
    pub(super) fn last_of_log(&self, lines: usize) -> String {
        let log = std::fs::read(&self.place.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let skipped = log.lines().count().saturating_sub(lines);
        log.lines().skip(skipped).map(|line| format!("{line}\n")).collect()
    }

    /// Removes all that it has on disk. What is mounted there stays mounted.
    ///
    /// # Panics
    /// When it runs.
    pub fn wipe(&mut self) {
        assert!(!self.is_running(), "it runs");
        for entry in entries(&self.place.directory) {
            if entry.is_dir() { std::fs::remove_dir_all(&entry) } else { std::fs::remove_file(&entry) }.unwrap();
        }
    }

    /// Copies what it has on disk to a new folder.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn copy_directory(&self, to: &Path) {
        copy(&self.place.directory, to);
    }

    /// Puts such a copy in the place of what it has.
    ///
    /// # Panics
    /// When it runs, or the disk refuses.
    pub fn put_directory(&mut self, from: &Path) {
        self.wipe();
        copy(from, &self.place.directory);
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in entries(from) {
        let target = to.join(entry.file_name().expect("an entry has a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
    // Hard on a test otherwise: a copy that is not there yet after a crash.
    File::open(to).unwrap().sync_all().unwrap();
}
