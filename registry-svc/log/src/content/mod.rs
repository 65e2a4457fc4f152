//! What a log holds and where it lies; where the next record goes. Pure:
//! replaying a directory and accepting requests go through the same functions.

mod contents;
mod index;
mod layout;
mod place;
mod runs;
mod tail;

pub(crate) use contents::Contents;
pub(crate) use index::Index;
pub(crate) use layout::Layout;
pub(crate) use place::Place;
pub(crate) use tail::Tail;
