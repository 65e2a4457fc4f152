//! What is replicated in a simulation: any machine, if it can say which words
//! have had their effect. The rig watches it from outside (`watched`).

use super::shelf::Shelf;
use registry_consensus::{Machine, Payload};
use std::sync::Arc;

/// A machine under test.
pub(crate) trait Subject: Machine {
    /// Opens it over what its last life left.
    fn open(shelf: Shelf) -> Arc<Self>
    where
        Self: Sized;

    /// A batch that says this word; however often it is written, it has its effect once.
    fn batch(word: u64) -> Payload
    where
        Self: Sized;

    /// How many times a word has had its effect.
    fn times(&self, word: u64) -> u32;

    /// The words in the order of their effects; equal on all replicas in the end.
    fn words(&self) -> Vec<u64>;
}
