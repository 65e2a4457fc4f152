//! The field table as a JSON Schema (2020-12), for editors and other checkers.
//! It says what a schema can; names by reference and rules between fields are
//! the reader's.

use super::field::{Field, Group, Preset, Shape};
use super::fields::{self, ROOT};
use crate::spec::limits;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Names (see `ProcessName`).
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";

/// The JSON Schema of a process file.
#[must_use]
pub fn schema() -> Value {
    let mut document = group(&ROOT);
    let groups = [
        &fields::PROCESS,
        &fields::LIST_ENTRY,
        &fields::RESTART,
        &fields::BACKOFF,
        &fields::STOP,
        &fields::READINESS,
        &fields::HTTP,
        &fields::TCP,
        &fields::LOG_WATCHDOG,
    ];
    let defs: Map<String, Value> = groups.iter().map(|g| (g.id.to_owned(), group(g))).collect();
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

fn group(group: &Group) -> Value {
    let properties: Map<String, Value> = group.fields().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> =
        group.fields().filter(|field| matches!(field.default, Preset::Required)).map(|field| field.name).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    if !group.one_of.is_empty() {
        // Null is absent, so "given" is more than being there.
        let given = |name: &&str| json!({ "required": [name], "properties": { *name: { "not": { "type": "null" } } } });
        object["oneOf"] = group.one_of.iter().map(given).collect();
    }
    object
}

fn property(field: &Field) -> Value {
    let mut property = value(&field.shape);
    if !matches!(field.default, Preset::Required) {
        property = or_null(property);
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
        Preset::Duration(duration) => property["default"] = json!(humantime::format_duration(*duration).to_string()),
    }
    property
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Literal => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Name => json!({ "type": "string", "pattern": NAME }),
        Shape::KnownName(names) => json!({ "anyOf": [{ "enum": names() }, { "type": "string", "pattern": NAME }] }),
        Shape::Path => json!({ "type": "string", "minLength": 1, "pattern": "^[^~]" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer(range) => integer(range),
        Shape::Number(range) => json!({ "type": "number", "minimum": range.start(), "maximum": range.end() }),
        Shape::Duration(range) => duration(range),
        Shape::Word(words) => json!({ "enum": words() }),
        Shape::Signal => json!({ "anyOf": [
            { "type": "string", "pattern": "^([Ss][Ii][Gg])?[A-Za-z0-9]+$" },
            { "type": "integer", "minimum": 1, "maximum": 31 },
        ] }),
        Shape::TextMap => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        }),
        Shape::Command => json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } },
        ] }),
        Shape::Ports => json!({ "anyOf": [
            { "type": "object", "propertyNames": { "pattern": NAME }, "additionalProperties": or_null(integer(&limits::PORT)) },
            { "type": "array", "items": integer(&limits::PORT) },
        ] }),
        Shape::PortOrName => json!({ "anyOf": [integer(&limits::PORT), { "type": "string", "pattern": NAME }] }),
        Shape::Group(group) => reference(group),
        Shape::WordOrGroup(words, group) => json!({ "anyOf": [{ "enum": words() }, reference(group)] }),
        Shape::Processes => json!({ "anyOf": [
            {
                "type": "object",
                "propertyNames": { "pattern": NAME },
                "additionalProperties": reference(&fields::PROCESS),
            },
            { "type": "array", "items": reference(&fields::LIST_ENTRY) },
        ] }),
    }
}

fn reference(group: &Group) -> Value {
    json!({ "$ref": format!("#/$defs/{}", group.id) })
}

fn integer(range: &RangeInclusive<u32>) -> Value {
    json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
}

fn duration(range: &RangeInclusive<Duration>) -> Value {
    let show = |duration: &Duration| humantime::format_duration(*duration).to_string();
    json!({ "anyOf": [
        {
            "type": "string",
            "pattern": "^\\s*[0-9].*[A-Za-zµ]\\s*$",
            "description": format!("With units, as 30s, 1m 30s or 500ms: {} to {}.", show(range.start()), show(range.end())),
        },
        {
            "type": "number",
            "minimum": range.start().as_secs_f64(),
            "maximum": range.end().as_secs_f64(),
            "description": "In seconds.",
        },
    ] })
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
