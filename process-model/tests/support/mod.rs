//! Specs with every field, and how a user would write them.

pub(crate) mod specs;
#[allow(dead_code)] // not every test writes them out
pub(crate) mod written;
