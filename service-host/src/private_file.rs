//! Who may have access to a file that holds a secret.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// The mode of a file that more may read or write than should: anybody but its owner; of root's own files, a group may
/// read, too. A manager of secrets (a Kubernetes volume with `fsGroup`, a file under `/etc`) hands a file to a service that
/// is not root in this way, and the service cannot change it.
pub(crate) fn too_open(file: &Metadata) -> Option<u32> {
    let mode = file.mode() & 0o7777;
    is_open(mode, file.uid()).then_some(mode)
}

fn is_open(mode: u32, owner: u32) -> bool {
    let others = if owner == 0 { 0o037 } else { 0o077 };
    mode & others != 0
}

#[cfg(test)]
mod tests {
    use super::is_open;

    #[test]
    fn its_owner_alone_has_access_and_of_roots_files_a_group_that_reads() {
        for mode in [0o400, 0o600, 0o700] {
            assert!(!is_open(mode, 0) && !is_open(mode, 65_532), "{mode:o}");
        }
        for mode in [0o440, 0o640] {
            assert!(!is_open(mode, 0) && is_open(mode, 65_532), "{mode:o}");
        }
        for mode in [0o604, 0o644, 0o660, 0o650, 0o602, 0o777] {
            assert!(is_open(mode, 0) && is_open(mode, 65_532), "{mode:o}");
        }
    }
}
