//! Process files: YAML or JSON text in, checked specs out, or every fault of
//! the file in one report.
//!
//! ```text
//! bytes ─text─▶ str ─parse─▶ tree (line:column) ─forms─▶ ProcessSpec ─check─▶ Document
//!                    every step adds to one Report ─────────────────────────▶ Vec<DocumentFault>
//! ```
//!
//! `fields` is the one table of what may be written: the reader takes names,
//! kinds and ranges from it, and so does the JSON Schema. To add a field, add
//! it there, read it in `process` or the file of its topic, and describe it in
//! `docs/process-file.md` (tests ask for all three). `rules` holds the rules of
//! one spec against it, `graph` what the processes of a file want of each other.
//!
//! Pure: the folder of the file is only joined in front of relative paths.

mod builder;
mod command;
mod duration;
mod execution;
mod fault;
mod field;
mod fields;
mod graph;
mod list_form;
mod locate;
mod logs;
mod map_form;
mod mapping;
mod mode;
mod order;
mod parse;
mod paths;
mod placement;
mod ports;
mod probe;
mod process;
mod report;
mod restart;
mod root;
mod rules;
mod scalar;
mod schema;
mod shared;
mod size;
mod sockets;
mod stop;
mod suggest;
mod text;
mod tree;
mod value;

pub use fault::DocumentFault;
pub use schema::schema;

use crate::ProcessSpec;
use report::Report;
use std::path::Path;

/// Longest process file in bytes. A thousand processes with every field fit;
/// what is larger is not a process file.
pub const MAX_BYTES: usize = 1024 * 1024;

/// What a valid process file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The processes in the order of the file, with absolute paths and with the
    /// file's own `env` merged in. Every one passes [`ProcessSpec::check`].
    pub processes: Vec<ProcessSpec>,
    /// What is valid but probably not meant, by position.
    pub warnings: Vec<DocumentFault>,
}

/// Reads a process file.
///
/// `source_name` is how faults name the file; `base_dir` is the absolute
/// folder that relative paths in it start from.
///
/// # Errors
/// All faults of the file, by position; never empty.
pub fn read(source_name: &str, base_dir: &Path, text: &[u8]) -> Result<Document, Vec<DocumentFault>> {
    let mut report = Report::default();
    let processes = text::decode(text, &mut report)
        .and_then(|text| parse::parse(text, &mut report))
        .map(|tree| root::read(&tree, base_dir, &mut report))
        .unwrap_or_default();
    let warnings = report.finish(source_name)?;
    Ok(Document { processes, warnings })
}
