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
fn every_example_of_the_reference_is_valid() {
    let blocks: Vec<&str> = REFERENCE.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        let document = document::read("process-file.md", Path::new("/docs"), block.as_bytes());
        assert!(document.is_ok(), "{block}\n{:?}", document.err());
    }
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
            let path = if id == "process" || id == "listEntry" { "" } else { &path };
            walk(schema, &schema["$defs"][id], path, missing);
        }
    }
}
