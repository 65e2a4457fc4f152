//! One test's own home: a folder on the workspace's disk (durability is not
//! tested on a tmpfs), an environment that points there, and the certainty
//! that nothing started in it outlives it.

use crate::{Outcome, Up, binary, leftovers};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Removed when it is dropped, unless the test fails: then it stays to be
/// looked at, and its path is printed.
pub struct Sandbox {
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Sandbox {
    /// A new one. Its name is short, since a Unix socket's path must be.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn new() -> Self {
        let parent = binary::scratch().expect("the target directory can be written");
        let folder = tempfile::Builder::new().prefix("t").tempdir_in(parent).expect("a folder can be made");
        let path = folder.path().to_path_buf();
        Self { folder: Some(folder), path }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the folder, as text for a spec.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).to_str().expect("the path is UTF-8").to_owned()
    }

    /// The state directory of `pmctl up` here.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.path.join("state/pm")
    }

    /// Writes a file into the folder and returns its path.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        std::fs::write(&path, text).expect("the folder can be written");
        path
    }

    /// `pmctl` in this home: no setting of the caller's reaches it.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary::path("pmctl"));
        command.args(args).current_dir(&self.path);
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("PM_") || name_text.starts_with("OTEL_") || name_text.starts_with("XDG_") {
                command.env_remove(&name);
            }
        }
        command.env("HOME", &self.path).env("NO_COLOR", "1").env("RUST_BACKTRACE", "1");
        for (name, folder) in [("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config"), ("XDG_RUNTIME_DIR", "run")] {
            command.env(name, self.path.join(folder));
        }
        command
    }

    /// Runs `pmctl` to its end.
    #[must_use]
    pub fn pmctl(&self, args: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(args))
    }

    /// Starts `pmctl up` on a file with this text and waits until all is ready.
    #[must_use]
    pub fn up(&self, document: &str) -> Up<'_> {
        let file = self.write("up.yaml", document);
        self.up_with(&["-f", &file], &[])
    }

    /// Starts `pmctl up` with arguments and variables and waits until it says
    /// that it is up.
    #[must_use]
    pub fn up_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Up<'_> {
        Up::start(self, args, environment)
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        leftovers::end(&self.path);
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            println!("left to be looked at: {}", folder.keep().display());
        }
    }
}
