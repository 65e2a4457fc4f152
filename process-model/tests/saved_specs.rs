//! Specs as they are saved: what an earlier version wrote is read, and every
//! field of today comes back.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

mod support;

use process_model::ProcessSpec;
use process_model::spec::{Check, Command, HttpCheck, LogWatchdog, Probe};
use proptest::prelude::*;
use std::time::Duration;

/// What version 0.1 wrote, before there were hooks, sockets and the rest.
const FIRST: &str = include_str!("fixtures/spec_0_1.json");

#[test]
fn a_spec_that_the_first_version_saved_is_read() {
    let read: ProcessSpec = serde_json::from_str(FIRST).unwrap();
    let expected = ProcessSpec {
        working_dir: Some("/srv/web".to_owned()),
        env: [("A".to_owned(), "b".to_owned())].into(),
        ports: [("http".to_owned(), 8080)].into(),
        readiness: Some(Probe {
            initial_delay: Duration::from_secs(1),
            ..Probe::new(Check::Http(HttpCheck::get(8080, "/health")))
        }),
        log_watchdog: Some(LogWatchdog::new(Some("/tmp/web.log".to_owned()))),
        autostart: false,
        ..ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["/bin/web".to_owned(), "-p".to_owned()]))
    };
    assert_eq!(read, expected);
    assert_eq!(read.check(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_saved_spec_comes_back_unchanged(spec in support::specs::spec()) {
        let saved = serde_json::to_value(&spec).unwrap();
        prop_assert_eq!(serde_json::from_value::<ProcessSpec>(saved).unwrap(), spec);
    }
}
