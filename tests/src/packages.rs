//! The packages of the programs under test, as `cargo xtask dist --profile dev` makes them.

use crate::debian::recipe;
use crate::{Outcome, Sandbox, binary};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The folder with packages, tarball and SHA256SUMS. Made anew if a program, or what goes with it, is newer.
///
/// # Panics
/// When they cannot be made.
#[must_use]
pub fn folder() -> PathBuf {
    let out = binary::target_dir().join("dist-dev");
    let programs = ["registry-svc", "monitor-svc", "gateway", "runner-svc", "pmctl", "xtask"].map(binary::path);
    let root = binary::workspace_root();
    let made = changed(&out.join("SHA256SUMS"));
    let newest = programs.iter().map(|path| changed(path)).chain([newest(&root.join("deploy"))]).max();
    if made < newest.expect("there are programs") {
        let out = out.to_str().expect("the path is UTF-8");
        let _ = recipe(&["dist", "--profile", "dev", "--no-build", "--out", out]);
    }
    out
}

fn changed(path: &Path) -> SystemTime {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// When the last file below it was changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).expect("it is a folder");
    let below = entries.map(|entry| entry.expect("it can be read").path());
    let newest = below.map(|path| if path.is_dir() { newest(&path) } else { changed(&path) });
    newest.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Our packages in a folder, by name.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn debs(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("it is a folder").map(|file| file.expect("it can be read").path());
    let mut found: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "deb")).collect();
    found.sort();
    assert!(!found.is_empty(), "there are no packages in {}", folder.display());
    found
}

/// The same packages as a later version, with a line more at the end of each file of settings.
///
/// # Panics
/// When dpkg-deb refuses.
#[must_use]
pub fn later(sandbox: &Sandbox, version: &str, line: &str) -> PathBuf {
    let out = sandbox.path().join("later");
    std::fs::create_dir_all(&out).expect("the disk has room");
    for deb in debs(&folder()) {
        let tree = sandbox.path().join("later.tree");
        let script = format!(
            "dpkg-deb -R {deb} {tree}; sed -i 's/^Version: .*/Version: {version}/' {tree}/DEBIAN/control; \
             for file in {tree}/etc/pm/*.env; do if [ -e $file ]; then echo '{line}' >> $file; fi; done; \
             dpkg-deb --root-owner-group -Zgzip -z1 -b {tree} {out} >&2; rm -r {tree}",
            deb = deb.display(),
            tree = tree.display(),
            out = out.display(),
        );
        let _ = Outcome::of(Command::new("sh").args(["-ec", &script])).succeeded();
    }
    out
}
