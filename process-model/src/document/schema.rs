//! The field table as a JSON Schema (2020-12), for editors and other checkers.
//! It says what a schema can; names by reference and rules between fields are
//! the reader's.

mod shapes;

use super::field::{Choice, Field, Group, Preset, Shape};
use super::fields::{LIST_ENTRY, PROCESS, ROOT};
use crate::words;
use serde_json::{Map, Value, json};

/// The JSON Schema of a process file.
#[must_use]
pub fn schema() -> Value {
    let mut document = group(&ROOT);
    let mut defs = Map::new();
    collect(&ROOT, &mut defs);
    if let Some(document) = document.as_object_mut() {
        document.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        document.insert("title".to_owned(), json!("Process file"));
        let about =
            "Processes for pmctl to run and keep running. YAML or JSON. Null means the same as leaving a field out.";
        document.insert("description".to_owned(), json!(about));
        document.insert("$defs".to_owned(), Value::Object(defs));
    }
    document
}

/// Every group that is inside another one.
fn collect(outer: &Group, defs: &mut Map<String, Value>) {
    let processes = [&PROCESS, &LIST_ENTRY];
    for field in outer.fields() {
        let inner: &[&'static Group] = match (&field.shape, field.shape.group()) {
            (Shape::Processes, _) => &processes,
            (_, Some(inner)) => &[inner],
            (_, None) => &[],
        };
        for inner in inner.iter().copied() {
            if !defs.contains_key(inner.id) {
                defs.insert(inner.id.to_owned(), group(inner));
                collect(inner, defs);
            }
        }
    }
}

fn group(group: &Group) -> Value {
    let properties: Map<String, Value> = group.fields().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> =
        group.fields().filter(|field| matches!(field.default, Preset::Required)).map(|field| field.name).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    // Null is absent, so "given" is more than being there.
    let given = |name: &&str| json!({ "required": [name], "properties": { *name: { "not": { "type": "null" } } } });
    match &group.choice {
        Choice::Free => {}
        Choice::One(names) => object["oneOf"] = names.iter().map(given).collect(),
        Choice::Some(names) => object["anyOf"] = names.iter().map(given).collect(),
    }
    if !group.needs.is_empty() {
        let needs: Map<String, Value> =
            group.needs.iter().map(|(name, other)| ((*name).to_owned(), json!([other]))).collect();
        object["dependentRequired"] = Value::Object(needs);
    }
    object
}

fn property(field: &Field) -> Value {
    let mut property = shapes::value(&field.shape);
    if !matches!(field.default, Preset::Required) {
        property = shapes::or_null(property);
    }
    property["description"] = json!(field.about);
    if let Ok(example) = serde_json::from_str::<Value>(field.example) {
        property["examples"] = json!([example]);
    }
    match &field.default {
        Preset::Required | Preset::Absent => {}
        Preset::Text(text) => property["default"] = json!(text),
        Preset::Flag(flag) => property["default"] = json!(flag),
        Preset::Integer(number) => property["default"] = json!(number),
        Preset::Number(number) => property["default"] = json!(number),
        Preset::Duration(duration) => property["default"] = json!(words::duration(*duration)),
        Preset::Size(bytes) => property["default"] = json!(words::size(*bytes)),
    }
    property
}

#[cfg(test)]
mod tests;
