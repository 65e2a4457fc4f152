//! What a node keeps of its identity, in `STATE/identity`, mode 0700:
//!
//! | file | what |
//! |---|---|
//! | `node.pem` | certificate and key, in one file, so that they change together; 0600 |
//! | `ca.crt` | certificates of the CA |
//! | `registry`, `monitor` | where they are |

use service_host::identity::{Identity, IdentityError, Role, TlsFiles};
use service_host::transport::{Endpoints, EndpointsError};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const PAIR: &str = "node.pem";
const CA: &str = "ca.crt";
const REGISTRY: &str = "registry";
const MONITOR: &str = "monitor";

/// Why what is kept cannot be used, or nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate is of no use.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The addresses are none.
    #[error("{}: {source}", path.display())]
    Addresses {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: EndpointsError,
    },
}

/// Where a node keeps its identity.
#[derive(Debug, Clone)]
pub struct Kept {
    dir: PathBuf,
}

/// What a node was given.
pub(super) struct Given<'a> {
    pub(super) certificate: &'a str,
    pub(super) key: &'a str,
    pub(super) ca: &'a str,
    pub(super) registry: &'a str,
    pub(super) monitor: Option<&'a str>,
}

impl Kept {
    /// In this state directory.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("identity") }
    }

    /// Whether there is one.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.dir.join(PAIR).exists()
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// It, checked. A node that was off for too long has one whose time is over: its programs run all the same, and it
    /// says so until somebody lets it join again.
    ///
    /// # Errors
    /// It is of no use.
    pub fn load(&self) -> Result<Identity, KeptError> {
        let identity = Identity::load_even_if_over(files(&self.dir), Role::Runner)?;
        if identity.validity().to <= SystemTime::now() {
            let (id, dir) = (identity.id(), self.dir.display());
            tracing::error!(%id, "the certificate's time is over, so nobody takes this node in; remove {dir} and join again");
        }
        Ok(identity)
    }

    /// Where the registry was when this node joined.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn registry(&self) -> Result<Option<Endpoints>, KeptError> {
        self.addresses(REGISTRY)
    }

    /// Where the monitor is, if that was said.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn monitor(&self) -> Result<Option<Endpoints>, KeptError> {
        self.addresses(MONITOR)
    }

    fn addresses(&self, name: &str) -> Result<Option<Endpoints>, KeptError> {
        let path = self.dir.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse() {
                Ok(addresses) => Ok(Some(addresses)),
                Err(source) => Err(KeptError::Addresses { path, source }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeptError::File { path, source }),
        }
    }

    /// The key of a join that was not answered, or a new one that is written down before it is used: the token is good for
    /// this key alone from then on.
    pub(super) fn pending_key(&self, new: impl FnOnce() -> String) -> Result<String, KeptError> {
        let path = self.dir.with_extension("pending-key");
        match fs::read_to_string(&path) {
            Ok(key) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = new();
                write(&path, key.as_bytes())?;
                Ok(key)
            }
            Err(source) => Err(KeptError::File { path, source }),
        }
    }

    /// Keeps a first identity, whole or not at all.
    pub(super) fn keep(&self, given: &Given<'_>) -> Result<Identity, KeptError> {
        let next = self.dir.with_extension("next");
        clear(&next)?;
        make(&next)?;
        put(&next, given)?;
        // Of no use, it is not kept.
        let checked = Identity::load(files(&next), Role::Runner)?;
        let moved = fs::rename(&next, &self.dir).and_then(|()| sync_parent(&self.dir));
        moved.map_err(|source| KeptError::File { path: self.dir.clone(), source })?;
        drop(checked);
        let _ = fs::remove_file(self.dir.with_extension("pending-key"));
        self.load()
    }

    /// Keeps the next certificate and key in the place of those before; who watches the files uses them from then on.
    pub(super) fn renew(&self, certificate: &str, key: &str, ca: &str) -> Result<(), KeptError> {
        let next = self.dir.join("next");
        clear(&next)?;
        make(&next)?;
        put(&next, &Given { certificate, key, ca, registry: "", monitor: None })?;
        Identity::load(files(&next), Role::Runner)?;
        for name in [CA, PAIR] {
            let (from, to) = (next.join(name), self.dir.join(name));
            fs::rename(&from, &to).map_err(|source| KeptError::File { path: to, source })?;
        }
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|source| KeptError::File { path: self.dir.clone(), source })?;
        clear(&next)
    }
}

fn files(dir: &Path) -> TlsFiles {
    TlsFiles { certificate: dir.join(PAIR), key: dir.join(PAIR), ca: dir.join(CA) }
}

fn put(dir: &Path, given: &Given<'_>) -> Result<(), KeptError> {
    let pair = format!("{}{}", given.certificate, given.key);
    write(&dir.join(PAIR), pair.as_bytes())?;
    write(&dir.join(CA), given.ca.as_bytes())?;
    if !given.registry.is_empty() {
        write(&dir.join(REGISTRY), format!("{}\n", given.registry).as_bytes())?;
    }
    if let Some(monitor) = given.monitor {
        write(&dir.join(MONITOR), format!("{monitor}\n").as_bytes())?;
    }
    let synced = File::open(dir).and_then(|opened| opened.sync_all());
    synced.map_err(|source| KeptError::File { path: dir.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), KeptError> {
    let writing = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    writing().map_err(|source| KeptError::File { path: path.to_owned(), source })
}

fn make(dir: &Path) -> Result<(), KeptError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| KeptError::File { path: dir.to_owned(), source })
}

fn clear(dir: &Path) -> Result<(), KeptError> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(KeptError::File { path: dir.to_owned(), source }),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
