//! Output of programs from the pipe to the reader's terminal, through every
//! service: followed across rotation and lost connections, found by time and
//! pattern.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use system_tests::{Cluster, DEADLINE, Sandbox, until};

/// Lines of 100 bytes with their numbers, some thousand a second, until a file
/// `stop` is there; a word of its own in every thousandth.
const WRITER: &str = "import os,time
n=0
while not os.path.exists('stop'):
    block=b''
    for i in range(n,n+50):
        word=b'needle' if i%1000==0 else b'xxxxxx'
        block+=b'%012d %s %s\\n'%(i,word,b'x'*79)
    while block:
        block=block[os.write(1,block):]
    n+=50
    time.sleep(0.01)
";

fn document(sandbox: &Sandbox) -> String {
    let script = sandbox.write("writer.py", WRITER);
    format!(
        "processes:\n  web:\n    command: [python3, '{script}']\n    working_dir: '{}'\n    \
         logs: {{max_size: 64KiB, max_files: 1000, compress: zstd}}\n",
        sandbox.path().display()
    )
}

/// A command that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Numbers of lines as they come.
fn numbers(child: &mut Running) -> Receiver<u64> {
    let reader = BufReader::new(child.0.stdout.take().unwrap());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in reader.split(b'\n').map_while(Result::ok) {
            let number = std::str::from_utf8(&line).ok().and_then(|line| line.get(..12)?.parse().ok());
            if send.send(number.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&line)))).is_err() {
                break;
            }
        }
    });
    receive
}

/// Takes lines up to one that is `further` on; each follows the one before.
fn follow(numbers: &Receiver<u64>, next: &mut u64, further: u64) {
    let goal = *next + further;
    while *next < goal {
        let number = numbers.recv_timeout(DEADLINE).unwrap_or_else(|e| panic!("no line {next}: {e}"));
        assert_eq!(number, *next, "missing, doubled or out of order");
        *next += 1;
    }
}

