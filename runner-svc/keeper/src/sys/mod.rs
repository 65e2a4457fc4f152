//! System calls that no safe crate offers. One file for each family; each
//! `unsafe` block argues why it is sound.

mod child;
mod clone3;
pub(crate) mod code_pages;
pub(crate) mod cradle;
pub(crate) mod descriptors;
pub(crate) mod exit_info;
pub(crate) mod inherited;
pub(crate) mod malloc;
pub(crate) mod spawn;
