//! `pmctl cluster init` at each start of a machine: what is there stays, what is missing is made.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use system_tests::Sandbox;

#[test]
fn init_again_makes_what_is_missing_and_leaves_the_rest_and_refuses_another_name() {
    let sandbox = Sandbox::new();
    let pki = sandbox.file("pki");
    let init = |name: &str, more: &[&str]| {
        let words = ["cluster", "init", "--dir", &pki, "--name", name, "--replicas", "3"];
        sandbox.pmctl(&[&words[..], more].concat())
    };
    let keep = ["--keep", "--runner", "one,two", "--admin-token"];
    let said = init("prod", &keep).succeeded();
    let read = |name: &str| std::fs::read(sandbox.path().join("pki").join(name)).unwrap_or_default();
    let all = ["ca.crt", "ca.key", "admin.token", "registry-3/tls.key", "gateway/tls.crt", "runner-one/tls.crt"];
    let before: Vec<Vec<u8>> = all.map(read).to_vec();
    assert!(before.iter().all(|file| !file.is_empty()), "{said}");
    let token = String::from_utf8(read("admin.token")).unwrap().trim().to_owned();
    assert!(token.len() >= 64 && !said.contains(&token), "{said}");
    let mode = std::fs::metadata(sandbox.path().join("pki/admin.token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    std::fs::remove_file(sandbox.path().join("pki/runner-two/tls.key")).unwrap();
    let again = init("prod", &keep).succeeded();
    assert_eq!(all.map(read).to_vec(), before);
    assert!(!read("runner-two/tls.key").is_empty() && again.contains("runner-two"), "{again}");
    assert!(!again.contains("registry-1"), "what is left as it is, is not told as made: {again}");

    init("test", &keep).failed(1, &["is of the cluster prod, not of test", "--name"]);
    init("prod", &[]).failed(1, &["holds a CA already"]);
    assert_eq!(all.map(read).to_vec(), before);
}
