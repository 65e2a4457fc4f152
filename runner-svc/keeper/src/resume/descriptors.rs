//! Descriptors of an image: it refers to them by their place in a list.

use crate::sys;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

/// The list while an image is written.
#[derive(Debug, Default)]
pub(crate) struct Kept<'a>(pub(crate) Vec<BorrowedFd<'a>>);

impl<'a> Kept<'a> {
    /// Puts a descriptor on the list; returns its place.
    pub(crate) fn put(&mut self, descriptor: &'a impl AsFd) -> u32 {
        let place = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.push(descriptor.as_fd());
        place
    }
}

/// The list while an image is read: each descriptor is there once.
#[derive(Debug)]
pub(crate) struct Found(Vec<Option<OwnedFd>>);

impl Found {
    /// The descriptor of a place; `None` when it did not come along.
    pub(crate) fn take(&mut self, place: u32) -> Option<OwnedFd> {
        self.0.get_mut(usize::try_from(place).ok()?)?.take()
    }
}

impl From<Vec<OwnedFd>> for Found {
    fn from(descriptors: Vec<OwnedFd>) -> Self {
        Self(descriptors.into_iter().map(Some).collect())
    }
}

impl FromIterator<Option<OwnedFd>> for Found {
    fn from_iter<I: IntoIterator<Item = Option<OwnedFd>>>(descriptors: I) -> Self {
        Self(descriptors.into_iter().collect())
    }
}

/// What the program before left open, by the numbers that it wrote down.
#[derive(Debug)]
pub(crate) struct Numbers(BTreeMap<RawFd, OwnedFd>);

impl Numbers {
    /// Takes all of them over, before anything else is opened. What is not open is lost, and whatever it was of.
    pub(crate) fn take_all(numbers: impl Iterator<Item = RawFd>) -> Self {
        let numbers: BTreeSet<RawFd> = numbers.collect();
        Self(numbers.into_iter().filter_map(|number| Some((number, sys::inherited::take(number).ok()?))).collect())
    }

    /// Each can be taken once.
    pub(crate) fn take(&mut self, number: RawFd) -> io::Result<OwnedFd> {
        self.0.remove(&number).ok_or_else(|| io::Error::other("a descriptor did not come along, or is named twice"))
    }
}
