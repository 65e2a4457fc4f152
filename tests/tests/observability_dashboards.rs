//! The files of `examples/observability` by themselves: dashboards against
//! Grafana's own types, rules by promtool, a runbook for each alert.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use system_tests::{Outcome, Prometheus, Sandbox, binary};

const BOARDS: [&str; 2] = ["control-plane", "processes"];

fn observability() -> PathBuf {
    binary::workspace_root().join("examples/observability")
}

fn board(name: &str) -> String {
    std::fs::read_to_string(observability().join(format!("grafana/dashboards/{name}.json"))).unwrap()
}

/// A file of YAML.
fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Has TypeScript check that a text is a dashboard as Grafana's package has it.
fn type_check(sandbox: &Sandbox, json: &str) -> Outcome {
    let tools = binary::target_dir().join("tools/grafana/node_modules");
    assert!(tools.exists(), "{} is missing: `cargo xtask tools` makes it", tools.display());
    let link = sandbox.path().join("node_modules");
    if !link.exists() {
        std::os::unix::fs::symlink(&tools, &link).unwrap();
    }
    // JSON has no enums: what is one there is any of its texts here.
    let text = format!(
        "import type {{ Dashboard }} from \"@grafana/schema\";\n\
         type Json<T> = T extends string ? `${{T}}` : T extends object ? {{ [K in keyof T]: Json<T[K]> }} : T;\n\
         export const dashboard: Json<Dashboard> = {json};\n"
    );
    let file = sandbox.write("dashboard.ts", &text);
    let mut tsc = Command::new("node");
    tsc.arg(link.join("typescript/bin/tsc")).arg(file).current_dir(sandbox.path());
    tsc.args(["--noEmit", "--skipLibCheck", "--strict", "--moduleResolution", "bundler", "--module", "esnext"]);
    Outcome::of(tsc.args(["--target", "es2022"]))
}

#[test]
fn both_dashboards_are_what_grafana_s_own_types_say_a_dashboard_is() {
    let sandbox = Sandbox::new();
    for name in BOARDS {
        let _ = type_check(&sandbox, &board(name)).succeeded();
    }
    // The check can fail: a key and a value that there are not.
    for (right, wrong) in [("\"gridPos\"", "\"gridPoss\""), ("\"absolute\"", "\"absolut\"")] {
        let outcome = type_check(&sandbox, &board("processes").replacen(right, wrong, 1));
        assert!(outcome.code != 0 && outcome.stdout.contains(wrong.trim_matches('"')), "{outcome}");
    }
}

#[test]
fn every_panel_says_what_it_shows_and_no_two_have_one_place() {
    let mut uids = BTreeSet::new();
    for name in BOARDS {
        let board: Value = serde_json::from_str(&board(name)).unwrap();
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{name}");
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in board["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: the id of {title} is there twice");
            let said = panel["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(said || panel["type"] == "row" || panel["type"] == "text", "{name}: {title} has no description");
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{name}: {title} is too wide");
            for (x, y) in (0..place("w")).flat_map(|x| (0..place("h")).map(move |y| (x, y))) {
                assert!(taken.insert((place("x") + x, place("y") + y)), "{name}: {title} covers another panel");
            }
        }
    }
}

#[test]
fn promtool_accepts_the_configuration_and_the_rules_and_each_alert_fires_when_it_should_and_only_then() {
    let folder = Prometheus::folder();
    let _ = Prometheus::promtool(&folder, &["check", "config", "prometheus.yaml"]).succeeded();
    let _ = Prometheus::promtool(&folder, &["test", "rules", "tests.yaml"]).succeeded();
    // Each alert has a case in which it fires, and one in which it does not.
    let cases = yaml(&folder.join("tests.yaml"));
    let cases: Vec<&Value> = cases["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .collect();
    for alert in alerts() {
        let fires: BTreeSet<bool> = (cases.iter().filter(|case| case["alertname"] == alert["alert"]))
            .map(|case| !case["exp_alerts"].as_array().unwrap().is_empty())
            .collect();
        assert_eq!(fires.len(), 2, "{} needs a case that fires and one that does not", alert["alert"]);
    }
}

fn alerts() -> Vec<Value> {
    let rules = yaml(&Prometheus::folder().join("rules.yaml"));
    let groups = rules["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn every_alert_says_how_bad_it_is_and_has_a_runbook_with_meaning_impact_check_and_fix() {
    let root = binary::workspace_root();
    let mut wanted = BTreeSet::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let severity = alert["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity:?}");
        for annotation in ["summary", "description"] {
            let text = alert["annotations"][annotation].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name} has no {annotation}");
        }
        let path = format!("docs/runbooks/{name}.md");
        assert_eq!(alert["annotations"]["runbook_url"], path, "{name}");
        let page = std::fs::read_to_string(root.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(headings, [&format!("# {name}"), "## Meaning", "## Impact", "## Check", "## Fix"], "{path}");
        assert!(page.contains("```sh\n"), "{path} has no command to type");
        wanted.insert(format!("{name}.md"));
    }
    let there = std::fs::read_dir(root.join("docs/runbooks")).unwrap();
    let there: BTreeSet<String> = there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, wanted, "a runbook without an alert, or the other way round");
}

#[test]
fn grafana_is_given_the_data_sources_and_the_folder_that_the_example_mounts() {
    let grafana = observability().join("grafana/provisioning");
    let sources = yaml(&grafana.join("datasources/pm.yaml"));
    let kinds: BTreeSet<&str> =
        sources["datasources"].as_array().unwrap().iter().map(|source| source["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["prometheus", "tempo"]));
    let providers = yaml(&grafana.join("dashboards/pm.yaml"));
    assert_eq!(providers["providers"][0]["options"]["path"], "/var/lib/grafana/dashboards");
    // The boards ask for their data source by kind, so that they fit another Grafana, too.
    for name in BOARDS {
        let board: Value = serde_json::from_str(&board(name)).unwrap();
        let asked = board["templating"]["list"].as_array().unwrap().iter();
        let asked: BTreeSet<&str> =
            asked.filter(|v| v["type"] == "datasource").filter_map(|v| v["query"].as_str()).collect();
        assert_eq!(asked, kinds, "{name}");
        let trace = |link: &Value| link["url"].as_str().is_some_and(|url| url.contains("${tempo}"));
        assert!(board["links"].as_array().unwrap().iter().any(trace), "{name} has no link to the traces");
    }
}
