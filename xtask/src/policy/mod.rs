//! Rules of this workspace that no lint can see. `cargo xtask verify` checks
//! them; each is a test of this package as well.
//!
//! | module | rule |
//! |---|---|
//! | [`layering`] | who may depend on whom; what is pure stays pure |
//! | [`size`] | no file too long to be read in one go |
//! | [`words`] | nothing in the sources that must not be there |
//! | [`sources`] | which files those are |

mod layering;
mod size;
mod sources;
mod words;

use crate::workspace::Workspace;
use anyhow::{Result, bail};
use sources::SourceFile;

/// Checks every rule; the error lists every breach.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let files = SourceFile::all(workspace.root())?;
    let mut breaches = layering::breaches(&layering::Graph::of(workspace)?);
    breaches.extend(size::breaches(&files));
    breaches.extend(words::breaches(&files));
    if !breaches.is_empty() {
        bail!("{}", breaches.join("\n"));
    }
    println!("{} files, no breach", files.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<SourceFile> {
        let workspace = Workspace::find().unwrap();
        let files = SourceFile::all(workspace.root()).unwrap();
        assert!(files.iter().any(|file| file.path == "Cargo.toml"), "the search for files finds nothing");
        files
    }

    #[test]
    fn every_crate_depends_only_on_what_its_layer_allows() {
        let graph = layering::Graph::of(&Workspace::find().unwrap()).unwrap();
        assert_eq!(layering::breaches(&graph), Vec::<String>::new());
    }

    #[test]
    fn no_source_file_is_too_long() {
        assert_eq!(size::breaches(&files()), Vec::<String>::new());
    }

    #[test]
    fn no_source_file_holds_what_must_not_be_there() {
        assert_eq!(words::breaches(&files()), Vec::<String>::new());
    }
}
