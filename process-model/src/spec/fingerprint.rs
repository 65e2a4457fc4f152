//! What two specs have in common that run the same: 32 bytes. A node tells a
//! registry by them what it runs, without telling the spec.

use super::ProcessSpec;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

impl ProcessSpec {
    /// SHA-256 of everything that its instances notice; what only the registry
    /// acts on is left out. `None`: it cannot be written down, and so is like
    /// no other.
    #[must_use]
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        let noticed = Self {
            instances: 1,
            autostart: true,
            labels: BTreeMap::new(),
            placement: None,
            update: None,
            ..self.clone()
        };
        serde_json::to_vec(&noticed).ok().map(|bytes| Sha256::digest(&bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, ProcessSpec};

    #[test]
    fn what_an_instance_does_not_notice_is_not_in_the_fingerprint() {
        let spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("run".into()));
        let mut other = spec.clone();
        (other.instances, other.autostart) = (7, false);
        other.labels.insert("team".into(), "shop".into());
        assert_eq!(spec.fingerprint(), other.fingerprint());
        assert!(spec.fingerprint().is_some());
        other.env.insert("KEY".into(), "value".into());
        assert_ne!(spec.fingerprint(), other.fingerprint());
    }
}
