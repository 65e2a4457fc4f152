//! The example files are valid, and the reference names every field.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

use process_model::document;
use serde_json::Value;
use std::path::Path;

const REFERENCE: &str = include_str!("../../docs/process-file.md");

#[test]
fn the_quickstart_is_valid_without_warnings() {
    let text = include_str!("../../examples/quickstart.yaml");
    let document = document::read("quickstart.yaml", Path::new("/examples"), text.as_bytes());
    let document = document.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(document.warnings, []);
    let names: Vec<&str> = document.processes.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["web", "crashy", "ticker"]);
    assert!(document.processes[0].readiness.is_some() && document.processes[2].log_watchdog.is_some());
}

#[test]
fn the_example_applications_are_valid_without_warnings() {
    for (text, kind) in [
        (include_str!("../../examples/python-app/processes.yaml"), "python"),
        (include_str!("../../examples/node-app/processes.yaml"), "node"),
    ] {
        let document = document::read("processes.yaml", Path::new("/app"), text.as_bytes());
        let document = document.unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(document.warnings, []);
        assert_eq!(document.processes[0].runtime.as_str(), kind);
        assert!(document.processes[0].readiness.is_some());
    }
}

#[test]
fn every_example_of_the_docs_is_valid() {
    let mut examples = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(page) = std::fs::read_to_string(&path) else { continue };
        let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for block in blocks.filter(|block| block.lines().any(|line| line == "processes:")) {
            let document = document::read("page.md", Path::new("/docs"), block.as_bytes());
            assert!(document.is_ok(), "{}: {block}\n{:?}", path.display(), document.err());
            examples += 1;
        }
    }
    assert!(examples >= 10, "only {examples} examples were found");
}

#[test]
fn the_reference_names_every_field_of_the_schema() {
    let schema = document::schema();
    let mut missing = Vec::new();
    walk(&schema, &schema, "", &mut missing);
    assert_eq!(missing, Vec::<String>::new(), "not in docs/process-file.md");
}

/// The fields of an object, and of the objects that they refer to.
fn walk(schema: &Value, object: &Value, path: &str, missing: &mut Vec<String>) {
    for (name, property) in object["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if !REFERENCE.contains(&format!("`{path}`")) {
            missing.push(path.clone());
        }
        let text = property.to_string();
        for id in text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
            walk(schema, &schema["$defs"][id], &heading(id, &path), missing);
        }
    }
}

/// How the reference calls the place of the fields of a group: what may be
/// there several times is described once.
fn heading(id: &str, path: &str) -> String {
    match id {
        "process" | "listEntry" => String::new(),
        "liveness" => "readiness".to_owned(),
        "hook" => "hooks.NAME".to_owned(),
        "rlimit" | "socket" | "dependency" => format!("{path}.NAME"),
        "stopStep" | "logRule" => format!("{path}[]"),
        _ => path.to_owned(),
    }
}

#[test]
fn the_reference_names_no_field_that_there_is_not() {
    let schema = document::schema().to_string();
    let rows = REFERENCE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    // The last table begins with what is written here, not with a field.
    let names = rows.take_while(|row| !row.contains(':')).flat_map(|path| path.split('.'));
    for name in names.filter(|name| *name != "NAME") {
        let name = name.trim_end_matches("[]");
        assert!(schema.contains(&format!("\"{name}\":{{")), "{name} is no field");
    }
}

#[test]
fn the_reference_names_the_default_and_the_ends_of_the_range_of_every_field() {
    let schema = document::schema();
    let defs = schema["$defs"].as_object().unwrap();
    for (id, heading) in [
        ("backoff", "restart.backoff"),
        ("restartLimit", "restart.limit"),
        ("stop", "stop"),
        ("logs", "logs"),
        ("logWatchdog", "log_watchdog"),
        ("logRule", "log_rules[]"),
        ("limits", "limits"),
        ("socket", "sockets.NAME"),
        ("ioPriority", "io_priority"),
        ("schedule", "schedule"),
        ("readiness", "readiness"),
        ("httpCheck", "readiness.http"),
        ("hook", "hooks.NAME"),
    ] {
        for (name, property) in defs[id]["properties"].as_object().unwrap() {
            let row = REFERENCE.lines().find(|line| line.starts_with(&format!("| `{heading}.{name}` |")));
            let row = row.unwrap_or_else(|| panic!("{heading}.{name} has no row"));
            if let Some(default) = property.get("default") {
                let text = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
                let text = text.trim_end_matches(".0");
                assert!(row.contains(&format!("| `{text}` |")), "{heading}.{name} has the default {text}: {row}");
            }
            // Everybody knows what a port is.
            for text in ranges(property)
                .iter()
                .filter(|range| heading == "sockets.NAME" && name == "backlog" || *range != "1 to 65535")
            {
                assert!(row.contains(text.as_str()), "{heading}.{name} has the range {text}: {row}");
            }
        }
    }
}

/// Ranges of a property, in words: those that the schema says with units, and
/// those of numbers.
fn ranges(property: &Value) -> Vec<String> {
    let forms = property["anyOf"].as_array().into_iter().flatten();
    let mut found = Vec::new();
    for form in forms.flat_map(|form| form["anyOf"].as_array().into_iter().flatten().chain([form])) {
        let about = form["description"].as_str().unwrap_or_default();
        if let Some((_, range)) = about.split_once(": ").filter(|_| about.starts_with("With ")) {
            found.push(range.trim_end_matches('.').to_owned());
        } else if let (Some(from), Some(to), "") = (form["minimum"].as_f64(), form["maximum"].as_f64(), about) {
            found.push(format!("{from} to {to}"));
        }
    }
    found
}
