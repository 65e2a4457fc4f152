//! A keeper without a runner: the test speaks its protocol.

// Each test file uses its own part.
#![allow(dead_code)]
// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod alive;
mod request;
mod whole;

use process_model::spec::Execution;
use runner_keeper::frame;
use runner_keeper::passing::{self, Sets};
use runner_keeper::protocol::{Ending, Event, Request, SpawnRequest, VERSION};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything; only a failure waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A keeper process with a state directory on a real disk.
pub(crate) struct Keeper {
    pub(crate) dir: tempfile::TempDir,
    process: Child,
    stream: UnixStream,
    buffer: Vec<u8>,
    sets: Sets,
    seen: Vec<Event>,
    pub(crate) containment: String,
    pub(crate) note: String,
}

impl Keeper {
    pub(crate) fn start() -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_runner-svc")))
    }

    /// With at most this kind of containment: `cgroup-v1`, `session`.
    pub(crate) fn with_containment(at_most: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner-svc"));
        command.env("PM_CONTAINMENT", at_most);
        Self::start_by(command)
    }

    /// By a shell that does something first; `"$@"` is the keeper.
    pub(crate) fn start_after(script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{script}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_runner-svc")]);
        Self::start_by(command)
    }

    fn start_by(mut command: Command) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Programs of other users work there.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let log = std::fs::File::create(dir.path().join("keeper.log")).unwrap();
        let mut process = command
            .arg("__pm-keeper")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let diary = std::fs::read_to_string(dir.path().join("keeper.log")).unwrap();
        assert_eq!(line.trim(), "ready", "{diary}");
        let stream = UnixStream::connect(runner_keeper::socket_path(dir.path())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut keeper = Self {
            dir,
            process,
            stream,
            buffer: Vec::new(),
            sets: Sets::default(),
            seen: Vec::new(),
            containment: String::new(),
            note: String::new(),
        };
        keeper.ask(&Request::Hello { version: VERSION });
        let Event::Welcome { containment, containment_note, .. } = keeper.next() else { panic!("no welcome") };
        (keeper.containment, keeper.note) = (containment, containment_note);
        keeper
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ask(&mut self, request: &Request) {
        let mut bytes = Vec::new();
        frame::encode(request, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn next(&mut self) -> Event {
        let mut chunk = [0; 65536];
        loop {
            if let Some((event, _)) = frame::decode_with(&mut self.buffer, &mut self.sets).unwrap() {
                if !matches!(event, Event::Handed { .. }) {
                    return event;
                }
                continue;
            }
            let n = passing::receive(&self.stream, &mut chunk, &mut self.sets).unwrap_or_else(|e| {
                panic!("nothing more from the keeper ({e}); seen: {:?}; diary: {}", self.seen, self.text("keeper.log"))
            });
            assert!(n > 0, "the keeper has gone; diary: {}", self.text("keeper.log"));
            self.buffer.extend_from_slice(&chunk[..n]);
        }
    }

    /// The first event that is wanted, also among those that were passed over.
    pub(crate) fn event<T>(&mut self, what: impl Fn(&Event) -> Option<T>) -> T {
        if let Some(found) = self.seen.iter().position(|event| what(event).is_some()) {
            return what(&self.seen.remove(found)).unwrap();
        }
        loop {
            let event = self.next();
            if let Some(found) = what(&event) {
                return found;
            }
            self.seen.push(event);
        }
    }

    /// No such event has come until the answer to a question that is asked now.
    pub(crate) fn is_untold(&mut self, what: impl Fn(&Event) -> bool) -> bool {
        self.ask(&Request::Hello { version: VERSION });
        self.event(|event| matches!(event, Event::Welcome { .. }).then_some(()));
        !self.seen.iter().any(what)
    }

    /// A request for a program; both outputs go to `out.log`.
    pub(crate) fn request(&self, run: u64, argv: &[&str]) -> SpawnRequest {
        request::spawn_request(self.dir.path(), run, argv)
    }

    /// A request for a line of shell with what the kernel is to give it.
    pub(crate) fn line(&self, run: u64, line: &str, execution: Execution) -> SpawnRequest {
        SpawnRequest { execution: Some(Box::new(execution)), ..self.request(run, &["sh", "-c", line]) }
    }

    /// The pid of the program.
    pub(crate) fn spawn(&mut self, request: &SpawnRequest) -> u32 {
        self.try_spawn(request).unwrap_or_else(|(stage, message)| panic!("{stage}: {message}"))
    }

    /// The pid of the program, or stage and message.
    pub(crate) fn try_spawn(&mut self, request: &SpawnRequest) -> Result<u32, (String, String)> {
        self.ask(&Request::Spawn(Box::new(request.clone())));
        let id = request.run;
        self.event(|event| match event {
            Event::Spawned { run, pid, .. } if *run == id => Some(Ok(*pid)),
            Event::SpawnFailed { run, stage, message } if *run == id => Some(Err((stage.clone(), message.clone()))),
            _ => None,
        })
    }

    pub(crate) fn exited(&mut self, id: u64) -> Ending {
        self.event(|event| match event {
            Event::Exited { run, ending } if *run == id => Some(ending.clone()),
            _ => None,
        })
    }

    /// Waits until nobody of the run is left.
    pub(crate) fn emptied(&mut self, id: u64) {
        if !self.exited(id).tree_empty {
            self.event(|event| matches!(event, Event::TreeEmptied { run } if *run == id).then_some(()));
        }
    }

    /// SIGKILL to the tree, until nobody is left; its record goes.
    pub(crate) fn kill(&mut self, run: u64) {
        self.ask(&Request::SignalTree { run, signal: 9 });
        self.emptied(run);
        self.ask(&Request::Forget { run });
    }

    /// Runs a program to its end.
    pub(crate) fn run(&mut self, request: &SpawnRequest) -> Ending {
        self.spawn(request);
        let ending = self.exited(request.run);
        self.ask(&Request::Forget { run: request.run });
        ending
    }

    /// The first message about a limit of a run.
    pub(crate) fn limit_reached(&mut self, id: u64) -> String {
        self.event(|event| match event {
            Event::LimitReached { run, message } if *run == id => Some(message.clone()),
            _ => None,
        })
    }

    /// Waits until a file has this many lines.
    pub(crate) fn lines(&self, name: &str, at_least: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = whole::lines(&self.text(name));
            if lines.len() >= at_least {
                return lines;
            }
            assert!(Instant::now() < deadline, "{name} has only {lines:?}; diary: {}", self.text("keeper.log"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn pids(&self, name: &str, at_least: usize) -> Vec<u32> {
        self.lines(name, at_least).iter().map(|line| line.trim().parse().unwrap()).collect()
    }

    /// Descriptors that the keeper has open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid())).unwrap_or_default();
        for run in 0..100 {
            let mut bytes = Vec::new();
            let _ = frame::encode(&Request::SignalTree { run, signal: 9 }, &mut bytes);
            let _ = self.stream.write_all(&bytes);
        }
        for pid in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
            kill(pid);
        }
        // An end in order takes the cgroups along; it is refused as long as anybody is alive.
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.process.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            let mut bytes = Vec::new();
            let _ = frame::encode(&Request::Shutdown, &mut bytes);
            let _ = self.stream.write_all(&bytes);
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether something comes true that no event tells of.
pub(crate) fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Whether it runs: not ended, collected or not.
pub(crate) fn is_alive(pid: u32) -> bool {
    alive::is_running(pid)
}

pub(crate) fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this process has a capability, by its number.
pub(crate) fn is_capable(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim().to_owned();
    u64::from_str_radix(&set, 16).unwrap() >> number & 1 == 1
}

/// Where a hierarchy of version 1 shows the cgroup that this process is in, if it may be written.
pub(crate) fn v1(controller: &str) -> Option<PathBuf> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let path = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let is_it = parts.next()?.split(',').any(|c| c == controller);
        parts.next().filter(|_| is_it)
    })?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let point = mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        (fields[2] == "cgroup" && fields[3].split(',').any(|o| o == controller)).then(|| fields[1].to_owned())
    })?;
    let dir = Path::new(&point).join(path.trim_start_matches('/'));
    let access =
        rustix::fs::accessat(rustix::fs::CWD, &dir, rustix::fs::Access::WRITE_OK, rustix::fs::AtFlags::EACCESS);
    access.is_ok().then_some(dir)
}
