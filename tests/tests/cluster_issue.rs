//! `pmctl cluster issue` as a container's first step: from a CA that is only
//! mounted to a pair on the container's own volume, kept from start to start.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use service_host::identity::{Identity, Role, TlsFiles};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use system_tests::{Outcome, Sandbox, binary, until};

fn pmctl(words: &[&str]) -> Outcome {
    Outcome::of(Command::new(binary::path("pmctl")).env("NO_COLOR", "1").args(words))
}

/// A folder with certificate and key of a new CA, as a secret is mounted: nobody may write, and nothing else is there.
fn mounted_ca(sandbox: &Sandbox, name: &str) -> String {
    let (pki, mounted) = (sandbox.file(&format!("pki-{name}")), sandbox.file(name));
    let _ = pmctl(&["cluster", "init", "--dir", &pki, "--name", "prod"]).succeeded();
    std::fs::create_dir(&mounted).unwrap();
    for file in ["ca.crt", "ca.key"] {
        std::fs::copy(format!("{pki}/{file}"), format!("{mounted}/{file}")).unwrap();
        // Root's, and its group reads: as of a volume with `fsGroup`.
        std::fs::set_permissions(format!("{mounted}/{file}"), std::fs::Permissions::from_mode(0o440)).unwrap();
    }
    std::fs::set_permissions(&mounted, std::fs::Permissions::from_mode(0o555)).unwrap();
    mounted
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The name in a certificate.
fn uri(folder: &str) -> String {
    let files = TlsFiles::in_dir(folder.as_ref());
    Identity::load(files, Role::Registry).expect("the pair fits").id().to_string()
}

#[test]
fn a_volume_gets_a_name_of_its_own_and_keeps_it_when_its_certificate_is_renewed() {
    let sandbox = Sandbox::new();
    let (ca, out) = (mounted_ca(&sandbox, "ca"), sandbox.file("volume/tls"));
    let own = ["--out", &out, "--unique", "--keep", "registry/pm-registry-0"];
    let issue = |more: &[&str]| pmctl(&[&["cluster", "issue", "--dir", &ca][..], more, &own].concat());
    issue(&[]).failed(1, &["/cluster", "--cluster names it, too"]);
    let prod = ["--cluster", "prod"];
    let _ = issue(&prod).succeeded();
    let (name, first) = (uri(&out), read(&format!("{out}/tls.crt")));
    let suffix = name.strip_prefix("spiffe://prod/registry/pm-registry-0-").expect("with letters of its own");
    assert_eq!(suffix.len(), 12, "{name}");
    let mode = std::fs::metadata(format!("{out}/tls.key")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, read(&format!("{out}/ca.crt"))), (0o600, read(&format!("{ca}/ca.crt"))));

    // The next start of the container: nothing to do.
    let _ = issue(&prod).succeeded();
    assert_eq!(read(&format!("{out}/tls.crt")), first);

    // One that is about to end, or has ended, is renewed; its name is its replica's for ever.
    let issue_to_out = |ca: &str, words: &[&str]| {
        let to_out = ["cluster", "issue", "--dir", ca, "--cluster", "prod", "--out", &out];
        let _ = pmctl(&[&to_out[..], words].concat()).succeeded();
    };
    issue_to_out(&ca, &["--life", "10s", &name["spiffe://prod/".len()..]]);
    let short = read(&format!("{out}/tls.crt"));
    until("two thirds of ten seconds are over", || {
        let _ = issue(&prod).succeeded();
        read(&format!("{out}/tls.crt")) != short
    });
    assert_eq!(uri(&out), name);

    // What is another one's, or of another CA, is not kept.
    let kept = ["--keep", "--unique", "registry/pm-registry-1"];
    issue_to_out(&ca, &kept);
    assert!(uri(&out).starts_with("spiffe://prod/registry/pm-registry-1-"), "{}", uri(&out));
    let other = mounted_ca(&sandbox, "other-ca");
    let before = uri(&out);
    issue_to_out(&other, &kept);
    assert_ne!(uri(&out), before);
    assert_eq!(read(&format!("{out}/ca.crt")), read(&format!("{other}/ca.crt")));
}
