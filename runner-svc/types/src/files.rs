//! How the application's files are asked for. The runner answers from the
//! disk, tests from a list.

/// The files of a node. Paths are absolute.
pub trait Files {
    /// Whether there is a file, links followed.
    fn is_file(&self, path: &str) -> bool;

    /// The text of a file; `None` when it cannot be read, is no text, or is too
    /// long to be a description of an application.
    fn read(&self, path: &str) -> Option<String>;
}
