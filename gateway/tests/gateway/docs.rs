//! Holds `docs/api.md` against the table of routes, in both directions.

use gateway::access::{PUBLIC, Role};
use gateway::rest::routes::ROUTES;
use std::collections::BTreeSet;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md"));

/// `GET /status` for each row `| GET | `/status` | …`.
fn documented() -> Vec<String> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (method, path) = (cells.next()?, cells.next()?);
        let path = path.strip_prefix("`/")?.strip_suffix('`')?;
        Some(format!("{method} /{path}"))
    };
    PAGE.lines().filter_map(row).collect()
}

#[test]
fn every_route_has_its_row_and_no_row_is_without_a_route() {
    let rows = documented();
    let set: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), set.len(), "a route has two rows");
    let real: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(set, real);
}

#[test]
fn every_method_that_has_a_route_is_named() {
    for route in ROUTES {
        // `/status` is made of several, each with a row of its own.
        for rpc in route.rpcs {
            let method = rpc.rsplit('/').next().unwrap();
            assert!(PAGE.contains(&format!("/{method} |")), "docs/api.md does not name {rpc}");
        }
    }
}

#[test]
fn what_a_viewer_may_do_is_what_the_page_says() {
    let listed = ["List", "Get", "Watch", "Read"];
    for prefix in listed {
        assert!(PAGE.contains(&format!("`{prefix}…`")), "{prefix}");
    }
    for (method, role) in PUBLIC.iter().flat_map(|access| access.methods) {
        assert_eq!(*role == Role::Viewer, listed.iter().any(|prefix| method.starts_with(prefix)), "{method}");
    }
}
