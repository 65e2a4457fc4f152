//! The founding mark: says that this directory once was founded, as which
//! replica, and with which log file. It stands apart from the log, because no
//! storage engine can tell a deleted file from one that never was: with the
//! mark there and the log gone, starting would make a replica that has
//! forgotten its vote.

use super::data_dir::write_durably;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The founding mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Which replica this is.
    pub node_id: u64,
    /// Id of the log file; it stands in the log too.
    pub store_id: String,
}

/// Why the mark cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{} is damaged; restore it, or empty the directory and rejoin as a new replica", .0.display())]
    Damaged(PathBuf),
}

impl Identity {
    /// A new mark.
    #[must_use]
    pub fn new(node_id: u64) -> Self {
        Self { node_id, store_id: Uuid::new_v4().to_string() }
    }

    /// Reads the mark; `None` when there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>, IdentityError> {
        match std::fs::read_to_string(path) {
            Ok(text) => parse(&text).map(Some).ok_or_else(|| IdentityError::Damaged(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(IdentityError::Damaged(path.to_owned())),
            Err(source) => Err(IdentityError::Io { path: path.to_owned(), source }),
        }
    }

    /// Writes the mark, durable on return.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&self, path: &Path) -> Result<(), IdentityError> {
        let body = body(self);
        let text = format!("{body}crc={:08x}\n", crc32fast::hash(body.as_bytes()));
        write_durably(path, text.as_bytes()).map_err(|source| IdentityError::Io { path: path.to_owned(), source })
    }
}

fn body(identity: &Identity) -> String {
    format!("format=1\nnode={}\nstore={}\n", identity.node_id, identity.store_id)
}

fn parse(text: &str) -> Option<Identity> {
    let mut values = text.lines().filter_map(|line| line.split_once('='));
    let mut next = |key: &str| values.next().filter(|(k, _)| *k == key).map(|(_, value)| value.to_owned());
    next("format").filter(|format| format == "1")?;
    let identity = Identity { node_id: next("node")?.parse().ok()?, store_id: next("store")? };
    let crc = u32::from_str_radix(&next("crc")?, 16).ok()?;
    (crc == crc32fast::hash(body(&identity).as_bytes())).then_some(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_any_changed_byte_is_noticed() {
        let identity = Identity::new(7);
        let text = format!("{}crc={:08x}\n", body(&identity), crc32fast::hash(body(&identity).as_bytes()));
        assert_eq!(parse(&text), Some(identity));
        // The last byte is the line end, which means nothing.
        for at in 0..text.len() - 1 {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            assert_eq!(parse(&String::from_utf8(damaged).unwrap()), None, "byte {at}");
        }
    }
}
