use super::*;
use crate::log::Wire;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

fn outlet(path: &Path) -> (Outlet, File) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    rustix::io::ioctl_fionbio(&read, true).unwrap();
    (Outlet::new(Wire::new(read), path.to_owned()), write.into())
}

/// What it is asked for, which another thread may need a moment for.
fn soon<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "nothing comes of it");
        std::thread::yield_now();
    }
}

fn state(path: &Path, held: &[u8]) -> OutputState {
    OutputState { path: path.to_owned(), held: held.to_vec(), ..OutputState::default() }
}

#[test]
fn what_came_with_an_output_is_written_though_its_program_says_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (mut outlet, mut pipe) = outlet(&path);
    let mut desk = Desk::open().unwrap();
    desk.restore(1, 0, &mut outlet, state(&path, b"held "));
    desk.drain(1);
    assert_eq!(std::fs::read(&path).unwrap(), b"held ");
    assert!(outlet.is_quiet(), "it is asked for ever after");
    pipe.write_all(b"and more").unwrap();
    // The scribe may have been quicker than this.
    assert!(!outlet.is_quiet() || std::fs::read(&path).unwrap() == b"held and more", "quiet, and not in the file");
    desk.drain(1);
    assert_eq!(std::fs::read(&path).unwrap(), b"held and more");
    // It may have one more look, at an empty pipe.
    soon(|| outlet.is_quiet().then_some(()));
}

#[test]
fn everything_is_taken_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (mut outlet, mut pipe) = outlet(&path);
    let mut desk = Desk::open().unwrap();
    desk.restore(1, 0, &mut outlet, state(&path, b""));
    pipe.write_all(b"one ").unwrap();
    desk.drain(1);
    let mut states = desk.take_all().unwrap();
    // Nobody reads; what is said and asked meanwhile is done afterwards.
    pipe.write_all(b"two ").unwrap();
    desk.go_on();
    let state = states.remove(&Key { run: 1, index: 0 }).unwrap();
    desk.restore(1, 0, &mut outlet, state);
    desk.drain(1);
    assert_eq!(std::fs::read(&path).unwrap(), b"one two ");
}

#[test]
fn a_turn_waits_so_long_and_no_longer() {
    let mut desk = Desk::open().unwrap();
    desk.waited = MOST;
    let (_answer, answered) = sync_channel::<()>(1);
    let began = Instant::now();
    assert!(desk.wait(&answered, MOST).is_none() && !desk.has_time_to_hand());
    assert!(began.elapsed() < PATIENCE, "it waits though there is no time left");
    desk.begin_turn();
    assert!(desk.has_time_to_hand());
    let states = soon(|| {
        desk.begin_turn();
        desk.states(1)
    });
    assert!(states.is_empty());
}
