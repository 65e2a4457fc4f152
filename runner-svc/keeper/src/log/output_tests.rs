use super::*;
use crate::protocol::SpawnRequest;
use process_model::spec::WhenFull;
use std::fs::File;
use std::io::{Read as _, Write as _};

fn request(logs: Option<LogPolicy>) -> SpawnRequest {
    SpawnRequest {
        run: 1,
        instance: "web-1".into(),
        argv: Vec::new(),
        env: vec![("PM_PROCESS".into(), "web".into()), ("PM_NODE".into(), "n1".into())],
        working_dir: "/".into(),
        identity: None,
        stdout: String::new(),
        stderr: String::new(),
        is_task: false,
        execution: None,
        sockets: Vec::new(),
        notify: false,
        logs,
        limits: None,
        fence: None,
    }
}

fn output(path: &Path, logs: Option<LogPolicy>) -> (Output, File) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    rustix::io::ioctl_fionbio(&read, true).unwrap();
    let (mut output, opened) = Output::open(Arc::new(Wire::new(read)), path);
    opened.unwrap();
    let fresh = OutputState::fresh(&request(logs), path, "stdout", 42);
    output.begin(fresh.policy, fresh.json.map(Box::new));
    (output, write.into())
}

fn pump(output: &mut Output, buffer: &mut [u8]) -> Drained {
    output.pump(buffer, &Gate::default(), &Pulse::new().unwrap())
}

fn pump_all(output: &mut Output) -> Drained {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match pump(output, &mut buffer) {
            Drained::More => {}
            end @ (Drained::Empty | Drained::Blocked | Drained::Closed) => return end,
        }
    }
}

/// Until nobody has the other end: a child that another test begins has it, too, until it is a program.
fn pump_to_the_end(output: &mut Output) {
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    while pump_all(output) != Drained::Closed {
        assert!(Instant::now() < deadline, "its end is not noticed");
        std::thread::yield_now();
    }
}

#[test]
fn l04_every_byte_is_kept_whatever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (mut output, mut pipe) = output(&path, Some(LogPolicy { max_size: 1 << 30, ..LogPolicy::default() }));
    let mut all = b"\0\xff\r progress \r\n".to_vec();
    all.extend(vec![b'x'; 1 << 20]);
    all.extend(b"\nno end");
    let expected = all.clone();
    let writer = std::thread::spawn(move || pipe.write_all(&all).unwrap());
    pump_to_the_end(&mut output);
    writer.join().unwrap();
    drop(output);
    assert!(std::fs::read(&path).unwrap() == expected);
}

#[test]
fn a_turn_moves_a_bounded_amount() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (mut output, pipe) = output(&path, None);
    rustix::pipe::fcntl_setpipe_size(&pipe, WIDE).unwrap();
    (&pipe).write_all(&vec![b'x'; WIDE]).unwrap();
    let mut buffer = vec![0; 4096];
    assert_eq!(pump(&mut output, &mut buffer), Drained::More);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), (READS * buffer.len()) as u64);
}

#[test]
fn an_output_goes_on_in_a_successor_with_everything_that_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let logs = LogPolicy { format: LogFormat::Ecs, when_full: WhenFull::Block, ..LogPolicy::default() };
    let (mut before, mut pipe) = output(&path, Some(logs));
    pipe.write_all(b"one\nhalf ").unwrap();
    assert_eq!(pump_all(&mut before), Drained::Empty);
    let state = before.state();
    let copied = before.wire.pipe.try_clone().unwrap();
    // The first one ends as a process does that becomes another program: without a word.
    assert_eq!(before.into_state(), state);
    let mut after = Output::restore(state.clone(), Arc::new(Wire::new(copied)));
    assert_eq!(after.state(), state);
    pipe.write_all(b"a line\n").unwrap();
    drop(pipe);
    pump_to_the_end(&mut after);
    drop(after);
    let mut text = String::new();
    File::open(&path).unwrap().read_to_string(&mut text).unwrap();
    let messages: Vec<&str> =
        text.lines().map(|line| line.split("\"message\":\"").nth(1).unwrap().split('"').next().unwrap()).collect();
    assert_eq!(messages, ["one", "half a line"]);
    assert!(text.lines().all(|line| line.contains("\"process.pid\":42")));
}

