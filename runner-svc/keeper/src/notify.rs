//! What programs say of themselves (sd_notify(3)).
//!
//! One datagram socket for each run that asks for it. Its name is abstract
//! (unix(7)): it is found by every user and from within a chroot, needs no
//! directory that all may enter, leaves no file behind, and goes with the
//! keeper. Anybody can send to it, so each datagram carries its sender's
//! credentials, which the kernel vouches for, and whoever is not of the run's
//! tree is not heard.
//!
//! In: datagrams. Out: those of the tree, and what of them lasts, for a runner
//! that was not there.

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, UnixCredentials, recvmsg};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with, sockopt};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Longest datagram, as of systemd. Longer ones are ignored.
const LONGEST: usize = 4096;

/// Datagrams of one turn of the loop: whoever talks without end is heard, and
/// so is everybody else.
const AT_ONCE: usize = 16;

/// Descriptors that one datagram can carry (SCM_MAX_FD).
const MOST_DESCRIPTORS: usize = 253;

/// The notify socket of a run.
#[derive(Debug)]
pub(crate) struct Notify {
    socket: OwnedFd,
    name: String,
    lasting: Lasting,
}

/// What was said and still holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lasting {
    ready: bool,
    stopping: bool,
    status: Option<String>,
    main_pid: Option<String>,
    watchdog: Option<String>,
}

/// Who sent a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
}

impl Notify {
    pub(crate) fn open() -> io::Result<Self> {
        let mut random = [0_u8; 16];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let name = random.iter().fold("pm/".to_owned(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        });
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        sockopt::set_socket_passcred(&socket, true)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        Ok(Self { socket, name: format!("@{name}"), lasting: Lasting::default() })
    }

    /// Takes over a socket that another keeper, or this one before it was
    /// replaced, has opened.
    pub(crate) fn restore(socket: OwnedFd, name: String, lasting: &str) -> Self {
        let mut restored = Self { socket, name, lasting: Lasting::default() };
        restored.lasting.take_in(lasting);
        restored
    }

    /// Value of `NOTIFY_SOCKET`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What was said and still holds, as lines.
    pub(crate) fn lasting(&self) -> String {
        self.lasting.text()
    }

    /// What was said since the last call by whoever is `heard`, each thing
    /// once. Descriptors that come with it are closed unseen, which is also
    /// the answer that `BARRIER=1` waits for.
    pub(crate) fn receive(&mut self, heard: impl Fn(Sender) -> bool) -> Vec<String> {
        let mut said: Vec<String> = Vec::new();
        let mut buffer = [0_u8; LONGEST];
        // Room for as many descriptors as can come, for with some left out nothing would be told of the sender.
        let mut control = nix::cmsg_space!(UnixCredentials, [RawFd; MOST_DESCRIPTORS]);
        for _ in 0..AT_ONCE {
            let Some((length, sender)) = self.receive_one(&mut buffer, &mut control) else { break };
            let Some((length, sender)) = length.zip(sender) else { continue };
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            if !heard(sender) {
                continue;
            }
            self.lasting.take_in(&text);
            if said.last() != Some(&text) {
                said.push(text);
            }
        }
        said
    }

