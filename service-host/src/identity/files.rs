//! Where certificate, key and CA lie.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Name of the certificate in a folder; as in a Kubernetes secret of type `kubernetes.io/tls`.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// Name of its key.
pub const KEY_FILE: &str = "tls.key";
/// Name of the CA's certificates.
pub const CA_FILE: &str = "ca.crt";

/// More than any chain and any bundle of a cluster has: a larger file is some other file.
const MAX_BYTES: u64 = 1 << 20;

/// Three files in PEM. Certificate and key may be the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and what lies between it and the CA.
    pub certificate: PathBuf,
    /// Its key; only its owner may have access to it.
    pub key: PathBuf,
    /// Certificates of the cluster's CA, the old one and the new one while it is exchanged.
    pub ca: PathBuf,
}

/// What is in them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) ca: Vec<u8>,
}

impl TlsFiles {
    /// In one folder, by their usual names.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self { certificate: dir.join(CERTIFICATE_FILE), key: dir.join(KEY_FILE), ca: dir.join(CA_FILE) }
    }

    /// The folders to watch.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = [&self.certificate, &self.key, &self.ca]
            .into_iter()
            .map(|file| file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned())
            .collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// Reads all three. An error names the file.
    pub(super) fn read(&self) -> Result<Contents, (PathBuf, io::Error)> {
        let read = |path: &Path| read(path).map_err(|error| (path.to_owned(), error));
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)?, ca: read(&self.ca)? })
    }
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has more than 1 MiB, and is no PEM file of ours"));
    }
    Ok(bytes)
}