#[test]
fn a_program_that_is_to_wait_is_held_up_and_nothing_is_read_beyond_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let logs = LogPolicy { when_full: WhenFull::Block, ..LogPolicy::default() };
    let (mut output, mut pipe) = output(&path, Some(logs));
    output.file.use_file(File::options().append(true).open("/dev/full").unwrap());
    pipe.write_all(b"wait\n").unwrap();
    assert_eq!(pump_all(&mut output), Drained::Blocked);
    pipe.write_all(b"behind\n").unwrap();
    assert_eq!(pump_all(&mut output), Drained::Blocked);
    let state = output.state();
    assert_eq!(state.held, b"wait\n");
    output.file.use_file(File::options().append(true).open(&path).unwrap());
    output.try_again(Instant::now() + std::time::Duration::from_secs(5));
    assert_eq!(output.retry(), None);
    drop(pipe);
    pump_to_the_end(&mut output);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "wait\nbehind\n");
}

#[test]
fn l12_what_was_dropped_while_the_disk_hung_is_told_before_what_came_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (mut output, mut pipe) = output(&path, Some(LogPolicy::default()));
    pipe.write_all(b"before\n").unwrap();
    assert_eq!(pump_all(&mut output), Drained::Empty);
    let gate = Gate::default();
    gate.stand_in();
    pipe.write_all(b"dropped\n").unwrap();
    let mut buffer = [0; 100];
    let dropped = gate.in_stead(|| rustix::io::read(&output.wire.pipe, &mut buffer).unwrap()).unwrap();
    output.wire.drop_bytes(dropped);
    pipe.write_all(b"after\n").unwrap();
    assert_eq!(output.pump(&mut buffer, &gate, &Pulse::new().unwrap()), Drained::More);
    assert!(gate.came_back() && gate.in_stead(|| ()).is_none(), "both read");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("before\n[pm: 8 bytes are missing here: {HANGS}]\nafter\n"));
    let lost: Vec<News> = output.news();
    assert_eq!(lost, [News::Trouble { message: String::new(), dropped: 8 }], "somebody else has told of the beginning");
}

#[test]
fn l12_an_output_is_quiet_only_when_everything_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let logs = LogPolicy { when_full: WhenFull::Block, ..LogPolicy::default() };
    let (mut output, mut pipe) = output(&dir.path().join("log"), Some(logs));
    assert!(output.wire.is_quiet());
    pipe.write_all(b"wait\n").unwrap();
    assert!(!output.wire.is_quiet(), "it is in the pipe");
    output.file.use_file(File::options().append(true).open("/dev/full").unwrap());
    assert_eq!(pump_all(&mut output), Drained::Blocked);
    assert!(!output.wire.is_quiet(), "it is held back");
}

#[test]
fn l12_a_line_that_lost_its_end_is_told_of_before_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let logs = LogPolicy { format: LogFormat::Ecs, ..LogPolicy::default() };
    let (mut output, mut pipe) = output(&path, Some(logs));
    pipe.write_all(b"whole\nhalf ").unwrap();
    assert_eq!(pump_all(&mut output), Drained::Empty);
    output.wire.drop_bytes(7);
    pipe.write_all(b"line\nnext\n").unwrap();
    assert_eq!(pump_all(&mut output), Drained::Empty);
    let text = std::fs::read_to_string(&path).unwrap();
    let message = |line: &str| line.split("\"message\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let messages: Vec<String> = text.lines().map(message).collect();
    let mark = format!("[pm: 7 bytes are missing here: {HANGS}]");
    assert_eq!(messages, ["whole", "half ", mark.as_str(), "line", "next"]);
    assert!(text.lines().nth(1).unwrap().contains("\"partial\":true"), "{text}");
}

#[test]
fn l12_what_is_held_back_stays_in_its_order_whatever_comes_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let logs = LogPolicy { format: LogFormat::Ecs, when_full: WhenFull::Block, ..LogPolicy::default() };
    let (mut output, mut pipe) = output(&path, Some(logs));
    pipe.write_all(b"half ").unwrap();
    assert_eq!(pump_all(&mut output), Drained::Empty);
    output.file.use_file(File::options().append(true).open("/dev/full").unwrap());
    // It was not to wait until now.
    output.wire.drop_bytes(7);
    output.count_missing(Instant::now());
    pipe.write_all(b"line\n").unwrap();
    assert_eq!(pump_all(&mut output), Drained::Blocked);
    output.file.use_file(File::options().append(true).open(&path).unwrap());
    let later = Instant::now() + std::time::Duration::from_secs(5);
    output.try_again(later);
    drop(pipe);
    pump_to_the_end(&mut output);
    drop(output);
    let text = std::fs::read_to_string(&path).unwrap();
    let places =
        ["\"half \"", "\"line\""].map(|message| text.find(message).unwrap_or_else(|| panic!("{message}: {text}")));
    assert!(places.is_sorted() && text.contains("7 bytes are missing"), "{text}");
}
