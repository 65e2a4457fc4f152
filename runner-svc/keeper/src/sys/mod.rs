//! System calls that no safe crate offers. One file for each family; each
//! `unsafe` block argues why it is sound.

pub(crate) mod descriptors;
pub(crate) mod malloc;
pub(crate) mod spawn;
