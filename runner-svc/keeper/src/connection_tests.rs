//! Whatever a peer sends, in whatever pieces and with whatever descriptors: it
//! is read or refused, never believed, and nothing of it stays. A short run
//! with every test; a long one is
//! `PROPTEST_CASES=1000000 cargo test --release -p runner-keeper --lib connection`.

use super::*;
use crate::frame::MAX_FRAME;
use crate::protocol::{Ending, Opaque, SpawnRequest};
use process_model::ExitStatus;
use proptest::prelude::*;
use std::os::fd::AsFd;

#[test]
fn requests_that_come_with_the_end_of_the_stream_are_handed_over() {
    for garbage in [&[][..], &[0xff; 8][..]] {
        let (mut runner, keeper) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(keeper).unwrap();
        let requests = [Request::Hello { version: 1 }, Request::Forget { run: 7 }];
        let mut bytes = Vec::new();
        for request in &requests {
            frame::encode(request, &mut bytes).unwrap();
        }
        bytes.extend(garbage);
        runner.write_all(&bytes).unwrap();
        drop(runner);
        let (received, closed) = connection.receive(&mut [0; 1024]);
        let received: Vec<Request> = received.into_iter().map(|(request, _)| request).collect();
        assert_eq!(received, requests);
        assert!(closed.is_some());
    }
}

/// A pipe whose write end is what is sent: once nobody has it any more, the
/// read end tells.
struct Witness {
    read: OwnedFd,
    write: OwnedFd,
}

impl Witness {
    fn new() -> Self {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        rustix::io::ioctl_fionbio(&read, true).unwrap();
        Self { read, write }
    }

    fn set(&self, count: usize) -> Vec<BorrowedFd<'_>> {
        vec![self.write.as_fd(); count]
    }

    fn assert_nobody_has_it(self) {
        drop(self.write);
        // A child that another test begins has it, too, until it is a program.
        let patience = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
        let mut end = [rustix::event::PollFd::new(&self.read, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut end, Some(&patience)).unwrap();
        assert_eq!(rustix::io::read(&self.read, &mut [0; 1]), Ok(0), "a descriptor was kept");
    }
}

#[test]
fn descriptors_come_with_the_request_that_they_were_sent_with_wherever_it_is_cut() {
    for cut in [1, 3, 4, 5, 20] {
        let (runner, keeper) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(keeper).unwrap();
        let witness = Witness::new();
        let adopt = Request::Adopt { run: 7, state: Opaque(vec![1; 100].into()), ending: None };
        let (mut plain, mut with) = (Vec::new(), Vec::new());
        frame::encode(&Request::Forget { run: 6 }, &mut plain).unwrap();
        frame::encode_with(&adopt, 3, &mut with).unwrap();
        let mut received = Vec::new();
        for _ in 0..2 {
            passing::send(&runner, &plain, &[]).unwrap();
            passing::send(&runner, &with[..cut], &witness.set(3)).unwrap();
            let (some, closed) = connection.receive(&mut [0; 4096]);
            assert!(closed.is_none(), "{closed:?}");
            received.extend(some);
            passing::send(&runner, &with[cut..], &[]).unwrap();
        }
        received.extend(connection.receive(&mut [0; 4096]).0);
        let seen: Vec<(u64, usize)> = received
            .iter()
            .map(|(request, set)| {
                let (Request::Adopt { run, .. } | Request::Forget { run }) = request else { panic!("{request:?}") };
                (*run, set.len())
            })
            .collect();
        assert_eq!(seen, [(6, 0), (7, 3), (6, 0), (7, 3)], "cut at {cut}");
        drop((received, connection, runner));
        witness.assert_nobody_has_it();
    }
}

#[test]
fn an_event_with_descriptors_is_sent_as_a_whole_or_not_begun() {
    let (runner, keeper) = UnixStream::pair().unwrap();
    let mut connection = Connection::new(keeper).unwrap();
    let witness = Witness::new();
    let event = Event::Handed { run: 7, state: Opaque(vec![1; 1000].into()) };
    let mut sent = 0;
    while connection.hand(&event, &witness.set(2)).unwrap() {
        assert!(!connection.flush().unwrap() || connection.outgoing.len() < 2000);
        sent += 1;
        if !connection.outgoing.is_empty() {
            break;
        }
    }
    let (mut buffer, mut sets, mut received) = (Vec::new(), Sets::default(), 0);
    while received < sent {
        let mut chunk = [0; 700];
        let n = passing::receive(&runner, &mut chunk, &mut sets).unwrap();
        buffer.extend_from_slice(&chunk[..n]);
        while let Some((_, set)) = frame::decode_with::<Event>(&mut buffer, &mut sets).unwrap() {
            assert_eq!(set.len(), 2);
            received += 1;
        }
        connection.flush().unwrap();
    }
    assert!(sent > 10);
    drop((connection, runner, sets));
    witness.assert_nobody_has_it();
}

