//! What a runner needs to know.

use process_model::NodeName;
use process_model::label::{self, InvalidLabel};
use service_host::secret::Secret;
use service_host::transport::Dial;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Configuration of a runner.
#[derive(Debug, Clone)]
pub struct Options {
    /// Journal, locks and the keeper's socket.
    pub state_dir: PathBuf,
    /// Output of instances whose spec names no file.
    pub log_dir: PathBuf,
    /// Definitions of types beside the built-in ones, a YAML file each; `None`:
    /// there are only those. A directory that is not there is no fault.
    pub types_dir: Option<PathBuf>,
    /// Executables and sockets that serve more types (`proto/pm/v1/plugin.proto`).
    /// A directory that is not there is no fault.
    pub plugins_dir: Option<PathBuf>,
    /// What programs may be on this node, whatever the registry says.
    pub policy_file: PolicyFile,
    /// Bytes of all log files of this node: the oldest that nobody writes to go first.
    /// `None`: no limit.
    pub log_quota: Option<u64>,
    /// This node's name.
    pub node: NodeName,
    /// Labels of this node, for constraints of placements.
    pub labels: BTreeMap<String, String>,
    /// Where the registry is; `None`: nobody is asked, assignments come from
    /// [`crate::Runner::assign`].
    pub registry: Option<Dial>,
    /// Where the monitor is; `None`: nothing is measured.
    pub monitor: Option<Dial>,
    /// The token that services show each other.
    pub token: Secret,
    /// Time between measurements.
    pub sample_interval: Duration,
}

/// Where a node's own policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyFile {
    /// Nowhere: nothing is forbidden.
    Nowhere,
    /// Here, as somebody said: it has to be there.
    Named(PathBuf),
    /// Here, if anywhere: nothing is forbidden as long as it is not there.
    Usual(PathBuf),
}

impl PolicyFile {
    /// Where a system runner looks when it is told nothing.
    pub const USUAL: &str = "/etc/pm/node-policy.yaml";

    pub(crate) fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Nowhere => None,
            Self::Named(path) | Self::Usual(path) => Some(path),
        }
    }
}

/// Why options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOptions {
    /// A directory has to be absolute: programs run in other directories.
    #[error("{name}: {path} is no absolute path; begin with /")]
    NotAbsolute {
        /// Which option.
        name: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// A label is none.
    #[error("labels")]
    Label(#[from] InvalidLabel),
    /// There are more labels than the registry takes.
    #[error("labels: there are {0}; set at most {most}", most = label::MOST)]
    TooManyLabels(usize),
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let paths = [
            ("state_dir", Some(&self.state_dir)),
            ("log_dir", Some(&self.log_dir)),
            ("types_dir", self.types_dir.as_ref()),
            ("plugins_dir", self.plugins_dir.as_ref()),
            ("policy_file", self.policy_file.path()),
        ];
        for (name, path) in paths.into_iter().filter_map(|(name, path)| Some((name, path?))) {
            if !path.is_absolute() {
                return Err(InvalidOptions::NotAbsolute { name, path: path.clone() });
            }
        }
        if self.labels.len() > label::MOST {
            return Err(InvalidOptions::TooManyLabels(self.labels.len()));
        }
        for (name, value) in &self.labels {
            label::check(name, value)?;
        }
        Ok(())
    }
}