    /// One datagram: its length unless it was too long, and its sender.
    fn receive_one(&self, buffer: &mut [u8], control: &mut [u8]) -> Option<(Option<usize>, Option<Sender>)> {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<UnixAddr>(self.socket.as_raw_fd(), &mut parts, Some(control), flags).ok()?;
        let length = (!message.flags.contains(MsgFlags::MSG_TRUNC)).then_some(message.bytes);
        let mut sender = None;
        // An error: we may not open as many as came, and the kernel has closed them.
        for control in message.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmCredentials(by) = control {
                // From outside of our PID namespace: 0, which is nobody of ours.
                sender = u32::try_from(by.pid()).ok().map(|pid| Sender { pid, uid: by.uid() });
            } else if let ControlMessageOwned::ScmRights(descriptors) = control {
                for descriptor in descriptors {
                    let _ = nix::unistd::close(descriptor);
                }
            }
        }
        Some((length, sender))
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Lasting {
    fn take_in(&mut self, text: &str) {
        for line in text.lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => self.ready = true,
                Some(("RELOADING", "1")) => self.ready = false,
                Some(("STOPPING", "1")) => self.stopping = true,
                Some(("STATUS", status)) => self.status = Some(status.to_owned()),
                Some(("MAINPID", pid)) => self.main_pid = Some(pid.to_owned()),
                // What is no time changes nothing: the one before holds.
                Some(("WATCHDOG_USEC", interval)) if interval.parse::<u64>().is_ok_and(|usec| usec > 0) => {
                    self.watchdog = Some(interval.to_owned());
                }
                Some(_) | None => {}
            }
        }
    }

    fn text(&self) -> String {
        let lines = [
            self.ready.then(|| "READY=1".to_owned()),
            self.stopping.then(|| "STOPPING=1".to_owned()),
            self.status.as_ref().map(|status| format!("STATUS={status}")),
            self.main_pid.as_ref().map(|pid| format!("MAINPID={pid}")),
            self.watchdog.as_ref().map(|interval| format!("WATCHDOG_USEC={interval}")),
        ];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg_addr, sendto};
    use std::io::IoSlice;
    use std::mem::MaybeUninit;

    fn client() -> OwnedFd {
        socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn address(notify: &Notify) -> SocketAddrUnix {
        SocketAddrUnix::new_abstract_name(notify.name().strip_prefix('@').unwrap().as_bytes()).unwrap()
    }

    fn say(notify: &Notify, text: &[u8]) {
        sendto(client(), text, SendFlags::empty(), &address(notify)).unwrap();
    }

    #[test]
    fn who_is_heard_is_taken_in_with_its_credentials_and_others_are_not() {
        let mut notify = Notify::open().unwrap();
        say(&notify, b"READY=1\nSTATUS=up\xff");
        let mut senders = std::cell::RefCell::new(Vec::new());
        assert_eq!(
            notify.receive(|who| {
                senders.borrow_mut().push(who);
                true
            }),
            ["READY=1\nSTATUS=up\u{fffd}"]
        );
        let us = Sender { pid: std::process::id(), uid: rustix::process::getuid().as_raw() };
        assert_eq!(*senders.get_mut(), [us]);
        say(&notify, b"STATUS=forged");
        assert_eq!(notify.receive(|_| false), Vec::<String>::new());
        assert_eq!(notify.lasting(), "READY=1\nSTATUS=up\u{fffd}");
    }

    #[test]
    fn what_lasts_survives_being_handed_on() {
        let mut notify = Notify::open().unwrap();
        say(&notify, b"READY=1\nWATCHDOG=1\nMAINPID=77\nWATCHDOG_USEC=60000000");
        say(&notify, b"RELOADING=1\nSTATUS=one");
        say(&notify, b"STATUS=two\nSTOPPING=1");
        assert_eq!(notify.receive(|_| true).len(), 3);
        assert_eq!(notify.lasting(), "STOPPING=1\nSTATUS=two\nMAINPID=77\nWATCHDOG_USEC=60000000");
        let (lasting, name) = (notify.lasting(), notify.name().to_owned());
        let mut restored = Notify::restore(notify.socket, name, &lasting);
        assert_eq!(restored.lasting(), lasting);
        say(&restored, b"READY=1");
        assert_eq!(restored.receive(|_| true), ["READY=1"]);
    }

    #[test]
    fn too_long_is_ignored_repetition_told_once_and_a_flood_taken_in_parts() {
        let mut notify = Notify::open().unwrap();
        say(&notify, &[b'x'; LONGEST + 1]);
        say(&notify, &[b'y'; LONGEST]);
        assert_eq!(notify.receive(|_| true).iter().map(String::len).collect::<Vec<_>>(), [LONGEST]);
        // The queue holds max_dgram_qlen of them, 10 by default: one after the other.
        for _ in 0..3 {
            say(&notify, b"WATCHDOG=1");
        }
        assert_eq!(notify.receive(|_| true), ["WATCHDOG=1"]);
    }

    #[test]
    fn a_descriptor_that_is_sent_is_closed() {
        let mut notify = Notify::open().unwrap();
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [write.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let parts = [IoSlice::new(b"BARRIER=1")];
        sendmsg_addr(client(), &address(&notify), &parts, &mut control, SendFlags::empty()).unwrap();
        drop(write);
        assert_eq!(notify.receive(|_| true), ["BARRIER=1"]);
        assert_eq!(rustix::io::read(&read, &mut [0; 1]), Ok(0), "somebody still holds it");
    }
}
