//! Descriptors beside the bytes of a stream (SCM_RIGHTS, unix(7)).
//!
//! A frame says in its header how many descriptors come with it, and they are
//! sent with its first byte. The kernel hands out at most one set with each
//! read, in the order of sending, and never cuts between a set and the byte
//! that it was sent with. So the sets that were received and the frames that
//! announce some pair up one to one, wherever the bytes were cut.

use crate::frame::FrameError;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most descriptors of one frame. The kernel takes 253 (SCM_MAX_FD).
pub const MAX_DESCRIPTORS: usize = 250;

/// Sets that were received and whose frame is not complete yet.
#[derive(Debug, Default)]
pub struct Sets {
    /// `None`: it did not come through; the receiver has too many open files.
    received: VecDeque<Option<Vec<OwnedFd>>>,
}

impl Sets {
    /// The descriptors of a frame that announced `count`. None at all when
    /// they did not come through.
    ///
    /// # Errors
    /// Another number came with it: the sender is not to be trusted.
    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<OwnedFd>, FrameError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        match self.received.pop_front() {
            Some(None) => Ok(Vec::new()),
            Some(Some(set)) if set.len() == count => Ok(set),
            other => {
                let came = other.flatten().map_or(0, |set| set.len());
                Err(FrameError::Descriptors { announced: count, came })
            }
        }
    }

    /// Holds the sender to its word, after all whole frames were taken:
    /// `announced` is what the frame that is under way says, if it says it yet.
    ///
    /// # Errors
    /// There are descriptors that belong to no frame.
    pub(crate) fn check(&self, is_under_way: bool, announced: Option<usize>) -> Result<(), FrameError> {
        let expected = match announced {
            Some(count) => usize::from(count > 0),
            None => usize::from(is_under_way),
        };
        if self.received.len() <= expected {
            return Ok(());
        }
        Err(FrameError::Descriptors { announced: announced.unwrap_or(0), came: self.count() })
    }

    fn count(&self) -> usize {
        self.received.iter().flatten().map(Vec::len).sum()
    }

    /// What a keeper hands to its successor: at most one set is under way.
    pub(crate) fn under_way(&self) -> &[OwnedFd] {
        self.received.front().and_then(Option::as_deref).unwrap_or_default()
    }

    pub(crate) fn resumed(set: Vec<OwnedFd>) -> Self {
        Self { received: if set.is_empty() { VecDeque::new() } else { VecDeque::from([Some(set)]) } }
    }
}

/// Reads bytes, and takes in the set that comes with them.
///
/// # Errors
/// As of recvmsg(2).
pub fn receive(socket: impl AsFd, buffer: &mut [u8], sets: &mut Sets) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let mut set = Vec::new();
    for part in control.drain() {
        match part {
            RecvAncillaryMessage::ScmRights(descriptors) => set.extend(descriptors),
            // Not asked for.
            RecvAncillaryMessage::ScmCredentials(_) => {}
            _ => {}
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        // Those that fit are closed: nobody could tell which they are.
        sets.received.push_back(None);
    } else if !set.is_empty() {
        sets.received.push_back(Some(set));
    }
    Ok(message.bytes)
}

/// Writes bytes, and a set with the first of them. When an error is returned,
/// neither was sent.
///
/// # Errors
/// As of sendmsg(2).
pub fn send(socket: impl AsFd, bytes: &[u8], set: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !set.is_empty() && !control.push(SendAncillaryMessage::ScmRights(set)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}
