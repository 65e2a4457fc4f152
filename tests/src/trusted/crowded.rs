//! A cluster over mTLS that thousands of simulated runners come to.

use super::{REPLICAS, Trusted};
use crate::Invited;
use service_host::client::ServiceChannel;
use service_host::identity::{Authority, CA_FILE, Role, SpiffeId, TlsFiles};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

/// Of the certificates: longer than any run.
const LIFE: Duration = Duration::from_secs(24 * 3600);

impl Trusted<'_> {
    /// Certificates for so many nodes, `node-00000` and so on, from the cluster's own CA, as `pmctl cluster issue` makes
    /// them one by one.
    ///
    /// # Panics
    /// When the CA is of no use, or the disk refuses.
    #[must_use]
    pub fn invite(&self, count: usize) -> Vec<Invited> {
        let pki = self.sandbox.path().join("pki");
        let ca = pki.join(CA_FILE);
        let authority = Authority::load(&ca, &pki.join("ca.key")).expect("the CA is of use");
        let folder = pki.join("crowd");
        std::fs::create_dir_all(&folder).unwrap();
        let registries = self.registries();
        let invite = |number: usize| {
            let name = format!("node-{number:05}");
            let id = SpiffeId::new("prod", Role::Runner, &name).expect("it is a name");
            let (signed, key) = authority.issue(&id, &[], LIFE).expect("the CA signs");
            let file = folder.join(format!("{name}.pem"));
            let mut pem = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&file).unwrap();
            pem.write_all(format!("{}{key}", signed.pem).as_bytes()).unwrap();
            let files = TlsFiles { certificate: file.clone(), key: file, ca: ca.clone() };
            Invited::with_certificate(name, &registries, files)
        };
        (0..count).map(invite).collect()
    }

    /// The replicas that run, and their processes.
    #[must_use]
    pub fn replicas(&self) -> Vec<(String, u32)> {
        let names = (1..=REPLICAS).map(|n| format!("registry-{n}"));
        names.filter_map(|name| Some((name.clone(), self.running.get(&name)?.pid()))).collect()
    }

    /// The replica that has the runners' sessions, which is the one that leads; `None` while nobody has any.
    #[must_use]
    pub fn leader(&self) -> Option<String> {
        let mut names = self.replicas().into_iter().map(|(name, _)| name);
        names.find(|name| self.metric(name, "pm_registry_sessions") > 0)
    }

    /// A channel to the gateway, as the operator whose certificate was made.
    #[must_use]
    pub fn operator(&self) -> ServiceChannel {
        self.channel_as(&self.folder("operator"), Role::Operator, "gateway", Role::Gateway)
    }
}
