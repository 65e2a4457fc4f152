//! Tokens are in their files and nowhere else.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use system_tests::{DEADLINE, Sandbox, http, proc};

#[test]
fn the_token_is_in_no_log_no_argv_no_environment_and_no_other_file() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("up.yaml", "processes:\n  web:\n    command: [sleep, '1000']\n    instances: 2\n");
    let mut up = sandbox.up_with(&["-f", &file], &[("PM_LOG", "trace")]);
    let token = up.credentials.token.clone();
    assert!(token.len() >= 32, "a token that can be guessed");
    let viewer_file = sandbox.state_dir().join("token.viewer");
    let viewer = std::fs::read_to_string(&viewer_file).expect("it is there").trim().to_owned();

    // Use it in every way, rightly and wrongly.
    let mut outputs = Vec::new();
    let verbs = [&["status"][..], &["restart", "web-1"], &["list", "-o", "json"], &["nodes"], &["stop", "none"]];
    for verb in verbs {
        let mut command = sandbox.command(verb);
        let outcome = system_tests::Outcome::of(command.env("PM_LOG", "trace"));
        outputs.push(outcome.stdout + &outcome.stderr);
    }
    let authority = up.credentials.authority().to_owned();
    for path in ["/status", "/api/v1/processes", "/api/v1/nothing"] {
        let answer = http::get(&authority, path, Some(&token));
        outputs.push(format!("{answer:?}"));
        let _ = http::get(&authority, path, Some(&viewer));
    }

    let ours: Vec<u32> = proc::descendants(up.pid()).into_iter().chain([up.pid()]).collect();
    assert!(ours.len() >= 4, "up, keeper and two instances: {ours:?}");
    for pid in &ours {
        outputs.push(proc::arguments(*pid).join(" "));
        outputs
            .push(String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()).into());
    }
    let _ = up.end_with(rustix::process::Signal::TERM);
    assert!(up.stdout.ended_within(DEADLINE) && up.stderr.ended_within(DEADLINE), "somebody still has its outputs");
    // Its terminal shows the token on purpose, once, for `curl`; its log never.
    assert_eq!(up.stdout.text().matches(&token).count(), 1);
    outputs.push(up.stderr.text());

    for secret in [&token, &viewer] {
        let leaks: Vec<&String> = outputs.iter().filter(|text| text.contains(secret.as_str())).collect();
        assert!(leaks.is_empty(), "the token is in {:.2000}", leaks[0]);
        let holders: Vec<PathBuf> = files(&sandbox.state_dir())
            .into_iter()
            .filter(|path| contains(&std::fs::read(path).unwrap_or_default(), secret.as_bytes()))
            .collect();
        let holder = if secret == &token { PathBuf::from(&up.credentials.token_file) } else { viewer_file.clone() };
        assert_eq!(holders.iter().collect::<Vec<_>>(), [&holder]);
        let mode = std::fs::metadata(&holder).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", holder.display());
    }
}

#[test]
fn a_token_file_that_others_can_read_is_refused() {
    let sandbox = Sandbox::new();
    let up = sandbox.up("processes:\n  web:\n    command: [sleep, '1000']\n");
    let open = sandbox.write("open-token", &up.credentials.token);
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let outcome = up.pmctl(&["--token-file", &open, "status"]);
    outcome.failed(7, &["open-token", "chmod 600"]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it can be listed").filter_map(Result::ok) {
        let kind = entry.file_type().expect("it can be looked at");
        if kind.is_dir() {
            files.extend(self::files(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
