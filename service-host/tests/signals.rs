//! Signals and fail-stop, with real signals. Each test that would end its process runs in a child: this binary again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::time::Duration;

use futures::StreamExt;
use service_host::{fatal, signals};

fn raise(signal: &str) {
    let status = Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn child(test: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture"]).output().unwrap()
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.unwrap()
}

#[test]
fn either_termination_signal_ends_the_wait_and_a_later_wait_needs_a_new_one() {
    assert!(child("in_child_terminated").status.success());
}

#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn in_child_terminated() {
    for signal in ["-TERM", "-INT"] {
        let terminated = signals::terminated();
        raise(signal);
        soon(terminated).await;
        let again = signals::terminated();
        assert!(futures::poll!(std::pin::pin!(again)).is_pending());
    }
}

#[test]
fn sigusr1_asks_for_a_dump_and_ends_nothing() {
    assert!(child("in_child_debug_dump").status.success());
}

#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn in_child_debug_dump() {
    let (sender, mut called) = tokio::sync::mpsc::channel(1);
    let task = signals::on_debug_dump(move || sender.try_send(()).unwrap()).unwrap();
    let mut stream = signals::debug_dumps().unwrap();
    for _ in 0..2 {
        raise("-USR1");
        soon(called.recv()).await.unwrap();
        soon(stream.next()).await.unwrap();
    }
    task.abort();
}

#[test]
fn a_fatal_error_says_why_and_aborts() {
    let output = child("in_child_fatal");
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("fatal, aborting: the disk is gone"), "{output:?}");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn in_child_fatal() {
    fatal::abort_on("the disk is gone");
}
