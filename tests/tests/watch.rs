//! `pmctl watch "COMMAND" LOGFILE [TIMEOUT] [INTERVAL]`: no file, no service.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::process::Signal;
use std::process::{Child, Stdio};
use system_tests::{DEADLINE, Lines, Sandbox, proc, until};

/// Ends with the test.
struct Watch {
    child: Child,
    output: Lines,
    errors: Lines,
}

impl Watch {
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut command = sandbox.command(&[&["watch"], args].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("pmctl can be started");
        let output = Lines::of(child.stdout.take().expect("it is piped"));
        let errors = Lines::of(child.stderr.take().expect("it is piped"));
        Self { child, output, errors }
    }

    /// The first line, now or later, that holds all of these texts.
    #[track_caller]
    fn says(&self, texts: &[&str]) -> String {
        let line = self.output.find(DEADLINE, |line| texts.iter().all(|text| line.to_lowercase().contains(text)));
        line.unwrap_or_else(|| panic!("no line with {texts:?}\n{}{}", self.output.text(), self.errors.text()))
    }

    fn started(&self, nth: usize) -> u32 {
        let mut count = 0;
        let line = self.output.find(DEADLINE, |line| {
            count += usize::from(line.to_lowercase().contains("started") && line.to_lowercase().contains("pid"));
            count == nth
        });
        let line =
            line.unwrap_or_else(|| panic!("no start number {nth}\n{}{}", self.output.text(), self.errors.text()));
        let after = line.to_lowercase().split("pid").nth(1).unwrap_or_default().to_owned();
        let digits: String =
            after.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no PID in {line:?}"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[test]
fn watch_restarts_after_silence_and_says_so() {
    let sandbox = Sandbox::new();
    // The folder is not there: it is made (S2.5).
    let log = sandbox.file("logs/deep/w.log");
    let mut watch = Watch::start(&sandbox, &["sh -c 'echo hi; sleep 1000'", &log, "3", "1"]);

    let first = watch.started(1);
    watch.says(&["timeout", "3 s"]);
    let second = watch.started(2);
    assert_ne!(first, second);
    assert!(!proc::is_running(first), "the silent one still runs");
    until("the second one writes too", || {
        std::fs::read_to_string(&log).is_ok_and(|written| written.matches("hi\n").count() >= 2)
    });

    let tree: Vec<u32> = proc::descendants(watch.child.id());
    proc::send(watch.child.id(), Signal::INT);
    assert!(watch.output.ended_within(DEADLINE), "it still runs");
    let code = watch.child.wait().expect("it is ours").code();
    assert!(matches!(code, Some(0 | 130)), "{code:?}\n{}", watch.errors.text());
    assert!(tree.iter().all(|pid| !proc::is_running(*pid)), "something is left of {tree:?}");
}

#[test]
fn watch_leaves_a_program_alone_that_writes_in_time() {
    let sandbox = Sandbox::new();
    let log = sandbox.file("w.log");
    // Far more often than it has to: who stands still for seconds on a busy machine is not taken for silent.
    let command = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done";
    let watch = Watch::start(&sandbox, &[command, &log, "6", "1"]);
    let first = watch.started(1);
    watch.says(&["log", "grew"]);
    // Twice the timeout of a program that writes: the same one runs.
    until("line 120", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("line 120\n")));
    assert!(proc::is_running(first), "{}", watch.output.text());
}

#[test]
fn watch_refuses_numbers_out_of_range_before_anything_starts() {
    let sandbox = Sandbox::new();
    let log = sandbox.file("w.log");
    let mark = sandbox.file("mark");
    let command = format!("touch {mark}; sleep 1000");
    sandbox.pmctl(&["watch", &command, &log, "0"]).failed(2, &["timeout", "3600"]);
    sandbox.pmctl(&["watch", &command, &log, "60", "301"]).failed(2, &["interval", "300"]);
    assert!(!std::path::Path::new(&mark).exists(), "it was started all the same");
}

#[test]
fn watch_refuses_a_log_file_that_cannot_be_before_anything_starts() {
    let sandbox = Sandbox::new();
    let mark = sandbox.file("mark");
    let blocker = sandbox.write("blocker", "");
    let command = format!("touch {mark}; sleep 1000");
    let log = format!("{blocker}/w.log");
    let outcome = sandbox.pmctl(&["watch", &command, &log, "3", "1"]);
    assert!(outcome.code == 1 || outcome.code == 2, "{outcome}");
    assert!(outcome.stderr.contains(&log) || outcome.stderr.contains(&blocker), "{outcome}");
    assert!(!std::path::Path::new(&mark).exists(), "it was started all the same");
}
