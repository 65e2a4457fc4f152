//! `deploy/install.sh` as one user runs it: it installs what SHA256SUMS vouches for, and nothing else.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use system_tests::{Outcome, Sandbox, binary, packages};

/// A folder of downloads with a tarball and its sum, whose pmctl is the one under test.
fn downloads(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.path().join("downloads");
    std::fs::create_dir(&folder).unwrap();
    for file in std::fs::read_dir(packages::folder()).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().ends_with(".tar.gz") || file.file_name() == "SHA256SUMS" {
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    folder
}

fn tarball(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.find(|path| path.extension().is_some_and(|ending| ending == "gz")).unwrap()
}

/// The installer, as a user without root; where the programs went is `HOME/.local/bin`.
fn install(sandbox: &Sandbox, words: &[&str]) -> Outcome {
    let mut command = Command::new("sh");
    command.arg(binary::workspace_root().join("deploy/install.sh")).args(words);
    Outcome::of(
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", sandbox.path()).current_dir(sandbox.path()),
    )
}

#[test]
fn installer_installs_what_the_checksums_vouch_for_and_says_how_to_be_rid_of_it() {
    let sandbox = Sandbox::new();
    let folder = downloads(&sandbox);
    let said = install(&sandbox, &["--from", folder.to_str().unwrap()]).succeeded();
    let pmctl = sandbox.path().join(".local/bin/pmctl");
    assert!(Outcome::of(Command::new(&pmctl).arg("--version")).succeeded().starts_with("pmctl "));
    assert!(said.contains("PATH") && !sandbox.path().join(".local/bin/registry-svc").exists(), "{said}");
    let uninstall = said.lines().find_map(|line| line.strip_prefix("to uninstall: ")).unwrap();

    // Over it, from an address, with the services.
    let address = format!("file://{}", folder.display());
    let again =
        install(&sandbox, &["--from", &address, "--version", env!("CARGO_PKG_VERSION"), "--all", "--dir", "here"]);
    assert!(again.succeeded().contains("here/runner-svc"));
    assert!(
        Outcome::of(Command::new(sandbox.path().join("here/gateway")).arg("--version")).succeeded().contains("gateway")
    );

    let _ = Outcome::of(Command::new("sh").args(["-c", uninstall])).succeeded();
    assert_eq!(std::fs::read_dir(sandbox.path().join(".local/bin")).unwrap().count(), 0);
}

#[test]
fn installer_refuses_what_was_tampered_with_and_what_is_missing() {
    let sandbox = Sandbox::new();
    let folder = downloads(&sandbox);
    let from = folder.to_str().unwrap();
    let installed = || sandbox.path().join(".local/bin").exists();
    install(&sandbox, &["--from", from, "--version", "9.9.9"]).failed(1, &["no tarball of 9.9.9"]);
    install(&sandbox, &["--from"]).failed(1, &["--from needs a value"]);
    install(&sandbox, &[]).failed(1, &["--from DIR or URL"]);

    // One byte.
    let tarball = tarball(&folder);
    let mut bytes = std::fs::read(&tarball).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&tarball, bytes).unwrap();
    install(&sandbox, &["--from", from]).failed(1, &["checksum differs", "nothing was installed"]);
    assert!(!installed());

    std::fs::remove_file(&tarball).unwrap();
    install(&sandbox, &["--from", from]).failed(1, &["cannot get pm-"]);
    std::fs::remove_file(folder.join("SHA256SUMS")).unwrap();
    install(&sandbox, &["--from", from]).failed(1, &["cannot get SHA256SUMS"]);
    assert!(!installed());
}
