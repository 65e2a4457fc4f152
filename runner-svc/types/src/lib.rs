//! What a process's `type` means on a node: data, not code.
//!
//! ```text
//! *.yaml ──read──▶ Definition ─┐
//! built-in, types.d            ├─▶ TypeSet ──resolve(Subject, Files)──▶ Program (argv, env)
//!                              ┘           ──complete(ProcessSpec)────▶ its default readiness
//! ```
//!
//! | file | what |
//! |---|---|
//! | `set` | the types of a node by name; built-in ones and those that users add |
//! | `definition`, `read` | one type; YAML → a checked definition, or every fault with its place |
//! | `template` | words with `{{placeholders}}` |
//! | `condition` | what has to be true of the application's files |
//! | `scope`, `resolve` | placeholders → values; a definition and a process → a program |
//! | `files` | how the application's files are asked for |
//!
//! Pure: no clock, no environment, no files but by [`Files`].

mod builtin;
mod complete;
mod condition;
mod definition;
mod fault;
mod files;
mod placeholder;
mod read;
mod resolve;
mod scope;
mod set;
mod subject;
mod template;

pub use definition::Definition;
pub use fault::DefinitionFault;
pub use files::Files;
pub use resolve::{Program, ResolveError};
pub use set::TypeSet;
pub use subject::Subject;