#[test]
fn l06_following_misses_nothing_across_rotation_and_the_loss_of_every_service() {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox);
    let _registry = cluster.registry();
    let mut monitor = cluster.monitor();
    let mut gateway = cluster.gateway();
    let mut runner = cluster.runner();
    let file = sandbox.write("web.yaml", &document(&sandbox));
    let applied = cluster.pmctl(&["apply", "-f", &file]);
    assert_eq!(applied.code, 0, "{applied}");
    let log = sandbox.path().join("logs/web-1.stdout.log");
    until("the program writes", || std::fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0));
    // The monitor hears of the instance a moment later than the registry.
    until("logs can be read", || cluster.pmctl(&["logs", "web", "--tail", "1"]).code == 0);
    let (url, token) = (cluster.url(0), sandbox.file("admin.token"));
    let args = ["--endpoint", &url, "--token-file", &token, "logs", "-f", "web", "--stream", "stdout"];
    let mut command = sandbox.command(&args);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut child = Running(child);
    let lines = numbers(&mut child);
    let mut next = 0;
    // Each some files further on.
    follow(&lines, &mut next, 3_000);
    gateway.kill_9();
    gateway = cluster.gateway();
    follow(&lines, &mut next, 3_000);
    monitor.kill_9();
    monitor = cluster.monitor();
    follow(&lines, &mut next, 3_000);
    runner.kill_9();
    runner = cluster.runner();
    follow(&lines, &mut next, 3_000);
    let rotated = std::fs::read_dir(sandbox.path().join("logs")).unwrap().flatten();
    let rotated = rotated.filter(|entry| entry.file_name().to_string_lossy().contains(".log.2")).count();
    assert!(rotated > 10, "invalid: only {rotated} files were rotated");
    // What was asked for once can be asked for in many ways.
    let found = cluster.pmctl(&["logs", "web", "--stream", "stdout", "--grep", "needle", "--tail", "3"]);
    let numbers: Vec<u64> = found.stdout.lines().map(|line| line[..12].parse().unwrap()).collect();
    assert_eq!(numbers.len(), 3, "{found}");
    assert!(numbers.windows(2).all(|pair| pair[0] + 1000 == pair[1]), "{numbers:?}");
    let none = cluster.pmctl(&["logs", "web", "--until", "2000-01-01T00:00:00Z"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{none}");
    let stamped = cluster.pmctl(&["logs", "web", "--since", "1h", "--tail", "1", "--stream", "stdout", "--timestamps"]);
    assert!(stamped.stdout.starts_with("20") && stamped.stdout.contains("Z 0000"), "{stamped}");
    let refused = cluster.pmctl(&["logs", "web", "--grep", "("]);
    assert!(refused.code == 2 || refused.code == 1, "{refused}");
    assert!(refused.stderr.contains("grep"), "{refused}");
    drop((gateway, monitor, runner));
}

/// `id` and text of each chunk, until there is none for a while.
fn events(authority: &str, token: &str, path: &str, last_id: Option<&str>, lines: usize) -> (Option<String>, String) {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let last = last_id.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{last}\r\n").unwrap();
    let (mut id, mut text) = (None, String::new());
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut pending = None;
    while text.lines().count() < lines {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended after {text:?}");
        if let Some(value) = line.strip_prefix("id: ") {
            pending = Some(value.trim().to_owned());
        }
        if let Some(data) = line.strip_prefix("data: ") {
            let value: serde_json::Value = serde_json::from_str(data).unwrap();
            text += value["text"].as_str().unwrap_or_default();
            id = pending.take().or(id);
        }
    }
    let _ = reader.into_inner().take(0).read(&mut []);
    (id, text)
}

#[test]
fn l06_a_stream_of_events_goes_on_behind_its_last_id() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(&document(&sandbox));
    let (authority, token) = (up.credentials.authority().to_owned(), up.credentials.token.clone());
    until("the program writes", || up.pmctl(&["logs", "web", "--tail", "1"]).stdout.len() > 90);
    let path = "/api/v1/instances/web-1/logs?follow&stream=stdout";
    let (id, mut all) = events(&authority, &token, path, None, 2_000);
    let mut id = id.expect("chunks have an id");
    for _ in 0..3 {
        // Meanwhile it is rotated, and compressed.
        std::thread::sleep(Duration::from_millis(300));
        let (next, text) = events(&authority, &token, path, Some(&id), 2_000);
        all += &text;
        id = next.unwrap_or(id);
    }
    for (i, line) in all.lines().enumerate() {
        assert!(line.len() == 99 && line[..12].parse() == Ok(i), "line {i} is {line}");
    }
}

#[test]
fn the_run_before_is_shown_of_a_program_that_is_silent_on_one_output() {
    let sandbox = Sandbox::new();
    let command = "echo $$; exec sleep 1000";
    let up = sandbox.up(&format!("processes:\n  web:\n    command: [sh, -c, '{command}']\n"));
    let pid = || up.api().instances()[0].pid;
    let has_said = |pid: u32| up.pmctl(&["logs", "web"]).succeeded().lines().any(|line| line == pid.to_string());
    let first = pid();
    until("the first run has said its pid", || has_said(first));
    let refused = up.pmctl(&["logs", "--previous", "web"]);
    assert!(refused.code != 0 && refused.stderr.contains("no run before"), "{refused}");
    let _ = up.pmctl(&["restart", "web"]).succeeded();
    until("the second run has said its pid", || has_said(pid()));
    assert_ne!(pid(), first);
    assert_eq!(up.pmctl(&["logs", "--previous", "web"]).succeeded(), format!("{first}\n"));
    let silent = up.pmctl(&["logs", "--previous", "--stream", "stderr", "web"]);
    assert!(silent.code != 0 && silent.stderr.contains("no run before"), "{silent}");
}
