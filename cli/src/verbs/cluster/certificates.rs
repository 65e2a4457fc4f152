//! The folder of a CA: its certificate and key, and a folder for each who has a certificate, as `--tls-dir` takes it.
//!
//! ```text
//! DIR/cluster          the cluster's name
//! DIR/ca.crt ca.key    the CA; the key for the registry's replicas alone
//! DIR/admin.token      a token of the administrator, if it was asked for
//! DIR/registry-1/      tls.crt, tls.key, ca.crt: to be copied to that replica's machine
//! ```

use crate::error::{Failure, chain};
use service_host::identity::{Authority, CA_FILE, CERTIFICATE_FILE, Identity, KEY_FILE, Role, SpiffeId, TlsFiles};
use service_host::secret::Secret;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const CA_KEY: &str = "ca.key";
const NAME: &str = "cluster";
const ADMIN_TOKEN: &str = "admin.token";

/// A CA and its folder.
pub(super) struct Certificates {
    dir: PathBuf,
    authority: Authority,
    pub(super) cluster: String,
}

impl Certificates {
    /// Whether a folder holds a CA.
    pub(super) fn is_there(dir: &Path) -> bool {
        dir.join(CA_KEY).exists() || dir.join(CA_FILE).exists()
    }

    /// Makes a new CA.
    pub(super) fn create(dir: &Path, cluster: &str) -> Result<Self, Failure> {
        // Whether the name is one is seen before anything is written.
        SpiffeId::new(cluster, Role::Operator, "operator")
            .map_err(|error| Failure::usage(format!("--name: {error}")))?;
        if Self::is_there(dir) {
            return Err(Failure::failed(format!("{} holds a CA already", dir.display()))
                .help("`pmctl cluster issue` makes more certificates with it"));
        }
        make(dir)?;
        let (authority, certificate, key) = Authority::create(cluster).map_err(failed)?;
        write(&dir.join(CA_KEY), &key)?;
        write(&dir.join(NAME), &format!("{cluster}\n"))?;
        write(&dir.join(CA_FILE), &certificate)?;
        Ok(Self { dir: dir.to_owned(), authority, cluster: cluster.to_owned() })
    }

    /// One that is there. Its cluster's name, if it is not said, stands beside it.
    pub(super) fn open(dir: &Path, cluster: Option<&str>) -> Result<Self, Failure> {
        let authority = Authority::load(&dir.join(CA_FILE), &dir.join(CA_KEY));
        let authority = authority.map_err(|error| failed(error).help("`pmctl cluster init` makes a CA"))?;
        let cluster = match cluster {
            Some(cluster) => cluster.to_owned(),
            None => {
                let path = dir.join(NAME);
                let name = fs::read_to_string(&path);
                name.map_err(|error| unusable(&path, &error).help("--cluster names it, too"))?.trim().to_owned()
            }
        };
        Ok(Self { dir: dir.to_owned(), authority, cluster })
    }

    /// Whom a certificate is for.
    pub(super) fn id(&self, role: Role, name: &str) -> Result<SpiffeId, Failure> {
        SpiffeId::new(&self.cluster, role, name).map_err(|error| Failure::usage(error.to_string()))
    }

    /// The folder of a name, beside the CA.
    pub(super) fn folder(&self, id: &SpiffeId) -> PathBuf {
        let (role, name) = (id.role(), id.name());
        self.dir.join(if name.starts_with(role.as_str()) { name.to_owned() } else { format!("{role}-{name}") })
    }

    /// What a folder holds already, over or not, if all of it is of this CA, of this role and of a name that is called so,
    /// and belongs together.
    pub(super) fn held(&self, folder: &Path, role: Role, is_called: impl FnOnce(&str) -> bool) -> Option<Identity> {
        let held = Identity::load_even_if_over(TlsFiles::in_dir(folder), role).ok()?;
        let ca = fs::read_to_string(self.dir.join(CA_FILE)).ok()?;
        let is_ours = held.id().cluster() == self.cluster && held.ca_pem().trim() == ca.trim();
        (is_ours && is_called(held.id().name())).then_some(held)
    }

    /// Whether what is held is good for a while: two thirds of its life are not over.
    pub(super) fn is_fresh(held: &Identity) -> bool {
        held.validity().renewal() > SystemTime::now()
    }

    /// A new certificate and key in a folder, in the place of those that were there.
    pub(super) fn issue(&self, folder: &Path, id: &SpiffeId, hosts: &[String], life: Duration) -> Result<(), Failure> {
        let (signed, key) = self.authority.issue(id, hosts, life).map_err(failed)?;
        make(folder)?;
        let ca = self.dir.join(CA_FILE);
        let ca = fs::read_to_string(&ca).map_err(|error| unusable(&ca, &error))?;
        write(&folder.join(CA_FILE), &ca)?;
        write(&folder.join(KEY_FILE), &key)?;
        write(&folder.join(CERTIFICATE_FILE), &signed.pem)
    }

    /// Makes a token, unless there is one; where it is.
    pub(super) fn admin_token(&self) -> Result<Option<PathBuf>, Failure> {
        let path = self.dir.join(ADMIN_TOKEN);
        if path.exists() {
            return Ok(None);
        }
        let token = Secret::try_generate().map_err(|error| Failure::failed(chain(&error)))?;
        write(&path, &format!("{}\n", token.expose()))?;
        Ok(Some(path))
    }

    /// SHA-256 of the CA's certificate.
    pub(super) fn fingerprint(&self) -> String {
        self.authority.fingerprint()
    }

    /// The CA's key.
    pub(super) fn key(&self) -> PathBuf {
        self.dir.join(CA_KEY)
    }
}

fn failed(error: service_host::identity::AuthorityError) -> Failure {
    Failure::failed(chain(&error))
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot use {}: {error}", path.display()))
}

fn make(dir: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| unusable(dir, &error))
}

/// Whole or not at all, and for nobody else: who uses the file sees the old one or the new one.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let aside = path.with_extension("new");
    let writing = || {
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    writing().map_err(|error| unusable(path, &error))
}
