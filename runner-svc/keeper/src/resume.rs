//! How a run, and a whole keeper, outlive a keeper process.
//!
//! ```text
//!  run ──▶ RunImage + descriptors ──┬─▶ Handed ─ runner ─ Adopt ─▶ another keeper   (this one was lost)
//!                                   └─▶ Image in a memfd ─ execve ─▶ another program (this one is upgraded)
//! ```
//!
//! | file | what |
//! |---|---|
//! | `image` | what is written down |
//! | `descriptors` | numbers in an image, and the descriptors that they stand for |
//! | `run` | a run to its image and back |
//! | `store` | an image in a memfd, with a header that never changes |
//! | `program` | becoming another program, and going back |
//!
//! When keeper and runner are lost at once, nobody has the descriptors: the
//! programs lose their outputs, and the next runner ends and restarts them.

mod descriptors;
mod image;
mod program;
mod run;
mod store;

pub(crate) use descriptors::{Found, Kept, Numbers};
pub(crate) use image::{ConnectionImage, Image, OutputImage, RunImage};
pub(crate) use program::{VARIABLES, become_program, resumed};
pub(crate) use run::For;
