//! The Helm chart, rendered by Helm's own SDK: what comes out is held against Kubernetes' schemas, the built programs, the
//! design's arrows and checkov's rules. What runs when it is installed: `chart_topology`.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use system_tests::{binary, python};

/// Runs a check of `tests/python/chart`, which names each fault in a line.
fn check(name: &str, args: &[&std::path::Path]) {
    let mut command = python::program(&format!("chart/{name}"));
    let output = command.args(args).output().expect("Python can be started");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{said}", output.status);
    println!("{said}");
}

#[test]
fn each_case_of_the_matrix_is_valid_for_three_versions_of_kubernetes() {
    check("check_matrix.py", &[]);
}

#[test]
fn values_that_cannot_be_meant_are_refused_by_the_name_of_their_field() {
    check("check_refusals.py", &[]);
}

#[test]
fn pods_are_restricted_ports_and_variables_are_the_programs_own_and_policies_are_the_arrows() {
    check("check_properties.py", &[&binary::profile_dir()]);
}

#[test]
fn keys_stay_where_they_belong_digests_win_and_what_changes_restarts_what_it_concerns() {
    check("check_contents.py", &[]);
}

#[test]
fn checkov_finds_nothing_but_what_is_argued() {
    check("check_policies.py", &[]);
}

/// What the chart ships of `examples/observability` is what stands there.
#[test]
fn dashboards_and_rules_are_those_of_the_example() {
    let root = binary::workspace_root();
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().filter_map(Result::ok);
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| name.ends_with(".json"));
        names.sort();
        names
    };
    let (theirs, ours) = ("examples/observability/grafana/dashboards", "helm/dashboards");
    assert_eq!(names(theirs), names(ours), "`cargo xtask chart-docs` copies {theirs} to {ours}");
    let files = names(theirs).into_iter().map(|name| (format!("{theirs}/{name}"), format!("{ours}/{name}")));
    let rules = ("examples/observability/prometheus/rules.yaml".to_owned(), "helm/rules.yaml".to_owned());
    for (source, copy) in files.chain([rules]) {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        assert_eq!(read(&source), read(&copy), "`cargo xtask chart-docs` copies {source} to {copy}");
    }
}
