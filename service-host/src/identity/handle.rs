//! [`Identity`]: the pair in force. Whoever opens or takes a connection asks for it each time, so a new pair counts from the
//! next connection on, and those that are open go on.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::UNIX_EPOCH;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;

use super::files::TlsFiles;
use super::pair::{IdentityError, Pair, Time, Validity};
use super::{Role, SpiffeId, fingerprint};
use crate::metrics::Metrics;

/// What a server asks of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// A certificate of the cluster.
    Required,
    /// One; without it nothing may be called but what is open to strangers who want to join.
    Joining,
    /// None; they show tokens, or a certificate.
    Public,
}

/// Who this process is. Clones are handles to the same one.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    force: RwLock<Arc<InForce>>,
    failures: Counter,
    expiry: Gauge,
    /// Told with each new pair.
    changed: watch::Sender<u64>,
}

/// A pair, and how it is used.
struct InForce {
    pair: Pair,
    servers: [Arc<ServerConfig>; 3],
    clients: Vec<(Role, Arc<ClientConfig>)>,
}

impl InForce {
    fn new(files: &TlsFiles, pair: Pair) -> Result<Self, IdentityError> {
        let unusable = |error: rustls::Error| IdentityError::Chain {
            certificate: files.certificate.clone(),
            ca: files.ca.clone(),
            why: error.to_string(),
        };
        let server = |clients| pair.server(clients).map(Arc::new).map_err(unusable);
        let servers = [server(Clients::Required)?, server(Clients::Joining)?, server(Clients::Public)?];
        let client = |role| pair.client(role).map(|config| (role, Arc::new(config))).map_err(unusable);
        let clients = Role::ALL.into_iter().map(client).collect::<Result<_, _>>()?;
        Ok(Self { servers, clients, pair })
    }
}

impl Identity {
    /// From files. `role`: the one that it has to have.
    ///
    /// # Errors
    /// As [`IdentityError`].
    pub fn load(files: TlsFiles, role: Role) -> Result<Self, IdentityError> {
        Self::of(files, role, Time::Now)
    }

    /// The same although its time may be over, for whoever has work that needs no connection.
    ///
    /// # Errors
    /// As [`IdentityError`].
    pub fn load_even_if_over(files: TlsFiles, role: Role) -> Result<Self, IdentityError> {
        Self::of(files, role, Time::OrOver)
    }

    fn of(files: TlsFiles, role: Role, time: Time) -> Result<Self, IdentityError> {
        let pair = Pair::load(&files, time)?;
        if pair.id.role() != role {
            let (found, wanted) = ((*pair.id).clone(), format!("one with the role {role}"));
            return Err(IdentityError::Another { path: files.certificate.clone(), found, wanted });
        }
        let force = InForce::new(&files, pair)?;
        let expiry = Gauge::default();
        expiry.set(ends(force.pair.validity));
        let force = RwLock::new(Arc::new(force));
        Ok(Self(Arc::new(Inner { files, force, failures: Counter::default(), expiry, changed: watch::Sender::new(0) })))
    }

    fn force(&self) -> Arc<InForce> {
        self.0.force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows how it fares.
    pub fn register(&self, metrics: &Metrics) {
        let (failures, expiry) = (self.0.failures.clone(), self.0.expiry.clone());
        let help = "Certificates, keys or CAs that could not take the place of those in force";
        metrics.register("pm_tls_reload_failures", help, failures);
        metrics.register(
            "pm_tls_certificate_expiry_seconds",
            "When the certificate in force ends, in Unix time",
            expiry,
        );
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> Arc<SpiffeId> {
        self.force().pair.id.clone()
    }

    /// From when to when the certificate counts.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.force().pair.validity
    }

    /// Where it was read from.
    #[must_use]
    pub fn files(&self) -> &TlsFiles {
        &self.0.files
    }

    /// The CA's certificates, as they are in their file.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        String::from_utf8_lossy(&self.force().pair.contents.ca).into_owned()
    }

    /// The fingerprint of the CA's first certificate.
    #[must_use]
    pub fn ca_fingerprint(&self) -> String {
        self.force().pair.cas().first().map(|ca| fingerprint(ca)).unwrap_or_default()
    }

    /// Told each time that another pair took the place of the one before.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    pub(crate) fn server(&self, clients: Clients) -> Arc<ServerConfig> {
        let [required, joining, public] = &self.force().servers;
        match clients {
            Clients::Required => required.clone(),
            Clients::Joining => joining.clone(),
            Clients::Public => public.clone(),
        }
    }

    pub(crate) fn client(&self, role: Role) -> Option<Arc<ClientConfig>> {
        self.force().clients.iter().find(|(known, _)| *known == role).map(|(_, config)| config.clone())
    }

    /// As [`Pair::public_client`], with the CA of this identity, or another one.
    pub(super) fn public_client(
        &self,
        roots: Option<Arc<rustls::RootCertStore>>,
    ) -> Result<ClientConfig, rustls::Error> {
        let force = self.force();
        force.pair.public_client(roots.unwrap_or_else(|| force.pair.roots.clone()))
    }

    /// Reads the files again. What is in them takes the place of what is in force, if it is sound and the same one's;
    /// returns whether anything is new.
    ///
    /// # Errors
    /// What is in the files is of no use; what was in force stays so.
    pub fn reload(&self) -> Result<bool, IdentityError> {
        let reloaded = self.try_reload();
        if reloaded.is_err() {
            self.0.failures.inc();
        }
        reloaded
    }

    fn try_reload(&self) -> Result<bool, IdentityError> {
        let files = &self.0.files;
        let contents = files.read().map_err(|(path, source)| IdentityError::Read { path, source })?;
        let old = self.force();
        if contents == old.pair.contents {
            return Ok(false);
        }
        let pair = Pair::load(files, Time::Now)?;
        if *pair.id != *old.pair.id {
            let (found, wanted) =
                ((*pair.id).clone(), format!("one of {}, as whom this process was started,", old.pair.id));
            return Err(IdentityError::Another { path: files.certificate.clone(), found, wanted });
        }
        let validity = pair.validity;
        let force = Arc::new(InForce::new(files, pair)?);
        *self.0.force.write().unwrap_or_else(PoisonError::into_inner) = force;
        self.0.expiry.set(ends(validity));
        self.0.changed.send_modify(|times| *times += 1);
        Ok(true)
    }
}

fn ends(validity: Validity) -> i64 {
    let since = validity.to.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.id().to_string()).finish()
    }
}
