//! Holds `docs/api.md` against the reasons of errors: clients program against
//! them, so each says what to do about it.

// A test fails by panicking, in its helper functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::error::{DOMAIN, reason};
use std::collections::BTreeSet;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md"));
/// Constants of a module cannot be counted; their definitions can.
const SOURCE: &str = include_str!("../src/error.rs");

fn constants() -> BTreeSet<&'static str> {
    let value = |line: &'static str| {
        let (name, value) = line.trim().strip_prefix("pub const ")?.split_once(": &str = ")?;
        let value = value.trim_matches(['"', ';']);
        (name != "DOMAIN").then_some((name, value))
    };
    SOURCE.lines().filter_map(value).inspect(|(name, value)| assert_eq!(name, value)).map(|(name, _)| name).collect()
}

/// The rows of the table of reasons: reason, HTTP status, what to do.
fn rows() -> Vec<Vec<&'static str>> {
    PAGE.lines()
        .skip_while(|line| !line.starts_with("| reason | HTTP | do |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

#[test]
fn the_constants_are_found() {
    assert!(constants().contains(reason::NOT_FOUND) && constants().contains(reason::INTERNAL));
}

#[test]
fn every_reason_has_a_row_that_says_what_to_do() {
    let documented: BTreeSet<_> = rows().iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(documented, constants());
    for row in rows() {
        let [name, status, remedy] = row[..] else { panic!("{row:?} has not three cells") };
        assert!(status.starts_with(['4', '5']), "{name} has the HTTP status {status}");
        assert!(!remedy.is_empty(), "{name}");
    }
}

#[test]
fn the_domain_is_named() {
    assert!(PAGE.contains(&format!("`{DOMAIN}`")));
}