/// Something that a peer sends at once.
#[derive(Debug, Clone)]
enum Piece {
    Garbage { bytes: Vec<u8>, descriptors: usize },
    Frame { request: usize, announced: usize, sent: usize, cut: usize, flip: Option<(usize, u8)> },
}

fn piece() -> impl Strategy<Value = Piece> {
    let garbage = (prop::collection::vec(any::<u8>(), 1..100), 0_usize..3)
        .prop_map(|(bytes, descriptors)| Piece::Garbage { bytes, descriptors });
    let frame = (
        0_usize..8,
        0_usize..4,
        any::<bool>(),
        0_usize..4,
        1_usize..200,
        prop::option::of((0_usize..200, any::<u8>())),
    )
        .prop_map(|(request, announced, honest, other, cut, flip)| {
            let sent = if honest { announced } else { other };
            // Most are as they should be: or nothing behind the first would ever be looked at.
            let flip = flip.filter(|(_, byte)| byte % 4 == 0);
            Piece::Frame { request, announced, sent, cut, flip }
        });
    prop_oneof![1 => garbage, 6 => frame]
}

fn request(number: usize) -> Request {
    match number {
        0 => Request::Hello { version: 2 },
        1 => Request::Forget { run: u64::MAX },
        2 => Request::SignalTree { run: 1, signal: i32::MIN },
        3 => Request::Adopt {
            run: 7,
            state: Opaque(vec![0xc1; 64].into()),
            ending: Some(Ending { status: ExitStatus::Code(1), at: -1, tree_empty: false, out_of_memory: true }),
        },
        4 => Request::Upgrade { program: "/\0".into() },
        5 => Request::Collected { run: 0, status: ExitStatus::Unknown("why".into()) },
        6 => Request::CloseSockets { instance: String::new(), keep: vec![String::new(); 3] },
        _ => Request::Spawn(Box::new(SpawnRequest {
            run: 1,
            instance: "web-1".into(),
            argv: vec!["\0".into()],
            env: Vec::new(),
            working_dir: String::new(),
            identity: None,
            stdout: String::new(),
            stderr: String::new(),
            is_task: true,
            execution: None,
            sockets: Vec::new(),
            notify: true,
            logs: None,
            limits: None,
            fence: None,
        })),
    }
}

proptest! {
    #[test]
    fn nothing_that_a_peer_sends_is_believed_or_kept(pieces in prop::collection::vec(piece(), 1..20)) {
        let (runner, keeper) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(keeper).unwrap();
        let witness = Witness::new();
        let mut is_open = true;
        for piece in pieces {
            let (first, rest, descriptors, honest) = match piece {
                Piece::Garbage { bytes, descriptors } => (bytes, Vec::new(), descriptors, false),
                Piece::Frame { request: number, announced, sent, cut, flip } => {
                    let mut bytes = Vec::new();
                    frame::encode_with(&request(number), announced, &mut bytes).unwrap();
                    let honest = announced == sent && flip.is_none();
                    if let Some((at, byte)) = flip {
                        let at = at % bytes.len();
                        bytes[at] = byte;
                    }
                    let rest = bytes.split_off(cut.min(bytes.len()));
                    (bytes, rest, sent, honest)
                }
            };
            // Refused once, and never read again.
            if passing::send(&runner, &first, &witness.set(descriptors)).is_err() || !is_open {
                break;
            }
            for bytes in [rest] {
                if !bytes.is_empty() {
                    passing::send(&runner, &bytes, &[]).unwrap();
                }
                let (received, closed) = connection.receive(&mut [0; 512]);
                for (_, set) in &received {
                    prop_assert!(set.len() < 4);
                }
                prop_assert!(connection.incoming.len() <= MAX_FRAME + 4 + 512);
                is_open = closed.is_none();
            }
            if !honest && !is_open {
                break;
            }
        }
        drop((connection, runner));
        witness.assert_nobody_has_it();
    }
}
