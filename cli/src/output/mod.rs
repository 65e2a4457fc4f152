//! What goes to the terminal. With a machine format, stdout holds that
//! document only; everything else goes to stderr.
//!
//! | file | what |
//! |---|---|
//! | `format` | `-o` |
//! | `colour` | when to colour, and which tone means what |
//! | `terminal` | stdout and stderr, each with its own choice |
//! | `list` | items as a table or as a document |
//! | `human` | times, durations and sizes for people |
//! | `confirm` | y/N |

mod colour;
mod confirm;
mod format;
pub mod human;
mod list;
mod terminal;

pub use colour::{ColourWish, Paint, Tone};
pub use confirm::confirm;
pub use format::Format;
pub use list::{Cell, Column, Listed, document, list};
pub use terminal::Terminal;
