//! The text files of this workspace: enters a folder, leaves paths and texts.

use anyhow::{Context as _, Result};
use std::path::Path;

/// Folders that hold nothing of ours.
const FOREIGN: &[&str] = &["target", ".git", "node_modules", ".venv", "__pycache__"];
/// Written by cargo.
const GENERATED: &[&str] = &["Cargo.lock"];

/// One file that a person wrote.
pub(super) struct SourceFile {
    /// Path from the root, with `/`.
    pub(super) path: String,
    /// What it says.
    pub(super) text: String,
}

impl SourceFile {
    /// All of them, ordered by path. A file that is no UTF-8 is no source.
    pub(super) fn all(root: &Path) -> Result<Vec<Self>> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
            for entry in entries {
                let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let kind = entry.file_type().with_context(|| format!("cannot look at {}", entry.path().display()))?;
                if kind.is_dir() && !FOREIGN.contains(&name.as_str()) {
                    folders.push(entry.path());
                } else if kind.is_file() && !GENERATED.contains(&name.as_str()) {
                    let path = entry.path();
                    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                    let Ok(text) = String::from_utf8(bytes) else { continue };
                    let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                    files.push(Self { path, text });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Whether it is test or measuring code, which may be long.
    pub(super) fn is_test(&self) -> bool {
        let in_folder = self.path.split('/').rev().skip(1).any(|folder| folder == "tests" || folder == "benches");
        in_folder || self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs")
    }
}
